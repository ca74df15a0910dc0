"""The learning curve: models trained on ever more of the training rows, and the law fitted to their errors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quantity.sampling import curve_sizes, growing_order, recipe_for
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.statistics.learning_curve import LEAST_SIZES, LearningCurve, learning_curve

if TYPE_CHECKING:
    from roadworthy.subject import Task, Trainer, Variant

MOST_TEST_ROWS = 20_000


@artifact(cost="training")
def curve_trainings(
    trainer: "Trainer",
    task: "Task",
    rng: Generator,
    train_source_rows: np.ndarray,
    test_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    test_predicted: np.ndarray | None = None,
    test_entities: np.ndarray | None = None,
    guess_error: float | None = None,
    *,
    draws: int = 4,
) -> Mapping[str, np.ndarray]:
    """Errors on test rows of models trained on ever more training rows.

    "sizes": (m,) int64, training rows of each model; "errors": (m, n) float32, error of each on each of at most
    20,000 test rows: 0 or 1 for a class; for a number the size of the residual over `guess_error`; "entities": (n,)
    int64 of those rows where rows belong to entities. Six sizes,
    each about twice the one before, up to all rows or 10,000 (a training that diverges is left out); `draws` nested, stratified orders of the
    rows with a seed each. Beyond 10,000 rows the model under audit itself is the last point.
    """
    n = len(train_source_rows)
    truth = test_labels if test_labels is not None else test_targets
    if truth is None or len(truth) < 2:
        raise NotApplicable("there are fewer than two test rows with a target to measure errors on")
    sizes = curve_sizes(n, len(task.classes))
    orders = [growing_order(n, rng, train_labels, train_entities) for _ in range(draws)]
    variants = [
        _variant(trainer, order, int(size), n, draw)
        for draw, order in enumerate(orders)
        for size in sizes
    ]
    rows = np.arange(len(truth))
    if len(rows) > MOST_TEST_ROWS:
        rows = np.sort(rng.choice(len(rows), MOST_TEST_ROWS, replace=False))
    every = trainer.predictions(variants, test_inputs[rows], diverged="none")
    trained = np.array(
        [size for size, each in zip(np.tile(sizes, draws), every, strict=True) if each is not None]
    )
    answers = [each for each in every if each is not None]
    if len(np.unique(trained)) < len(sizes):
        raise NotApplicable(
            f"{len(every) - len(answers)} of {len(every)} trainings on parts of the rows diverged; "
            "a curve needs every size: lower the learning rate of the recipe"
        )
    if n > sizes[-1] and test_predicted is not None:
        answers = [*answers, test_predicted[rows]]
        trained = np.append(trained, n)
    errors = np.stack([error_of(each, truth[rows], guess_error) for each in answers])
    found = {"sizes": trained, "errors": errors}
    return found if test_entities is None else {**found, "entities": test_entities[rows]}


@artifact(stored=False)
def fitted_curve(
    curve_trainings: Mapping[str, np.ndarray],
    rng: Generator,
    *,
    resamples: int = 999,
) -> LearningCurve:
    """Power laws through the learning curve, with and without a floor, and what resampling makes of them."""
    sizes = np.asarray(curve_trainings["sizes"])
    different = len(np.unique(sizes))
    if different < LEAST_SIZES:
        raise NotApplicable(f"a curve of {different} sizes; at least {LEAST_SIZES} are needed")
    errors, entities = curve_trainings["errors"], curve_trainings.get("entities")
    return learning_curve(sizes, errors, rng, resamples, entities)


def error_of(
    answers: np.ndarray, truth: np.ndarray, guess_error: float | None = None
) -> np.ndarray:
    """Return the error of each answer (n,) float32: 0 or 1 for a class, else relative to a guess."""
    if truth.dtype.kind != "f":
        return (answers != truth).astype(np.float32)
    if guess_error is None:
        raise NotApplicable("all training rows have the same target; there is nothing to learn")
    return (np.abs(answers - truth) / guess_error).astype(np.float32)


def _variant(trainer: "Trainer", order: np.ndarray, size: int, n: int, draw: int) -> "Variant":
    """Return one training; the first with all rows is the subject's own, which may be there already."""
    from roadworthy.subject import Variant

    recipe = recipe_for(trainer.recipe, size, n)
    if draw:
        recipe = replace(recipe, seed=recipe.seed + draw)
    if size == n:
        return Variant(recipe=recipe if draw else None)
    return Variant(rows=np.sort(order[:size]), recipe=recipe)
