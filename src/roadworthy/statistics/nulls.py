"""Statistics that are above zero by luck alone: what is left above the null, with an honest interval."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on, rescaled
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured


def excess_over_null(
    estimate: float,
    null: npt.ArrayLike,
    *,
    n: int,
    unit: str,
    replicates: npt.ArrayLike | None = None,
    standard_error: float | None = None,
    at: Callable[[float], npt.ArrayLike] | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return what a distance (calibration error, drift) shows beyond what luck alone would.

    Let c be the true distance, T the statistic and m its mean where c = 0. By the triangle inequality
    c <= mean of T <= c + m: luck adds m in full where the truth is 0 and next to nothing where it is
    large. So the value is max(T - m, 0), the lower end subtracts m (a fail must not be luck) and the
    upper end does not (subtracting there would favour passing: it was measured to pass subjects that
    sit on their bound). `at` makes the upper end sharper.

    Parameters
    ----------
    estimate : float
        T, as observed.
    null : (b,) array
        T of b simulated subjects without the defect.
    n : int
        Examples behind T.
    replicates : (b,) array, optional
        T of b resamples of the rows; only their spread is used. One of `replicates` and
        `standard_error` is needed unless `at` is given.
    standard_error : float, optional
        Of T.
    at : callable, optional
        `at(c)` returns T of simulated subjects whose true distance is c, spread as evenly as can be
        (there T is smallest: the least favourable way to have c). The upper end is then the largest c
        under which so small a T is not yet too rare.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Where T or the null have no value.

    References
    ----------
    Bröcker (2012), Climate Dynamics 39, 655-667 (bias of binned reliability); the interval is the
    inverted test at the least favourable point of the composite hypothesis.

    Examples
    --------
    T = 0.08 with standard error 0.01, m = 0.02: low = 0.06 - 1.96 x 0.01, high = 0.08 + 1.96 x 0.01.

    >>> m = excess_over_null(0.08, [0.01, 0.02, 0.03], n=500, unit="share", standard_error=0.01)
    >>> round(m.value, 4), round(m.low, 2), round(m.high, 2)
    (0.06, 0.04, 0.1)
    """
    luck = np.asarray(null, np.float64).ravel()
    if luck.size == 0 or not (np.isfinite(estimate) and np.all(np.isfinite(luck))):
        raise NotApplicable("the statistic has no value here or without the defect")
    floor = float(luck.mean())
    error = _error(luck, replicates, standard_error)
    shifted = _low_ends(estimate, luck, floor, error)
    ascending = _inverted(estimate, at, max(estimate, error)) if at is not None else None

    def ends(probability: float) -> float:
        from scipy.special import ndtri

        if probability < 0.5:
            return max(shifted(probability), 0.0)
        sharp = None if ascending is None else ascending(1.0 - probability)
        # Not the smaller of the two: each may err with the whole of its side's probability.
        return estimate + error * float(ndtri(probability)) if sharp is None else sharp

    value = max(estimate - floor, 0.0)
    distribution = quantiles_on(GRID, ends)
    return measured(
        value,
        n,
        distribution,
        unit=unit,
        method="inverted test at the least favourable point",
        details=details,
        evidence=evidence,
    )


def excess(
    measurement: Measurement,
    over: float,
    *,
    unit: str | None = None,
    details: str | None = None,
) -> Measurement:
    """Return a measurement less a constant that is known without error.

    Parameters
    ----------
    measurement : Measurement
    over : float
        In the unit of the measurement.

    Returns
    -------
    Measurement

    Examples
    --------
    >>> from roadworthy.statistics.rates import rate
    >>> m = excess(rate(30, 100), 0.1)
    >>> round(m.value, 3), round(m.low - rate(30, 100).low, 3)
    (0.2, -0.1)
    """
    return measured(
        measurement.value - over,
        measurement.n,
        rescaled(measurement.distribution, offset=-over),
        unit=measurement.unit if unit is None else unit,
        method=measurement.method,
        details=measurement.details if details is None else details,
        evidence=measurement.evidence,
        level=measurement.level,
    )


def _error(
    luck: FloatArray, replicates: npt.ArrayLike | None, standard_error: float | None
) -> float:
    if standard_error is not None:
        return float(standard_error)
    spread = luck if replicates is None else np.asarray(replicates, np.float64).ravel()
    if not np.all(np.isfinite(spread)) or spread.size < 2:
        raise NotApplicable("the resamples of the statistic have no value")
    return float(max(spread.std(ddof=1), luck.std(ddof=1) if luck.size > 1 else 0.0))


def _low_ends(
    estimate: float, luck: FloatArray, floor: float, error: float
) -> Callable[[float], float]:
    # The mean of the simulated null is itself uncertain by its own standard error.
    own = float(luck.std(ddof=1)) / np.sqrt(luck.size) if luck.size > 1 else 0.0
    apart = float(np.hypot(error, own)) if luck.size > 3 else error

    def end(probability: float) -> float:
        from scipy.special import ndtri

        return estimate - floor + apart * float(ndtri(probability))

    return end


def _inverted(
    estimate: float, at: Callable[[float], npt.ArrayLike], reach: float
) -> Callable[[float], float | None]:
    """Return the upper end: the c where T <= estimate has the probability asked for, by a normal law.

    Mean and spread of T are interpolated over a dozen values of c; None beyond them.
    """
    truths = np.concatenate([[0.0], np.geomspace(0.05, 2.5, 12)]) * reach
    draws = [np.asarray(at(float(c)), np.float64) for c in truths]
    center = np.array([d.mean() for d in draws])
    spread = np.array([d.std(ddof=1) for d in draws])
    scores = (estimate - center) / np.maximum(spread, 1e-300)
    falling = np.minimum.accumulate(scores)

    def end(probability: float) -> float | None:
        from scipy.special import ndtri

        z = float(ndtri(probability))
        if falling[-1] > z:
            return None
        return float(np.interp(-z, -falling, truths))

    return end
