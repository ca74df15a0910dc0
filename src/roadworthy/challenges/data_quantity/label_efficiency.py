"""Whether choosing which rows to label beats labelling at random, played through on labels that are known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quantity.artifacts import error_of
from roadworthy.challenges.data_quantity.checks import unit_of
from roadworthy.challenges.data_quantity.lift import (
    adjusted,
    lift_of,
    shown_to_help,
    strategies_in,
)
from roadworthy.challenges.data_quantity.sampling import growing_order, recipe_for
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Curve, Measurement, Series, Table
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Task, Trainer

POOL = 1_000  # rows whose labels are hidden
TEST_ROWS = 2_000
START = 0.05  # share of the pool that is labelled at first, and in each round
ROUNDS = 4
LEAST_PAIRS = 10
MOST_PAIRS = 20
LEAST_POOL = 200


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows to choose from: their inputs, where they lie among each other, and the test rows."""

    inputs: np.ndarray
    features: np.ndarray
    rows: np.ndarray
    test_inputs: np.ndarray
    truth: np.ndarray
    guess_error: float | None
    all_rows: int


@artifact(cost="training")
def label_lifts(
    trainer: "Trainer",
    rng: Generator,
    train_inputs: np.ndarray,
    train_features: np.ndarray,
    test_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
    *,
    repetitions: int = 100,
) -> Mapping[str, np.ndarray]:
    """Errors of models whose labels were chosen at random, by margin or by core-set, in paired repetitions.

    A pool of at most 1,000 training rows with hidden labels; 5 % are labelled at first and in each of four rounds.
    "labelled": (5,) int64; "pool": number of its rows; "random", "margin" (classification), "core-set": (s, 5) mean errors on
    at most 2,000 test rows, which no strategy sees; "margin_rows", "core-set_rows": (n,) mean error saved on each test
    row. One pair for each ten `repetitions`, at least ten and at most twenty.
    """
    pairs = min(repetitions // 10, MOST_PAIRS)
    if pairs < LEAST_PAIRS:
        raise NotApplicable(
            f"{pairs} paired trainings are too few to tell strategies from luck; at least "
            f"{LEAST_PAIRS} are needed: use --profile standard"
        )
    truth = test_labels if test_labels is not None else test_targets
    if truth is None or len(truth) < 2:
        raise NotApplicable("there are fewer than two test rows with a target to measure errors on")
    n = len(train_inputs)
    classes = 0 if train_labels is None else len(np.unique(train_labels))
    least = max(LEAST_POOL, int(np.ceil(2 * classes / START)))
    if n < least:
        raise NotApplicable(
            f"there are {n} training rows; playing through their labelling needs {least}"
        )
    rows = np.sort(rng.choice(n, min(n, max(POOL, least)), replace=False))
    seen = np.sort(rng.choice(len(truth), min(len(truth), TEST_ROWS), replace=False))
    pool = Pool(
        train_inputs[rows],
        train_features[rows].astype(np.float64),
        rows,
        test_inputs[seen],
        truth[seen],
        guess_error,
        n,
    )
    names = ("random", "core-set") if train_labels is None else ("random", "margin", "core-set")
    return _played(trainer, pool, names, pairs, rng, train_labels)


@check(challenge="data_quantity")
def label_efficiency(label_lifts: Mapping[str, np.ndarray], task: "Task") -> Measurement:
    """How much error is saved by choosing which rows to label, against labelling as many at random.

    Margin: the rows whose two most probable classes are closest (Scheffer et al. 2001). Core-set: rows
    far from all labelled ones (Sener & Savarese 2018), in `features`. Played through on a pool of training rows with
    hidden labels, paired over ten seeds or more; errors on test rows, which were not chosen. Mean over
    four rounds; t over pairs, corrected for the overlap of their rows (Nadeau & Bengio 2003). The value is margin's, where there are classes.
    Positive: better than chance. A strategy is said to help only where its lower bound is above 0.

    Unit: share of test rows (regression: share of the error of answering the median).
    Qualified at: a description, nothing is required of it.
    Next: choose rows by the strategy that was shown to help, if one was; never evaluate on rows chosen so.
    """
    unit = unit_of(task)
    names = strategies_in(label_lifts)
    found = {name: lift_of(label_lifts, name, unit=unit) for name in names}
    ends = {name: adjusted(lift, len(names)) for name, lift in found.items()}
    best = shown_to_help(label_lifts)
    said = ", ".join(f"{name} {percent(lift.value, signed=True)}" for name, lift in found.items())
    details = (
        f"Error saved against chance with {label_lifts['labelled'][1]:,} to {label_lifts['labelled'][-1]:,} labels, "
        f"{len(label_lifts['random'])} pairs: {said}. "
        + (f"Shown to help: {best}." if best else "Neither is shown to help: label at random.")
    )
    table = Table(
        title="Error saved by choosing rows, against chance",
        header=("strategy", "error saved", "from", "to", "shown to help"),
        rows=tuple(
            (name, lift.value, *ends[name], ends[name][0] > 0.0) for name, lift in found.items()
        ),
    )
    return lift_of(
        label_lifts,
        names[0],
        unit=unit,
        details=details,
        evidence=(_figure(label_lifts, ("random", *names), unit), table),
    )


def _played(
    trainer: "Trainer",
    pool: Pool,
    names: tuple[str, ...],
    pairs: int,
    rng: Generator,
    train_labels: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Play all pairs and strategies round by round; the models of a round are trained together."""
    size = len(pool.rows)
    step = max(round(START * size), 2 * len(names))
    labels = None if train_labels is None else train_labels[pool.rows]
    starts = [growing_order(size, rng, labels)[:step] for _ in range(pairs)]
    labelled = {name: list(starts) for name in names}
    errors = {name: np.zeros((pairs, ROUNDS + 1, len(pool.truth)), np.float32) for name in names}
    # All strategies start from one model.
    first, sure = _round(trainer, pool, starts, pairs)
    margins = dict.fromkeys(names, sure)
    for name in names:
        errors[name][:, 0] = first
    for k in range(1, ROUNDS + 1):
        for name in names:
            labelled[name] = [
                np.append(old, _chosen(name, old, step, pool, margins[name][s], rng))
                for s, old in enumerate(labelled[name])
            ]
        every = [rows for name in names for rows in labelled[name]]
        made, sure = _round(trainer, pool, every, pairs)
        for place, name in enumerate(names):
            own = slice(place * pairs, (place + 1) * pairs)
            errors[name][:, k], margins[name] = made[own], sure[own]
    found = {name: errors[name].mean(axis=2).astype(np.float64) for name in names}
    for name in names[1:]:
        saved = errors["random"][:, 1:] - errors[name][:, 1:]
        found[f"{name}_rows"] = saved.mean(axis=(0, 1)).astype(np.float64)
    found["labelled"] = step * np.arange(1, ROUNDS + 2)
    found["pool"] = np.array(size)
    return found


def _round(
    trainer: "Trainer", pool: Pool, labelled: list[np.ndarray], pairs: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Train one model for each set of labelled rows; return errors (m, n) and margins in the pool."""
    from roadworthy.subject import Variant

    recipe = recipe_for(trainer.recipe, len(labelled[0]), pool.all_rows)
    variants = [
        Variant(
            rows=np.sort(pool.rows[rows]), recipe=replace(recipe, seed=recipe.seed + 1 + s % pairs)
        )
        for s, rows in enumerate(labelled)
    ]
    if pool.truth.dtype.kind == "f":
        answers = trainer.predictions(variants, pool.test_inputs)
        margins = [np.zeros(len(pool.rows))] * len(variants)
    else:
        both = np.concatenate([pool.test_inputs, pool.inputs])
        given = trainer.probabilities(variants, both)
        n = len(pool.test_inputs)
        answers = [each[:n].argmax(axis=1) for each in given]
        margins = [_margin(each[n:]) for each in given]
    errors = [error_of(each, pool.truth, pool.guess_error) for each in answers]
    return np.stack(errors), margins


def _margin(probabilities: np.ndarray) -> np.ndarray:
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    top = np.partition(probabilities, -2, axis=1)
    return top[:, -1] - top[:, -2]


def _chosen(
    strategy: str, labelled: np.ndarray, count: int, pool: Pool, margin: np.ndarray, rng: Generator
) -> np.ndarray:
    """Return positions in the pool of the next rows to label."""
    free = np.setdiff1d(np.arange(len(pool.rows)), labelled)
    if strategy == "random":
        return rng.choice(free, count, replace=False)
    if strategy == "margin":
        return free[np.argsort(margin[free], kind="stable")[:count]]
    return farthest(pool.features, labelled, count)


def farthest(features: np.ndarray, labelled: np.ndarray, count: int) -> np.ndarray:
    """Return rows, each farthest from all rows labelled or chosen before it (greedy k-centre)."""
    distance = np.full(len(features), np.inf)
    chosen: list[int] = []
    for row in labelled:
        distance = np.minimum(distance, np.square(features - features[row]).sum(axis=1))
    distance[labelled] = -1.0
    for _ in range(count):
        row = int(distance.argmax())
        chosen.append(row)
        distance = np.minimum(distance, np.square(features - features[row]).sum(axis=1))
        distance[row] = -1.0
    return np.array(chosen, np.int64)


def _figure(lifts: Mapping[str, np.ndarray], names: tuple[str, ...], unit: str) -> Curve:
    labelled = tuple(int(count) for count in lifts["labelled"])
    return Curve(
        title="Error by number of labels",
        x=Axis("labelled rows", "rows"),
        y=Axis("error on test rows", unit),
        series=tuple(
            Series(name, labelled, tuple(float(e) for e in lifts[name].mean(axis=0)))
            for name in names
        ),
    )
