"""Trainings that stray from their mean by a known amount."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="training_variance")
def trainings_alike(
    subject: "Subject",
    rng: Generator,
    retrained_answers: np.ndarray,
    guess_squared_error: float,
    compared_rows: np.ndarray,
) -> "Subject":
    """Freeze answers that are the same after every training: the mean of those that were given.

    As if each training had as many rows as there are, so that the variance is estimated and not only bounded.
    """
    del rng
    mean = retrained_answers.astype(np.float64).mean(axis=(0, 1), keepdims=True)
    return subject.with_given(
        retrained_answers=np.broadcast_to(mean, retrained_answers.shape).copy(),
        guess_squared_error=guess_squared_error,
        bootstrap_share=1.0,
        compared_rows=compared_rows,
    )


@fault(
    breaks="training_variance",
    severities=(0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3),
    starts_from="trainings_alike",
)
def answers_by_luck(
    subject: "Subject",
    severity: float,
    rng: Generator,
    retrained_answers: np.ndarray,
    guess_squared_error: float,
) -> "Subject":
    """Let each training stray from the common answer, independently, by a known mean square.

    Classification: with the chance q the probabilities of a row move on by one class, by the vector D; that has the
    variance q (1 - q) |D|^2, and q is chosen so that its mean over rows is s times the yardstick. Numbers: normal noise of the
    variance s times the yardstick.
    """
    wanted = severity * guess_squared_error
    answers = retrained_answers
    if answers.shape[-1] == 1:
        noise = rng.normal(0.0, np.sqrt(wanted), answers.shape)
        return subject.with_given(retrained_answers=answers + noise)
    moved = np.roll(answers, 1, axis=-1)
    share = wanted / float(np.mean(np.sum((moved - answers) ** 2, axis=-1)))
    if share > 0.25:
        raise NotApplicable("the answers are too unsure for moved classes to differ by so much")
    chance = 0.5 - np.sqrt(0.25 - share)
    moves = rng.random(answers.shape[:-1]) < chance
    return subject.with_given(retrained_answers=np.where(moves[..., None], moved, answers))
