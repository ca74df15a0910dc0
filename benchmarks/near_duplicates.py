"""Near duplicates of CIFAR-10 against the pairs published as ciFAIR (Barz & Denzler 2020).

10,000 test against 50,000 training pictures. A found pair that is not in the list counts as false; many of
these are mirrored, recoloured or grey copies that the list lacks, so a sheet of them is written for the eye.
Our CPU seconds stand beside those of the rule "nearest neighbour at .13 of the median distance" (cleanlab 2.9's
near-duplicate rule) on the same whitened coarse pictures.

Run: OMP_NUM_THREADS=1 python benchmarks/near_duplicates.py [DATA_FOLDER] [SHEET.png]
"""

import csv
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np

from roadworthy.challenges.data_quality.alignment import grey
from roadworthy.challenges.data_quality.near_duplicates import (
    _coarse,  # pyright: ignore[reportPrivateUsage]
    _whitening,  # pyright: ignore[reportPrivateUsage]
    same_picture,
)
from roadworthy.challenges.data_quality.neighbours import nearest

SHEET = 100


def pictures(path: Path) -> np.ndarray:
    import pyarrow.parquet as pq
    from PIL import Image

    encoded = pq.read_table(path, columns=["jpeg"])["jpeg"].to_pylist()
    return np.stack([np.asarray(Image.open(BytesIO(picture))) for picture in encoded])


def line(name: str, found: np.ndarray, listed: np.ndarray, seconds: float) -> None:
    hits = int((found & listed).sum())
    precision = hits / max(int(found.sum()), 1)
    print(
        f"{name:32s} found {int(found.sum()):5d}  listed {hits:3d}  recall {hits / listed.sum():.3f}  "
        f"precision by the list >= {precision:.3f}  CPU {seconds:6.1f} s"
    )


def strictest(found: np.ndarray, listed: np.ndarray) -> None:
    """Print the recall that is left when the least agreement is raised until the list grants .95."""
    order = np.argsort(-found[:, 1], kind="stable")[: int((found[:, 0] >= 0).sum())]
    hits = np.cumsum(listed[order])
    good = np.flatnonzero(hits / np.arange(1, len(order) + 1) >= 0.95)
    recall = hits[good[-1]] / listed.sum() if len(good) else 0.0
    print(f"{'':32s} recall at precision >= .95 by the list: {recall:.3f}")


def main(folder: Path, sheet: Path | None) -> None:
    seen, asked = (pictures(folder / f"img_cifar10/{name}.parquet") for name in ("train", "test"))
    with (folder / "img_cifar10/duplicates_test_vs_train.csv").open() as file:
        listed = np.zeros(len(asked), bool)
        listed[[int(row["TestID"]) for row in csv.DictReader(file)]] = True
    rng = np.random.default_rng(0)
    start = time.process_time()
    found = same_picture(grey(seen), grey(asked), rng)
    line("ours", found[:, 0] >= 0, listed, time.process_time() - start)
    strictest(found, listed)
    start = time.process_time()
    known, queries = _coarse(grey(seen)), _coarse(grey(asked))
    mean, axes = _whitening(known[rng.permutation(len(known))[:10_000]])
    distances, _ = nearest((known - mean) @ axes, (queries - mean) @ axes, 1)
    near = distances[:, 0] < 0.13 * np.median(distances[:, 0])
    line(".13 of the median distance", near, listed, time.process_time() - start)
    if sheet is not None:
        from PIL import Image

        unlisted = np.flatnonzero((found[:, 0] >= 0) & ~listed)
        shown = np.sort(rng.permutation(unlisted)[:SHEET])
        pairs = [np.concatenate([asked[i], seen[int(found[i, 0])]]) for i in shown]
        rows = [
            np.concatenate(pairs[i : i + 20], axis=1) for i in range(0, len(pairs) // 20 * 20, 20)
        ]
        Image.fromarray(np.concatenate(rows)).resize((1280, 128 * len(rows)), 0).save(sheet)
        print(f"{len(shown)} of {len(unlisted)} pairs outside the list: {sheet}")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    main(where, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
