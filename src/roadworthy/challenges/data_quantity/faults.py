"""Too few training rows: really, and as learning curves whose next doubling is known to save so much."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quantity.sampling import growing_order
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Subject

Trainings = Mapping[str, np.ndarray]

MOST_LEVEL = 0.1  # mean error of a curve made flat, so that there is room above it to fall from
SLOWEST, FASTEST = 0.3, 0.5  # exponents of planted curves; most measured ones lie between
ALIKE = (
    0.8  # correlation of two models' luck with a row: most rows are hard or easy for all of them
)
LUCK = 0.03  # standard deviation of a training's own luck, relative to its error
LARGEST_ERROR = 0.95


@control(clears="gain_from_doubling")
def flat_curve(subject: "Subject", rng: Generator, curve_trainings: Trainings) -> "Subject":
    """Freeze a learning curve that does not fall: all sizes have the mean error of the largest.

    At most one test row in ten is wrong. Rows are hard or easy for all models alike, with a correlation of .8 that
    is assumed, and each training has a luck of its own of 3 % of its error.
    """
    largest = curve_trainings["sizes"] == curve_trainings["sizes"].max()
    level = min(float(curve_trainings["errors"][largest].mean()), MOST_LEVEL)
    flat = np.full(len(curve_trainings["sizes"]), level)
    return subject.with_given(curve_trainings=_drawn(subject, flat, curve_trainings, rng))


@fault(
    breaks="gain_from_doubling",
    severities=(0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04),
    starts_from="flat_curve",
)
def curve_that_still_falls(
    subject: "Subject", severity: float, rng: Generator, curve_trainings: Trainings
) -> "Subject":
    """Let the frozen curve fall by a power law such that twice the rows would save s exactly.

    error(n) = level + s / (1 - 2^-b) x (n / N)^-b for N training rows, with an exponent b drawn between .3
    and .5; what twice the rows would save is s for every b.
    """
    if severity == 0.0:
        return subject
    level = float(curve_trainings["errors"].mean())
    exponent = float(rng.uniform(SLOWEST, FASTEST))
    rows = subject.splits["train"].n
    shares = curve_trainings["sizes"] / rows
    excess = severity / (1.0 - 2.0**-exponent) * shares**-exponent
    most = level + float(excess.max())
    if subject.task.is_classification and most > LARGEST_ERROR:
        raise NotApplicable(
            f"with the fewest rows {percent(most, 0)} would have to be wrong; "
            f"at most {percent(LARGEST_ERROR, 0)} can be"
        )
    return subject.with_given(curve_trainings=_drawn(subject, level + excess, curve_trainings, rng))


@fault(breaks="gain_from_doubling", severities=(0.25, 0.5, 0.75, 0.9), truth=False)
def subsampled_training_set(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Take away a share of the training rows, of each class alike, and train anew.

    Validation and test rows stay. Where rows belong to entities, whole entities go. What is taken away stays
    at hand without its target, as the split `unlabelled`, where the subject has no such split: a remedy may use it.
    A known recipe gets as many epochs more as keep its number of steps, so that labels are too few and not steps.

    Also alarms: overfitting_gap (fewer rows are learnt by heart), shortfall_to_simple_models (networks need more rows).
    """
    if severity == 0.0:
        return subject
    train = subject.splits["train"]
    if train.inputs is None or subject.predictor is not None:
        raise NotApplicable("there is no model here that could be trained again on fewer rows")
    if subject.weights is not None and subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    labels = train.target if subject.task.is_classification else None
    entity = train.attributes.get(subject.roles.entity or "")
    order = growing_order(train.n, rng, labels, entity.values if entity else None)
    kept = max(2, round(train.n * (1.0 - severity)))
    fewer = train.take(np.sort(order[:kept]))
    if kept < train.n and "unlabelled" not in subject.splits:
        rest = train.take(np.sort(order[kept:]))
        subject = subject.with_split("unlabelled", replace(rest, target=None, row_weights=None))
    recipe = None
    if subject.recipe is not None:
        recipe = with_steps_of(subject.recipe, train.n, kept)
    return subject.with_split("train", fewer).retrained(recipe=recipe)


def with_steps_of(recipe: "Recipe", before: int, n: int) -> "Recipe":
    """Return the recipe by which `n` rows take as many steps as `before` rows do, and as many of patience."""
    longer = ceil(before / recipe.batch_size) / ceil(n / recipe.batch_size)
    patience = recipe.patience
    if patience is not None:
        patience = max(1, round(patience * longer))
    return replace(recipe, epochs=max(1, round(recipe.epochs * longer)), patience=patience)


def _drawn(
    subject: "Subject", expected: np.ndarray, like: Trainings, rng: Generator
) -> dict[str, np.ndarray]:
    """Return trainings whose expected errors are these (m,), on as many test rows."""
    from scipy.special import ndtr

    models, rows = like["errors"].shape
    mean = np.clip(expected * (1.0 + LUCK * rng.normal(size=models)), 0.0, None)[:, None]
    hardness = np.sqrt(ALIKE) * rng.normal(size=rows)
    place = ndtr(hardness + np.sqrt(1.0 - ALIKE) * rng.normal(size=(models, rows)))
    if subject.task.is_classification:
        errors = place < mean
    else:
        errors = -mean * np.log(np.clip(place, 1e-12, 1.0))  # exponential with that mean
    return {**like, "errors": errors.astype(np.float32)}
