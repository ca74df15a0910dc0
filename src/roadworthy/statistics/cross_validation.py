"""Intervals where the same rows train and test in turn: cross-validation, and models trained several times."""

from dataclasses import replace
from math import hypot, inf, sqrt

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Estimate, Evidence, Measurement
from roadworthy.statistics.distributions import GRID, limit, quantiles_on
from roadworthy.statistics.means import mean
from roadworthy.statistics.rates import measured, rate


def nadeau_bengio(
    scores: npt.ArrayLike,
    test_share: float,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean over folds or repeated splits, whose training rows overlap, by the corrected resampled t.

    The scores of folds are no independent draws: their training sets share rows. The variance of their
    mean is not s^2 / k but about (1 / k + n_test / n_train) s^2, with k - 1 degrees of freedom.

    Parameters
    ----------
    scores : (k,) array
        One number for each split: a score, or the difference of two models on it.
    test_share : float
        Test rows per training row of a split: 1 / (k - 1) for k folds.

    Returns
    -------
    Measurement
        `n` is the number of splits.

    Raises
    ------
    NotApplicable
        With fewer than two splits.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52, 239-281, section 4, equation 8.

    Examples
    --------
    Five folds with the scores 1 to 5: s^2 = 2.5, (1/5 + 1/4) x 2.5 = 1.125, t(4; 0.975) = 2.776:
    3 -+ 2.776 x 1.0607 = 3 -+ 2.945.

    >>> m = nadeau_bengio([1, 2, 3, 4, 5], 1 / 4, unit="points")
    >>> m.value, round(m.low, 3), round(m.high, 3)
    (3.0, 0.055, 5.945)
    """
    x = np.asarray(scores, np.float64)
    if x.size < 2:
        raise NotApplicable(f"{x.size} split(s); the spread between splits needs at least two")
    error = sqrt((1.0 / x.size + test_share) * float(x.var(ddof=1)))
    return measured(
        float(x.mean()),
        x.size,
        Estimate(float(x.mean()), error, x.size - 1.0),
        unit=unit,
        method="Nadeau-Bengio",
        details=details,
        evidence=evidence,
    )


def cross_validated_mean(
    values: npt.ArrayLike,
    folds: npt.ArrayLike,
    test_share: float,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean over rows that were each predicted by a model that had not seen them.

    On each side the wider of two intervals: all rows as if they were independent (Clopper-Pearson, or t),
    which covers .93 of what it should where the models differ between folds; and Nadeau & Bengio's over the
    folds, which says nothing where all folds are alike.

    Parameters
    ----------
    values : (m,) array
        Bool, or numbers.
    folds : (m,) int array
        Which model predicted the row.
    test_share : float
        See `nadeau_bengio`.

    Returns
    -------
    Measurement

    Examples
    --------
    Two folds with the means 2 and 4: 3 -+ 12.706 x sqrt((1/2 + 1) x 2), wider than by rows.

    >>> m = cross_validated_mean([1.0, 3.0, 3.0, 5.0], [0, 0, 1, 1], 1.0, unit="points")
    >>> m.value, round(m.low, 2), round(m.high, 2)
    (3.0, -19.01, 25.01)
    """
    x, codes = np.asarray(values), np.asarray(folds)
    if x.size == 0:
        raise NotApplicable("no row was predicted by a model that had not seen it")
    pooled = rate(int(x.sum()), x.size) if x.dtype == bool else mean(x, unit=unit)
    scores = [float(x[codes == fold].mean()) for fold in np.unique(codes)]
    by_fold = nadeau_bengio(scores, test_share, unit=unit)
    center = pooled.value
    # Around the mean over rows: folds of unequal size have another mean.
    moved = by_fold.value - center

    def end(probability: float) -> float:
        ends = (
            limit(pooled.distribution, probability),
            limit(by_fold.distribution, probability) - moved,
        )
        widest = min(ends) if probability < 0.5 else max(ends)
        return min(max(widest, 0.0), 1.0) if x.dtype == bool else widest

    return measured(
        center,
        x.size,
        quantiles_on(GRID, end),
        unit=unit,
        method=f"the wider of {pooled.method} and Nadeau-Bengio",
        details=details,
        evidence=evidence,
    )


def difference_of(
    a: Measurement,
    b: Measurement,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Difference of two numbers that were measured apart, each with an interval of any kind.

    The squared distances to their limits are added.

    Parameters
    ----------
    a, b : Measurement

    Returns
    -------
    Measurement
        `n` is the sum of both.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27, 1693-1702 ("MOVER").

    Examples
    --------
    >>> d = difference_of(
    ...     nadeau_bengio([1, 2, 3, 4, 5], 1 / 4, unit="points"), rate(1, 1), unit="points"
    ... )
    >>> d.value, round(d.low, 3)  # 2 - sqrt(2.945^2 + 0^2)
    (2.0, -0.945)
    """
    center = a.value - b.value

    def end(probability: float) -> float:
        of_a = limit(a.distribution, probability) - a.value
        of_b = b.value - limit(b.distribution, 1.0 - probability)
        if probability < 0.5:
            return center - hypot(min(of_a, 0.0), min(of_b, 0.0))
        return center + hypot(max(of_a, 0.0), max(of_b, 0.0))

    return measured(
        center,
        a.n + b.n,
        quantiles_on(GRID, end),
        unit=unit,
        method="limits combined",
        details=details,
        evidence=evidence,
    )


def crossed_mean(
    values: npt.ArrayLike,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Mean of a number per training and row, where other trainings and other rows might have been had.

    The variance of the mean is at most that over rows plus that over trainings, each as if the other were
    fixed (what both share is counted twice, so it is a little too large); Student's t with
    Satterthwaite's degrees of freedom. With a single training only rows vary.

    Parameters
    ----------
    values : (s, n) array
        Of each training on the same rows, such as the difference of two models trained with seed s.

    Returns
    -------
    Measurement
        `n` is the number of rows, `seeds` that of trainings.

    Raises
    ------
    NotApplicable
        With fewer than two rows.

    References
    ----------
    Owen (2007), Annals of Applied Statistics 1, 386-411, section 3; Satterthwaite (1946).

    Examples
    --------
    Rows with the means 1 and 3, trainings with the means 1 and 3: variances 1 + 1, standard error 1.414,
    two degrees of freedom, t = 4.303.

    >>> m = crossed_mean([[0.0, 2.0], [2.0, 4.0]], unit="points")
    >>> m.value, round(m.high, 3)
    (2.0, 8.085)
    """
    x = np.asarray(values, np.float64)
    s, n = x.shape
    if n < 2:
        raise NotApplicable(f"{n} row(s); a mean with its spread needs at least two")
    of_rows = float(x.mean(axis=0).var(ddof=1)) / n
    of_trainings = float(x.mean(axis=1).var(ddof=1)) / s if s > 1 else 0.0
    total = of_rows + of_trainings
    shares = of_rows**2 / (n - 1) + (of_trainings**2 / (s - 1) if s > 1 else 0.0)
    degrees = total**2 / shares if shares > 0.0 else inf
    found = measured(
        float(x.mean()),
        n,
        Estimate(float(x.mean()), sqrt(total), degrees if np.isfinite(degrees) else None),
        unit=unit,
        method="t over rows and trainings",
        details=details,
        evidence=evidence,
    )
    return replace(found, seeds=s)
