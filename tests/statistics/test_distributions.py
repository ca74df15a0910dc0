"""Stored distributions: any level read off, shifted and turned around."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from roadworthy.results import Counts, Distribution, Estimate, Fact, Quantiles, TwoCounts
from roadworthy.statistics import clopper_pearson, exact_newcombe, interval_of, rescaled
from roadworthy.statistics.distributions import GRID, limit, quantiles_on

finite = st.floats(-100, 100, allow_nan=False)


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    n = draw(st.integers(1, 200))
    m = draw(st.integers(1, 200))
    kind = draw(st.integers(0, 4))
    if kind == 0:
        scale = draw(st.floats(-3, 3).filter(lambda s: abs(s) > 1e-3))
        return Counts(draw(st.integers(0, n)), n, scale, draw(finite))
    if kind == 1:
        return TwoCounts(draw(st.integers(0, n)), n, draw(st.integers(0, m)), m)
    if kind == 2:
        degrees = draw(st.one_of(st.none(), st.floats(1, 500)))
        return Estimate(draw(finite), draw(st.floats(0, 10)), degrees)
    if kind == 3:
        values = sorted(draw(st.lists(finite, min_size=3, max_size=3)))
        return Quantiles((0.025, 0.5, 0.975), tuple(values))
    return Fact(draw(finite))


@given(distributions(), st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_a_higher_level_never_gives_a_narrower_interval(
    distribution: Distribution, one: float, other: float
) -> None:
    narrow = interval_of(distribution, min(one, other))
    wide = interval_of(distribution, max(one, other))
    assert wide.low <= narrow.low + 1e-9
    assert narrow.high <= wide.high + 1e-9


@given(distributions(), st.floats(-3, 3).filter(lambda s: abs(s) > 1e-3), finite)
def test_rescaling_rescales_the_interval(
    distribution: Distribution, scale: float, offset: float
) -> None:
    before, after = interval_of(distribution), interval_of(rescaled(distribution, scale, offset))
    expected = sorted((offset + scale * before.low, offset + scale * before.high))
    assert after == pytest.approx(expected, abs=1e-6)


def test_each_kind_has_the_interval_its_name_promises() -> None:
    assert interval_of(Counts(3, 10)) == clopper_pearson(3, 10)
    assert interval_of(TwoCounts(3, 10, 5, 8)) == exact_newcombe(3, 10, 5, 8)
    assert interval_of(Estimate(1.0, 2.0, 7.0)) == pytest.approx(stats.t(7, 1, 2).interval(0.95))
    assert interval_of(Estimate(1.0, 2.0)) == pytest.approx(stats.norm(1, 2).interval(0.95))
    assert interval_of(Fact(4.0)) == (4.0, 4.0)


def test_an_infinite_standard_error_gives_an_infinite_interval() -> None:
    assert interval_of(Estimate(1.0, float("inf"), 3.0)) == (-np.inf, np.inf)


def test_a_grid_gives_back_the_normal_distribution_it_was_made_from() -> None:
    normal = Estimate(1.0, 2.0)
    stored = quantiles_on(GRID, lambda p: limit(normal, p))
    for level in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999):
        assert interval_of(stored, level) == pytest.approx(interval_of(normal, level), abs=1e-9)


def test_crossing_ends_are_widened_never_narrowed() -> None:
    # Of 1 hit in 2 the one-sided ends at 0.4 and 0.6 are 1 - sqrt(0.6) = 0.225 and sqrt(0.6) = 0.775,
    # as they should be; a limit function whose ends cross has its upper ones raised.
    kept = quantiles_on(np.array([0.4, 0.6]), lambda p: limit(Counts(1, 2), p))
    assert kept.values == pytest.approx((1 - 0.6**0.5, 0.6**0.5))
    raised = quantiles_on(
        np.array([0.1, 0.4, 0.6, 0.9]), {0.1: 0.0, 0.4: 0.9, 0.6: 0.7, 0.9: 1.0}.__getitem__
    )
    assert raised.values == (0.0, 0.9, 0.9, 1.0)


@given(distributions())
def test_stored_values_never_descend(distribution: Distribution) -> None:
    values = np.array(quantiles_on(GRID, lambda p: limit(distribution, p)).values)
    assert np.all(np.diff(values) >= 0)
