"""Means: Student's t where nothing is skewed, Hall's correction where something is."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from roadworthy.errors import NotApplicable
from roadworthy.statistics import mean, mean_difference, paired_mean_difference

values = st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 3)), min_size=2, max_size=40)


@given(values)
def test_of_a_symmetric_sample_it_is_scipys_t_interval(half: list[float]) -> None:
    x = np.array(half + [-v for v in half])
    m = mean(x, unit="points")
    if x.std() == 0:
        assert (m.low, m.high) == (m.value, m.value)
        return
    expected = stats.t(x.size - 1, x.mean(), stats.sem(x)).interval(0.95)
    assert (m.low, m.high) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(values)
def test_the_interval_holds_the_mean_and_does_not_depend_on_the_order(x: list[float]) -> None:
    m, turned = mean(x, unit="points"), mean(x[::-1], unit="points")
    assert m.low <= m.value <= m.high
    assert (m.low, m.high) == pytest.approx((turned.low, turned.high), rel=1e-9, abs=1e-9)


def test_the_correction_is_halls_formula_worked_by_hand() -> None:
    # 0, 0, 3: mean 1, s = sqrt(3), standard error 1; third moment (-1 -1 + 8) / 3 = 2, so
    # a = 2 / 3^2 / 1^3 = 0.2222. t(2; 0.975) = 4.3027. Upper end: -3/a ((1 + a (-t - a/6))^(1/3) - 1)
    # = -13.5 (cbrt(1 + 0.2222 (-4.3027 - 0.0370)) - 1) = -13.5 (cbrt(0.035620) - 1) = 9.0577
    m = mean([0.0, 0.0, 3.0], unit="points")
    assert m.high == pytest.approx(1 + 9.0577, abs=2e-3)


@given(values, st.integers(2, 5))
def test_clusters_of_one_row_change_nothing_and_copies_count_once(
    x: list[float], copies: int
) -> None:
    plain = mean(x, unit="points")
    alone = mean(x, np.arange(len(x)), unit="points")
    assert (plain.low, plain.high) == pytest.approx((alone.low, alone.high), rel=1e-6, abs=1e-6)
    copied = mean(np.repeat(x, copies), np.repeat(np.arange(len(x)), copies), unit="points")
    assert (plain.low, plain.high) == pytest.approx((copied.low, copied.high), rel=1e-6, abs=1e-6)


def test_the_cluster_robust_error_is_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 12, 200)
    x = rng.normal(size=12)[clusters] + rng.normal(size=200)
    fitted = sm.OLS(x, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    # statsmodels multiplies by (n - 1) / (n - p) x k / (k - 1) with p = 1: k / (k - 1).
    from roadworthy.statistics.means import _moments

    moments = _moments(x, clusters)
    assert moments.error == pytest.approx(fitted.bse[0], rel=1e-9)
    assert moments.degrees == 11


@given(values, values)
def test_a_difference_is_welchs_where_nothing_is_skewed(a: list[float], b: list[float]) -> None:
    x, y = np.array(a + [-v for v in a]), np.array(b + [3.0 - v for v in b] + list(b))
    y = np.concatenate([y, 3.0 - y])
    if x.std() == 0 or y.std() == 0:
        return
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    m = mean_difference(x, y, unit="points")
    assert (m.low, m.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


@given(values, values)
def test_swapping_samples_mirrors_a_difference(a: list[float], b: list[float]) -> None:
    there, back = mean_difference(a, b, unit=""), mean_difference(b, a, unit="")
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), rel=1e-6, abs=1e-6)


@given(values)
def test_a_paired_difference_is_the_mean_of_differences(a: list[float]) -> None:
    b = np.arange(len(a), dtype=float)
    paired = paired_mean_difference(a, b, unit="points")
    direct = mean(np.array(a) - b, unit="points")
    assert (paired.value, paired.low, paired.high) == (direct.value, direct.low, direct.high)


def test_equal_values_give_a_point_and_bounds_make_it_honest() -> None:
    assert mean([0.5] * 10, unit="").low == 0.5
    # A share 1 - 0.025^(1/10) = 0.3085 of what is not yet seen may be anything from 0 to 1.
    bounded = mean([0.5] * 10, unit="", bounds=(0, 1))
    assert (bounded.low, bounded.high) == pytest.approx((0.5 - 0.15425, 0.5 + 0.15425), abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
@example([0.0, 1e-120])
def test_ends_stay_inside_the_bounds(x: list[float]) -> None:
    m = mean(x, unit="", bounds=(0, 1))
    assert 0 <= m.low <= m.value <= m.high <= 1


@pytest.mark.parametrize("x", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_too_few_or_broken_values_are_not_applicable(x: list[float]) -> None:
    with pytest.raises(NotApplicable):
        mean(x, unit="points")


def test_rows_of_one_entity_are_one_draw() -> None:
    with pytest.raises(NotApplicable, match="one entity"):
        mean([1.0, 2.0, 3.0], [7, 7, 7], unit="points")
