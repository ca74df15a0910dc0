"""Gaps of means by group: oracles by hand, small groups named, false fails where groups are equal."""

import numpy as np
import pytest

from roadworthy.challenges.fairness.means import mean_gap
from roadworthy.results import AtMost, DoubtedMeasurement
from roadworthy.statistics import judged, mean_difference
from roadworthy.subject import Grouping, Task

from .conftest import Measure, outcome_of, recorded_subject


def grouped(*sizes: int) -> dict[str, Grouping]:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return {"g": Grouping(codes, tuple("abcdefgh"[: len(sizes)]))}


def test_the_calibration_gap_is_that_of_claimed_minus_observed(measure: Measure) -> None:
    # a: claimed .6, half happen: .1 too much. b: claimed .3, 40 % happen: .1 too little.
    chance = np.repeat([0.6, 0.3], 500)
    labels = np.concatenate([np.arange(500) % 2, np.arange(500) % 5 < 2]).astype(np.int64)
    subject = recorded_subject(
        labels,
        {"group": ["a"] * 500 + ["b"] * 500},
        probabilities=np.stack([1 - chance, chance], axis=1),
    )
    found = measure(subject, "calibration_gap")
    assert found.value == pytest.approx(0.2)
    by_hand = mean_difference(chance[:500] - labels[:500], chance[500:] - labels[500:], unit="")
    assert (found.low, found.high) == pytest.approx((by_hand.low, by_hand.high))
    assert found.n == 1_000


def test_regression_gaps_are_in_spreads_of_the_target(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=2_000)
    error = np.where(np.arange(2_000) < 1_000, 0.3, -0.1)
    subject = recorded_subject(
        target, {"g": ["a"] * 1_000 + ["b"] * 1_000}, Task("regression"), predicted=target + error
    )
    spread = target.std(ddof=1)
    assert measure(subject, "mean_error_gap").value == pytest.approx(0.4 / spread)
    assert measure(subject, "absolute_error_gap").value == pytest.approx(0.2 / spread)
    assert "class" in outcome_of(subject, "demographic_parity_gap").reason
    constant = recorded_subject(
        np.ones(100), {"g": ["a", "b"] * 50}, Task("regression"), predicted=np.zeros(100)
    )
    assert "does not vary" in outcome_of(constant, "mean_error_gap").reason


def test_of_several_groups_the_two_ends_are_told_apart() -> None:
    values = np.concatenate([np.zeros(300), np.full(300, 0.1), np.full(300, 0.5)])
    values += np.random.default_rng(0).normal(0, 0.1, 900)
    found = mean_gap(grouped(300, 300, 300), values, None, unit="share", of="above")
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert "for c" in found.details
    assert "for a" in found.details


def test_a_small_group_takes_no_part_and_keeps_it_from_passing() -> None:
    values = np.random.default_rng(0).normal(size=2_020)
    values[2_000:] += 10
    found = mean_gap(grouped(1_000, 1_000, 20), values, None, unit="share", of="above")
    assert found.value < 0.2
    assert isinstance(found, DoubtedMeasurement)
    assert '"c" has 20' in found.doubts[0]


def test_one_large_group_and_one_tiny_is_too_few_for_a_verdict() -> None:
    values = np.random.default_rng(0).normal(0, 0.01, 1_020)
    found = mean_gap(grouped(1_000, 20), values, None, unit="share", of="above")
    assert found.n == 20
    assert judged(found, AtMost(0.1, "house default"), 30).reason_code == "insufficient_n"
    assert '"b" has 20' in found.doubts[0]  # type: ignore[attr-defined]
    stated = mean_gap(grouped(1_000, 20), values, 500, unit="share", of="above")
    assert judged(stated, AtMost(0.1, "house default"), 5).reason_code == "insufficient_n"


def test_below_the_smallest_group_a_gap_beyond_the_bound_fails_and_none_passes() -> None:
    # Decided so: a hundred rows wholly beyond the bound are evidence, whatever the purpose calls small.
    bound = AtMost(0.1, "house default")
    rng = np.random.default_rng(0)
    apart = np.concatenate([rng.normal(0.3, 0.1, 5_000), rng.normal(0.0, 0.1, 100)])
    found = mean_gap(grouped(5_000, 100), apart, 200, unit="share", of="above")
    assert found.n == 100
    assert judged(found, bound, 30).verdict == "fail"
    alike = mean_gap(grouped(5_000, 100), rng.normal(0, 0.1, 5_100), 200, unit="share", of="above")
    assert alike.high < 0.1
    assert judged(alike, bound, 30).reason_code == "insufficient_n"
    # Beside two that are large enough it takes no part, and keeps them from passing.
    beside = np.concatenate([apart, rng.normal(0.3, 0.1, 5_000)])
    third = mean_gap(grouped(5_000, 100, 5_000), beside, 200, unit="share", of="above")
    assert third.high < 0.1
    assert judged(third, bound, 30).reason_code == "insufficient_n"


def test_a_group_whose_stated_chance_is_alike_for_all_is_judged_by_what_was_not_seen(
    measure: Measure,
) -> None:
    rng = np.random.default_rng(1)
    chance = np.concatenate([np.full(50, 0.12), rng.uniform(0.2, 0.8, 5_000)])
    labels = (rng.random(5_050) < chance).astype(np.int64)
    labels[:50] = 0
    subject = recorded_subject(
        labels,
        {"group": ["a"] * 50 + ["b"] * 5_000},
        probabilities=np.stack([1 - chance, chance], axis=1),
    )
    found = measure(subject, "calibration_gap")
    # .0711 of all may be unseen: 1 - .025^(1/50); each at .12 - 1
    assert found.low < 0.12 - 0.0711 * 1.12 + 0.03


def test_rows_of_unknown_group_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0.5, 0.1, 500), rng.normal(0.0, 0.1, 500), [2.0] * 50])
    known = Grouping(np.repeat([0, 1], [500, 500]), ("a", "b"))
    some = Grouping(np.repeat([0, 1, -1], [500, 500, 50]), ("a", "b"))
    one = mean_gap({"g": known}, values[:1_000], None, unit="share", of="above")
    other = mean_gap({"g": some}, values, None, unit="share", of="above")
    assert other.value == one.value
    # To b all 50 that are 2: its mean rises to 100 / 550 = .18; to a, and its mean is (250 + 100) / 550 = .64.
    assert other.low == pytest.approx(0.5 - 0.18, abs=0.1)
    assert other.high == pytest.approx(0.64, abs=0.1)
    assert other.low < one.low < one.high < other.high


def test_six_equal_groups_of_skewed_errors_seldom_show_a_gap_above_a_tenth() -> None:
    rng = np.random.default_rng(4)
    sizes = (2_000, 1_000, 500, 200, 100, 50)
    fails = 0
    for _ in range(150):
        values = rng.exponential(0.3, sum(sizes))
        found = mean_gap(grouped(*sizes), values, None, unit="spreads", of="wrong by")
        fails += found.low > 0.1
    assert fails <= 4
