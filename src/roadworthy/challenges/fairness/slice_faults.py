"""Positives that are missed more often in one part of the rows: labels redrawn around frozen answers."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics.slices import Conditions, some_part

if TYPE_CHECKING:
    from roadworthy.subject import Subject

LEAST_ROWS = 4  # in each of the four cells of labels and answers


@control(clears="unfair_slices")
def errors_by_class_alone(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray, test_labels: np.ndarray
) -> "Subject":
    """Redraw answers so that they depend on the label alone: each class is wrong as often as it is now, wherever its rows lie.

    Labels and inputs are real; answers of different rows are independent.
    """
    positive = _positive(subject)
    is_positive = test_labels == positive
    alarmed = test_predicted == positive
    rates = np.where(is_positive, _mean(alarmed, is_positive), _mean(alarmed, ~is_positive))
    answers = np.where(rng.random(len(rates)) < rates, positive, 1 - positive)
    return subject.with_given(test_predicted=answers, test_labels=test_labels)


@fault(
    breaks="unfair_slices",
    severities=(0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.4),
    starts_from="errors_by_class_alone",
)
def misses_in_one_slice(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_conditions: Conditions,
) -> "Subject":
    """Miss positives more often by this much in one part of the rows, drawn by chance; the others are answered as before.

    An alarm in the part is taken back with the chance s / a, where a is the share of positives that are found.

    Also alarms: equal_opportunity_gap (positives of one group are missed), equalized_odds_gap (the same), errors_left (more rows are wrong), shortfall_to_simple_models (the same), weak_slices (the part is wrong more often), demographic_parity_gap (one group is chosen less).
    """
    if severity == 0.0:
        return subject
    positive = _positive(subject)
    is_positive = test_labels == positive
    inside = some_part(test_conditions.take(is_positive), rng)
    found = test_predicted[is_positive] == positive
    chance = float(found.mean())
    if severity > chance:
        raise NotApplicable(
            f"{chance:.0%} of the positives are found; not {severity:.0%} can be lost"
        )
    lost = inside & found & (rng.random(len(found)) < severity / chance)
    answers = test_predicted.copy()
    answers[np.flatnonzero(is_positive)[lost]] = 1 - positive
    return subject.with_given(test_predicted=answers, test_labels=test_labels)


def _positive(subject: "Subject") -> int:
    if subject.task.positive is None or len(subject.task.classes) != 2:
        raise NotApplicable("missed positives need a task with two classes, one of them positive")
    return subject.task.positive


def _mean(happened: np.ndarray, of: np.ndarray) -> float:
    if of.sum() < LEAST_ROWS:
        raise NotApplicable(f"{int(of.sum())} rows of one class; {LEAST_ROWS} are needed")
    return float(happened[of].mean())
