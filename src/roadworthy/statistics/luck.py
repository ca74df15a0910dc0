"""What luck alone shows: rates of groups drawn again from counts, which are all that a rate depends on.

Resampling rows and counting them again gives the same distribution at thousands of times the cost.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.statistics.intervals import FloatArray

ROUNDING = 1e-9


class Luck(NamedTuple):
    """What groups of these sizes would show if all their rates were equal.

    Parameters
    ----------
    gap : float
        Largest minus smallest rate, on average.
    below : float
        How often the smallest rate is below four fifths of the largest.
    """

    gap: float
    below: float


def redrawn_rates(
    rates: npt.ArrayLike, sizes: npt.ArrayLike, rng: np.random.Generator, resamples: int
) -> FloatArray:
    """Draw rates of groups anew: (b, g), each binomial.

    With a group's own rate this is the bootstrap of its rows; with the common rate the null of equal groups.

    >>> redrawn_rates([0.0, 1.0], [5, 7], np.random.default_rng(0), 2).tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    n = np.asarray(sizes, np.int64)
    p = np.broadcast_to(np.asarray(rates, np.float64), n.shape)
    return rng.binomial(n, p, (resamples, *n.shape)) / n


def luck_of_equal_groups(
    hits: npt.ArrayLike,
    sizes: npt.ArrayLike,
    rng: np.random.Generator,
    resamples: int = 2000,
    fourth: float = 0.8,
) -> Luck:
    """Return what groups of these sizes would show if all had the rate of all together.

    Parameters
    ----------
    hits, sizes : (g,) array
    rng : Generator
    resamples : int
    fourth : float
        The ratio that is asked about.

    Examples
    --------
    Two groups of 100 at a half: E|a - b| = sqrt(2 / pi) x sqrt(2 x .25 / 100) = 0.0564.

    >>> luck = luck_of_equal_groups([50, 50], [100, 100], np.random.default_rng(0), 20_000)
    >>> round(luck.gap, 2)
    0.06
    """
    x, n = np.asarray(hits, np.float64), np.asarray(sizes, np.float64)
    drawn = redrawn_rates(x.sum() / n.sum(), n, rng, resamples)
    low, high = drawn.min(axis=1), drawn.max(axis=1)
    # 4 of 50 against 5 of 50 is four fifths, not below: 0.08 < 0.8 x 0.1 by rounding alone.
    is_below = low < fourth * high * (1.0 - ROUNDING)
    return Luck(float(np.mean(high - low)), float(np.mean(is_below)))
