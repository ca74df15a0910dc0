"""The smallest of several groups' rates as a share of the largest: the quantity of the four-fifths rule."""

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray, exact_limit
from roadworthy.statistics.rates import measured

TINY = 1e-300


def smallest_ratio(
    hits: npt.ArrayLike,
    sizes: npt.ArrayLike,
    *,
    unknown_hits: int = 0,
    unknown_misses: int = 0,
    unit: str = "share of the largest rate",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Smallest rate over largest rate of groups, with an interval for the smallest ratio of any two.

    To claim that no ratio is below a bound each pair must keep above it, and none needs a correction:
    the lower end is the smallest lower limit of any pair. To claim that one is below, one pair
    suffices and each had its chance: the upper end is the smallest upper limit at a k-th of the error, k
    pairs. Rows whose group is not known may belong to either group of a pair, whichever is worse for the claim.

    Parameters
    ----------
    hits, sizes : (g,) array
    unknown_hits, unknown_misses : int
        Of rows whose group is not known.

    Returns
    -------
    Measurement
        Its `n` is the number of rows in all groups.

    Raises
    ------
    NotApplicable
        With fewer than two groups, an empty one, or no hit at all.

    References
    ----------
    Donner & Zou (2012), Statistical Methods in Medical Research 21, 347-359 (MOVER-R), with
    Clopper-Pearson limits, so that a rate of 0 has a limit too; Berger (1982), Technometrics 24,
    295-300 (lower end); Bonferroni (upper end).

    Examples
    --------
    30 of 100 (0.2124 to 0.3998) against 50 of 100 (0.3983 to 0.6017): 0.0823 / (0.15 + sqrt(0.15^2 - 0.2397 x 0.0823)).

    >>> ratio = smallest_ratio([30, 50], [100, 100])
    >>> ratio.value, round(ratio.low, 3), round(ratio.high, 3)
    (0.6, 0.406, 0.866)
    """
    x, n = np.asarray(hits, np.float64).ravel(), np.asarray(sizes, np.float64).ravel()
    if x.size < 2:
        raise NotApplicable(f"{x.size} group(s) large enough; a ratio needs two")
    if np.any(n <= 0):
        raise NotApplicable(f"{int(np.sum(n <= 0))} of {n.size} groups have no examples")
    if not x.any():
        raise NotApplicable("no group has a hit; a ratio of rates needs one")
    rates = x / n
    pairs = x.size * (x.size - 1) / 2
    with_hits, with_misses = (x + unknown_hits, n + unknown_hits), (x, n + unknown_misses)

    def ends(probability: float) -> float:
        if probability < 0.5:
            return float(np.min(_apart(lower_limits(with_misses, with_hits, probability), 1.0)))
        return float(
            np.min(_apart(_upper(with_hits, with_misses, (1.0 - probability) / pairs), 1.0))
        )

    return measured(
        float(rates.min() / rates.max()),
        int(n.sum()) + unknown_hits + unknown_misses,
        quantiles_on(GRID, ends),
        unit=unit,
        method=f"{'bounds over all groups that unknown rows may be of, ' if unknown_hits + unknown_misses else ''}smallest of "
        "all pairs, each MOVER-R with Clopper-Pearson limits",
        details=details,
        evidence=evidence,
    )


Rows = tuple[FloatArray, FloatArray]  # hits and sizes


def lower_limits(above: Rows, below: Rows, tail: float) -> FloatArray:
    """Return the lower limits of rate i of one / rate j of the other at one-sided `tail`: (g, g).

    The smaller root of (p_i - r p_j)^2 = (p_i - l_i)^2 + r^2 (u_j - p_j)^2, in the form that keeps its digits.
    """
    p, q = (above[0] / above[1])[:, None], (below[0] / below[1])[None, :]
    low = exact_limit(*above, tail)[:, None]
    high = exact_limit(*below, 1.0 - tail, upper=True)[None, :]
    a, b, c = high * (2.0 * q - high), p * q, low * (2.0 * p - low)
    root = b + np.sqrt(np.maximum(b * b - a * c, 0.0))
    return c / np.maximum(root, TINY)


def _upper(above: Rows, below: Rows, tail: float) -> FloatArray:
    """Return the upper limits of rate i / rate j: one over the lower limits of rate j / rate i."""
    return 1.0 / np.maximum(lower_limits(below, above, tail).T, TINY)


def _apart(ratios: FloatArray, own: float) -> FloatArray:
    """Return the ratios with `own` between a group and itself, none above it: a smallest ratio is at most 1."""
    found = np.minimum(ratios, own)
    np.fill_diagonal(found, own)
    return found
