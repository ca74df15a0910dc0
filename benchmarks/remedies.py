"""Renew the published record of what each remedy is proven to do: 40 seeds, against its sham.

    python benchmarks/remedies.py digits adult diabetes [--only NAME ...] [--seeds 40]

Prints one line for each and writes src/roadworthy/remedy_record.json. Adult is read from the folder of data sets
(--data, or ROADWORTHY_DATA): 4,000 of its rows.
"""

import argparse
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from roadworthy import config
from roadworthy.api import request_of
from roadworthy.engine import Registry, Store
from roadworthy.procedures.remedies import (
    PUBLISHED,
    SEEDS,
    Proof,
    Unproven,
    prove,
    read_proofs,
    write_proofs,
)
from roadworthy.procedures.remedies.rows import MOST_ROWS
from roadworthy.procedures.stored import STORED
from roadworthy.subject import (
    DataOptions,
    Network,
    Recipe,
    Roles,
    Subject,
    builtin_subject,
    subject_from_table,
)
from roadworthy.subject.table import table_from_arrow
from roadworthy.training.tables import TableNetwork, TableShape

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "src" / "roadworthy" / PUBLISHED
ROWS = 4_000


def adult(folder: Path, n: int = ROWS, sensitive: tuple[str, ...] = ("sex", "race")) -> Subject:
    whole = pq.read_table(folder / "tab_adult" / "adult.parquet")
    rows = np.sort(np.random.default_rng(0).permutation(len(whole))[:n])
    kept = whole.take(rows).drop_columns(["fnlwgt", "split", "income"])
    roles = Roles(target="label", sensitive=sensitive)
    subject = subject_from_table(table_from_arrow(kept, "adult"), DataOptions(roles))
    # A short recipe: a proof trains a hundred networks.
    return replace(subject, name="adult", recipe=Recipe(12, learning_rate=4e-3, batch_size=64))


def adult_by_sex(folder: Path) -> Subject:
    """More rows and a smaller network: a rate by group needs a hundred members of whom the same is true."""
    subject = adult(folder, 16_000, ("sex",))
    shape = TableShape.of(subject.columns, len(subject.task.classes))
    network = Network(partial(TableNetwork, shape, members=2, width=64), "small network for tables")
    recipe = Recipe(8, learning_rate=4e-3, batch_size=256)
    return replace(subject, name="adult by sex", network=network, recipe=recipe)


GROUPS = {"train": 4_000, "validation": 3_000, "test": 2_500}
ADULT = {"adult": adult, "adult_by_sex": adult_by_sex}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "subjects", nargs="+", choices=("digits", "adult", "adult_by_sex", "diabetes")
    )
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    standard = ROOT.parent / "shared" / "data"
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", standard))
    )
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--store", type=Path, help="folder that keeps trained models")
    asked = parser.parse_args()
    registry = Registry.discover()
    settings = config.settle(None, {"audit": {"profile": "quick"}})
    options = request_of(settings, registry).options
    for name in asked.subjects:
        own = ADULT.get(name)
        subject = builtin_subject(name) if own is None else own(asked.data)
        clock = [time.process_time()]

        def say(result: Proof | Unproven, name: str = name, clock: list[float] = clock) -> None:
            spent, clock[0] = time.process_time() - clock[0], time.process_time()
            if isinstance(result, Unproven):
                print(f"{name:8} {result.mitigation:32} not tested: {result.reason}", flush=True)
                return
            share = f"{result.improved}/{result.seeds} [{result.low:.2f}, {result.high:.2f}]"
            gain = f"{result.gain:+.4f} [{result.gain_low:+.4f}, {result.gain_high:+.4f}]"
            print(
                f"{name:8} {result.mitigation:32} {share:22} {gain:30} of {result.before:.4f} "
                f"{result.check} at {result.strength:g} ({spent:.0f} s)",
                flush=True,
            )
            known = read_proofs(asked.record) if asked.record.is_file() else ()
            write_proofs(asked.record, [*known, result])

        store = Store(asked.store, records=STORED)
        if name == "digits":  # most digits withstand the 8/255 that photos are attacked with
            options = {**options, "attack_threat": {"eps": 0.1}}
        prove(
            subject,
            registry,
            asked.only,
            seeds=asked.seeds,
            options=options,
            store=store,
            most_rows=GROUPS if name == "adult_by_sex" else MOST_ROWS,
            say=say,
        )


if __name__ == "__main__":
    main()
