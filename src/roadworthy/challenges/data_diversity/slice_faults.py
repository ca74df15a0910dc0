"""Mistakes that sit in one part of the data: labels redrawn around frozen answers."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent
from roadworthy.statistics.slices import Conditions, some_part

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="weak_slices")
def mistakes_everywhere_alike(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray, test_correct: np.ndarray
) -> "Subject":
    """Redraw the test labels so that every row is wrong with the same chance: that of all rows together.

    Answers are frozen; mistakes of different rows are independent. Classes alone.
    """
    wrong = rng.random(len(test_predicted)) < 1.0 - test_correct.mean()
    target = np.where(wrong, _another(test_predicted, subject, rng), test_predicted)
    return subject.with_target("test", target).with_given(test_predicted=test_predicted)


@fault(
    breaks="weak_slices",
    severities=(0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.4),
    starts_from="mistakes_everywhere_alike",
)
def mistakes_in_one_slice(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_conditions: Conditions,
) -> "Subject":
    """Make the model wrong more often by this much in one part of the rows, drawn by chance from one-condition parts of a tenth to four tenths.

    A right row of the part turns wrong with the chance s / a, where a is its chance of being right; rows outside stay
    as they are, and every other part is less far above its rest.

    Also alarms: errors_left (more rows are wrong), shortfall_to_simple_models (the same), calibration_error (the same), classwise_calibration_error (the same), selective_risk (the same), overfitting_gap (the same), conformal_shortfall (the same).
    """
    if severity == 0.0:
        return subject
    inside = some_part(test_conditions, rng)
    target = subject.splits["test"].target
    assert target is not None
    right = target == test_predicted
    chance = float(right.mean())
    if severity > chance:
        raise NotApplicable(
            f"the model is right on {percent(chance)} of rows; it cannot lose {percent(severity)}"
        )
    turns = inside & right & (rng.random(len(target)) < severity / chance)
    wrong = _another(test_predicted, subject, rng)
    return subject.with_target("test", np.where(turns, wrong, target))


def _another(classes: np.ndarray, subject: "Subject", rng: Generator) -> np.ndarray:
    """Return another class for each row."""
    c = len(subject.task.classes)
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; answers cannot be right or wrong")
    return (classes + rng.integers(1, c, len(classes))) % c
