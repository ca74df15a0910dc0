"""From a stored distribution to the interval at any level, and to the same distribution shifted."""

from collections.abc import Callable
from typing import assert_never

import numpy as np

from roadworthy.results import Counts, Distribution, Estimate, Fact, Quantiles, TwoCounts
from roadworthy.statistics.intervals import (
    FloatArray,
    Interval,
    exact_difference_end,
    exact_end,
)

# 0.025 and 0.975 are points of the grid, so that the 95 % interval is never interpolated.
_LOWER = (
    *(1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 3.5e-3, 5e-3, 7.5e-3, 0.01, 0.0125, 0.015),
    *(0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2),
    *(0.25, 0.3, 0.35, 0.4, 0.45),
)
GRID: FloatArray = np.array([*_LOWER, 0.5, *(1.0 - p for p in reversed(_LOWER))])


def interval_of(distribution: Distribution, level: float = 0.95) -> Interval[float]:
    """Return the two-sided interval of a distribution, (1 - level) / 2 on each side.

    Parameters
    ----------
    distribution : Distribution
        Counts: Clopper-Pearson. TwoCounts: Newcombe with Clopper-Pearson limits. Estimate: Student's
        t or normal. Quantiles: read off. Fact: the value itself.
    level : float

    Returns
    -------
    Interval
        Infinite where the standard error is.

    Examples
    --------
    >>> interval_of(Estimate(10.0, 1.0), level=0.9544997).low  # 10 - 2
    8.0000...
    >>> interval_of(Fact(3.0))
    Interval(low=3.0, high=3.0)
    """
    tail = (1.0 - level) / 2.0
    return Interval(limit(distribution, tail), limit(distribution, 1.0 - tail))


def limit(distribution: Distribution, probability: float) -> float:
    """Return one end: the lower one for `probability` below a half, the upper one above.

    The truth lies below a lower end with at most this probability. At a half itself the two ends of
    a discrete distribution differ; the upper one is returned.
    """
    match distribution:
        case Counts(hits, n, scale, offset):
            share = probability if scale >= 0 else 1.0 - probability
            return offset + scale * exact_end(hits, n, share, upper=share >= 0.5)
        case TwoCounts(hits_a, n_a, hits_b, n_b):
            return exact_difference_end(hits_a, n_a, hits_b, n_b, probability)
        case Estimate(estimate, error, degrees):
            if error == 0.0:
                return estimate
            return estimate + error * _deviate(probability, degrees)
        case Quantiles(probabilities, values):
            return _read(np.array(probabilities), np.array(values), probability)
        case Fact(value):
            return value
        case _:
            assert_never(distribution)


def quantiles_on(grid: FloatArray, ends: Callable[[float], float]) -> Quantiles:
    """Return the `Quantiles` of a limit function, forced not to descend.

    Crossing ends (discreteness near a half) are widened away from the middle, never narrowed.
    """
    values = np.array([ends(float(p)) for p in grid])
    lower = grid < 0.5
    values[lower] = np.minimum.accumulate(values[lower][::-1])[::-1]
    values[~lower] = np.maximum.accumulate(values[~lower])
    if lower.any() and not lower.all():
        values[~lower] = np.maximum(values[~lower], values[lower].max())
    return Quantiles(tuple(map(float, grid)), tuple(map(float, values)))


def rescaled(distribution: Distribution, scale: float = 1.0, offset: float = 0.0) -> Distribution:
    """Return the distribution of offset + scale x value.

    Examples
    --------
    >>> rescaled(Estimate(2.0, 0.5), scale=-1.0, offset=1.0)
    Estimate(estimate=-1.0, standard_error=0.5, degrees_of_freedom=None, kind='estimate')
    """
    match distribution:
        case Counts(hits, n, old_scale, old_offset):
            return Counts(hits, n, scale * old_scale, offset + scale * old_offset)
        case Estimate(estimate, error, degrees):
            return Estimate(offset + scale * estimate, abs(scale) * error, degrees)
        case Fact(value):
            return Fact(offset + scale * value)
        case TwoCounts():
            if (scale, offset) == (1.0, 0.0):
                return distribution
            old = quantiles_on(GRID, lambda p: limit(distribution, p))
            return rescaled(old, scale, offset)
        case Quantiles(probabilities, values):
            p, v = np.array(probabilities), offset + scale * np.array(values)
            if scale < 0:
                p, v = (1.0 - p)[::-1], v[::-1]
            return Quantiles(tuple(map(float, p)), tuple(map(float, v)))
        case _:
            assert_never(distribution)


def _deviate(probability: float, degrees: float | None) -> float:
    from scipy.special import ndtri, stdtrit

    if degrees is None:
        return float(ndtri(probability))
    return float(stdtrit(degrees, probability))


def _read(probabilities: FloatArray, values: FloatArray, probability: float) -> float:
    """Interpolate over the normal score of the probability; beyond the grid its last value stands."""
    from scipy.special import ndtri

    return float(np.interp(ndtri(probability), ndtri(probabilities), values))
