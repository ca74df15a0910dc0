"""Rates, the precision they imply at another prevalence, and facts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost
from roadworthy.statistics import (
    clopper_pearson,
    excess,
    fact,
    judge,
    precision_at_prevalence,
    rate,
)


def test_a_rate_carries_its_counts_and_its_exact_interval() -> None:
    m = rate(3, 40, unit="share of test rows", details="3 rows of 40")
    assert (m.value, m.n, m.unit, m.method) == (0.075, 40, "share of test rows", "Clopper-Pearson")
    assert (m.low, m.high) == clopper_pearson(3, 40)
    assert m.details == "3 rows of 40"


def test_a_rate_of_nothing_is_not_applicable() -> None:
    with pytest.raises(NotApplicable):
        rate(0, 0)


def test_an_excess_shifts_value_and_interval_alike() -> None:
    m = excess(rate(30, 100), 0.05)
    low, high = clopper_pearson(30, 100)
    assert (m.value, m.low, m.high) == pytest.approx((0.25, low - 0.05, high - 0.05))


def test_precision_at_the_prevalence_of_the_test_set_is_the_observed_precision() -> None:
    # 80 of 100 positives and 10 of 300 negatives raise an alarm: 80 of 90 alarms are true.
    m = precision_at_prevalence(80, 100, 10, 300, prevalence=100 / 400)
    assert m.value == pytest.approx(80 / 90)
    assert m.low < 80 / 90 < m.high


@given(
    st.integers(0, 40),
    st.integers(1, 40),
    st.integers(0, 40),
    st.integers(1, 40),
    st.floats(1e-4, 0.9999),
)
def test_precision_stays_a_share_at_every_edge(
    true: int, positives: int, false: int, negatives: int, prevalence: float
) -> None:
    true, false = min(true, positives), min(false, negatives)
    if true + false == 0:
        with pytest.raises(NotApplicable):
            precision_at_prevalence(true, positives, false, negatives, prevalence)
        return
    m = precision_at_prevalence(true, positives, false, negatives, prevalence)
    assert 0.0 <= m.low <= m.value <= m.high <= 1.0


def test_precision_at_another_prevalence_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    recall, fallout, prevalence = 0.8, 0.05, 0.01
    truth = prevalence * recall / (prevalence * recall + (1 - prevalence) * fallout)
    too_high = too_low = 0
    for true, false in zip(
        rng.binomial(60, recall, 800), rng.binomial(300, fallout, 800), strict=True
    ):
        m = precision_at_prevalence(int(true), 60, int(false), 300, prevalence)
        too_high += m.low > truth
        too_low += m.high < truth
    # 2.5 % of 800 = 20, and three standard deviations of luck.
    assert max(too_high, too_low) <= 33


def test_a_fact_is_its_own_interval_and_a_one_sided_one_reaches_to_its_limit() -> None:
    assert (fact(2, 10, unit="rows").low, fact(2, 10, unit="rows").high) == (2.0, 2.0)
    searched = fact(2, 10, unit="rows", limit=5)
    assert (searched.value, searched.low, searched.high) == (2.0, 2.0, 5.0)
    with pytest.raises(NotApplicable):
        fact(0, 0, unit="rows")


def test_a_one_sided_fact_can_fail_and_stay_open_but_not_pass_below_its_limit() -> None:
    searched = fact(2, 10, unit="rows", limit=5)
    assert judge(searched, AtMost(1.0, "")).verdict == "fail"
    assert judge(searched, AtMost(3.0, "")).verdict == "inconclusive"
    assert judge(searched, AtMost(5.0, "")).verdict == "pass"
