"""Intervals where both rows and seeds are left to chance: two trainings never answer alike."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.results import Estimate, Measurement
from roadworthy.statistics import GRID, limit, measured, quantiles_on

FloatArray = npt.NDArray[np.float64]

# Where no row differs the variance would be 0. A squared difference of 3 more makes the upper end about
# 3.4 / n, as by the rule of three.
UNSEEN = 3.0


class Shift(NamedTuple):
    """A difference of mean errors with its standard error and the degrees of freedom of that."""

    value: float
    error: float
    degrees: float

    def within(self, probability: float) -> float:
        """Return the end of its interval at a probability."""
        return limit(Estimate(*self), probability)


def shift_of(changed: np.ndarray, base: np.ndarray) -> Shift:
    """Return mean error of `changed` (r, n) less that of `base` (s, n), over other rows and other seeds.

    The variance has a part from the rows, that of the differences averaged over seeds, and one
    from the seeds. Two trainings differ on given rows mostly because they err on other ones of them, which the first part
    holds already (Jordan 2023, "Calibrated chaos", section 4); counted here is by how much seeds vary beyond that.
    """
    difference = changed.mean(axis=0) - base.mean(axis=0)  # (n,)
    n = len(difference)
    guard = UNSEEN if base.dtype == bool else 0.0
    rows = (np.sum((difference - difference.mean()) ** 2) + guard) / (n * max(n - 1, 1))
    of_base, of_changed = seed_variance(base), seed_variance(changed)
    r, s = len(changed), len(base)
    pooled = ((s - 1) * of_base + (r - 1) * of_changed) / max(s + r - 2, 1)
    seeds = pooled / s + max(pooled, of_changed) / r
    total = float(rows + seeds)
    squares = rows**2 / max(n - 1, 1) + seeds**2 / max(s + r - 2, 1)
    degrees = total**2 / squares if squares > 0 else float(n)
    return Shift(float(difference.mean()), total**0.5, float(degrees))


def seed_variance(errors: np.ndarray) -> float:
    """Return the variance of the mean error between seeds beyond what so few rows explain: (s, n) to a number."""
    if len(errors) < 2:
        return 0.0
    of_means = float(np.var(errors.mean(axis=1, dtype=np.float64), ddof=1))
    by_rows = float(np.var(errors.astype(np.float64), axis=0, ddof=1).mean()) / errors.shape[1]
    return max(of_means - by_rows, 0.0)


def size_of(shift: Shift, n: int, unit: str, most: float = np.inf) -> Measurement:
    """Return how large a difference is, whichever way it points; `most` is the largest there can be."""
    size = abs(shift.value)

    def ends(probability: float) -> float:
        reach = shift._replace(value=size).within(probability)
        return min(max(reach, 0.0), most)

    return measured(
        size, n, quantiles_on(GRID, ends), unit=unit, method="t over rows and seeds, either way"
    )


def beyond_luck(shifts: list[Shift]) -> float:
    """Return the largest size less what the largest of as many would be by luck alone.

    The squares are subtracted, as luck adds to a difference in squares; the luck of the largest of k is the
    median of the largest of k half-normal numbers.
    """
    from scipy.special import ndtri

    luck = float(ndtri((1.0 + 0.5 ** (1.0 / len(shifts))) / 2.0))
    return max(max(s.value**2 - (luck * s.error) ** 2, 0.0) for s in shifts) ** 0.5


def disagreement(answers: np.ndarray, scale: float | None) -> np.ndarray:
    """Return how far the answers (s, n) of two seeds are apart in each row, over all pairs: (n,) float64.

    Classes: the share of pairs that differ. Numbers: the mean distance as a share of `scale`; a number is
    1 away from no answer (NaN).
    """
    s = len(answers)
    total = np.zeros(answers.shape[1])
    for i in range(s):
        for j in range(i):
            total += _apart(answers[i], answers[j], scale)
    return total / (s * (s - 1) / 2)


def _apart(one: np.ndarray, other: np.ndarray, scale: float | None) -> np.ndarray:
    if scale is None:
        return one != other
    known, also = np.isfinite(one), np.isfinite(other)
    return np.where(known & also, np.abs(one - other) / scale, known != also)


def over_rows_and_seeds(
    answers: np.ndarray, scale: float | None, unit: str, details: str
) -> Measurement:
    """Return the mean disagreement of two seeds: rows by their variance, seeds by leaving one out (Arvesen 1969)."""
    apart = disagreement(answers, scale)
    s, n = answers.shape
    value = float(apart.mean())
    guard = UNSEEN if scale is None else 0.0
    rows = (np.sum((apart - value) ** 2) + guard) / (n * max(n - 1, 1))
    without = [float(disagreement(np.delete(answers, i, 0), scale).mean()) for i in range(s)]
    seeds = (s - 1) / s * float(np.sum((np.array(without) - np.mean(without)) ** 2))
    total = float(rows + seeds)
    degrees = total**2 / (rows**2 / max(n - 1, 1) + seeds**2 / (s - 1)) if total > 0 else float(n)
    spread = Estimate(value, total**0.5, float(degrees))
    most = 1.0 if scale is None else np.inf
    distribution = quantiles_on(GRID, lambda p: float(np.clip(limit(spread, p), 0.0, most)))
    return measured(
        value, n, distribution, unit=unit, method="t over rows and seeds", details=details
    )
