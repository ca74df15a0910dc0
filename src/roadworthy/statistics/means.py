"""Measurements of means and of differences of means, by Student's t."""

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Estimate, Evidence, Measurement
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured


def mean(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean of a number per row, with Student's t; rows of one cluster count as one draw.

    Values that are all alike have no spread to judge by: the interval is then the value itself, and
    only the `least` of a check guards against too few of them.

    Parameters
    ----------
    values : (n,) array
    clusters : (n,) array, optional
        Which entity (person, device) a row belongs to. The variance of the mean is then
        k / (k - 1) x sum over clusters of (sum of deviations in the cluster)^2 / n^2, with k - 1
        degrees of freedom for k clusters.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        With fewer than two values or clusters, or with a value that is not finite.

    References
    ----------
    Student (1908), Biometrika 6, 1-25; Liang & Zeger (1986), Biometrika 73, 13-22 (clusters).

    Examples
    --------
    1, 2, 3: mean 2, standard error 1 / sqrt(3) = 0.577, t(2; 0.975) = 4.303, so 2 -+ 2.484.

    >>> m = mean([1.0, 2.0, 3.0], unit="nats per row")
    >>> m.value, round(m.low, 3), round(m.high, 3)
    (2.0, -0.484, 4.484)
    """
    x = _finite(values)
    estimate = _estimate(x, clusters)
    return measured(
        estimate.estimate,
        x.size,
        estimate,
        unit=unit,
        method="Student's t" if clusters is None else "Student's t over clusters",
        details=details,
        evidence=evidence,
    )


def mean_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean of a minus mean of b, the two drawn apart, of any variances.

    Parameters
    ----------
    a, b : (n_a,), (n_b,) array

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        With fewer than two values in one of them.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.

    Examples
    --------
    Means 2 and 0, variances 1 and 1, three rows each: standard error sqrt(2/3) = 0.816 with 4
    degrees of freedom, t(4; 0.975) = 2.776.

    >>> d = mean_difference([1.0, 2.0, 3.0], [-1.0, 0.0, 1.0], unit="seconds")
    >>> d.value, round(d.low, 3), round(d.high, 3)
    (2.0, -0.267, 4.267)
    """
    x, y = _finite(a), _finite(b)
    share_a, share_b = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    total = share_a + share_b
    degrees = (
        total**2 / (share_a**2 / (x.size - 1) + share_b**2 / (y.size - 1)) if total > 0 else None
    )
    estimate = Estimate(
        float(x.mean() - y.mean()),
        float(np.sqrt(total)),
        None if degrees is None else float(degrees),
    )
    return measured(
        estimate.estimate,
        x.size + y.size,
        estimate,
        unit=unit,
        method="Welch's t",
        details=details,
        evidence=evidence,
    )


def paired_mean_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean of a - b over rows that both have.

    Parameters
    ----------
    a, b : (n,) array
    clusters : (n,) array, optional
        See `mean`.

    Returns
    -------
    Measurement

    Examples
    --------
    Differences 1, 2, 3: as in `mean`.

    >>> d = paired_mean_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], unit="nats per row")
    >>> d.value, round(d.low, 3), round(d.high, 3)
    (2.0, -0.484, 4.484)
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert x.shape == y.shape, f"pairs of different length: {x.shape} and {y.shape}"
    difference = _finite(x - y)
    estimate = _estimate(difference, clusters)
    return measured(
        estimate.estimate,
        difference.size,
        estimate,
        unit=unit,
        method="paired t" if clusters is None else "paired t over clusters",
        details=details,
        evidence=evidence,
    )


def _estimate(x: FloatArray, clusters: npt.ArrayLike | None) -> Estimate:
    center = float(x.mean())
    if clusters is None:
        error = float(x.std(ddof=1) / np.sqrt(x.size))
        return Estimate(center, error, float(x.size - 1))
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    k = int(codes.max()) + 1
    if k < 2:
        raise NotApplicable(f"all {x.size} rows are of one entity; at least two are needed")
    sums = np.bincount(codes.ravel(), weights=x - center)
    error = float(np.sqrt(k / (k - 1) * np.sum(sums**2)) / x.size)
    return Estimate(center, error, float(k - 1))


def _finite(values: npt.ArrayLike) -> FloatArray:
    x = np.asarray(values, np.float64).ravel()
    if x.size < 2:
        raise NotApplicable(f"{x.size} value(s); a mean with its spread needs at least two")
    if not np.all(np.isfinite(x)):
        bad = int(np.sum(~np.isfinite(x)))
        raise NotApplicable(f"{bad} of {x.size} values are not finite; a mean needs numbers")
    return x
