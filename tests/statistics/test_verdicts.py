"""From measurement and requirement to a verdict that agrees with its p-value and says why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from roadworthy.results import AtLeast, AtMost, Estimate, Measurement, Requirement
from roadworthy.statistics import (
    auc,
    fact,
    judge,
    largest_gap,
    mean,
    p_value,
    paired_rate_difference,
    rate,
    rate_difference,
)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    n, m = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    x, y = draw(st.integers(0, n)), draw(st.integers(0, m))
    rng = np.random.default_rng(draw(st.integers(0, 5)))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return rate(x, n)
    if kind == 1:
        return rate_difference(x, n, y, m)
    if kind == 2:
        return mean(rng.exponential(0.3, n + 1), unit="points")
    if kind == 3:
        return paired_rate_difference(rng.random(n) < 0.8, rng.random(n) < 0.7)
    if kind == 4:
        return largest_gap([x, y], [n, m])
    return auc(rng.normal(size=40) + (np.arange(40) < 20), np.arange(40) < 20)


requirements = st.builds(
    Requirement, st.sampled_from(["at_most", "at_least"]), st.floats(0.01, 0.99), st.just("here")
)


@given(measurements(), requirements)
def test_the_p_value_is_below_a_fortieth_exactly_where_the_verdict_is_fail(
    m: Measurement, requirement: Requirement
) -> None:
    judgement = judge(m, requirement)
    if abs(judgement.p_value - 0.025) > 1e-6:
        assert (judgement.verdict == "fail") == (judgement.p_value < 0.025)
    if judgement.verdict == "pass":
        assert judgement.p_value > 0.5
    assert 0.0 <= judgement.p_value <= 1.0


@given(measurements(), st.floats(0.01, 0.98), st.floats(0.001, 0.01))
def test_a_looser_bound_never_makes_the_evidence_graver(
    m: Measurement, bound: float, more: float
) -> None:
    assert p_value(m, AtMost(bound + more, "")) >= p_value(m, AtMost(bound, "")) - 1e-9
    assert p_value(m, AtLeast(bound + more, "")) <= p_value(m, AtLeast(bound, "")) + 1e-9


@given(st.integers(0, 80), st.integers(1, 80), st.floats(0.001, 0.999))
def test_of_a_rate_it_is_scipys_exact_binomial_test(hits: int, n: int, bound: float) -> None:
    hits = min(hits, n)
    more = stats.binomtest(hits, n, bound, "greater").pvalue
    fewer = stats.binomtest(hits, n, bound, "less").pvalue
    assert p_value(rate(hits, n), AtMost(bound, "")) == pytest.approx(more, rel=1e-6, abs=1e-12)
    assert p_value(rate(hits, n), AtLeast(bound, "")) == pytest.approx(fewer, rel=1e-6, abs=1e-12)


def test_of_a_symmetric_mean_it_is_the_t_test() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    expected = stats.ttest_1samp(x, 2.0, alternative="greater").pvalue
    assert p_value(mean(x, unit=""), AtMost(2.0, "")) == pytest.approx(expected)


@given(st.floats(-3, 3), st.floats(0.1, 2))
def test_inverting_a_stored_grid_gives_the_normal_p_value(center: float, error: float) -> None:
    from roadworthy.statistics.distributions import GRID, limit, quantiles_on

    normal = Estimate(center, error)
    stored = quantiles_on(GRID, lambda p: limit(normal, p))
    m = Measurement(center, center - error, center + error, 10, "", "", stored)
    expected = stats.norm.cdf(-center / error)
    if 1e-5 < expected < 1 - 1e-5:
        assert p_value(m, AtMost(0.0, "")) == pytest.approx(expected, rel=0.03)


def test_touching_the_bound_is_good() -> None:
    low, high = rate(3, 40).low, rate(3, 40).high
    assert judge(rate(3, 40), AtMost(high, "")).verdict == "pass"
    assert judge(rate(3, 40), AtLeast(low, "")).verdict == "pass"
    assert judge(rate(3, 40), AtMost(low, "")).verdict == "inconclusive"


def test_too_few_examples_are_not_judged_however_good() -> None:
    judgement = judge(rate(0, 20), AtMost(0.5, "house default"), least=30)
    assert (judgement.verdict, judgement.reason_code) == ("inconclusive", "insufficient_n")
    assert judgement.examples_needed == 30
    assert "Only 20 examples; this is not judged below 30." in judgement.reason


def test_the_reason_is_a_sentence_a_data_officer_can_read() -> None:
    judgement = judge(rate(12, 400, unit="share of test rows"), AtMost(0.05, "house default"))
    assert judgement.reason == (
        "Measured: 3 % of test rows (95 % interval 1.56 % to 5.18 %, 400 examples); "
        "at most 5 % is allowed (house default). The interval reaches over the bound; if the measured "
        f"value stays, about {judgement.examples_needed:,} examples would decide (400 now)."
    )


def test_a_fact_is_counted_not_measured() -> None:
    judgement = judge(fact(2, 1797, unit="duplicate rows"), AtMost(0, "house default"))
    assert (judgement.verdict, judgement.p_value) == ("fail", 0.0)
    assert judgement.reason == (
        "Counted: 2 duplicate rows (1,797 examples looked at); at most 0 is allowed (house default)."
    )


def test_an_infinite_standard_error_decides_nothing() -> None:
    wide = Measurement(0.1, -1e300, 1e300, 3, "points", "t", Estimate(0.1, float("inf"), 2.0))
    judgement = judge(wide, AtMost(1.0, ""))
    assert (judgement.verdict, judgement.p_value) == ("inconclusive", 0.5)


def test_a_value_on_its_bound_says_that_more_examples_would_hardly_help() -> None:
    judgement = judge(rate(5, 100), AtMost(0.05, "house default"))
    assert judgement.examples_needed is None
    assert "would hardly help" in judgement.reason
