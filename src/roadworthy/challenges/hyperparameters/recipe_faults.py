"""Recipes that are wrong in a known way: what remedies of this room are proven on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.hyperparameters.answers import (
    answers_of,
    errors_of,
    truth_of,
)
from roadworthy.engine import artifact, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Subject, Trainer

DOUBLINGS = 12
SEEDS = 3
FOURFOLD = 5  # how often the rate is multiplied by four to find where training breaks down
OTHER_SEEDS = range(100, 103)  # not those of the check, so that what is found holds for any
FICKLE = 0.1  # standard deviation of the error between seeds: less is no break
CLIFF = 0.15  # of error for one doubling: less is a slope


@artifact(cost="training")
def edge_of_learning(
    trainer: "Trainer",
    tuning_rows: np.ndarray,
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> dict[str, float]:
    """Learning rate that trains with every seed and mostly breaks down when doubled, and the rise of the error.

    "learning_rate" and "rise". The recipe's own rate is doubled twelve times; around the doubling with the
    largest rise, rates half as far apart are trained with three seeds. The rise is from the worst seed at a rate to
    the mean at twice that rate, as at the edge itself each seed ends elsewhere.
    """
    recipe = trainer.recipe
    truth = truth_of(validation_labels, validation_targets)
    scale = None if validation_labels is not None else guess_error

    def errors(rates: Sequence[float], seeds: int) -> np.ndarray:
        recipes = [
            replace(recipe, learning_rate=rate, seed=recipe.seed + i)
            for rate in rates
            for i in range(seeds)
        ]
        is_class = validation_labels is not None
        found = answers_of(trainer, recipes, tuning_rows, validation_inputs, is_class=is_class)
        of_all = np.array([float(errors_of(a, truth, scale).mean()) for a in found])
        # A number can be wrong without limit; beyond the error of a guess it is simply broken.
        return np.minimum(of_all, 1.0).reshape(len(rates), seeds)

    doubled = [recipe.learning_rate * 2.0**k for k in range(DOUBLINGS + 1)]
    edge = doubled[int(np.diff(errors(doubled, 1)[:, 0]).argmax())]
    rates = [edge * 2.0 ** (j / 2) for j in range(-3, 4)]
    found = errors(rates, SEEDS)
    rises = found[2:].mean(axis=1) - found[:-2].max(axis=1)
    best = int(rises.argmax())
    return {"learning_rate": rates[best], "rise": float(rises[best])}


@fault(breaks="butterfly_effect", severities=(1.0,), truth=False)
def knife_edge_recipe(
    subject: "Subject",
    severity: float,
    rng: Generator,
    edge_of_learning: Mapping[str, float],
    recipe: "Recipe",
) -> "Subject":
    """Raise the learning rate to the edge beyond which training breaks down: doubling it changes everything.

    Severity: how much of the way to the edge, on a logarithmic scale. Rows, architecture and the rest of the
    recipe stay.

    Also alarms: seed_sensitivity (near the edge each seed ends elsewhere), untuned_loss (the rate is far too high), shortfall_to_simple_models (the same), errors_left (the same).
    """
    del rng
    if severity == 0.0:
        return subject
    if edge_of_learning["rise"] < CLIFF:
        raise NotApplicable(
            f"no doubling of the learning rate raises the error by more than {edge_of_learning['rise']:.2f}; "
            "this training has no edge"
        )
    return _with_rate(subject, recipe, edge_of_learning["learning_rate"], severity)


@artifact(cost="training")
def fickle_rate(
    trainer: "Trainer",
    tuning_rows: np.ndarray,
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> dict[str, float]:
    """Learning rate at which the seed decides whether training works, and how far seeds are apart there.

    "learning_rate" and "spread". The recipe's own rate is multiplied by four up to five times; from before the largest
    rise of the validation error to behind it, rates a factor of the square root of two apart are trained with three seeds, and
    the one whose errors have the largest standard deviation between seeds is taken.
    """
    recipe = trainer.recipe
    truth = truth_of(validation_labels, validation_targets)
    is_class = validation_labels is not None
    scale = None if is_class else guess_error

    def errors(rates: Sequence[float], seeds: Sequence[int]) -> np.ndarray:
        recipes = [
            replace(recipe, learning_rate=rate, seed=recipe.seed + more)
            for rate in rates
            for more in seeds
        ]
        found = answers_of(trainer, recipes, tuning_rows, validation_inputs, is_class=is_class)
        of_all = np.array([float(errors_of(a, truth, scale).mean()) for a in found])
        return np.minimum(of_all, 1.0).reshape(len(rates), -1)

    coarse = [recipe.learning_rate * 4.0**k for k in range(FOURFOLD + 1)]
    before = coarse[int(np.diff(errors(coarse, OTHER_SEEDS[:1])[:, 0]).argmax())]
    rates = [before * 2.0 ** (j / 2) for j in range(-1, 5)]
    spread = errors(rates, OTHER_SEEDS).std(axis=1, ddof=1)
    most = int(spread.argmax())
    return {"learning_rate": rates[most], "spread": float(spread[most])}


@fault(breaks="seed_sensitivity", severities=(1.0,), truth=False)
def fickle_recipe(
    subject: "Subject",
    severity: float,
    rng: Generator,
    fickle_rate: Mapping[str, float],
    recipe: "Recipe",
) -> "Subject":
    """Raise the learning rate so far that training breaks down with some seeds and not with others.

    Severity: how much of the way there, on a logarithmic scale. Rows, architecture and the rest of the
    recipe stay.

    Also alarms: butterfly_effect (half the rate trains with every seed), untuned_loss (the rate is far too high), shortfall_to_simple_models (the same), errors_left (the same).
    """
    del rng
    if severity == 0.0:
        return subject
    if fickle_rate["spread"] < FICKLE:
        raise NotApplicable(
            f"at no learning rate do seeds end further apart than {fickle_rate['spread']:.2f} of error; "
            "this training breaks down for none or for all"
        )
    return _with_rate(subject, recipe, fickle_rate["learning_rate"], severity)


@fault(breaks="untuned_loss", severities=(1.0, 2.0), truth=False)
def untuned_recipe(
    subject: "Subject", severity: float, rng: Generator, recipe: "Recipe"
) -> "Subject":
    """Divide the learning rate by 10 to the power of the severity, so that training gets nowhere in its epochs.

    Rows, architecture and the rest of the recipe stay.

    Also alarms: underfitting (training rows are not learned), shortfall_to_simple_models (the same), errors_left (the same), butterfly_effect (a larger rate helps at once).
    """
    del rng
    if severity == 0.0:
        return subject
    rate = recipe.learning_rate / 10.0**severity
    return subject.retrained(recipe=replace(recipe, learning_rate=rate))


def _with_rate(subject: "Subject", recipe: "Recipe", there: float, severity: float) -> "Subject":
    ends = log(recipe.learning_rate), log(there)
    rate = exp(ends[0] + severity * (ends[1] - ends[0]))
    return subject.retrained(recipe=replace(recipe, learning_rate=rate))
