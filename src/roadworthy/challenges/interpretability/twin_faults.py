"""Answers that a simple stand-in does not repeat, on a known share of rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="unexplained_answers")
def answers_of_the_stand_in(
    subject: "Subject",
    rng: Generator,
    surrogate_answers: Mapping[str, np.ndarray],
    surrogate_choice: str,
) -> "Subject":
    """Take the stand-in's answers for the model's: then none is left unexplained. Inputs and labels are real."""
    del rng
    return subject.with_given(
        test_predicted=surrogate_answers[surrogate_choice],
        surrogate_answers=surrogate_answers,
        surrogate_choice=surrogate_choice,
    )


@fault(
    breaks="unexplained_answers",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4),
    starts_from="answers_of_the_stand_in",
)
def answers_that_follow_no_rule(
    subject: "Subject", severity: float, rng: Generator, test_predicted: np.ndarray
) -> "Subject":
    """Give each row, with this chance, another class than the stand-in gives.

    Also alarms: errors_left (answers are wrong), shortfall_to_simple_models (the same), overfitting_gap (the same), weak_slices (the same).
    """
    if severity == 0.0:
        return subject
    c = len(subject.task.classes)
    other = (test_predicted + rng.integers(1, c, len(test_predicted))) % c
    turned = rng.random(len(test_predicted)) < severity
    return subject.with_given(test_predicted=np.where(turned, other, test_predicted))
