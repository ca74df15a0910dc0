"""Measurements of differences of rates: of two independent samples, of two models on the same rows."""

from math import sqrt

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement, TwoCounts
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import Interval, exact_end, square_and_add, wilson
from roadworthy.statistics.rates import measured


def rate_difference(
    hits_a: float,
    n_a: float,
    hits_b: float,
    n_b: float,
    *,
    unit: str = "share of rows",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Rate of sample a minus rate of sample b, the two drawn apart.

    `n` of the result is the sum of the two sizes.

    Parameters
    ----------
    hits_a, n_a, hits_b, n_b : int
    unit : str
        In plain words, beginning with "share of".

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Where one of the samples is empty.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, with Clopper-Pearson limits; see
    `exact_newcombe`.

    Examples
    --------
    >>> gap = rate_difference(10, 10, 0, 20)
    >>> gap.value, round(gap.low, 4), gap.high
    (1.0, 0.6485, 1.0)
    """
    if min(n_a, n_b) <= 0:
        raise NotApplicable(
            f"samples of {int(n_a)} and {int(n_b)} examples; both need at least one"
        )
    counts = TwoCounts(int(hits_a), int(n_a), int(hits_b), int(n_b))
    return measured(
        counts.hits_a / counts.n_a - counts.hits_b / counts.n_b,
        counts.n_a + counts.n_b,
        counts,
        unit=unit,
        method="Newcombe, Clopper-Pearson limits",
        details=details,
        evidence=evidence,
    )


def newcombe_paired(
    both: float, only_a: float, only_b: float, neither: float, level: float = 0.95
) -> Interval[float]:
    """Score interval of the difference of two rates on the same rows, to show.

    Parameters
    ----------
    both, only_a, only_b, neither : int
        Rows that are hits of both, of one alone, of none.
    level : float

    Returns
    -------
    Interval

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10.

    Examples
    --------
    Lung function of 21 children (Bentur et al. 2009; Fagerland, Lydersen & Laake 2014, Statistics in
    Medicine 33, 2850-2875): 1, 1, 7, 12 gives -0.507 to -0.026.

    >>> low, high = newcombe_paired(1, 1, 7, 12)
    >>> round(low, 3), round(high, 3)
    (-0.507, -0.026)
    """
    n = both + only_a + only_b + neither
    if n <= 0:
        raise NotApplicable("there are no rows to compare; at least one is needed")
    hits = np.array([both + only_a, both + only_b], np.float64)
    limits = wilson(hits, np.array([n, n]), level)
    low, high = square_and_add(
        hits[:1] / n,
        Interval(limits.low[:1], limits.high[:1]),
        hits[1:] / n,
        Interval(limits.low[1:], limits.high[1:]),
        _correlation(both, only_a, only_b, neither),
    )
    return Interval(max(float(low[0]), -1.0), min(float(high[0]), 1.0))


def paired_rate_difference(
    correct_a: npt.ArrayLike,
    correct_b: npt.ArrayLike,
    *,
    unit: str = "share of rows",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Rate of a minus rate of b on the same rows: (rows only a has - rows only b has) / n.

    Parameters
    ----------
    correct_a, correct_b : (n,) bool array

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Without rows.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10, with Clopper-Pearson limits in
    place of Wilson's (see `exact_newcombe` for why).

    Examples
    --------
    >>> change = paired_rate_difference([True, True, True, False], [True, False, True, False])
    >>> change.value
    0.25
    """
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    assert a.shape == b.shape, f"pairs of different length: {a.shape} and {b.shape}"
    if a.size == 0:
        raise NotApplicable("there are no rows to compare; at least one is needed")
    cells = (int(np.sum(a & b)), int(np.sum(a & ~b)), int(np.sum(~a & b)), int(np.sum(~a & ~b)))

    correlation = _correlation(*cells)

    def ends(probability: float) -> float:
        return _exact_paired_end(cells, correlation, probability)

    return measured(
        (cells[1] - cells[2]) / a.size,
        a.size,
        quantiles_on(GRID, ends),
        unit=unit,
        method="Newcombe paired, Clopper-Pearson limits",
        details=details,
        evidence=evidence,
    )


def _exact_paired_end(
    cells: tuple[int, int, int, int], correlation: float, probability: float
) -> float:
    """Return one end of Newcombe's paired interval with Clopper-Pearson limits."""
    n, upper = sum(cells), probability >= 0.5
    a, b = (cells[0] + cells[1]) / n, (cells[0] + cells[2]) / n
    of_a = abs(exact_end(cells[0] + cells[1], n, probability, upper=upper) - a)
    of_b = abs(exact_end(cells[0] + cells[2], n, 1.0 - probability, upper=not upper) - b)
    apart = sqrt(max(of_a**2 - 2.0 * correlation * of_a * of_b + of_b**2, 0.0))
    return min(max(a - b + (apart if upper else -apart), -1.0), 1.0)


def _correlation(both: float, only_a: float, only_b: float, neither: float) -> float:
    """Phi of the four cells, its numerator lessened by n / 2 where positive (Newcombe's method 10)."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    numerator = both * neither - only_a * only_b
    if numerator > 0:
        numerator = max(numerator - n / 2.0, 0.0)
    return float(numerator / np.sqrt(margins))
