"""Rates and their differences against scipy, statsmodels and Newcombe's published tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson, exact_newcombe, newcombe, wilson
from roadworthy.statistics.intervals import exact_limit

levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


@st.composite
def rates(draw: st.DrawFn, most: int = 3000) -> tuple[int, int]:
    n = draw(st.one_of(st.just(1), st.integers(1, 30), st.integers(1, most)))
    hits = draw(st.one_of(st.just(0), st.just(n), st.integers(0, n)))
    return hits, n


@given(rates(), levels)
@settings(deadline=None)
def test_clopper_pearson_is_scipys_exact_interval(counts: tuple[int, int], level: float) -> None:
    hits, n = counts
    expected = binomtest(hits, n).proportion_ci(level, "exact")
    found = clopper_pearson(hits, n, level)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= hits / n <= found.high


@given(rates(), levels)
@settings(deadline=None)
def test_wilson_is_scipys_score_interval(counts: tuple[int, int], level: float) -> None:
    hits, n = counts
    expected = binomtest(hits, n).proportion_ci(level, "wilson")
    assert wilson(hits, n, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(rates(400), rates(400), st.sampled_from([0.9, 0.95, 0.99]))
@settings(deadline=None, max_examples=50)
def test_newcombe_is_statsmodels_score_based_interval(
    a: tuple[int, int], b: tuple[int, int], level: float
) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    expected = confint_proportions_2indep(*a, *b, method="newcomb", alpha=1 - level)
    assert newcombe(*a, *b, level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_newcombe_is_table_ii_of_newcombe_1998_method_10(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    assert newcombe(*counts) == pytest.approx(expected, abs=5e-5)


@given(rates(500), rates(500), levels)
def test_the_gating_interval_of_a_difference_holds_the_showing_one(
    a: tuple[int, int], b: tuple[int, int], level: float
) -> None:
    # Clopper-Pearson limits lie outside Wilson's but for hits = 0 or n at high levels.
    gate = exact_newcombe(*a, *b, level)
    difference = a[0] / a[1] - b[0] / b[1]
    assert gate.low <= difference <= gate.high
    assert gate.low >= -1.0 - 1e-12
    assert gate.high <= 1.0 + 1e-12


@given(rates(), rates(), levels)
def test_swapping_the_samples_mirrors_the_interval(
    a: tuple[int, int], b: tuple[int, int], level: float
) -> None:
    for interval in (newcombe, exact_newcombe):
        there, back = interval(*a, *b, level), interval(*b, *a, level)
        assert there == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(rates(), levels)
def test_calling_hits_misses_mirrors_the_interval(counts: tuple[int, int], level: float) -> None:
    hits, n = counts
    for interval in (clopper_pearson, wilson):
        there, back = interval(hits, n, level), interval(n - hits, n, level)
        assert there == pytest.approx((1 - back.high, 1 - back.low), abs=1e-9)


@given(st.lists(rates(200), min_size=1, max_size=8))
def test_arrays_give_what_numbers_give_one_by_one(counts: list[tuple[int, int]]) -> None:
    hits, sizes = np.array([c[0] for c in counts]), np.array([c[1] for c in counts])
    for interval in (clopper_pearson, wilson):
        together = interval(hits, sizes)
        alone = np.array([interval(*c) for c in counts])
        assert np.allclose(together.low, alone[:, 0], atol=1e-12)
        assert np.allclose(together.high, alone[:, 1], atol=1e-12)
    for pair in (newcombe, exact_newcombe):
        together = pair(hits, sizes, hits[::-1], sizes[::-1])
        alone = np.array([pair(*a, *b) for a, b in zip(counts, counts[::-1], strict=True)])
        assert np.allclose(np.column_stack(together), alone, atol=1e-12)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson])
def test_no_examples_is_not_a_rate_of_zero(interval) -> None:
    with pytest.raises(NotApplicable, match="no examples"):
        interval(0, 0)
    with pytest.raises(NotApplicable, match="1 of 2 groups"):
        interval(np.array([1, 0]), np.array([2, 0]))


@pytest.mark.parametrize("interval", [newcombe, exact_newcombe])
def test_a_difference_from_no_examples_is_refused(interval) -> None:
    with pytest.raises(NotApplicable):
        interval(1, 2, 0, 0)


def test_one_right_answer_proves_next_to_nothing() -> None:
    # p^1 = 0.025
    assert clopper_pearson(1, 1) == pytest.approx((0.025, 1.0))
    assert clopper_pearson(0, 1) == pytest.approx((0.0, 0.975))


@given(st.integers(0, 50), st.integers(1, 50), st.floats(1e-6, 0.5))
def test_a_limit_is_the_rate_whose_tail_has_that_probability(
    hits: int, more: int, tail: float
) -> None:
    from scipy.stats import binom

    n = hits + more
    if hits > 0:
        low = float(exact_limit(hits, n, tail))
        assert binom.sf(hits - 1, n, low) == pytest.approx(tail, rel=1e-6)
    high = float(exact_limit(hits, n, 1 - tail, upper=True))
    assert binom.cdf(hits, n, high) == pytest.approx(tail, rel=1e-6)


@given(rates(300), st.integers(2, 20))
def test_the_same_rate_in_more_rows_never_widens_the_interval(
    counts: tuple[int, int], times: int
) -> None:
    hits, n = counts
    for interval in (clopper_pearson, wilson):
        few, many = interval(hits, n), interval(hits * times, n * times)
        assert many.high - many.low <= few.high - few.low + 1e-12
