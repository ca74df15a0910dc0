"""Known shares of foreign rows that are missed, and of own rows that are held back: scores frozen and moved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.uncertainty.out_of_distribution import KEPT
from roadworthy.engine import control, fault

if TYPE_CHECKING:
    from roadworthy.subject import Subject

POWER_CURVE = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0)
TOGETHER = 2.0  # a + b of the Beta law of a row's chance
Choice = Mapping[str, Any]  # Any: a number and arrays


@control(clears="unseen_inputs_missed")
def foreign_rows_all_found(
    subject: "Subject",
    rng: Generator,
    test_foreign_novelty_scores: np.ndarray,
    test_novelty_scores: np.ndarray,
    novelty_choice: Choice,
) -> "Subject":
    """Freeze scores of foreign rows that all lie beyond the threshold; thresholds and own rows stay."""
    del rng
    far = novelty_choice["thresholds"] + 1.0
    return subject.with_given(
        novelty_choice=novelty_choice,
        test_novelty_scores=test_novelty_scores,
        test_foreign_novelty_scores=np.broadcast_to(far, test_foreign_novelty_scores.shape).copy(),
    )


@control(clears="unseen_inputs_trusted")
def foreign_rows_all_doubted(
    subject: "Subject",
    rng: Generator,
    test_foreign_novelty_scores: np.ndarray,
    test_novelty_scores: np.ndarray,
    novelty_choice: Choice,
) -> "Subject":
    """Freeze confidences of foreign rows below the threshold, as for `unseen_inputs_missed`."""
    return foreign_rows_all_found(
        subject, rng, test_foreign_novelty_scores, test_novelty_scores, novelty_choice
    )


@fault(breaks="unseen_inputs_missed", severities=POWER_CURVE, starts_from="foreign_rows_all_found")
def foreign_rows_taken_for_own(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_foreign_novelty_scores: np.ndarray,
    novelty_choice: Choice,
) -> "Subject":
    """Let the share s of foreign rows score as own ones do, those made of one row together.

    Also alarms: unseen_inputs_trusted (all scores are moved).
    """
    return _accepted(subject, severity, rng, test_foreign_novelty_scores, novelty_choice)


@fault(
    breaks="unseen_inputs_trusted", severities=POWER_CURVE, starts_from="foreign_rows_all_doubted"
)
def foreign_rows_answered_surely(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_foreign_novelty_scores: np.ndarray,
    novelty_choice: Choice,
) -> "Subject":
    """Let the share s of foreign rows be answered as surely as own ones, those made of one row together.

    Also alarms: unseen_inputs_missed (all scores are moved).
    """
    return _accepted(subject, severity, rng, test_foreign_novelty_scores, novelty_choice)


@control(clears="novelty_false_alarms")
def as_many_held_back_as_promised(
    subject: "Subject", rng: Generator, test_novelty_scores: np.ndarray, novelty_choice: Choice
) -> "Subject":
    """Redraw which test rows lie beyond the frozen threshold: each with a chance of exactly 5 %."""
    beyond = rng.random(len(test_novelty_scores)) < 1 - KEPT
    side = np.where(beyond, 1.0, -1.0)[:, None]
    return subject.with_given(
        novelty_choice=novelty_choice,
        test_novelty_scores=np.broadcast_to(
            novelty_choice["thresholds"] + side, test_novelty_scores.shape
        ).copy(),
    )


@fault(
    breaks="novelty_false_alarms",
    severities=(0.0125, 0.025, 0.0375, 0.05, 0.075, 0.1, 0.2),
    starts_from="as_many_held_back_as_promised",
)
def own_rows_taken_for_foreign(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_novelty_scores: np.ndarray,
    novelty_choice: Choice,
) -> "Subject":
    """Let each test row within the threshold pass beyond it with the chance s / .95: s more than promised."""
    if severity == 0.0:
        return subject
    moved = (rng.random(len(test_novelty_scores)) < severity / KEPT)[:, None]
    beyond = np.maximum(test_novelty_scores, novelty_choice["thresholds"] + 1.0)
    return subject.with_given(test_novelty_scores=np.where(moved, beyond, test_novelty_scores))


def _accepted(
    subject: "Subject", severity: float, rng: Generator, scores: np.ndarray, choice: Choice
) -> "Subject":
    if severity == 0.0:
        return subject
    n, ways = scores.shape[:2]
    a, b = TOGETHER * severity, TOGETHER * (1 - severity)
    chance = rng.beta(a, b, n) if severity < 1 else np.ones(n)
    taken = rng.random((n, ways)) < chance[:, None]
    near = np.minimum(scores, choice["thresholds"] - 1.0)
    return subject.with_given(test_foreign_novelty_scores=np.where(taken[:, :, None], near, scores))
