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


class _Groups(NamedTuple):
    """Size, mean, squared standard error and third moment over n^2 of each group: (g,) each."""

    size: FloatArray
    mean: FloatArray
    share: FloatArray
    third: FloatArray


class _Pairs(NamedTuple):
    """Mean i minus mean j for each pair: (k,) each."""

    center: FloatArray
    error: FloatArray
    degrees: FloatArray
    skewness: FloatArray
    sizes: FloatArray  # (2, k): of i and of j
    means: FloatArray  # (2, k)


def largest_mean_gap(
    samples: Sequence[npt.ArrayLike],
    unknown: npt.ArrayLike = (),
    *,
    unit: str,
    bounds: tuple[float, float] | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Largest minus smallest mean over groups that were drawn apart, of any variances.

    Each pair has the limits of `mean_difference` (Welch's t corrected for skewness). The lower end is the largest
    lower limit of any of the k pairs at a k-th of the error: one pair suffices for a gap, and each had its chance. The
    upper end is the largest upper limit of any pair: all must be near to claim that none is apart. Values of unknown
    group are not guessed: for the lower end of a pair they are dealt to bring its means together, for the upper end to
    part them; the value is that of the known ones.

    Values of a group that are all alike, or nearly, have no spread to judge by: a rare event may not have been seen yet.
    Without `bounds` the interval of two such groups is their difference itself.

    Parameters
    ----------
    samples : sequence of (n_i,) array
        One for each group.
    unknown : (m,) array, optional
        Values whose group is not known.
    bounds : (float, float), optional
        Least and most that a value can be. The ends of a pair then stay inside what its difference can be, and reach at
        least as far as if the values not yet seen (a share 1 - 0.025^(1/n) of a group) were the least in one group and the
        most in the other; the two distances are combined by their squares, as in `square_and_add`.

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
    known, k = _groups_of(values), len(values) * (len(values) - 1) / 2
    either = _pairs(known, known)
    near, far = either, either
    rest = np.sort(np.asarray(unknown, np.float64).ravel())
    if rest.size:
        raised = _groups_of([_moved(v, rest[::-1], up=True) for v in values])
        lowered = _groups_of([_moved(v, rest, up=False) for v in values])
        near, far = _pairs(lowered, raised), _pairs(raised, lowered)

    def ends(probability: float) -> float:
        if probability < 0.5:
            return float(max(_limits(near, probability / k, bounds).max(), 0.0))
        return float(max(_limits(far, probability, bounds).max(), 0.0))

    whatever = "bounds over all groups that unknown rows may be of, " if rest.size else ""
    return measured(
        float(either.center.max()),
        sum(v.size for v in values) + rest.size,
        quantiles_on(GRID, ends),
        unit=unit,
        method=f"{whatever}largest of all pairs, Welch's t corrected for skewness",
        details=details,
        evidence=evidence,
    )


def _groups_of(values: Sequence[FloatArray]) -> _Groups:
    size = np.array([v.size for v in values], np.float64)
    mean = np.array([v.mean() for v in values])
    share = np.array([v.var(ddof=1) for v in values]) / size
    third = np.array([np.mean((v - v.mean()) ** 3) for v in values]) / size**2
    return _Groups(size, mean, share, third)


def _pairs(one: _Groups, other: _Groups) -> _Pairs:
    """Return mean i of one minus mean j of the other for all i and j that differ."""
    i, j = np.nonzero(~np.eye(len(one.size), dtype=bool))
    total = one.share[i] + other.share[j]
    flat = total <= (ROUNDING * np.maximum(np.abs(one.mean[i]), np.abs(other.mean[j]))) ** 2
    safe = np.where(flat, 1.0, total)
    spread = one.share[i] ** 2 / (one.size[i] - 1) + other.share[j] ** 2 / (other.size[j] - 1)
    return _Pairs(
        one.mean[i] - other.mean[j],
        np.where(flat, 0.0, np.sqrt(safe)),
        np.where(flat, 1.0, safe**2 / np.where(flat, 1.0, spread)),
        np.where(flat, 0.0, (one.third[i] - other.third[j]) / safe**1.5),
        np.stack([one.size[i], other.size[j]]),
        np.stack([one.mean[i], other.mean[j]]),
    )


def _moved(values: FloatArray, ordered: FloatArray, *, up: bool) -> FloatArray:
    """Return the values with as many of the others, taken in their order, as move the mean furthest."""
    means = (values.sum() + np.concatenate([[0.0], np.cumsum(ordered)])) / (
        values.size + np.arange(ordered.size + 1)
    )
    taken = int(np.argmax(means) if up else np.argmin(means))
    return np.concatenate([values, ordered[:taken]])


def _limits(pairs: _Pairs, probability: float, bounds: tuple[float, float] | None) -> FloatArray:
    """Return one end for every pair, Hall's transformation taken back as in `means`."""
    from scipy.special import stdtrit

    score = stdtrit(pairs.degrees, probability)
    skewed = np.abs(pairs.skewness) > SYMMETRIC
    a = np.where(skewed, pairs.skewness, 1.0)
    taken_back = -3.0 / a * (np.cbrt(1.0 - a * (score + a / 6.0)) - 1.0)
    ends = pairs.center + pairs.error * np.where(skewed, taken_back, score)
    return ends if bounds is None else _guarded(ends, pairs, probability, bounds)


def _guarded(
    ends: FloatArray, pairs: _Pairs, probability: float, bounds: tuple[float, float]
) -> FloatArray:
    """Return the ends, at least as far from the center as the values not yet seen may move it."""
    least, most = bounds
    unseen = 1.0 - min(probability, 1.0 - probability) ** (1.0 / pairs.sizes)  # (2, k)
    above_least, below_most = pairs.means - least, most - pairs.means
    if probability < 0.5:
        reach = np.hypot(unseen[0] * above_least[0], unseen[1] * below_most[1])
        return np.maximum(np.minimum(ends, pairs.center - reach), least - most)
    reach = np.hypot(unseen[0] * below_most[0], unseen[1] * above_least[1])
    return np.minimum(np.maximum(ends, pairs.center + reach), most - least)
