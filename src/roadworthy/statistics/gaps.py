"""Extremes over groups, corrected inside: the largest gap between groups, the largest or smallest of several."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, limit, quantiles_on
from roadworthy.statistics.intervals import FloatArray, Interval, exact_limit, square_and_add
from roadworthy.statistics.rates import measured


def largest_gap(
    hits: npt.ArrayLike,
    sizes: npt.ArrayLike,
    *,
    unit: str = "share of rows",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Largest minus smallest rate over groups, by the inverted test of "no two groups differ by more than d".

    The observed gap is too large on average: luck alone opens one. The lower end is the largest d that
    the data refute. The test statistic is the largest of all pairs' standardised excess over d; its
    law is taken at the worst rates that the claim allows, half of the groups at either end of d. The
    upper end is the largest upper limit of any pair: to claim that no gap exceeds it, each pair must
    keep below it, so that none needs a correction. With two groups far apart both ends are those of
    `exact_newcombe`.

    Parameters
    ----------
    hits, sizes : (g,) array
        Groups too small to count are left out by the caller.

    Returns
    -------
    Measurement
        Its `n` is the number of rows in all groups.

    Raises
    ------
    NotApplicable
        With fewer than two groups, or with an empty one.

    References
    ----------
    Tukey (1953) and Kramer (1956), Biometrics 12, 307-310 (all pairs at unequal sizes), with the
    limits of `exact_newcombe` per pair; Berger (1982), Technometrics 24, 295-300 (upper end).

    Examples
    --------
    All of 100 right against 50 of 100; distances 0.0362 and 0.1017 from Clopper & Pearson:
    0.5 - sqrt(0.0362^2 + 0.1017^2) = 0.392 and 0.5 + 0.1017.

    >>> gap = largest_gap([100, 50], [100, 100])
    >>> gap.value, round(gap.low, 3), round(gap.high, 3)
    (0.5, 0.392, 0.602)
    """
    x, n = np.asarray(hits, np.float64).ravel(), np.asarray(sizes, np.float64).ravel()
    if x.size < 2:
        raise NotApplicable(f"{x.size} group(s) large enough; a gap needs two")
    rates = x / np.where(n > 0, n, np.nan)
    if np.any(n <= 0):
        raise NotApplicable(f"{int(np.sum(n <= 0))} of {n.size} groups have no examples")

    def ends(probability: float) -> float:
        if probability >= 0.5:
            return float(max(np.max(_pairs(x, n, 1.0 - probability).high), 0.0))
        return _refuted(x, n, probability)

    return measured(
        float(rates.max() - rates.min()),
        int(n.sum()),
        quantiles_on(GRID, ends),
        unit=unit,
        method="inverted test of all pairs",
        details=details,
        evidence=evidence,
    )


def largest_of(
    measurements: Sequence[Measurement],
    *,
    unit: str | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return the largest of several numbers, such as the worst group's error, corrected for the choice.

    To claim that the largest is below a bound all must be, and none needs a correction: the upper end
    is the largest upper end. To claim that it is above, one suffices and each had its chance: the
    lower end is the largest lower end at a k-th of the error.

    Parameters
    ----------
    measurements : sequence of Measurement

    Returns
    -------
    Measurement
        Its `n` is that of the number which is the largest.

    Raises
    ------
    NotApplicable
        Without measurements.

    References
    ----------
    Berger (1982), Technometrics 24, 295-300 (upper end); Bonferroni (lower end).

    Examples
    --------
    >>> from roadworthy.statistics.rates import rate
    >>> worst = largest_of([rate(1, 50), rate(9, 30)])
    >>> worst.value == 0.3, worst.high == rate(9, 30).high, worst.low < rate(9, 30).low
    (True, True, True)
    """
    return _extreme(measurements, largest=True, unit=unit, details=details, evidence=evidence)


def smallest_of(
    measurements: Sequence[Measurement],
    *,
    unit: str | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return the smallest of several numbers, such as the worst class's recall; see `largest_of`.

    Parameters
    ----------
    measurements : sequence of Measurement

    Returns
    -------
    Measurement

    Examples
    --------
    >>> from roadworthy.statistics.rates import rate
    >>> worst = smallest_of([rate(49, 50), rate(21, 30)])
    >>> worst.value == 0.7, worst.low == rate(21, 30).low, worst.high > rate(21, 30).high
    (True, True, True)
    """
    return _extreme(measurements, largest=False, unit=unit, details=details, evidence=evidence)


def _extreme(
    measurements: Sequence[Measurement],
    *,
    largest: bool,
    unit: str | None,
    details: str,
    evidence: tuple[Evidence, ...],
) -> Measurement:
    if not measurements:
        raise NotApplicable("there is no number to take the extreme of; at least one is needed")
    choose, k = (max if largest else min), len(measurements)
    chosen = choose(measurements, key=lambda m: m.value)

    def ends(probability: float) -> float:
        if (probability < 0.5) == largest:
            # The side on which any one of the k could mislead.
            tail = min(probability, 1.0 - probability) / k
            probability = tail if probability < 0.5 else 1.0 - tail
        return float(choose(limit(m.distribution, probability) for m in measurements))

    return measured(
        chosen.value,
        chosen.n,
        quantiles_on(GRID, ends),
        unit=chosen.unit if unit is None else unit,
        method=f"{'largest' if largest else 'smallest'} of {k}, each {chosen.method}",
        details=details,
        evidence=evidence,
    )


def _pairs(hits: FloatArray, sizes: FloatArray, tail: float) -> Interval[FloatArray]:
    """Limits of rate i - rate j at one-sided `tail`, (g, g); the diagonal is 0."""
    low = exact_limit(hits, sizes, tail)
    high = exact_limit(hits, sizes, 1.0 - tail, upper=True)
    rates = hits / sizes
    of_i = Interval(low[:, None], high[:, None])
    of_j = Interval(low[None, :], high[None, :])
    ends = square_and_add(rates[:, None], of_i, rates[None, :], of_j)
    for matrix in ends:
        np.fill_diagonal(matrix, 0.0)
    return ends


def _refuted(hits: FloatArray, sizes: FloatArray, probability: float) -> float:
    """Return the largest d with p("no two groups differ by more than d") <= probability.

    The critical value falls as d grows beyond luck, since ever fewer pairs can mislead. It is
    approached from d = 0, from where each step is smaller than the true d.
    """
    from scipy.special import ndtr

    refuted = 0.0
    rates = hits / sizes
    apart = 0.0
    for _ in range(6):
        z = _critical(hits.size, round(apart, 1), probability)
        if z <= 0.0:
            return refuted
        low = _pairs(hits, sizes, float(ndtr(-z))).low
        i, j = np.unravel_index(int(np.argmax(low)), low.shape)
        step = float(max(low[i, j], 0.0))
        if step <= refuted:
            break
        refuted = step
        # In standard errors of one rate, as if the two groups of the pair were equally large.
        error = (rates[i] - rates[j] - low[i, j]) / z / np.sqrt(2.0)
        apart = min(refuted / error if error > 0 else 8.0, 8.0)
    return refuted


@lru_cache(maxsize=4096)
def _critical(groups: int, apart: float, probability: float) -> float:
    """Return z so that the range of the normal rates of `_tails` passes it with `probability`."""
    points, tails = _tails(groups, apart)
    # Log tails are nearly straight; they ascend after reversal.
    return float(np.interp(-np.log(probability), -np.log(tails), points))


@lru_cache(maxsize=512)
def _tails(groups: int, apart: float) -> tuple[FloatArray, FloatArray]:
    """P(range > apart + z x sqrt(2)) on a grid of z, by one integral over the smallest value.

    Unit normals, groups // 2 of them with mean `apart` and the others 0. With x the smallest,
    P(range <= r) = integral of sum_i f_i(x) prod_(j != i) (F_j(x + r) - F_j(x)) dx.
    """
    from scipy.special import ndtr

    upper = groups // 2
    lower = groups - upper
    z = np.linspace(-apart / np.sqrt(2.0), 6.5, 261)[:, None]
    x, step = np.linspace(-8.0, 8.0 + apart, 400, retstep=True)
    reach = apart + z * np.sqrt(2.0)
    density = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
    density_up = np.exp(-0.5 * (x - apart) ** 2) / np.sqrt(2.0 * np.pi)
    inside = ndtr(x + reach) - ndtr(x)
    inside_up = ndtr(x - apart + reach) - ndtr(x - apart)
    integrand = lower * density * inside ** (lower - 1) * inside_up**upper
    if upper:
        integrand = integrand + upper * density_up * inside_up ** (upper - 1) * inside**lower
    tails = 1.0 - np.sum(integrand, axis=1) * step
    falling = np.minimum.accumulate(np.clip(tails, 1e-12, 1.0))
    return z[:, 0], falling * (1.0 - 1e-12 * np.arange(z.size))
