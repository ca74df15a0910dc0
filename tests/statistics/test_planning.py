"""How many examples would decide."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from roadworthy.results import AtLeast, AtMost, Measurement
from roadworthy.statistics import (
    clopper_pearson,
    examples_needed,
    examples_to_pass,
    fact,
    judge,
    judged,
    mean,
    rate,
    rate_difference,
)
from roadworthy.statistics.gap_bounds import bounded_gap
from roadworthy.statistics.mean_gaps import largest_mean_gap


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.02, 0.05, 0.1, 0.3]))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_that_many_examples_at_the_same_rate_decide_and_fewer_do_not(
    hits: int, n: int, bound: float
) -> None:
    hits = min(hits, n)
    m, requirement = rate(hits, n), AtMost(bound, "")
    assume(judge(m, requirement).verdict == "inconclusive")
    needed = examples_needed(m, requirement)
    if needed is None:
        assert abs(hits / n - bound) < 0.02
        return
    low, high = clopper_pearson(hits / n * needed, needed)
    # Rounding to whole hits can ask for a few more than the exact share does.
    assert high <= bound or low >= bound
    assert needed > n * 0.9
    assert judge(rate(round(hits / n * needed), needed), requirement).verdict != "inconclusive"


def test_a_rate_on_its_bound_is_never_decided() -> None:
    assert examples_needed(rate(5, 100), AtMost(0.05, "")) is None


def test_facts_need_no_examples() -> None:
    assert examples_needed(fact(3, 10, unit="rows", limit=9), AtMost(5, "")) is None


@pytest.mark.parametrize(
    "gap",
    [
        bounded_gap([30, 20], [100, 100], 10, 10, unit="share of rows"),
        largest_mean_gap([np.arange(60.0), np.arange(60.0) + 5], np.arange(20.0), unit="points"),
    ],
)
def test_what_is_not_known_of_rows_is_not_told_by_more_of_them(gap: Measurement) -> None:
    bound = AtMost((gap.value + gap.high) / 2, "house default")
    assert examples_needed(gap, bound) is None
    found = judged(gap, bound)
    assert found.verdict == "inconclusive"
    assert "not known" in found.reason
    known = bounded_gap([30, 20], [100, 100], 0, 0, unit="share of rows")
    assert examples_needed(known, AtMost(0.15, "house default")) is not None


def test_means_shrink_with_the_square_root() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 1.0, 100)
    x = np.concatenate([x, 2 * x.mean() - x])  # no skewness
    m = mean(x, unit="points")
    bound = m.value + (m.high - m.value) / 3
    needed = examples_needed(m, AtMost(bound, ""))
    assert needed == pytest.approx(9 * 200, abs=2)


def test_a_difference_grows_both_samples_alike() -> None:
    m = rate_difference(95, 100, 90, 100)
    needed = examples_needed(m, AtMost(0.1, ""))
    assert needed is not None
    half = needed // 2
    assert judge(rate_difference(0.95 * half, half, 0.9 * half, half), AtMost(0.1, "")).verdict in (
        "pass",
        "inconclusive",
    )
    assert needed > 200


@given(st.sampled_from([0.0, 0.01, 0.02]), st.sampled_from([0.05, 0.1]))
def test_a_healthy_subject_passes_that_often_at_that_n(truth: float, bound: float) -> None:
    n = examples_to_pass(truth, AtMost(bound, ""))
    assert n is not None
    hits = np.random.default_rng(0).binomial(n, truth, 4000)
    passed = np.mean(clopper_pearson(hits, np.full(4000, n)).high <= bound)
    assert passed >= 0.77


def test_at_least_is_at_most_of_the_misses() -> None:
    assert examples_to_pass(0.98, AtLeast(0.9, "")) == examples_to_pass(0.02, AtMost(0.1, ""))


def test_a_truth_on_its_bound_never_passes_so_often() -> None:
    assert examples_to_pass(0.0499, AtMost(0.05, "")) is None
