"""Interval formulas for rates and their differences, over numbers or over arrays of groups at once."""

from collections.abc import Sequence
from math import hypot
from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable

FloatArray = npt.NDArray[np.float64]
Many = Sequence[float] | npt.NDArray[np.generic]
T = TypeVar("T", float, FloatArray)


class Interval(NamedTuple, Generic[T]):
    """Two ends, `low <= high`; arrays where several intervals were asked for at once."""

    low: T
    high: T


@overload
def clopper_pearson(hits: float, n: float, level: float = ...) -> Interval[float]: ...
@overload
def clopper_pearson(hits: Many, n: Many, level: float = ...) -> Interval[FloatArray]: ...
def clopper_pearson(
    hits: float | Many, n: float | Many, level: float = 0.95
) -> Interval[float] | Interval[FloatArray]:
    """Exact interval of a rate: each side errs with at most (1 - level) / 2, whatever the rate.

    The ends are the quantiles (1 - level) / 2 of Beta(hits, n - hits + 1) and (1 + level) / 2 of
    Beta(hits + 1, n - hits), with 0 for no hits and 1 for hits alone.

    Parameters
    ----------
    hits, n : float or array
        Successes and trials; fractions are allowed (for planning).
    level : float

    Returns
    -------
    Interval

    Raises
    ------
    NotApplicable
        Where there is no trial.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    With no hit in 36 trials the upper end solves (1 - u)^36 = 0.025: u = 1 - 0.025^(1/36).

    >>> low, high = clopper_pearson(0, 36)
    >>> low, round(high, 4)
    (0.0, 0.0974)
    """
    tail = (1.0 - level) / 2.0
    if isinstance(hits, float | int) and isinstance(n, float | int):
        return Interval(exact_end(hits, n, tail), exact_end(hits, n, 1.0 - tail, upper=True))
    return _paired(exact_limit(hits, n, tail), exact_limit(hits, n, 1.0 - tail, upper=True))


def exact_end(hits: float, n: float, probability: float, *, upper: bool = False) -> float:
    """Return one end of one Clopper-Pearson interval: `exact_limit` without the cost of arrays.

    Examples
    --------
    >>> round(exact_end(10, 10, 0.025), 4)
    0.6915
    """
    from scipy.special import betaincinv

    if n <= 0:
        raise NotApplicable("there are no examples to take a rate of; at least one is needed")
    if upper:
        return 1.0 if hits >= n else float(betaincinv(hits + 1.0, n - hits, probability))
    return 0.0 if hits <= 0 else float(betaincinv(hits, n - hits + 1.0, probability))


def exact_limit(
    hits: float | Many, n: float | Many, probability: float, *, upper: bool = False
) -> FloatArray:
    """One end of the Clopper-Pearson interval: where the tail that the data cut off has `probability`.

    Examples
    --------
    All 10 right: the lower end solves p^10 = 0.025.

    >>> round(float(exact_limit(10, 10, 0.025)), 4), round(0.025 ** (1 / 10), 4)
    (0.6915, 0.6915)
    """
    from scipy.special import betaincinv

    x, total = _counts(hits, n)
    if upper:
        inside = x < total
        return np.where(
            inside, betaincinv(x + 1.0, np.where(inside, total - x, 1.0), probability), 1.0
        )
    inside = x > 0
    return np.where(inside, betaincinv(np.where(inside, x, 1.0), total - x + 1.0, probability), 0.0)


@overload
def wilson(hits: float, n: float, level: float = ...) -> Interval[float]: ...
@overload
def wilson(hits: Many, n: Many, level: float = ...) -> Interval[FloatArray]: ...
def wilson(
    hits: float | Many, n: float | Many, level: float = 0.95
) -> Interval[float] | Interval[FloatArray]:
    """Score interval of a rate: right on average over rates, to show; not to gate with.

    Parameters
    ----------
    hits, n : float or array
    level : float

    Returns
    -------
    Interval

    References
    ----------
    Wilson (1927), JASA 22, 209-212. Near 0 and 1 one of its sides errs more often than asked
    (`benchmarks/interval_coverage.py`), therefore verdicts use `clopper_pearson`.

    Examples
    --------
    5 of 10 with z = 2 (level 0.9545): centre 0.5, half-width 2 / 14 x sqrt(2.5 + 1) = 0.2673.

    >>> low, high = wilson(5, 10, level=0.9544997)
    >>> round(low, 4), round(high, 4)
    (0.2327, 0.7673)
    """
    from scipy.special import ndtri

    x, total = _counts(hits, n)
    z = float(ndtri((1.0 + level) / 2.0))
    rate, spread = x / total, z * z / total
    center = (rate + spread / 2.0) / (1.0 + spread)
    half = np.sqrt(spread * (rate * (1.0 - rate) + spread / 4.0)) / (1.0 + spread)
    # The ends are exactly 0 and 1 for no hits and hits alone; rounding would leave 1e-17.
    return _paired(
        np.where(x == 0, 0.0, np.maximum(center - half, 0.0)),
        np.where(x == total, 1.0, np.minimum(center + half, 1.0)),
    )


@overload
def newcombe(
    hits_a: float, n_a: float, hits_b: float, n_b: float, level: float = ...
) -> Interval[float]: ...
@overload
def newcombe(
    hits_a: Many, n_a: Many, hits_b: Many, n_b: Many, level: float = ...
) -> Interval[FloatArray]: ...
def newcombe(
    hits_a: float | Many,
    n_a: float | Many,
    hits_b: float | Many,
    n_b: float | Many,
    level: float = 0.95,
) -> Interval[float] | Interval[FloatArray]:
    """Score interval of the difference of two independent rates, to show; see `exact_newcombe` to gate.

    The distances from each rate to its Wilson limits are added as squares.

    Parameters
    ----------
    hits_a, n_a, hits_b, n_b : float or array
    level : float

    Returns
    -------
    Interval

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.

    Examples
    --------
    Table II (b) of the paper: 9/10 - 3/10 has the interval 0.1705 to 0.8090.

    >>> low, high = newcombe(9, 10, 3, 10)
    >>> round(low, 4), round(high, 4)
    (0.1705, 0.809)
    """
    x_a, total_a = _counts(hits_a, n_a)
    x_b, total_b = _counts(hits_b, n_b)
    a = wilson(np.atleast_1d(x_a), np.atleast_1d(total_a), level)
    b = wilson(np.atleast_1d(x_b), np.atleast_1d(total_b), level)
    low, high = square_and_add(x_a / total_a, a, x_b / total_b, b)
    shape = np.broadcast_shapes(x_a.shape, x_b.shape)
    return _paired(low.reshape(shape), high.reshape(shape))


@overload
def exact_newcombe(
    hits_a: float, n_a: float, hits_b: float, n_b: float, level: float = ...
) -> Interval[float]: ...
@overload
def exact_newcombe(
    hits_a: Many, n_a: Many, hits_b: Many, n_b: Many, level: float = ...
) -> Interval[FloatArray]: ...
def exact_newcombe(
    hits_a: float | Many,
    n_a: float | Many,
    hits_b: float | Many,
    n_b: float | Many,
    level: float = 0.95,
) -> Interval[float] | Interval[FloatArray]:
    """Interval of the difference of two independent rates whose two sides each keep their level.

    Newcombe's squares-of-distances with Clopper-Pearson limits in place of Wilson's. With Wilson's
    the lower side errs in 3 to 7 % instead of 2.5 % where sizes are unequal and a rate is near 1,
    which is where an overfitting gap lives; with these in at most 2.5 % wherever it was computed
    (`benchmarks/interval_coverage.py`), and it is at most a few percent wider from 1,000 rows on.

    Parameters
    ----------
    hits_a, n_a, hits_b, n_b : float or array
    level : float

    Returns
    -------
    Interval

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890; Zou & Donner (2008), Statistics in Medicine
    27, 1693-1702 (any pair of single limits may be combined so).

    Examples
    --------
    10/10 - 0/20: distances 1 - 0.6915 and 0.1684 give 1 - sqrt(0.3085^2 + 0.1684^2) = 0.6485.

    >>> low, high = exact_newcombe(10, 10, 0, 20)
    >>> round(low, 4), high
    (0.6485, 1.0)
    """
    tail = (1.0 - level) / 2.0
    x_a, total_a = _counts(hits_a, n_a)
    x_b, total_b = _counts(hits_b, n_b)
    a = Interval(exact_limit(x_a, total_a, tail), exact_limit(x_a, total_a, 1 - tail, upper=True))
    b = Interval(exact_limit(x_b, total_b, tail), exact_limit(x_b, total_b, 1 - tail, upper=True))
    low, high = square_and_add(x_a / total_a, a, x_b / total_b, b)
    return _paired(low, high)


def exact_difference_end(
    hits_a: float, n_a: float, hits_b: float, n_b: float, probability: float
) -> float:
    """Return one end of one `exact_newcombe` interval, without the cost of arrays.

    The lower end for a probability below a half, the upper one from there on.

    Examples
    --------
    >>> round(exact_difference_end(10, 10, 0, 20, 0.025), 4)
    0.6485
    """
    a, b = hits_a / n_a, hits_b / n_b
    upper = probability >= 0.5
    of_a = exact_end(hits_a, n_a, probability, upper=upper)
    of_b = exact_end(hits_b, n_b, 1.0 - probability, upper=not upper)
    apart = hypot(of_a - a, of_b - b)
    return a - b + (apart if upper else -apart)


def square_and_add(
    a: FloatArray,
    limits_a: Interval[FloatArray],
    b: FloatArray,
    limits_b: Interval[FloatArray],
    correlation: float | FloatArray = 0.0,
) -> Interval[FloatArray]:
    """Interval of a - b from the separate limits of a and b ("MOVER").

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890 and 2635-2650 (with correlation); Zou &
    Donner (2008), Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    0.6 (0.3 to 0.8) - 0.2 (0.1 to 0.6): low = 0.4 - sqrt(0.3^2 + 0.4^2), high = 0.4 + sqrt(0.2^2 + 0.1^2).

    >>> one = lambda v: np.array(v)
    >>> low, high = square_and_add(
    ...     one(0.6), Interval(one(0.3), one(0.8)), one(0.2), Interval(one(0.1), one(0.6))
    ... )
    >>> round(float(low), 4), round(float(high), 4)
    (-0.1, 0.6236)
    """

    def distance(c: FloatArray, d: FloatArray) -> FloatArray:
        return np.sqrt(np.maximum(c * c - 2.0 * correlation * c * d + d * d, 0.0))

    center = a - b
    return Interval(
        center - distance(a - limits_a.low, limits_b.high - b),
        center + distance(limits_a.high - a, b - limits_b.low),
    )


def _counts(hits: float | Many, n: float | Many) -> tuple[FloatArray, FloatArray]:
    x, total = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(n, np.float64))
    if np.any(total <= 0):
        where = (
            f"{int(np.sum(total <= 0))} of {total.size} groups have" if total.ndim else "there are"
        )
        raise NotApplicable(f"{where} no examples to take a rate of; at least one is needed")
    assert np.all((x >= 0) & (x <= total)), f"hits outside 0 to n: {x} of {total}"
    return x, total


def _paired(low: FloatArray, high: FloatArray) -> Interval[float] | Interval[FloatArray]:
    if low.ndim == 0:
        return Interval(float(low), float(high))
    return Interval(low, high)
