"""Attacks on rows of tables, side by side on the same rows: each budget, the blind ones, and plain random search.

    OMP_NUM_THREADS=1 python benchmarks/table_attacks.py [--data FOLDER] [--rows 200] [adult german]

The default network for tables is trained on the subject's training rows by the default recipe. Threat: every number by
a tenth of its spread, and 0, 1 or 2 categories swapped; sensitive attributes stay. Printed for each: share of rows
answered wrongly under attack, without one, rows that each attack of the budget broke, CPU seconds, passes per row.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from time import process_time

os.environ["OMP_NUM_THREADS"] = "1"  # one thread, before numpy and torch are loaded

import numpy as np
import torch

from roadworthy import engine
from roadworthy.challenges.evasion import tables
from roadworthy.perturbation.attack import Found, Points, margin
from roadworthy.perturbation.cascade import Outcomes, cascade
from roadworthy.perturbation.cell_attacks import CellSearch, attacks_on_cells
from roadworthy.perturbation.cells import from_facts
from roadworthy.perturbation.model import AttackedModel, attacked
from roadworthy.perturbation.noise import RowNoise
from roadworthy.procedures.stored import STORED
from roadworthy.subject import subject_from
from roadworthy.subject.fields import fields_of


@dataclass(frozen=True)
class RandomPoints:
    """Points drawn by chance from the whole threat, each anew: half with all numbers at an end, k swaps each."""

    queries: int

    @property
    def name(self):
        """As in a report."""
        return f"{self.queries} random points"

    def __call__(self, model, points, threat):
        """Keep the worst of all."""
        generator = torch.Generator().manual_seed(0)
        legal, options = threat.legal(points.inputs), threat.options
        down, up = torch.from_numpy(threat.down), torch.from_numpy(threat.up)
        found, best = points.inputs.clone(), margin(model.logits(points.inputs), points.labels)
        for query in range(self.queries - 1):
            drawn = torch.rand(points.inputs.shape, generator=generator)
            drawn = drawn.round() if query % 2 else drawn
            moved = threat.project(points.inputs, points.inputs + drawn * (up + down) - down)
            for _ in range(threat.swaps):
                key = torch.where(legal, torch.rand(legal.shape, generator=generator), -1.0)
                has_any = key.amax(1) >= 0
                put = options.put(moved, key.argmax(1))
                put = torch.where(has_any[:, None], put, moved)
                within = threat.swapped(points.inputs, put).sum(1) <= threat.swaps
                moved = torch.where(within[:, None], put, moved)
            margins = margin(model.logits(moved), points.labels)
            better = margins < best
            found[better], best = moved[better], torch.minimum(best, margins)
        return Found(found, best)


def subject_named(name, folder):
    if name == "adult":
        return subject_from(
            data=folder / "tab_adult" / "adult.parquet",
            target="income",
            sensitive=("sex", "race"),
            drop=("fnlwgt", "label"),
            split="split",
        )
    return subject_from(
        data=folder / "tab_german" / "german_credit.parquet",
        target="class-label",
        sensitive=("sex", "age", "foreign-worker"),
    )


def tried():
    yield from ((name, attacks_on_cells(name, has_gradients=True)) for name in BUDGETS)
    yield "quick, blind", attacks_on_cells("quick", has_gradients=False)
    for queries in (500, 2000):
        yield f"search {queries}", (CellSearch(queries),)
        yield f"random {queries}", (RandomPoints(queries),)


BUDGETS = ("quick", "adaptive", "standard")


def compare(name, folder, rows):
    subject = subject_named(name, folder)
    wanted = ["predictor", "test_row_ids", "table_constraints"]
    store = engine.Store(None, records=STORED)
    found = engine.compute(engine.Registry.discover(), fields_of(subject), wanted, store=store)
    predictor, ids, constraints = (found[each].value for each in wanted)
    test, train = subject.splits["test"], subject.splits["train"]
    chosen = np.sort(np.argsort(ids, kind="stable")[:rows])
    points = Points(
        torch.from_numpy(test.inputs[chosen].astype(np.float32)),
        torch.from_numpy(test.target[chosen]),
        RowNoise(ids[chosen], 0),
    )
    for swaps in (0, 1, 2):
        threat = from_facts(
            tables.table_threat(train.inputs, subject.columns, constraints, swaps=swaps)
        )
        for label, attacks in tried():
            began = process_time()
            with attacked(predictor.module) as module:
                model = AttackedModel(module, len(subject.task.classes), chunk=512)
                outcomes = Outcomes(cascade(model, points, threat, attacks))
            by = [int(outcomes.broken_by(i).sum()) for i in range(len(attacks))]
            forward, backward = (outcomes.column(c).mean() for c in ("forward", "backward"))
            print(
                f"{name:7} swaps {swaps}  {label:12}  wrong {(~outcomes.standing).mean():.3f}"
                f"  clean {(~outcomes.correct).mean():.3f}  broken by {by!s:14}"
                f"  {process_time() - began:6.2f} s  {forward:5.0f} forward {backward:4.0f} backward",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["german", "adult"])
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
    )
    parser.add_argument("--rows", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.names:
        compare(name, args.data, args.rows)


if __name__ == "__main__":
    main()
