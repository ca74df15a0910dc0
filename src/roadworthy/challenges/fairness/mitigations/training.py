"""Remedies in the loss: a penalty on unequal odds, the worst group first, an adversary that looks for the group."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.mitigations.cells import (
    Groups,
    codes_of,
    require_comparable,
    shuffled,
)
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import GroupTraining, Recipe

if TYPE_CHECKING:
    from roadworthy.subject import Subject

ODDS = ("equalized_odds_gap", "equal_opportunity_gap")
FAULT = "positives_of_one_group_left_out"
AMOUNTS = (0.1, 0.2, 0.5, 1.0)


@mitigation(
    targets=(*ODDS, "intersectional_odds_gap"),
    strengths=AMOUNTS,
    sham="penalty_by_shuffled_groups",
    repairs=FAULT,
)
def equalized_odds_penalty(
    subject: "Subject",
    strength: float,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train with a penalty on answering the same class differently for different groups.

    The loss gets strength times the distance between the mean answers to rows of a class in different groups
    (after Padala & Gujar 2020, IJCAI, "FNNC", section 3.2; directions come from earlier batches, so that small groups
    are no noise). The model is not told the group and needs none to answer. Rows and architecture stay as they are.
    """
    groups = (train_groups, validation_groups)
    return _told(subject, strength, recipe, "equalized_odds", groups, train_labels)


@sham()
def penalty_by_shuffled_groups(
    subject: "Subject",
    strength: float,
    rng: Generator,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train with the same penalty on groups that were dealt to the rows at random."""
    groups = _dealt(train_groups, validation_groups, rng)
    return _told(subject, strength, recipe, "equalized_odds", groups, train_labels)


@mitigation(
    targets=("error_rate_gap", *ODDS, "intersectional_odds_gap"),
    strengths=(0.25, 0.5, 1.0),
    sham="worst_of_shuffled_groups_first",
    repairs=FAULT,
)
def worst_group_first(
    subject: "Subject",
    strength: float,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train on the loss of whichever group and class fares worst, rather than on the mean.

    Group distributionally robust optimisation (Sagawa et al. 2020, ICLR, algorithm 1) over group and class; the
    strength is its share of the loss. It lifts the worst accuracy and usually costs the mean; gaps in rates may grow. Rows
    and architecture stay as they are.
    """
    groups = (train_groups, validation_groups)
    return _told(subject, strength, recipe, "group_dro", groups, train_labels)


@sham()
def worst_of_shuffled_groups_first(
    subject: "Subject",
    strength: float,
    rng: Generator,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train on the worst of groups that were dealt to the rows at random, classes as they are."""
    groups = _dealt(train_groups, validation_groups, rng)
    return _told(subject, strength, recipe, "group_dro", groups, train_labels)


@mitigation(
    targets=(*ODDS, "intersectional_odds_gap"),
    strengths=(0.25, 0.5, 1.0),
    sham="adversary_that_looks_for_shuffled_groups",
    repairs=FAULT,
)
def adversarial_debiasing(
    subject: "Subject",
    strength: float,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train so that a second network cannot tell the group from the answer and the class.

    Zhang, Lemoine & Mitchell (2018, AIES, section 4, for equalized odds), by a reversed gradient (Ganin et al. 2016, JMLR
    17, section 4.2) times the strength. The second network is thrown away. Rows and architecture stay as they are.
    """
    groups = (train_groups, validation_groups)
    return _told(subject, strength, recipe, "adversary", groups, train_labels)


@sham()
def adversary_that_looks_for_shuffled_groups(
    subject: "Subject",
    strength: float,
    rng: Generator,
    recipe: Recipe,
    train_groups: Groups,
    train_labels: np.ndarray,
    validation_groups: Groups | None = None,
) -> "Subject":
    """Train against the same adversary, who looks for groups that were dealt to the rows at random."""
    groups = _dealt(train_groups, validation_groups, rng)
    return _told(subject, strength, recipe, "adversary", groups, train_labels)


def _dealt(
    train: Groups, validation: Groups | None, rng: Generator
) -> tuple[Groups, Groups | None]:
    return shuffled(train, rng), None if validation is None else shuffled(validation, rng)


def _told(
    subject: "Subject",
    strength: float,
    recipe: Recipe,
    method: Literal["equalized_odds", "group_dro", "adversary"],
    groups: tuple[Groups, Groups | None],
    labels: np.ndarray,
) -> "Subject":
    """Ask for a training that is told the groups of its rows."""
    if strength == 0.0:
        return subject
    if recipe.adversarial is not None or recipe.distillation is not None:
        raise NotApplicable(
            "the recipe trains against an adversary or a teacher, which training by groups cannot be added to"
        )
    require_comparable(groups[0], labels, len(subject.task.classes))
    made = subject
    for name, each in zip(("train", "validation"), groups, strict=True):
        if each is not None:
            told = replace(made.splits[name], row_groups=codes_of(each))
            made = made.with_split(name, told)
    return made.retrained(recipe=replace(recipe, groups=GroupTraining(method, strength)))
