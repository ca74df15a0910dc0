"""How the error falls with the number of training rows: a power law, and how far it may be trusted beyond."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured

EXPONENTS: FloatArray = np.geomspace(0.02, 2.0, 120)
LEAST_SIZES = 5  # two of them are predicted from the smaller ones by the backtest
FITTED_AT_LEAST = 3  # sizes behind each fit of the backtest
NEEDS_FLOOR = 0.975  # of resampled curves ask for a floor: the law without one is then left out

# Shares of the backtest's root mean square that are added at the ends. Savings end above what is predicted
# more often than below it: benchmarks/learning_curve.py has the counts these were chosen by.
WIDENING = 0.5
WIDENING_OF_LEAST_SAVED = 0.25


class PowerLaw(NamedTuple):
    """error(n) = floor + amplitude x n^-exponent, none of them negative."""

    floor: float
    amplitude: float
    exponent: float

    def at(self, n: float) -> float:
        """Return the error with n training rows."""
        return self.floor + self.amplitude * n**-self.exponent


class Laws(NamedTuple):
    """Many fitted power laws, sizes counted in units of `unit` rows."""

    floor: FloatArray
    amplitude: FloatArray
    exponent: FloatArray
    unit: float

    def at(self, n: float) -> FloatArray:
        """Return the error of each with n training rows."""
        return self.floor + self.amplitude * (n / self.unit) ** -self.exponent


def fit_power_law(
    sizes: npt.ArrayLike,
    errors: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    floor: bool = True,
) -> PowerLaw:
    """Fit error = c + a n^-b by weighted least squares with a, c >= 0.

    b runs over a fixed grid from 0.02 to 2; for each, a and c have a closed form, so that nothing can
    fail to converge.

    Parameters
    ----------
    sizes : (k,) array
        Training rows, at least two different numbers.
    errors : (k,) array
    weights : (k,) array, optional
    floor : bool
        False fits a n^-b alone.

    Returns
    -------
    PowerLaw

    References
    ----------
    Cortes et al. (1994), Learning curves: asymptotic values and rate of convergence; Viering & Loog
    (2023), The shape of learning curves: a review, IEEE TPAMI 45, section 4.

    Examples
    --------
    >>> n = np.array([100.0, 200.0, 400.0, 800.0])
    >>> law = fit_power_law(n, 0.05 + 2.0 * n**-0.5)
    >>> round(law.floor, 2), round(law.at(1600.0), 2)  # 0.05 + 2 / 40
    (0.05, 0.1)
    """
    n = np.asarray(sizes, np.float64)
    y = np.asarray(errors, np.float64)
    w = np.ones(n.size) if weights is None else np.asarray(weights, np.float64)
    laws = _fitted(n, y[None], w, floor=floor)
    exponent = float(laws.exponent[0])
    return PowerLaw(float(laws.floor[0]), float(laws.amplitude[0] * laws.unit**exponent), exponent)


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A measured learning curve with its two fits and what resampling makes of them.

    Parameters
    ----------
    sizes, means, errors : (k,) float64 array
        Different numbers of training rows, ascending; mean test error with each and its standard error.
    test_rows : int
    trainings : int
    fits : tuple of Laws
        With a floor and without one, of the measured means.
    replicates : tuple of Laws
        The same fits to each resampled curve.
    resampled : (b, k) float64 array
        The resampled curves.
    """

    sizes: FloatArray
    means: FloatArray
    errors: FloatArray
    test_rows: int
    trainings: int
    fits: tuple[Laws, Laws]
    replicates: tuple[Laws, Laws]
    resampled: FloatArray

    @property
    def floor(self) -> PowerLaw:
        """The fit with a floor."""
        laws = self.fits[0]
        exponent = float(laws.exponent[0])
        return PowerLaw(
            float(laws.floor[0]), float(laws.amplitude[0] * laws.unit**exponent), exponent
        )

    def error_at(
        self, n: float, *, unit: str, details: str = "", evidence: tuple[Evidence, ...] = ()
    ) -> Measurement:
        """Return the expected error with n training rows; its interval is made as that of `saved`.

        Within the measured sizes nothing is added to what resampling says.
        """
        doublings = float(np.log2(max(n / self.sizes[-1], 1.0)))
        return self._measurement(
            lambda laws: laws.at(n),
            self.miss_per_doubling(of_changes=False) * doublings,
            WIDENING,
            unit=unit,
            details=details,
            evidence=evidence,
        )

    def saved(
        self,
        before: float,
        after: float,
        *,
        unit: str,
        details: str = "",
        evidence: tuple[Evidence, ...] = (),
    ) -> Measurement:
        """Return the error that goes away between `before` and `after` training rows.

        The interval reaches over those of both fits, widened by half the error (a quarter at its lower end) that
        such fits made when they predicted each size from the smaller ones, for as many doublings as it looks ahead.
        The fit without a floor is left out where nearly all resampled curves ask for one.
        """
        known = min(before, float(self.sizes[-1]))
        return self._measurement(
            lambda laws: laws.at(before) - laws.at(after),
            self.miss_per_doubling(of_changes=True) * float(np.log2(after / known)),
            WIDENING_OF_LEAST_SAVED,
            unit=unit,
            details=details,
            evidence=evidence,
        )

    def miss_per_doubling(self, *, of_changes: bool) -> float:
        """Return how wrong the mean of both fits is about the next size when it knows the smaller ones alone.

        Root mean square over the sizes from the fourth on, of the error (or of its change since the size
        before), for each doubling of the rows.
        """
        misses: list[float] = []
        for known in range(FITTED_AT_LEAST, self.sizes.size):
            sizes, means = self.sizes[:known], self.means[None, :known]
            last, following = float(sizes[-1]), float(self.sizes[known])
            fits = [_fitted(sizes, means, _weights(known), floor=floor) for floor in (True, False)]
            predicted = float(np.mean([laws.at(following)[0] for laws in fits]))
            seen = float(self.means[known])
            if of_changes:
                predicted -= float(np.mean([laws.at(last)[0] for laws in fits]))
                seen -= float(self.means[known - 1])
            misses.append((predicted - seen) / np.log2(following / last))
        return float(np.sqrt(np.mean(np.square(misses))))

    def rises(self, level: float = 0.05) -> list[tuple[float, float]]:
        """Return the pairs of sizes between which the error grew instead of falling, the largest growth first.

        One-sided normal tests of all pairs on the resampled curves, corrected by Holm's method: in about
        one data set of seven some learner does this (Yan et al. 2025, LCDB 1.1).
        """
        from scipy.special import ndtr

        from roadworthy.statistics.multiplicity import holm

        first, second = np.triu_indices(self.sizes.size, 1)
        growth = self.means[second] - self.means[first]
        spread = np.std(self.resampled[:, second] - self.resampled[:, first], axis=0)
        p = ndtr(-growth / np.maximum(spread, 1e-12))
        grown = np.flatnonzero(np.asarray(holm(p)) < level)
        grown = grown[np.argsort(-growth[grown], kind="stable")]
        return [(float(self.sizes[first[i]]), float(self.sizes[second[i]])) for i in grown]

    def _measurement(
        self,
        quantity: Callable[[Laws], FloatArray],
        miss: float,
        below: float,
        *,
        unit: str,
        details: str,
        evidence: tuple[Evidence, ...] = (),
    ) -> Measurement:
        from scipy.special import ndtri

        needs_floor = float(np.mean(self.replicates[0].floor > 0.0)) >= NEEDS_FLOOR
        kept = slice(0, 1) if needs_floor else slice(0, 2)
        drawn = [quantity(laws) for laws in self.replicates[kept]]
        value = float(np.mean([quantity(laws)[0] for laws in self.fits[kept]]))
        b = len(drawn[0])
        grid = GRID[(0.999 / (b + 1) <= GRID) & (1.0 - 0.999 / (b + 1) >= GRID)]
        points = np.quantile(drawn, grid, axis=1)  # (p, 2)
        missed = miss * np.abs(ndtri(grid)) / 1.959964
        lower = np.minimum(points.min(axis=1), value) - below * missed
        upper = np.maximum(points.max(axis=1), value) + WIDENING * missed
        ends = dict(zip(map(float, grid), np.where(grid < 0.5, lower, upper), strict=True))
        return measured(
            value,
            self.test_rows,
            quantiles_on(grid, ends.__getitem__),
            unit=unit,
            method="resampled power laws, widened by their backtest",
            details=details,
            evidence=evidence,
        )


def learning_curve(
    sizes: npt.ArrayLike,
    errors: npt.ArrayLike,
    rng: np.random.Generator,
    resamples: int = 999,
    clusters: npt.ArrayLike | None = None,
) -> LearningCurve:
    """Fit the curve through test errors of models that were trained on various numbers of rows.

    Means are resampled from a normal distribution: test rows are shared by all models, so their part of
    the covariance is that of the rows' errors; the luck of a training is its own at each size.

    Parameters
    ----------
    sizes : (m,) array
        Training rows of each model, several models of a size or one; at least five different sizes.
    errors : (m, n) array
        Error of each model on each test row.
    rng : Generator
    resamples : int
    clusters : (n,) array, optional
        Which entity a test row belongs to.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> n = np.array([50, 100, 200, 400, 800, 1600])
    >>> errors = rng.random((6, 4000)) < (0.02 + 2.0 * n**-0.5)[:, None]
    >>> curve = learning_curve(n, errors, rng)
    >>> m = curve.saved(1600, 3200, unit="share of rows")  # 2 / 40 - 2 / 56.57 = 0.0146
    >>> m.low < 0.0146 < m.high
    True
    """
    n = np.asarray(sizes, np.float64)
    e = np.asarray(errors, np.float64)
    different, group = np.unique(n, return_inverse=True)
    assert different.size >= LEAST_SIZES, f"{different.size} sizes; {LEAST_SIZES} are needed"
    counts = np.bincount(group)
    of_rows = np.zeros((different.size, e.shape[1]))
    np.add.at(of_rows, group, e)
    of_rows /= counts[:, None]
    means = of_rows.mean(axis=1)
    covariance = _covariance(of_rows, clusters)
    covariance[np.diag_indices_from(covariance)] += _luck(e.mean(axis=1), group, means) / counts
    if e.size and set(np.unique(e)) <= {0.0, 1.0}:
        _guard(covariance, means, e.shape[1] if clusters is None else np.unique(clusters).size)
    standard = np.sqrt(np.diag(covariance))
    resampled = rng.multivariate_normal(means, covariance, size=resamples, method="eigh")
    weights = _weights(different.size)
    return LearningCurve(
        sizes=different,
        means=means,
        errors=standard,
        test_rows=e.shape[1],
        trainings=n.size,
        fits=(
            _fitted(different, means[None], weights, floor=True),
            _fitted(different, means[None], weights, floor=False),
        ),
        replicates=(
            _fitted(different, resampled, weights, floor=True),
            _fitted(different, resampled, weights, floor=False),
        ),
        resampled=resampled,
    )


def _weights(k: int) -> FloatArray:
    """Return what each size counts in a fit: the larger ones, nearer to what is predicted, more."""
    return np.arange(1.0, k + 1.0) ** 2


def _covariance(of_rows: FloatArray, clusters: npt.ArrayLike | None) -> FloatArray:
    """Return the covariance (k, k) of the mean over test rows, or over clusters of them."""
    n = of_rows.shape[1]
    deviations = of_rows - of_rows.mean(axis=1, keepdims=True)
    if clusters is not None:
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1].ravel()
        summed = np.zeros((codes.max() + 1, len(of_rows)))
        np.add.at(summed, codes, deviations.T)
        deviations = summed.T
    parts = deviations.shape[1]
    return deviations @ deviations.T / n**2 * (parts / max(parts - 1, 1))


def _luck(errors: FloatArray, group: npt.NDArray[np.intp], means: FloatArray) -> FloatArray:
    """Return the variance (k,) between trainings of one size, taken to grow with the mean error."""
    counts = np.bincount(group)
    spread = np.bincount(group, np.square(errors - means[group]))
    degrees = float(np.sum(counts - 1))
    if degrees == 0.0 or not means.any():
        return np.zeros(means.size)
    scale = float(np.sum(spread[means > 0] / means[means > 0])) / degrees
    return scale * means


def _guard(covariance: FloatArray, means: FloatArray, n: int) -> None:
    """Let no rate near 0 or 1 be surer than with half a mistake more (Agresti & Coull 1998)."""
    share = (n * means + 0.5) / (n + 1.0)
    least = share * (1.0 - share) / n
    diagonal = np.diag_indices_from(covariance)
    covariance[diagonal] = np.maximum(covariance[diagonal], np.minimum(least, 0.25 / n))


def _fitted(sizes: FloatArray, y: FloatArray, w: FloatArray, *, floor: bool) -> Laws:
    """Fit each row of y (b, k); sizes are counted in the largest, so that powers stay near 1."""
    unit = float(sizes.max())
    x = (sizes / unit) ** -EXPONENTS[:, None]  # (e, k)
    sw, sx, sxx = w.sum(), x @ w, np.square(x) @ w
    sy, sxy, syy = y @ w, (y * w) @ x.T, np.square(y) @ w
    plain = np.maximum(sxy / sxx, 0.0)
    if floor:
        determinant = np.maximum(sw * sxx - sx**2, 1e-12 * sw * sxx)
        a = np.maximum((sw * sxy - sx * sy[:, None]) / determinant, 0.0)
        c = (sy[:, None] - a * sx) / sw
        a = np.where(c < 0.0, plain, a)
        c = np.maximum(c, 0.0)
    else:
        a, c = plain, np.zeros_like(plain)
    squares = (
        syy[:, None] - 2.0 * (a * sxy + c * sy[:, None]) + a**2 * sxx + 2.0 * a * c * sx + c**2 * sw
    )
    best = squares.argmin(axis=1)
    rows = np.arange(len(y))
    return Laws(c[rows, best], a[rows, best], EXPONENTS[best], unit)
