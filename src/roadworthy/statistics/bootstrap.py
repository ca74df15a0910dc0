"""The bootstrap of any statistic: BCa where it is defined, reflected elsewhere, clustered or stratified."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement, Quantiles
from roadworthy.statistics.distributions import GRID
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured

IntArray = npt.NDArray[np.intp]
Method = Literal["bca", "reflected", "percentile"]

# Parts left out in turn for the acceleration: its error falls with their number and 200 evaluations
# of the statistic are few beside 999 resamples.
_PARTS = 200
_FEWEST = 39  # 1 / 40 of the resamples beyond the outermost one on each side


def bootstrap(
    statistic: Callable[..., float],
    arrays: Sequence[npt.NDArray[Any]],  # Any: whatever the statistic takes
    rng: np.random.Generator,
    resamples: int = 999,
    strata: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Any smooth statistic of rows, with its BCa bootstrap interval.

    Not for a largest or smallest of several numbers (see `largest_gap`, `largest_of`), whose
    resamples are biased the same way as the estimate; not for a rate near 0 or 1 (see `rate`).

    Parameters
    ----------
    statistic : callable
        Takes the arrays' rows and returns a number.
    arrays : sequence of (n, ...) array
    rng : Generator
    resamples : int
    strata : (n,) array, optional
        Rows are redrawn within their stratum (classes keep their sizes).
    clusters : (n,) array, optional
        Whole clusters are redrawn, all rows of an entity together.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        With fewer than two rows or clusters; where more than 1 % of resamples have no value, or where
        all give the same value, so that they say nothing about chance.

    References
    ----------
    Efron (1987), JASA 82, 171-185 (BCa); Hesterberg (2015), American Statistician 69, 371-386
    (widened for few rows); Davison & Hinkley (1997), Bootstrap Methods and their
    Application, sections 2.4 (clusters), 5.3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> m = bootstrap(np.median, [np.arange(101.0)], rng, unit="years")
    >>> m.value, m.low < 50 < m.high
    (50.0, True)
    """
    blocks = _blocks(len(arrays[0]), strata, clusters)
    if blocks.number < 2:
        raise NotApplicable(f"{blocks.number} row or cluster; resampling needs at least two")
    estimate = float(statistic(*arrays))
    layers = [np.flatnonzero(blocks.layer == code) for code in np.unique(blocks.layer)]

    def at(chosen: IntArray) -> float:
        rows = blocks.rows(chosen)
        return float(statistic(*(a[rows] for a in arrays)))

    def draw() -> IntArray:
        return np.concatenate([layer[rng.integers(0, layer.size, layer.size)] for layer in layers])

    replicates = np.array([at(draw()) for _ in range(resamples)])
    return from_replicates(
        estimate,
        replicates,
        n=len(arrays[0]),
        acceleration=_acceleration(at, blocks.number, layers, rng),
        draws=blocks.number,
        unit=unit,
        details=details,
        evidence=evidence,
    )


def from_replicates(
    estimate: float,
    replicates: npt.ArrayLike,
    *,
    n: int,
    unit: str,
    method: Method = "bca",
    acceleration: float = 0.0,
    draws: int | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return an estimate with its interval, read from values of the statistic on resamples.

    Never give it the resampled maximum or minimum of several numbers: the resamples of an extreme
    are biased as the extreme is, and its interval misses the truth (with eight equally good groups a
    gap is "proven" every time). Use `largest_gap` and `largest_of`, which test instead.

    Parameters
    ----------
    estimate : float
    replicates : (b,) array
    n : int
        Examples behind the estimate.
    method : {"bca", "reflected", "percentile"}
        "bca" corrects for bias in the median and, with `acceleration`, for skewness; where the
        estimate is beyond nearly all replicates (it is undefined there) "reflected" is taken:
        2 x estimate - quantile. "percentile" is for replicates that are draws of the truth itself
        (a posterior), not for resamples.
    acceleration : float
    draws : int, optional
        What was redrawn: clusters where there are some, else n.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        See `bootstrap`.

    Examples
    --------
    Replicates 0 to 100 around 50: no bias, so the ends are their own 2.5 % and 97.5 % points.

    >>> m = from_replicates(50.0, np.arange(101.0), n=100_000, unit="rows")
    >>> round(m.low, 1), round(m.high, 1)
    (2.5, 97.5)
    """
    values = np.asarray(replicates, np.float64).ravel()
    assert values.size >= _FEWEST, f"{values.size} resamples cannot show a tail of 2.5 %"
    kept = np.sort(values[np.isfinite(values)])
    if not np.isfinite(estimate) or kept.size < max(2, 0.99 * values.size):
        raise NotApplicable(
            f"{values.size - kept.size} of {values.size} resamples gave no value; the statistic is "
            "not defined on too many of them (a class or group too small?)"
        )
    if kept[0] == kept[-1]:
        raise NotApplicable(
            f"all {kept.size} resamples gave {kept[0]:.4g}: they say nothing about chance, more or "
            "more varied examples are needed"
        )
    # The tails that so many replicates cannot show are left out; beyond the grid its ends stand.
    grid = GRID[(0.999 / (kept.size + 1) <= GRID) & (1.0 - 0.999 / (kept.size + 1) >= GRID)]
    bias = _median_bias(estimate, kept)
    if method == "bca" and not np.isfinite(bias):
        method = "reflected"
    points = _points(kept, grid, estimate, bias, acceleration, method, draws or n)
    distribution = Quantiles(tuple(map(float, grid)), tuple(map(float, points)))
    name = {"bca": "BCa bootstrap", "reflected": "reflected bootstrap", "percentile": "percentile"}
    return measured(
        estimate,
        n,
        distribution,
        unit=unit,
        method=name[method],
        details=details,
        evidence=evidence,
    )


def _points(
    ordered: FloatArray,
    grid: FloatArray,
    estimate: float,
    bias: float,
    acceleration: float,
    method: Method,
    draws: int,
) -> FloatArray:
    from scipy.special import ndtr

    if method == "percentile":
        return np.quantile(ordered, grid)
    if method == "reflected":
        return 2.0 * estimate - np.quantile(ordered, 1.0 - grid)
    moved = bias + _widened(grid, draws)
    scale = 1.0 - acceleration * moved
    # Past its pole the formula folds back: the outermost replicate stands there.
    shares = np.where(scale > 0.0, ndtr(bias + moved / np.maximum(scale, 1e-12)), moved > 0.0)
    return np.maximum.accumulate(np.quantile(ordered, np.clip(shares, 0.0, 1.0)))


def _widened(grid: FloatArray, draws: int) -> FloatArray:
    """Return normal scores widened for few draws: resamples vary too little by (m - 1) / m, and not by t."""
    from scipy.special import ndtri, stdtrit

    if draws < 2:
        return ndtri(grid)
    return np.sqrt(draws / (draws - 1)) * stdtrit(draws - 1, grid)


def _median_bias(estimate: float, ordered: FloatArray) -> float:
    """Return the normal score of the share of replicates below the estimate; infinite near 0 and 1."""
    from scipy.special import ndtri

    below = np.searchsorted(ordered, estimate, "left")
    upto = np.searchsorted(ordered, estimate, "right")
    share = (below + upto) / (2.0 * ordered.size)
    return float(ndtri(share)) if 0.025 < share < 0.975 else float("inf")


def _acceleration(
    at: Callable[[IntArray], float],
    count: int,
    layers: list[IntArray],
    rng: np.random.Generator,
) -> float:
    """Return the skewness of the leave-out values / 6: parts of rows, each spread over all strata."""
    parts = min(_PARTS, count)
    part_of = np.empty(count, np.intp)
    order = np.concatenate([rng.permutation(layer) for layer in layers])
    part_of[order] = np.arange(count) % parts
    left_out = np.array([at(np.flatnonzero(part_of != j)) for j in range(parts)])
    if not np.all(np.isfinite(left_out)):
        return 0.0
    moved = left_out.mean() - left_out
    spread = np.sum(moved**2)
    return float(np.sum(moved**3) / (6.0 * spread**1.5)) if spread > 0 else 0.0


class Blocks(NamedTuple):
    """What is redrawn as a whole: rows, or clusters of rows; each block lies in one layer (stratum)."""

    order: IntArray
    starts: IntArray
    lengths: IntArray
    layer: IntArray

    @property
    def number(self) -> int:
        """How many blocks there are."""
        return self.starts.size

    def rows(self, chosen: IntArray) -> IntArray:
        """Return the rows of these blocks, one block after the other."""
        if self.number == self.order.size:
            return self.order[self.starts[chosen]]
        lengths = self.lengths[chosen]
        ends = np.cumsum(lengths)
        inside = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        return self.order[np.repeat(self.starts[chosen], lengths) + inside]


def _blocks(n: int, strata: npt.ArrayLike | None, clusters: npt.ArrayLike | None) -> Blocks:
    layer = np.zeros(n, np.intp) if strata is None else _codes(strata)
    codes = np.arange(n) if clusters is None else _codes(clusters)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    lengths = np.diff(starts, append=n)
    first = layer[order[starts]]
    assert np.array_equal(layer[order], np.repeat(first, lengths)), (
        "a cluster lies in two strata; strata must keep clusters whole"
    )
    return Blocks(order, starts, lengths, first)


def _codes(values: npt.ArrayLike) -> IntArray:
    return np.unique(np.asarray(values), return_inverse=True)[1].ravel()
