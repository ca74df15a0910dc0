"""Gaps between groups where the group of some rows is not known: bounds instead of a guess."""

import numpy as np
import numpy.typing as npt

from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.gaps import largest_gap
from roadworthy.statistics.intervals import FloatArray, Interval, exact_limit, square_and_add
from roadworthy.statistics.rates import measured


def bounded_gap(
    hits: npt.ArrayLike,
    sizes: npt.ArrayLike,
    unknown_hits: int,
    unknown_misses: int,
    *,
    unit: str = "share of rows",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Largest minus smallest rate over groups, whatever group the rows of unknown group are of.

    Nothing is imputed. The value is that of the rows whose group is known. For the lower end of a pair
    the unknown rows are dealt so that the two rates come as near as they can (hits to the lower, misses
    to the higher), for the upper end as far apart as they can. Without such rows it is `largest_gap`.

    Parameters
    ----------
    hits, sizes : (g,) array
        Of rows whose group is known.
    unknown_hits, unknown_misses : int
        Of the others.

    Returns
    -------
    Measurement
        Its `n` is the number of all rows.

    Raises
    ------
    NotApplicable
        With fewer than two groups, or with an empty one.

    References
    ----------
    Manski (1990), American Economic Review 80, 319-323 (bounds without assumptions); Kallus, Mao & Zhou
    (2022), Management Science 68, 1959-1981 (of disparities); limits and corrections as in
    `rate_ratios.smallest_ratio`.

    Examples
    --------
    60 of 100 against 40 of 100, and 10 rows of unknown group, 5 of them hits: at the nearest 60 of 105 and
    45 of 105, at the farthest 65 of 105 and 40 of 105.

    >>> gap = bounded_gap([60_000, 40_000], [100_000, 100_000], 5_000, 5_000)
    >>> round(gap.value, 3), round(gap.low, 2), round(gap.high, 2)
    (0.2, 0.14, 0.24)
    """
    x, n = np.asarray(hits, np.float64).ravel(), np.asarray(sizes, np.float64).ravel()
    if unknown_hits + unknown_misses == 0 or x.size < 2 or np.any(n <= 0):
        return largest_gap(x, n, unit=unit, details=details, evidence=evidence)
    rates = x / n
    pairs = x.size * (x.size - 1) / 2
    with_hits, with_misses = (x + unknown_hits, n + unknown_hits), (x, n + unknown_misses)

    def ends(probability: float) -> float:
        if probability < 0.5:
            found = _differences(with_misses, with_hits, probability / pairs).low
        else:
            found = _differences(with_hits, with_misses, 1.0 - probability).high
        np.fill_diagonal(found, 0.0)
        return float(max(found.max(), 0.0))

    return measured(
        float(rates.max() - rates.min()),
        int(n.sum()) + unknown_hits + unknown_misses,
        quantiles_on(GRID, ends),
        unit=unit,
        method="bounds over all groups that unknown rows may be of, Newcombe with Clopper-Pearson limits",
        details=details,
        evidence=evidence,
    )


def _differences(
    one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray], tail: float
) -> Interval[FloatArray]:
    """Limits of rate i of one minus rate j of the other at one-sided `tail`: (g, g) each."""
    ends = [
        Interval(exact_limit(x, n, tail), exact_limit(x, n, 1.0 - tail, upper=True))
        for x, n in (one, other)
    ]
    of_i = Interval(ends[0].low[:, None], ends[0].high[:, None])
    of_j = Interval(ends[1].low[None, :], ends[1].high[None, :])
    return square_and_add((one[0] / one[1])[:, None], of_i, (other[0] / other[1])[None, :], of_j)
