"""Measurements of ratios of two means over the same rows, such as the share of an error that is left."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray, exact_end
from roadworthy.statistics.rates import measured

BEYOND = 1e6  # stands for an unbounded ratio, which a stored distribution cannot hold
SMALLEST = 1e-300  # of a third power: those of tiny errors are rounded to 0
HALVINGS = 40  # of an interval of ratios, to 1e-12 of its length


def ratio_of_means(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    unit: str,
    most: float | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean of a over mean of b on the same rows, with Fieller's interval corrected for skewness.

    A ratio r is kept where the mean of a - r b does not differ from 0 at the level. Errors are skewed,
    so that mean is judged by Hall's transformed t, as in `mean`.

    Parameters
    ----------
    a, b : (n,) array
        Not negative.
    unit : str
        In plain words, beginning with "share of".
    most : float, optional
        The most that a can be in a row. The ends then reach at least as far as if the rows not yet
        seen (a share 1 - 0.025^(1/n) of all) had `most`, or 0: no mistake in 50 rows is no proof of none.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Where the mean of b may be 0, or with fewer than two rows.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185; Hall (1992), Journal of the
    Royal Statistical Society B 54, 221-228.

    Examples
    --------
    b is 2 in every row: half the mean of 1, 2, 3, which is 2 -+ 2.484, cut at 0.

    >>> r = ratio_of_means([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], unit="share of the loss")
    >>> r.value, r.low, round(r.high, 3)
    (1.0, 0.0, 2.242)
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert x.shape == y.shape, f"pairs of different length: {x.shape} and {y.shape}"
    moments = _moments_of_both(x, y)
    value = moments.mean_a / moments.mean_b

    def ends(probability: float) -> float:
        end = max(_end(moments, value, probability), 0.0)
        if most is None:
            return end
        tail = min(probability, 1.0 - probability)
        unseen = exact_end(0, x.size, 1.0 - tail, upper=True)
        if probability < 0.5:
            return max(min(end, value - unseen * value), 0.0)
        return max(end, value + unseen * (most - moments.mean_a) / moments.mean_b)

    return measured(
        value,
        x.size,
        quantiles_on(GRID, ends),
        unit=unit,
        method="Fieller, paired, corrected for skewness",
        details=details,
        evidence=evidence,
    )


class _Moments(NamedTuple):
    """Means, and the coefficients of variance and third moment of a - r b as polynomials in r."""

    n: int
    mean_a: float
    mean_b: float
    square: tuple[float, ...]
    cube: tuple[float, ...]


def _moments_of_both(a: FloatArray, b: FloatArray) -> _Moments:
    from scipy.special import stdtrit

    n = a.size
    if n < 2:
        raise NotApplicable(f"{n} row(s); a ratio of means needs at least two")
    mean_a, mean_b = float(a.mean()), float(b.mean())
    u, v = a - mean_a, b - mean_b
    square = _over(n * (n - 1), u * u, -2.0 * u * v, v * v)
    cube = _over(n**3, u**3, -3.0 * u * u * v, 3.0 * u * v * v, -(v**3))
    if mean_b**2 <= float(stdtrit(n - 1, 0.975)) ** 2 * square[2]:
        raise NotApplicable(
            f"the error to compare with is {mean_b:.3g} in {n} rows and may be 0; a ratio needs more rows"
        )
    return _Moments(n, mean_a, mean_b, square, cube)


def _over(divisor: int, *terms: FloatArray) -> tuple[float, ...]:
    return tuple(float(term.sum()) / divisor for term in terms)


def _end(moments: _Moments, value: float, probability: float) -> float:
    """Return the ratio at which the transformed t of the mean of a - r b is minus its quantile."""
    from scipy.special import stdtrit

    wanted = -float(stdtrit(moments.n - 1, probability))
    if wanted == 0.0:
        return value
    upper = probability > 0.5
    # Halved between a ratio that is kept and one that is not, if there is such a one.
    kept, outside = value, 2.0 * value + 1.0 if upper else 0.0
    while upper and _score(moments, outside) > wanted:
        kept, outside = outside, 2.0 * outside
        if outside > BEYOND:
            return BEYOND
    if not upper and _score(moments, 0.0) < wanted:
        return 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (kept + outside)
        is_kept = (_score(moments, middle) > wanted) == upper
        kept, outside = (middle, outside) if is_kept else (kept, middle)
    return kept


def _score(moments: _Moments, ratio: float) -> float:
    """Return Hall's transformed t of the mean of a - r b."""
    center = moments.mean_a - ratio * moments.mean_b
    c0, c1, c2 = moments.square
    error = max(c0 + ratio * (c1 + ratio * c2), 0.0) ** 0.5
    if error <= 1e-14 * (moments.mean_a + ratio * moments.mean_b):  # the rounding of equal values
        return float(np.sign(center)) * float("inf") if abs(center) > error else 0.0
    d0, d1, d2, d3 = moments.cube
    skewness = (d0 + ratio * (d1 + ratio * (d2 + ratio * d3))) / max(error**3, SMALLEST)
    t = center / error
    return t + skewness * t**2 / 3.0 + skewness**2 * t**3 / 27.0 + skewness / 6.0
