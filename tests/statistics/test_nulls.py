"""Excess over what luck alone shows: right at zero, right at a bound above zero."""

import numpy as np
import pytest

from roadworthy.errors import NotApplicable
from roadworthy.statistics import excess_over_null

BINS, ROWS = 10, 400


def _statistic(shifts: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """Mean over bins of |mean of the bin|: a distance like a binned calibration error; (size,)."""
    per_bin = ROWS // BINS
    return np.abs(shifts + rng.normal(0, 1 / np.sqrt(per_bin), (size, BINS))).mean(axis=1)


@pytest.mark.parametrize("pattern", ["even", "signs", "one bin"])
@pytest.mark.parametrize("truth", [0.0, 0.2, 0.5])
def test_neither_side_errs_too_often(truth: float, pattern: str) -> None:
    rng = np.random.default_rng(0)
    shifts = {
        "even": np.full(BINS, truth),
        "signs": truth * (-1.0) ** np.arange(BINS),
        "one bin": np.eye(BINS)[0] * truth * BINS,
    }[pattern]
    null = _statistic(np.zeros(BINS), rng, 400)
    too_high = too_low = 0
    for observed in _statistic(shifts, rng, 300):
        spread = _statistic(shifts, rng, 100)
        m = excess_over_null(
            float(observed),
            null,
            n=ROWS,
            unit="",
            replicates=spread,
            at=lambda c: _statistic(np.full(BINS, c), np.random.default_rng(1), 100),
        )
        too_high += m.low > truth
        too_low += m.high < truth
    # 2.5 % of 300 = 7.5, and three standard deviations of luck.
    assert max(too_high, too_low) <= 15, (too_high, too_low)


def test_simulating_the_least_favourable_subject_makes_the_upper_end_sharper() -> None:
    rng = np.random.default_rng(0)
    null = _statistic(np.zeros(BINS), rng, 400)

    def at(c: float) -> np.ndarray:
        return _statistic(np.full(BINS, c), np.random.default_rng(1), 400)

    for observed in (0.1, 0.13, 0.2, 0.4):
        plain = excess_over_null(observed, null, n=ROWS, unit="", standard_error=0.05)
        sharp = excess_over_null(observed, null, n=ROWS, unit="", standard_error=0.05, at=at)
        assert sharp.high <= plain.high + 0.005
        assert sharp.low == plain.low


def test_luck_alone_is_an_excess_of_zero() -> None:
    m = excess_over_null(0.02, [0.02, 0.03, 0.025], n=100, unit="share", standard_error=0.005)
    assert (m.value, m.low) == (0.0, 0.0)


def test_a_statistic_without_value_is_not_applicable() -> None:
    with pytest.raises(NotApplicable):
        excess_over_null(float("nan"), [0.1], n=5, unit="")
    with pytest.raises(NotApplicable):
        excess_over_null(0.1, [], n=5, unit="")
    with pytest.raises(NotApplicable):
        excess_over_null(0.1, [0.1, 0.2], n=5, unit="", replicates=[np.nan, 1.0])
