"""Chances and numbers that are off by a known amount for one of two groups that a coin has made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.coins import COIN, rows_of, with_coins
from roadworthy.challenges.fairness.faults import GAPS
from roadworthy.challenges.fairness.rates import positive_class
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Subject

Groups = Mapping[str, "Grouping"]


@control(clears="calibration_gap")
def claimed_alike(subject: "Subject", rng: Generator, test_probabilities: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group: then no chance depends on it. Probabilities are frozen."""
    return with_coins(subject, rng).with_given(test_probabilities=test_probabilities)


@fault(breaks="calibration_gap", severities=GAPS, starts_from="claimed_alike")
def risk_overstated_for_one_group(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Give a share s of one group's rows, positives all, the other label: the same chances now claim s too much.

    Inputs and probabilities stay as they are. Two classes only.

    Also alarms: calibration_error (half of it over all rows), predictive_parity_gap (positive decisions are wrong there), equalized_odds_gap (the same), error_rate_gap (the same).
    """
    k = positive_class(subject.task)
    is_positive = test_labels == k
    available = float(is_positive.mean())
    if severity > available:
        raise NotApplicable(
            f"{percent(severity)} cannot be taken from {percent(available)} positives"
        )
    chance = severity / available if severity else 0.0
    turns = (
        is_positive & rows_of(test_groups, "tails", COIN) & (rng.random(len(test_labels)) < chance)
    )
    return subject.with_target("test", np.where(turns, 1 - k, test_labels))


@control(clears="mean_error_gap")
def rated_alike(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray, target_spread: float
) -> "Subject":
    """Let a coin decide who is of which group: then no error depends on it. Predictions are frozen."""
    return with_coins(subject, rng).with_given(
        test_predicted=test_predicted, target_spread=target_spread
    )


@fault(breaks="mean_error_gap", severities=GAPS, starts_from="rated_alike")
def one_group_underrated(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    target_spread: float,
    test_groups: Groups,
) -> "Subject":
    """Predict s standard deviations of the target less for every row of one group.

    Also alarms: absolute_error_gap (the errors of that group grow).
    """
    del rng
    low = severity * target_spread * rows_of(test_groups, "tails", COIN)
    return subject.with_given(test_predicted=test_predicted - low)


@control(clears="absolute_error_gap")
def served_alike(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray, target_spread: float
) -> "Subject":
    """Let a coin decide who is of which group, as for `mean_error_gap`."""
    return rated_alike(subject, rng, test_predicted, target_spread)


@fault(breaks="absolute_error_gap", severities=GAPS, starts_from="served_alike")
def larger_errors_for_one_group(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_targets: np.ndarray,
    target_spread: float,
    test_groups: Groups,
) -> "Subject":
    """Move every prediction of one group s standard deviations of the target further from the truth.

    Also alarms: mean_error_gap (where most errors point one way).
    """
    del rng
    away = np.where(test_predicted < test_targets, -1.0, 1.0)
    moved = away * severity * target_spread * rows_of(test_groups, "tails", COIN)
    return subject.with_given(test_predicted=test_predicted + moved)
