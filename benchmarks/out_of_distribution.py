"""How well each score of novelty tells foreign rows from ordinary ones: digits, and tables with natural ground truth.

    python benchmarks/out_of_distribution.py [FOLDER_OF_DATA]

Digits: the network of `digits`, 450 test rows against MNIST images shrunk to 8 x 8 (the same classes, written and
scanned otherwise), uniform noise, one permutation of the pixels, and inverted images. Tables: white wine against
red, diabetes patients against made-up columns. Printed: area under the ROC curve, and the share of foreign rows that pass
where 95 % of ordinary rows do, in percent.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roadworthy.challenges.uncertainty import novelty
from roadworthy.challenges.uncertainty.out_of_distribution import novelty_reference
from roadworthy.engine import Registry, Store, compute
from roadworthy.statistics import auc
from roadworthy.subject import Subject, builtin_subject
from roadworthy.subject.fields import fields_of

DATA = Path(os.environ.get("ROADWORTHY_DATA", Path(__file__).parents[2] / "shared" / "data"))


def table(name: str, subject: Subject, foreign: Mapping[str, np.ndarray]) -> None:
    """Print the figures of one subject."""
    registry = Registry.discover()
    fields = fields_of(subject)
    found = compute(registry, fields, ["predictor", "output_kind"], store=Store(None))
    predictor, kind = found["predictor"].value, found["output_kind"].value
    inputs = {split: subject.splits[split].inputs for split in ("train", "test")}
    assert inputs["train"] is not None
    assert inputs["test"] is not None
    labels = subject.splits["train"].target if subject.task.is_classification else None
    fitted = novelty_reference(
        predictor, inputs["train"], kind, subject.modality, np.random.default_rng(0), labels,
        subject.columns or None, subject.input_range,
    )  # fmt: skip
    own = novelty.scores_of(predictor, inputs["test"], fitted, kind)
    print(f"\n{name}, {len(inputs['test'])} ordinary rows")
    print(f"  {'score':28s}" + "".join(f"{way:>20s}" for way in foreign))
    for score, ordinary in own.items():
        cells: list[str] = []
        for rows in foreign.values():
            far = novelty.scores_of(predictor, rows, fitted, kind)[score]
            is_foreign = np.repeat([False, True], [len(ordinary), len(far)])
            area = auc(np.concatenate([ordinary, far]), is_foreign).value
            passed = np.mean(far <= np.quantile(ordinary, 0.95, method="higher"))
            cells.append(f"{100 * area:10.1f} /{100 * passed:6.1f}")
        print(f"  {score:28s}" + "".join(f"{cell:>20s}" for cell in cells))


def digits(folder: Path) -> None:
    """Print the figures of images."""
    subject = builtin_subject("digits")
    test = subject.splits["test"].inputs
    assert test is not None
    rng = np.random.default_rng(0)
    n = len(test)
    foreign = {
        "noise": rng.random(test.shape, dtype=np.float32),
        "shuffle": test.reshape(n, -1)[:, rng.permutation(64)].reshape(test.shape),
        "invert": 1 - test,
    }
    path = folder / "img_digits" / "mnist.npz"
    if path.is_file():
        with np.load(path) as data:
            images = data["x_test"][:n].astype(np.float32) / 255
        padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        foreign["MNIST 8 x 8"] = padded.reshape(n, 1, 8, 4, 8, 4).mean(axis=(3, 5))
    table("digits", subject, foreign)


def wine(folder: Path) -> None:
    """Print the figures of white wine against red."""
    import pyarrow.parquet as pq

    from roadworthy.subject import subject_from

    path = folder / "tab_wine" / "wine_quality.parquet"
    if not path.is_file():
        print(f"\nno {path}: white against red wine is left out")
        return
    frame = pq.read_table(path).to_pandas()
    white, red = (
        frame[frame["domain"] == kind].drop(columns="domain") for kind in ("white", "red")
    )
    white["quality"] = np.where(white["quality"] >= 6, "good", "poor")
    subject = subject_from(data=white.reset_index(drop=True), target="quality", name="white wine")
    names = [column.name for column in subject.columns]
    table("white wine", subject, {"red wine": red[names].to_numpy(np.float64)})


def diabetes() -> None:
    """Print the figures of a table against its own columns, drawn apart."""
    subject = builtin_subject("diabetes")
    test = subject.splits["test"].inputs
    assert test is not None
    rng = np.random.default_rng(0)
    apart = np.stack([rng.permutation(column) for column in test.T], axis=1)
    table("diabetes", subject, {"columns apart": apart})


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    digits(where)
    wine(where)
    diabetes()
