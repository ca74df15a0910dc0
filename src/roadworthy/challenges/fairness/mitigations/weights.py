"""Remedies in the weights of training rows: group and class made independent, mistakes counted for more."""

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.mitigations.cells import (
    Groups,
    require_comparable,
    together,
)
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject
from roadworthy.subject.grouping import Grouping
from roadworthy.subject.weighing import present_weights, weighed

FAULT = "positives_of_one_group_left_out"


@mitigation(
    targets=("demographic_parity_gap", "selection_ratio", "equal_opportunity_gap"),
    strengths=(0.5, 1.0),
    sham="reweighing_by_shuffled_groups",
    repairs=FAULT,
)
def reweighing(
    subject: Subject, strength: float, train_groups: Groups, train_labels: np.ndarray
) -> Subject:
    """Weigh training rows so that no class is more common in one group than in another.

    Each row weighs (share of its group) x (share of its class) / (share of both), to the power of the strength (Kamiran &
    Calders 2012, Knowledge and Information Systems 33, section 5.2). It aims at how often groups are chosen; where groups
    differ in truth that moves the odds apart (measured on Adult: the gap of .10 grew to .17). Shares are those of the weights
    that rows have already. Rows and architecture stay.
    """
    return _reweighed(subject, strength, train_groups, train_labels)


@sham()
def reweighing_by_shuffled_groups(
    subject: Subject,
    strength: float,
    rng: Generator,
    train_groups: Groups,
    train_labels: np.ndarray,
) -> Subject:
    """Give each row the weight of another row of its class, whatever their groups."""
    if strength == 0.0:
        return subject
    weights = _independent(together(train_groups), train_labels, present_weights(subject))
    for label in np.unique(train_labels):
        own = np.flatnonzero(train_labels == label)
        weights[own] = weights[rng.permutation(own)]
    return weighed(subject, weights**strength)


@mitigation(
    targets=("error_rate_gap", "equalized_odds_gap", "intersectional_odds_gap"),
    strengths=(1.0, 2.0, 4.0),
    sham="as_many_random_rows_weighed_up",
    repairs=FAULT,
)
def just_train_twice(
    subject: Subject, strength: float, train_probabilities: np.ndarray, train_labels: np.ndarray
) -> Subject:
    """Train once more with the training rows that the model gets wrong counting for more.

    Just train twice (Liu et al. 2021, ICML, algorithm 1): rows answered wrongly weigh 1 + strength. It needs no groups,
    and was made for groups that a shortcut fails; wrong labels are among the mistakes too, and count for more with them.
    Rows and architecture stay as they are.
    """
    if strength == 0.0:
        return subject
    wrong = _wrong(train_probabilities, train_labels)
    return weighed(subject, 1.0 + strength * wrong)


@sham()
def as_many_random_rows_weighed_up(
    subject: Subject,
    strength: float,
    rng: Generator,
    train_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Let as many rows, drawn at random, count for more."""
    if strength == 0.0:
        return subject
    wrong = _wrong(train_probabilities, train_labels)
    return weighed(subject, 1.0 + strength * rng.permutation(wrong))


def _wrong(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    wrong = probabilities.argmax(axis=1) != labels
    if not wrong.any():
        raise NotApplicable("the model gets every training row right, so none can count for more")
    return wrong.astype(float)


def _reweighed(subject: Subject, strength: float, groups: Groups, labels: np.ndarray) -> Subject:
    if strength == 0.0:
        return subject
    require_comparable(groups, labels, len(subject.task.classes))
    weights = _independent(together(groups), labels, present_weights(subject))
    return weighed(subject, weights**strength)


def _independent(grouping: Grouping, labels: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return the factors of present weights under which group and class are independent: (n,); 1 where the group is not known.

    >>> men_are_chosen = Grouping(np.array([0, 0, 0, 1, 1, 1]), ("m", "f"))
    >>> # 3 x 3 / 6 rows of each cell are expected: 2 men chosen weigh 1.5 / 2, 1 man not chosen 1.5 / 1
    >>> _independent(men_are_chosen, np.array([1, 1, 0, 1, 0, 0]), np.ones(6)).tolist()
    [0.75, 0.75, 1.5, 1.5, 0.75, 0.75]
    """
    known = grouping.codes >= 0
    cells = grouping.codes[known], labels[known]
    worth = np.zeros((len(grouping.names), int(labels.max()) + 1))
    np.add.at(worth, cells, present[known])
    expected = worth.sum(axis=1, keepdims=True) * worth.sum(axis=0) / worth.sum()
    ratio = np.divide(expected, worth, out=np.ones_like(worth), where=worth > 0)
    weights = np.ones(len(labels))
    weights[known] = ratio[cells]
    return weights
