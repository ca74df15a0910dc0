"""Whom to collect: the parts in which the model is weak, and what more rows of each would bring there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Cell, Measurement, Table
from roadworthy.statistics import percent
from roadworthy.statistics.learning_curve import LearningCurve, learning_curve
from roadworthy.statistics.slices import LEAST_ROWS, Conditions, search

if TYPE_CHECKING:
    from roadworthy.subject import Trainer, Variant
    from roadworthy.subject.grouping import Grouping

Groups = Mapping[str, "Grouping"]

SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)  # of the part's training rows; the others all stay
MOST_ROWS = 3_000  # training rows behind each point: what counts is the part among them
FEWEST_IN_TRAINING = 16
UNIT = "share of test rows of the part"


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of the rows: which rows of each split belong to it, (n,) bool each."""

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@artifact(cost="training")
def part_curves(
    trainer: "Trainer",
    rng: Generator,
    train_conditions: Conditions,
    validation_conditions: Conditions,
    test_conditions: Conditions,
    validation_correct: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    train_groups: Groups | None = None,
    validation_groups: Groups | None = None,
    test_groups: Groups | None = None,
    *,
    draws: int = 4,
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Errors on the test rows of weak parts, of models that were given ever more training rows of that part alone.

    By the part's name: "sizes" (m,) int64 training rows of the part, "errors" (m, k) float32 on its k test rows, "rows" (3,) int64
    training rows of the part that there are, test rows of it, and 1 where all training rows were used. Parts are chosen on
    validation rows: those that `weak_slices` would offer, else the named groups that are worst off; half as many as `draws`.
    At most 3,000 training rows, in which the part keeps its share; `draws` orders of the part's rows.
    """
    parts = _weak_parts(
        (train_conditions, validation_conditions, test_conditions),
        (train_groups, validation_groups, test_groups),
        ~np.asarray(validation_correct),
    )
    if not parts:
        raise NotApplicable(
            f"no part of {LEAST_ROWS} validation rows is answered worse than the rest, and no groups are named"
        )
    n = len(train_conditions.codes)
    kept = np.sort(rng.permutation(n)[:MOST_ROWS])
    found: dict[str, Mapping[str, np.ndarray]] = {}
    for part in parts[: max(draws // 2, 1)]:
        members, others = kept[part.train[kept]], kept[~part.train[kept]]
        if len(members) < FEWEST_IN_TRAINING:
            continue
        sizes = np.unique(np.maximum(np.round(np.array(SHARES) * len(members)), 2)).astype(np.int64)
        variants, trained = _variants(trainer, members, others, sizes, draws, rng, n)
        answers = trainer.predictions(variants, test_inputs[part.test])
        truth = test_labels[part.test]
        found[part.name] = {
            "sizes": trained,
            "errors": np.stack([(each != truth).astype(np.float32) for each in answers]),
            "rows": np.array([part.train.sum(), part.test.sum(), int(len(kept) == n)]),
        }
    if not found:
        raise NotApplicable(
            f"the weak parts have fewer than {FEWEST_IN_TRAINING} training rows: collect some before a curve can be drawn"
        )
    return found


@check(challenge="data_diversity")
def targeted_collection(
    part_curves: Mapping[str, Mapping[str, np.ndarray]],
    rng: Generator,
    label_price: float | None = None,
    currency: str | None = None,
    *,
    resamples: int = 999,
) -> Measurement:
    """How much of the error in the weakest part would go away with twice as many training rows of that part.

    Models are trained with an eighth to all of the part's training rows, everything else alike; power laws are fitted to their errors on test rows
    of the part, resampled and widened as those of `gain_from_doubling`. Parts whose curve does not fall are not short of rows: there look at their labels and at
    what the inputs can tell.

    Unit: share of test rows of the part.
    Qualified at: a description, nothing is required of it.
    Next: collect as many rows of the first part listed as it has now, measure again, and go on with the part that is then the weakest.
    """
    savings: list[Measurement] = []
    rows: list[tuple[Cell, ...]] = []
    for name, curve in part_curves.items():
        law = learning_curve(curve["sizes"], curve["errors"], rng, resamples)
        n = float(curve["sizes"].max())
        saved = law.saved(n, 2.0 * n, unit=UNIT)
        savings.append(saved)
        rows.append(_row(name, curve, law, saved, label_price))
    order = np.argsort([-saved.low for saved in savings], kind="stable")
    first = int(order[0])
    header = (
        "part",
        "training rows",
        "to collect",
        "error there",
        "expected",
        "saved",
        "from",
        "to",
    )
    cost = (f"{currency or 'money'}",) if label_price is not None else ()
    return replace(
        savings[first],
        details=_details(rows[first], all(curve["rows"][2] for curve in part_curves.values())),
        evidence=(Table("Whom to collect", (*header, *cost), tuple(rows[int(k)] for k in order)),),
    )


def _row(
    name: str,
    curve: Mapping[str, np.ndarray],
    law: LearningCurve,
    saved: Measurement,
    price: float | None,
) -> tuple[Cell, ...]:
    n, rows = float(curve["sizes"].max()), int(curve["rows"][0])
    now, then = (law.error_at(size, unit=UNIT).value for size in (n, 2.0 * n))
    cost = () if price is None else (round(price * rows, 2),)
    return name, rows, rows, now, then, saved.value, saved.low, saved.high, *cost


def _details(row: tuple[Cell, ...], is_whole: bool) -> str:
    name, rows, _, now, then = row[:5]
    assert isinstance(now, float)
    assert isinstance(then, float)
    said = f"Where {name}: {percent(now)} wrong with its {rows:,} training rows, {percent(then)} expected with twice as many."
    return said if is_whole else f"{said} Measured with {MOST_ROWS:,} training rows in all."


def _weak_parts(
    conditions: tuple[Conditions, Conditions, Conditions],
    groups: tuple[Groups | None, Groups | None, Groups | None],
    wrong: np.ndarray,
) -> list[_Part]:
    """Return the parts that validation rows speak against, the weakest first."""
    train, validation, test = conditions
    parts = [
        _Part(each.name, each.rows(train), each.rows(validation), each.rows(test))
        for each in search(validation, wrong, floor=LEAST_ROWS)
    ]
    if parts or any(each is None for each in groups):
        return [part for part in parts if part.test.any()]
    of_train, of_validation, of_test = (each or {} for each in groups)
    for attribute, grouping in of_validation.items():
        for code, name in enumerate(grouping.names):
            splits = (of_train, of_validation, of_test)
            parts.append(
                _Part(f"{attribute} is {name}", *(s[attribute].codes == code for s in splits))
            )
    large = [p for p in parts if p.validation.sum() >= LEAST_ROWS and p.test.sum() >= LEAST_ROWS]
    return sorted(large, key=lambda part: -float(wrong[part.validation].mean()))


def _variants(
    trainer: "Trainer",
    members: np.ndarray,
    others: np.ndarray,
    sizes: np.ndarray,
    draws: int,
    rng: Generator,
    n: int,
) -> "tuple[list[Variant], np.ndarray]":
    """Return the trainings, and how many rows of the part each has."""
    from roadworthy.subject import Variant

    variants: list[Variant] = []
    trained: list[int] = []
    for draw in range(draws):
        order = rng.permutation(members)
        recipe = replace(trainer.recipe, seed=trainer.recipe.seed + draw)
        for size in sizes:
            rows = np.sort(np.concatenate([others, order[: int(size)]]))
            is_own = (
                draw == 0 and len(rows) == n
            )  # the subject's own training, which may be there already
            variants.append(Variant() if is_own else Variant(rows=rows, recipe=recipe))
            trained.append(int(size))
    return variants, np.array(trained, np.int64)
