"""Remedies for settings: those of a search, and smaller steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from numpy.random import Generator

from roadworthy.challenges.hyperparameters.settings import between
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Subject


@mitigation(
    targets=("untuned_loss", "butterfly_effect"),
    strengths=(0.5, 1.0),
    sham="random_search_twin",
    repairs="untuned_recipe",
)
def tuned_settings(
    subject: "Subject", strength: float, tuned_setting: Mapping[str, float]
) -> "Subject":
    """Train with settings from the centre of the best plateau that a search on validation rows finds.

    The search (`tuned_setting`: Tree-structured Parzen estimators, Bergstra et al. 2011, with successive
    halving) sees validation rows only. Strength: the share of the way from the subject's own settings, on a
    logarithmic scale for learning rate, weight decay and batch size. Architecture, rows, epochs and seed stay.
    """
    return _moved(subject, strength, tuned_setting)


@sham()
def random_search_twin(
    subject: "Subject", strength: float, rng: Generator, luckiest_setting: Mapping[str, float]
) -> "Subject":
    """Train with the best of as many settings tried at random, at as many epochs in all.

    What a search is worth is what it adds to this (Bergstra & Bengio 2012, JMLR 13; Li & Talwalkar 2019).
    """
    del rng
    return _moved(subject, strength, luckiest_setting)


@mitigation(
    targets=("seed_sensitivity", "butterfly_effect"),
    strengths=(0.5, 1.0, 2.0),
    repairs="fickle_recipe",
)
def smaller_steps(subject: "Subject", strength: float) -> "Subject":
    """Train with a smaller learning rate and gradients of limited size.

    The learning rate is divided by 10 to the power of the strength and the norm of the gradient limited to 1
    (Pascanu, Mikolov & Bengio 2013, ICML), away from the edge beyond which training diverges (Cohen et al.
    2021, ICLR). Everything else stays; with few epochs a small rate may leave the model underfitted.
    """
    if strength == 0.0:
        return subject
    recipe = _recipe_of(subject)
    norm = 1.0 if recipe.clip_norm is None else min(recipe.clip_norm, 1.0)
    rate = recipe.learning_rate / 10.0**strength
    return subject.retrained(recipe=replace(recipe, learning_rate=rate, clip_norm=norm))


def _moved(subject: "Subject", strength: float, setting: Mapping[str, float]) -> "Subject":
    if strength == 0.0:
        return subject
    return subject.retrained(recipe=between(_recipe_of(subject), setting, strength))


def _recipe_of(subject: "Subject") -> "Recipe":
    if subject.recipe is None or subject.predictor is not None:
        raise NotApplicable(
            "how the model was trained is not known; give its network and recipe, so that it can be trained again"
        )
    return subject.recipe
