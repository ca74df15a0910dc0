"""Unequal decisions of a known size: planted in one of two groups that a coin has made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.coins import COIN, OTHER_COIN, rows_of, with_coins
from roadworthy.challenges.fairness.rates import positive_class
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Subject

GAPS = (0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3)
Groups = Mapping[str, "Grouping"]


@control(clears="demographic_parity_gap")
def chosen_alike(subject: "Subject", rng: Generator, test_predicted: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group: then no decision depends on the group. Decisions are frozen."""
    return _of_classes(subject, rng, test_predicted, (COIN,))


@fault(breaks="demographic_parity_gap", severities=GAPS, starts_from="chosen_alike")
def one_group_favoured(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Let members of one group be decided positive who would not be: a share s of the group.

    Each turns with the chance s / (share not decided positive), so the gap is s exactly (of several classes,
    for the most frequent one; the others lose s together). Inputs and labels stay as they are.

    Also alarms: selection_ratio (the same decisions), equalized_odds_gap (the negatives among them), equal_opportunity_gap (the positives among them), error_rate_gap (most of them are mistakes), predictive_parity_gap (the same), intersectional_parity_gap (the same decisions).
    """
    return _favoured(subject, test_predicted, rows_of(test_groups, "heads", COIN), severity, rng)


@control(clears="selection_ratio")
def chosen_in_proportion(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray
) -> "Subject":
    """Let a coin decide who is of which group, as for `demographic_parity_gap`."""
    return chosen_alike(subject, rng, test_predicted)


@fault(
    breaks="selection_ratio",
    severities=(0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5),
    starts_from="chosen_in_proportion",
)
def one_group_passed_over(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Keep the positive decision for a share s of those of one group who have it: the ratio is s exactly.

    At 1 nothing changes. Inputs and labels stay as they are.

    Also alarms: demographic_parity_gap (the same decisions), equal_opportunity_gap (the positives among them), equalized_odds_gap (the same), error_rate_gap (the same).
    """
    k = positive_class(subject.task)
    hit = rows_of(test_groups, "tails", COIN) & (test_predicted == k)
    turns = hit & (rng.random(len(hit)) < 1.0 - severity)
    return subject.with_given(test_predicted=_moved(subject, test_predicted, turns, rng))


@control(clears="equal_opportunity_gap")
def recognised_alike(subject: "Subject", rng: Generator, test_predicted: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group, as for `demographic_parity_gap`."""
    return chosen_alike(subject, rng, test_predicted)


@fault(breaks="equal_opportunity_gap", severities=GAPS, starts_from="recognised_alike")
def one_group_overlooked(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Overlook a share s of the positives of one group who were recognised: the gap is s exactly.

    Of several classes the most frequent one. Inputs and labels stay as they are.

    Also alarms: equalized_odds_gap (the same positives), error_rate_gap (the same mistakes), demographic_parity_gap (fewer are chosen), selection_ratio (the same).
    """
    there = rows_of(test_groups, "tails", COIN)
    return _overlooked(subject, test_predicted, test_labels, there, severity, rng)


@control(clears="equalized_odds_gap")
def mistaken_alike(subject: "Subject", rng: Generator, test_predicted: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group, as for `demographic_parity_gap`."""
    return chosen_alike(subject, rng, test_predicted)


@fault(breaks="equalized_odds_gap", severities=GAPS, starts_from="mistaken_alike")
def one_group_accused(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Decide a share s of the negatives of one group wrongly as positive: the gap in false positives is s exactly.

    Of several classes the most frequent one. Inputs, labels and positives stay as they are.

    Also alarms: error_rate_gap (the same mistakes), demographic_parity_gap (more are chosen), selection_ratio (the same), predictive_parity_gap (a positive decision means less there).
    """
    k = _class_of(subject, test_labels)
    of = test_labels != k
    spared = of & (test_predicted != k)
    chance = _chance(severity, float(spared.sum() / max(of.sum(), 1)))
    turns = spared & rows_of(test_groups, "heads", COIN) & (rng.random(len(of)) < chance)
    return subject.with_given(test_predicted=np.where(turns, k, test_predicted))


@fault(
    breaks="equalized_odds_gap",
    severities=(0.025, 0.05, 0.075, 0.1),
    starts_from="mistaken_alike",
)
def labels_withheld_from_one_group(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Give positives of one group the other label, whatever was decided on them: the labels are unfair, not the model.

    True positives are as frequent as before among those that are left; the others are now false ones. With P positives,
    N negatives, and the rates t and f of positive decisions among them, withholding the share q raises f by
    q P (t - f) / (N + q P), which is s for q = s N / (P (t - f - s)). Two classes only. Decisions and inputs stay.

    Also alarms: predictive_parity_gap (positive decisions look wrong there), error_rate_gap (the same), calibration_gap (labels change).
    """
    if subject.task.kind != "binary":
        raise NotApplicable("withheld labels of a known effect are worked out for two classes")
    k = positive_class(subject.task)
    is_positive = test_labels == k
    p = int(is_positive.sum())
    rates = [float((test_predicted[rows] == k).mean()) for rows in (is_positive, ~is_positive)]
    left = rates[0] - rates[1] - severity
    share = severity * (len(is_positive) - p) / (p * left) if left > 0 else 2.0
    if share > 1.0:
        raise NotApplicable(
            f"even all labels withheld open no gap of {percent(severity)} between error rates"
        )
    turns = (
        is_positive & rows_of(test_groups, "tails", COIN) & (rng.random(len(is_positive)) < share)
    )
    return subject.with_target("test", np.where(turns, 1 - k, test_labels))


@control(clears="predictive_parity_gap")
def relied_on_alike(subject: "Subject", rng: Generator, test_predicted: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group, as for `demographic_parity_gap`."""
    return chosen_alike(subject, rng, test_predicted)


@fault(breaks="predictive_parity_gap", severities=GAPS, starts_from="relied_on_alike")
def less_true_of_one_group(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Give a share s of the positive decisions on one group another label: precision there falls by s exactly.

    Only decisions that were right are hit; of several classes those of the most frequent decision.

    Also alarms: error_rate_gap (the same mistakes), equalized_odds_gap (more negatives are chosen there), calibration_gap (labels change).
    """
    k = _class_of(subject, test_predicted)
    of = test_predicted == k
    right = of & (test_labels == k)
    chance = _chance(severity, float(right.sum() / max(of.sum(), 1)))
    turns = right & rows_of(test_groups, "tails", COIN) & (rng.random(len(of)) < chance)
    return subject.with_target("test", _moved(subject, test_labels, turns, rng))


@control(clears="error_rate_gap")
def wrong_alike(subject: "Subject", rng: Generator, test_predicted: np.ndarray) -> "Subject":
    """Let a coin decide who is of which group, as for `demographic_parity_gap`."""
    return chosen_alike(subject, rng, test_predicted)


@fault(breaks="error_rate_gap", severities=GAPS, starts_from="wrong_alike")
def more_mistakes_on_one_group(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Make a share s of the decisions on one group wrong that were right: the gap in errors is s exactly.

    Also alarms: equalized_odds_gap (the same mistakes), equal_opportunity_gap (the same), predictive_parity_gap (the same), demographic_parity_gap (decisions change), selection_ratio (the same).
    """
    there = rows_of(test_groups, "tails", COIN)
    return _mistaken(subject, test_predicted, test_labels, there, severity, rng)


@control(clears="intersectional_parity_gap")
def chosen_alike_at_intersections(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray
) -> "Subject":
    """Let two coins decide who is of which groups. Decisions are frozen."""
    return _of_classes(subject, rng, test_predicted, (COIN, OTHER_COIN))


@fault(
    breaks="intersectional_parity_gap", severities=GAPS, starts_from="chosen_alike_at_intersections"
)
def one_intersection_favoured(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Favour those for whom both coins show heads, as `one_group_favoured` does: a share s of them.

    Also alarms: demographic_parity_gap (each coin alone shows half of it), selection_ratio (the same decisions), intersectional_error_gap (most of them are mistakes), intersectional_odds_gap (the same).
    """
    there = rows_of(test_groups, "heads", COIN, OTHER_COIN)
    return _favoured(subject, test_predicted, there, severity, rng)


@control(clears="intersectional_odds_gap")
def mistaken_alike_at_intersections(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray
) -> "Subject":
    """Let two coins decide who is of which groups. Decisions are frozen."""
    return chosen_alike_at_intersections(subject, rng, test_predicted)


@fault(
    breaks="intersectional_odds_gap", severities=GAPS, starts_from="mistaken_alike_at_intersections"
)
def one_intersection_overlooked(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Overlook a share s of the positives for whom both coins show heads, as `one_group_overlooked` does.

    Also alarms: intersectional_error_gap (the same mistakes), equalized_odds_gap (each coin alone shows half of it), equal_opportunity_gap (the same).
    """
    there = rows_of(test_groups, "heads", COIN, OTHER_COIN)
    return _overlooked(subject, test_predicted, test_labels, there, severity, rng)


@control(clears="intersectional_error_gap")
def wrong_alike_at_intersections(
    subject: "Subject", rng: Generator, test_predicted: np.ndarray
) -> "Subject":
    """Let two coins decide who is of which groups. Decisions are frozen."""
    return chosen_alike_at_intersections(subject, rng, test_predicted)


@fault(
    breaks="intersectional_error_gap", severities=GAPS, starts_from="wrong_alike_at_intersections"
)
def more_mistakes_on_one_intersection(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_labels: np.ndarray,
    test_groups: Groups,
) -> "Subject":
    """Make a share s of the right decisions wrong where both coins show heads.

    Also alarms: intersectional_odds_gap (the same mistakes), error_rate_gap (each coin alone shows half of it).
    """
    there = rows_of(test_groups, "heads", COIN, OTHER_COIN)
    return _mistaken(subject, test_predicted, test_labels, there, severity, rng)


def _of_classes(
    subject: "Subject", rng: Generator, predicted: np.ndarray, coins: tuple[str, ...]
) -> "Subject":
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number, so no decision is made that could be counted")
    return with_coins(subject, rng, coins).with_given(test_predicted=predicted)


def _class_of(subject: "Subject", codes: np.ndarray) -> int:
    """Return the positive class, or of several the most frequent one."""
    if subject.task.kind == "binary":
        return positive_class(subject.task)
    return int(np.bincount(codes).argmax())


def _chance(severity: float, available: float) -> float:
    if severity > available:
        raise NotApplicable(f"{percent(severity)} cannot be taken from {percent(available)}")
    return severity / available if severity else 0.0


def _favoured(
    subject: "Subject", predicted: np.ndarray, there: np.ndarray, severity: float, rng: Generator
) -> "Subject":
    k = _class_of(subject, predicted)
    others = predicted != k
    chance = _chance(severity, float(others.mean()))
    turns = others & there & (rng.random(len(predicted)) < chance)
    return subject.with_given(test_predicted=np.where(turns, k, predicted))


def _overlooked(
    subject: "Subject",
    predicted: np.ndarray,
    labels: np.ndarray,
    there: np.ndarray,
    severity: float,
    rng: Generator,
) -> "Subject":
    k = _class_of(subject, labels)
    right = (labels == k) & (predicted == k)
    chance = _chance(severity, float(right.sum() / max((labels == k).sum(), 1)))
    turns = right & there & (rng.random(len(labels)) < chance)
    return subject.with_given(test_predicted=_moved(subject, predicted, turns, rng))


def _mistaken(
    subject: "Subject",
    predicted: np.ndarray,
    labels: np.ndarray,
    there: np.ndarray,
    severity: float,
    rng: Generator,
) -> "Subject":
    right = predicted == labels
    chance = _chance(severity, float(right.mean()))
    turns = right & there & (rng.random(len(labels)) < chance)
    return subject.with_given(test_predicted=_moved(subject, predicted, turns, rng))


def _moved(subject: "Subject", codes: np.ndarray, turns: np.ndarray, rng: Generator) -> np.ndarray:
    """Return other classes for some rows, all alike."""
    c = len(subject.task.classes)
    return np.where(turns, (codes + rng.integers(1, c, len(codes))) % c, codes)
