"""Peeking: error rates hold at every look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson, confidence_sequence, e_value


@given(st.integers(1, 500), st.floats(0, 1))
def test_a_confidence_sequence_holds_the_rate_and_is_wider_than_one_look(
    n: int, share: float
) -> None:
    hits = round(share * n)
    always, once = confidence_sequence(hits, n), clopper_pearson(hits, n)
    assert 0 <= always.low <= hits / n <= always.high <= 1
    assert always.high - always.low >= once.high - once.low - 1e-9


def test_its_ends_solve_the_mixture_by_hand() -> None:
    # 1 hit of 1: 1/2 / u = 20 has the root u = 1/40.
    assert confidence_sequence(1, 1) == pytest.approx((0.025, 1.0))
    with pytest.raises(NotApplicable):
        confidence_sequence(0, 0)


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.05, 0.95))
def test_an_e_value_is_the_mean_likelihood_ratio_by_quadrature(
    hits: int, misses: int, bound: float
) -> None:
    p = np.linspace(bound, 1, 200_001)[:-1]
    ratio = hits * np.log(p / bound) + misses * np.log((1 - p) / (1 - bound))
    expected = np.exp(ratio).mean()
    assert e_value(hits, hits + misses, bound) == pytest.approx(expected, rel=1e-3)


def test_below_is_above_of_the_misses() -> None:
    assert e_value(2, 10, 0.5, "below") == e_value(8, 10, 0.5)
    assert e_value(2, 10, 0.5, "below") > 1 > e_value(2, 10, 0.5)


def test_looking_after_every_draw_errs_in_five_percent_at_most() -> None:
    rng = np.random.default_rng(0)
    looks = [10, 20, 40, 80, 160, 320]
    draws = rng.random((600, 320)) < 0.1
    refuted = missed = 0
    for run in draws:
        hits = np.cumsum(run)
        refuted += any(e_value(int(hits[n - 1]), n, 0.1) >= 20 for n in looks)
        ends = [confidence_sequence(int(hits[n - 1]), n) for n in looks]
        missed += any(not low <= 0.1 <= high for low, high in ends)
    assert refuted <= 30
    assert missed <= 30


def test_a_certain_loss_is_zero_and_a_certain_win_does_not_overflow() -> None:
    assert e_value(0, 100_000, 0.5) == 0.0
    assert np.isfinite(e_value(100_000, 100_000, 0.5))
