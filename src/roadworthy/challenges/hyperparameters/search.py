"""A random search at equal budget: settings drawn at random, their errors on validation and test rows."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.hyperparameters.answers import (
    answers_of,
    errors_of,
    truth_of,
)
from roadworthy.challenges.hyperparameters.settings import setting_of, space_of, with_setting
from roadworthy.engine import artifact

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Task, Trainer

FEWEST, MOST = 8, 48


def trials_of(repetitions: int) -> int:
    """Return how many settings are tried: 8 in the quick profile, 28 in the standard one, 48 at most."""
    return min(max(repetitions // 4 + 3, FEWEST), MOST)


@artifact()
def searched_settings(
    recipe: "Recipe",
    tuning_rows: np.ndarray,
    task: "Task",
    rng: Generator,
    *,
    repetitions: int = 100,
) -> dict[str, np.ndarray]:
    """Return what a random search tries: name of the hyperparameter to (t + 1,) values, the subject's own first.

    Drawn as a Latin hypercube (McKay, Beckman & Conover 1979), so that a few already lie everywhere in the range of
    each. All are trained for the subject's number of epochs.
    """
    space = space_of(recipe, len(tuning_rows), is_class=task.is_classification)
    own, t = setting_of(recipe, space), trials_of(repetitions)
    found: dict[str, np.ndarray] = {}
    for dimension in space:
        positions = (rng.permutation(t) + rng.random(t)) / t
        drawn = [dimension.at(float(position)) for position in positions]
        found[dimension.name] = np.array([own[dimension.name], *drawn])
    return found


@artifact(cost="training")
def searched_validation_errors(
    trainer: "Trainer",
    searched_settings: dict[str, np.ndarray],
    tuning_rows: np.ndarray,
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> np.ndarray:
    """How wrong each searched setting is on validation rows: (t + 1, n), the subject's own first.

    bool for classes; for numbers, absolute errors as a share of `guess_error`. A training that
    diverged is wrong in all rows.
    """
    truth = truth_of(validation_labels, validation_targets)
    scale = None if validation_labels is not None else guess_error
    return _errors(trainer, searched_settings, tuning_rows, validation_inputs, truth, scale)


@artifact(cost="training")
def searched_test_errors(
    trainer: "Trainer",
    searched_settings: dict[str, np.ndarray],
    tuning_rows: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> np.ndarray:
    """How wrong each searched setting is on test rows: (t + 1, n), as `searched_validation_errors`."""
    truth = truth_of(test_labels, test_targets)
    scale = None if test_labels is not None else guess_error
    return _errors(trainer, searched_settings, tuning_rows, test_inputs, truth, scale)


@artifact()
def luckiest_setting(
    searched_settings: dict[str, np.ndarray], searched_validation_errors: np.ndarray
) -> dict[str, float]:
    """Values of the setting, among those of the random search and the subject's own, with the least validation error."""
    best = int(searched_validation_errors.mean(axis=1).argmin())
    return {name: float(values[best]) for name, values in searched_settings.items()}


def chosen_of(validation_errors: np.ndarray) -> int:
    """Return the position of the searched setting with the least validation error; the subject's own is none."""
    return 1 + int(validation_errors[1:].mean(axis=1).argmin())


def words_of(settings: dict[str, np.ndarray], at: int) -> str:
    """Return the values of one setting in words."""
    return ", ".join(f"{name.replace('_', ' ')} {v[at]:.3g}" for name, v in settings.items())


def _errors(
    trainer: "Trainer",
    settings: dict[str, np.ndarray],
    rows: np.ndarray,
    inputs: np.ndarray,
    truth: np.ndarray,
    scale: float | None,
) -> np.ndarray:
    t = len(next(iter(settings.values())))
    recipes = [trainer.recipe]
    for i in range(1, t):
        values = {name: float(of_all[i]) for name, of_all in settings.items()}
        recipes.append(with_setting(trainer.recipe, values))
    found = answers_of(trainer, recipes, rows, inputs, is_class=truth.dtype.kind != "f")
    return np.array([errors_of(answer, truth, scale) for answer in found])
