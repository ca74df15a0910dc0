"""Training a family of settings, and how wrong each is on the same rows; one that diverges is an answer too."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.subject import Recipe, Trainer, Variant

MOST_ROWS = 2_500


@artifact(shape="m")
def tuning_rows(train_inputs: np.ndarray, rng: Generator) -> np.ndarray:
    """Positions of the training rows that settings are compared on: (m,) int64, ascending, m <= 2,500."""
    return np.sort(rng.permutation(len(train_inputs))[:MOST_ROWS])


def answers_of(
    trainer: Trainer,
    recipes: Sequence[Recipe],
    rows: np.ndarray,
    inputs: np.ndarray,
    *,
    is_class: bool,
) -> list[np.ndarray]:
    """Return the answers (n,) of a training with each recipe on these rows.

    One that diverged gives no answers: codes of -1, or numbers that are NaN.
    """
    # All rows: none are named, so that the training with the subject's own recipe is the subject's own.
    chosen = rows if len(rows) == MOST_ROWS else None
    variants = [Variant(rows=chosen, recipe=recipe) for recipe in recipes]
    none = np.full(len(inputs), -1, np.int64) if is_class else np.full(len(inputs), np.nan)
    found = trainer.predictions(variants, inputs, diverged="none")
    return [none if answer is None else answer for answer in found]


def errors_of(answer: np.ndarray, truth: np.ndarray, scale: float | None) -> np.ndarray:
    """Return how wrong each answer is: (n,), bool for classes; for numbers a share of `scale`.

    No answer is a wrong one: for numbers, as far off as the training median.
    """
    if truth.dtype.kind != "f":
        return answer != truth
    if scale is None:
        raise NotApplicable(
            "errors of numbers need a yardstick, but the training targets are all alike"
        )
    return np.where(np.isfinite(answer), np.abs(answer - truth) / scale, 1.0)


def truth_of(labels: np.ndarray | None, targets: np.ndarray | None) -> np.ndarray:
    """Return what should have been answered: class codes or numbers."""
    if labels is not None:
        return labels
    if targets is not None:
        return targets
    raise NotApplicable("the rows have no target to compare answers with")


def unit_of(errors: np.ndarray) -> str:
    """Return the unit of a mean of such errors."""
    return "share of rows" if errors.dtype == bool else "share of the error of answering the median"


def with_seed(recipe: Recipe, more: int) -> Recipe:
    """Return the recipe with another seed, `more` above its own."""
    return replace(recipe, seed=recipe.seed + more)
