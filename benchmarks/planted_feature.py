"""Whether explanations find a feature that was planted and that answers rest on, over many seeds.

    python benchmarks/planted_feature.py [digits mnist adult] [--seeds 40] [--data FOLDER]

For each seed another mark (class, corner or column, rows that carry it), another training. A seed counts as found where at least nine in ten explained rows begin
with the mark. Prints seeds found with the Clopper-Pearson interval, and rows found, by method; each seed on standard error as it comes.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from roadworthy.engine import Registry, Store, compute
from roadworthy.statistics import clopper_pearson
from roadworthy.subject import (
    DataOptions,
    Recipe,
    Roles,
    Subject,
    builtin_subject,
    fields_of,
    subject_from,
    subject_from_table,
)
from roadworthy.subject.table import table_from_arrow

ROOT = Path(__file__).resolve().parent.parent
LEAST = 0.9  # of the explained rows of a seed


def mnist(folder: Path) -> Subject:
    """Return 1,500 training and 600 test digits."""
    data = np.load(folder / "img_digits" / "mnist.npz")
    names = sorted(data.files)
    train = next(n for n in names if n.startswith("x_train") or n == "train_images")
    test = next(n for n in names if n.startswith("x_test") or n == "test_images")
    of_train = next(n for n in names if n.startswith("y_train") or n == "train_labels")
    of_test = next(n for n in names if n.startswith("y_test") or n == "test_labels")

    def scaled(name: str, count: int) -> np.ndarray:
        return (data[name][:count] / np.float32(255))[:, None]

    return subject_from(
        None,
        train=(scaled(train, 1500), data[of_train][:1500].astype(np.int64)),
        test=(scaled(test, 600), data[of_test][:600].astype(np.int64)),
        recipe=Recipe(epochs=6, learning_rate=2e-3, batch_size=64, patience=None),
        name="mnist",
    )


def adult(folder: Path) -> Subject:
    """Return 4,000 rows of Adult."""
    whole = pq.read_table(folder / "tab_adult" / "adult.parquet")
    rows = np.sort(np.random.default_rng(0).permutation(len(whole))[:4000])
    kept = whole.take(rows).drop_columns(["fnlwgt", "split", "income"])
    roles = Roles(target="label", sensitive=("sex", "race"))
    subject = subject_from_table(table_from_arrow(kept, "adult"), DataOptions(roles))
    return replace(subject, name="adult", recipe=Recipe(8, learning_rate=4e-3, batch_size=64))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("subjects", nargs="*", default=["digits", "mnist", "adult"])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--methods", nargs="*", default=["auto"])
    standard = ROOT.parent / "shared" / "data"
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", standard))
    )
    asked = parser.parse_args()
    registry = Registry.discover()
    print(f"{'subject':8} {'method':20} {'seeds found':28} {'rows found':18} CPU s")
    for name in asked.subjects:
        of_name = {"mnist": mnist, "adult": adult}
        subject = of_name[name](asked.data) if name in of_name else builtin_subject(name)
        for method in asked.methods:
            _say(name, method, subject, registry, asked.seeds)


def _say(name: str, method: str, subject: Subject, registry: Registry, seeds: int) -> None:
    start = time.process_time()
    store = Store()
    shares: list[float] = []
    found = rows = untaken = 0
    used = method
    for seed in range(seeds):
        outcome = compute(
            registry,
            fields_of(subject),
            ["planted_ranks", "attribution_method"],
            store=store,
            seed=seed,
            options={"attribution_method": {"method": method}},
        )
        ranks = outcome["planted_ranks"]
        if ranks.state != "done":
            untaken += 1
            print(f"  seed {seed}: {ranks.reason}", flush=True)
            continue
        used = outcome["attribution_method"].value
        hits = np.asarray(ranks.value["found"])
        shares.append(float(hits.mean()))
        print(
            f"  {name} seed {seed}: {hits.sum()} of {len(hits)} rows", file=sys.stderr, flush=True
        )
        found, rows = found + int(hits.sum()), rows + len(hits)
    counted = sum(share >= LEAST for share in shares)
    low, high = clopper_pearson(counted, max(len(shares), 1))
    said = f"{counted}/{len(shares)} [{low:.2f}, {high:.2f}]"
    spent = time.process_time() - start
    more = f"  ({untaken} seeds: the model did not take up the mark)" if untaken else ""
    print(
        f"{name:8} {used:20} {said:28} {found}/{rows} ({found / max(rows, 1):.1%}) {spent:.0f}{more}",
        flush=True,
    )


if __name__ == "__main__":
    main()
