"""Largest minus smallest mean over groups, corrected inside: what `gaps` is for rates."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured

ROUNDING = 1e-14  # of a mean: a smaller standard error is the rounding of equal values
SYMMETRIC = 1e-9


class _Pairs(NamedTuple):
    """Mean i minus mean j for each pair, the larger first: (k,) each."""

    center: FloatArray
    error: FloatArray
    degrees: FloatArray
    skewness: FloatArray


def largest_mean_gap(
    samples: Sequence[npt.ArrayLike],
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Largest minus smallest mean over groups that were drawn apart, of any variances.

    Each pair has the limits of `mean_difference` (Welch's t corrected for skewness). The lower end is the largest
    lower limit of any of the k pairs at a k-th of the error: one pair suffices for a gap, and each had its chance. The
    upper end is the largest upper limit of any pair: all must be near to claim that none is apart.

    Parameters
    ----------
    samples : sequence of (n_i,) array
        One for each group.

    Returns
    -------
    Measurement
        Its `n` is the number of all values.

    Raises
    ------
    NotApplicable
        With fewer than two groups, or with fewer than two values in one of them.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35; Hall (1992), Journal of the Royal Statistical Society B 54, 221-228;
    Bonferroni (lower end); Berger (1982), Technometrics 24, 295-300 (upper end).

    Examples
    --------
    As for `mean_difference`: 2 apart, standard error sqrt(2/3), 4 degrees of freedom; no gap is below 0.

    >>> gap = largest_mean_gap([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]], unit="seconds")
    >>> gap.value, round(gap.low, 3), round(gap.high, 3)
    (2.0, 0.0, 4.267)
    """
    values = [np.asarray(sample, np.float64).ravel() for sample in samples]
    if len(values) < 2 or min(v.size for v in values) < 2:
        sizes = ", ".join(str(v.size) for v in values)
        raise NotApplicable(f"groups of {sizes or 'none'} values; two groups of two are needed")
    pairs = _pairs_of(values)

    def ends(probability: float) -> float:
        if probability < 0.5:
            return float(max(_limits(pairs, probability / len(pairs.center)).max(), 0.0))
        # Which of a pair is larger is not known either: the other way round counts too.
        either = _limits(pairs, probability), -_limits(pairs, 1.0 - probability)
        return float(np.maximum(*either).max())

    return measured(
        float(pairs.center.max()),
        sum(v.size for v in values),
        quantiles_on(GRID, ends),
        unit=unit,
        method="largest of all pairs, Welch's t corrected for skewness",
        details=details,
        evidence=evidence,
    )


def _pairs_of(values: Sequence[FloatArray]) -> _Pairs:
    size = np.array([v.size for v in values], np.float64)
    mean = np.array([v.mean() for v in values])
    share = np.array([v.var(ddof=1) for v in values]) / size
    third = np.array([np.mean((v - v.mean()) ** 3) for v in values]) / size**2
    one, other = np.triu_indices(len(values), 1)
    swaps = mean[one] < mean[other]
    i, j = np.where(swaps, other, one), np.where(swaps, one, other)
    total = share[i] + share[j]
    flat = total <= (ROUNDING * np.maximum(np.abs(mean[i]), np.abs(mean[j]))) ** 2
    safe = np.where(flat, 1.0, total)
    spread = share[i] ** 2 / (size[i] - 1) + share[j] ** 2 / (size[j] - 1)
    return _Pairs(
        mean[i] - mean[j],
        np.where(flat, 0.0, np.sqrt(safe)),
        np.where(flat, 1.0, safe**2 / np.where(flat, 1.0, spread)),
        np.where(flat, 0.0, (third[i] - third[j]) / safe**1.5),
    )


def _limits(pairs: _Pairs, probability: float) -> FloatArray:
    """Return one end for every pair, Hall's transformation taken back as in `means`."""
    from scipy.special import stdtrit

    score = stdtrit(pairs.degrees, probability)
    skewed = np.abs(pairs.skewness) > SYMMETRIC
    a = np.where(skewed, pairs.skewness, 1.0)
    taken_back = -3.0 / a * (np.cbrt(1.0 - a * (score + a / 6.0)) - 1.0)
    return pairs.center + pairs.error * np.where(skewed, taken_back, score)
