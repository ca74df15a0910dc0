"""Slices that nobody named: parts of the rows, by one to three conditions, in which something happens more often.

The worst of many slices is bad by luck alone: among 300 slices of noise the worst "error" is often
half as large again as the mean. Slices are therefore found on one half of the rows and measured on the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics.differences import rate_difference
from roadworthy.statistics.distributions import GRID, interval_of, limit, quantiles_on
from roadworthy.statistics.intervals import (
    FloatArray,
    Interval,
    exact_limit,
    exact_newcombe,
    square_and_add,
)
from roadworthy.statistics.multiplicity import benjamini_hochberg
from roadworthy.statistics.rates import measured
from roadworthy.statistics.wording import percent

LEAST_ROWS = 30
LEAST_SHARE, MOST_SHARE = 0.1, 0.4  # of the rows that a planted part holds
FALSE_DISCOVERIES = 0.05  # expected share among the slices that the first half offers
LEAST_ADDED = 0.02  # by which a narrower slice must be worse than each wider one
OVERLAP = 0.7  # shared share of two slices (Jaccard) from which they count as one
MOST_FOUND = 10
MOST_AT_THE_END = 64  # slices whose upper end may be the largest


@dataclass(frozen=True, eq=False)
class Conditions:
    """What can be said of a row: of each of k columns one of a few values.

    Parameters
    ----------
    codes : (n, k) int64 ndarray
        Position of the value in `values`; -1 where nothing is known.
    names : tuple of str
        Of the columns.
    values : tuple of tuple of str
        A phrase for each value of each column, such as "age above 48".
    """

    codes: np.ndarray
    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    def take(self, rows: np.ndarray) -> "Conditions":
        """Return the conditions of these rows (positions or a mask)."""
        return Conditions(self.codes[rows], self.names, self.values)


@dataclass(frozen=True)
class Slice:
    """A part of the rows: those that meet every condition.

    Parameters
    ----------
    conditions : tuple of (int, int)
        Column and value, as positions in a `Conditions`.
    name : str
        In words.
    """

    conditions: tuple[tuple[int, int], ...]
    name: str

    def rows(self, of: Conditions) -> np.ndarray:
        """Return which rows belong to it: (n,) bool."""
        meets = [of.codes[:, column] == value for column, value in self.conditions]
        return np.logical_and.reduce(meets)


@dataclass(frozen=True)
class ConfirmedSlice:
    """A slice found on one half: how far it is above the other rows there, and on the other half.

    Parameters
    ----------
    slice : Slice
    found, confirmed : Measurement
        Rate inside minus rate outside, each on its half. Only the second is free of the choice.
    """

    slice: Slice
    found: Measurement
    confirmed: Measurement


@dataclass(frozen=True, eq=False)
class _Candidates:
    """All slices with enough rows: members as positions of single conditions, rows and hits of each."""

    members: tuple[tuple[int, ...], ...]
    rows: FloatArray
    hits: FloatArray


def largest_excess(
    conditions: Conditions,
    hits: np.ndarray,
    is_second_half: np.ndarray,
    *,
    floor: int,
    depth: int = 2,
    unit: str = "share of rows above the rest",
) -> tuple[Measurement, list[ConfirmedSlice]]:
    """How much more often something happens in the worst slice than outside it.

    Slices of up to `depth` conditions with `floor` rows or more in each half are tested on the first half
    (Fisher's exact test, Benjamini-Hochberg); narrower ones stay only where they add to every wider one, near copies go.
    What is left, at most ten, is measured on the second half. The lower end is the largest lower end there, each
    at a tenth of the error where there are ten (Bonferroni). To claim that no slice is above a bound every one must be below it, and none needs a
    correction: the upper end is the largest upper end of any slice, on all rows.

    Parameters
    ----------
    conditions : Conditions
        Of n rows.
    hits : (n,) bool array
        Whether it happened.
    is_second_half : (n,) bool array
        Which rows confirm. May depend on what the rows are, never on `hits`.
    floor : int
        Fewest rows of a slice in each half, and outside it.
    depth : int
        1 to 3.
    unit : str

    Returns
    -------
    Measurement
        Of the worst slice; its `n` is the number of all rows.
    list of ConfirmedSlice
        The surest first. Empty where the first half offers none.

    Raises
    ------
    NotApplicable
        Where no slice has enough rows.

    References
    ----------
    Chung et al. (2019), "Slice Finder", ICDE (search over conjunctions); Agrawal & Srikant (1994), VLDB (supports from those
    of the parts); Berger (1982), Technometrics 24, 295-300 (upper end).

    Examples
    --------
    400 rows, of which those of shop b go wrong twice as often in both halves; .4 - .2:

    >>> shop = np.tile([0, 1], 200)
    >>> wrong = np.arange(400) % 20 < np.where(shop == 0, 4, 8)
    >>> halves = np.arange(400) >= 200
    >>> rows = Conditions(shop[:, None], ("shop",), (("shop a", "shop b"),))
    >>> worst, found = largest_excess(rows, wrong, halves, floor=30)
    >>> round(worst.value, 3), [each.slice.name for each in found]
    (0.2, ['shop b'])
    """
    assert 1 <= depth <= 3, f"slices of {depth} conditions; 1 to 3 are looked at"
    assert len(hits) == len(conditions.codes) == len(is_second_half)
    singles = _singles(conditions, floor, ~is_second_half, is_second_half)
    hits = np.asarray(hits, bool)
    first = _counted(singles, hits, ~is_second_half, depth)
    every = _counted(singles, hits, np.ones(len(hits), bool), depth)
    second = _counted(singles, hits, is_second_half, depth)
    n_first, n_second = int(np.sum(~is_second_half)), int(np.sum(is_second_half))
    enough = _enough(first, n_first, floor) & _enough(second, n_second, floor)
    if not enough.any():
        raise NotApplicable(
            f"no part of the {len(hits):,} rows that a condition describes has {floor} rows in each half, "
            "and as many outside it"
        )
    order = _found(singles, first, enough, hits & ~is_second_half, n_first)
    chosen = order or [_strongest(first, enough, hits & ~is_second_half, n_first)]
    confirmed = [
        ConfirmedSlice(
            _slice(conditions, singles, first.members[k]),
            _excess(first, k, n_first, int(np.sum(hits & ~is_second_half)), unit),
            _excess(second, k, n_second, int(np.sum(hits & is_second_half)), unit),
        )
        for k in chosen
    ]
    # What the second half is surest of comes first: the lower end, the value and the words are of one slice.
    tail = 0.025 / len(confirmed)
    confirmed = sorted(confirmed, key=lambda each: -limit(each.confirmed.distribution, tail))
    contenders = _contenders(every, enough, len(hits), int(hits.sum()))
    middle = max(_upper_end(contenders, 0.5), 0.0)

    def ends(probability: float) -> float:
        if probability >= 0.5:
            return max(_upper_end(contenders, probability), 0.0)
        tail = probability / len(confirmed)
        sure = max(limit(each.confirmed.distribution, tail) for each in confirmed)
        return min(max(sure, 0.0), middle)

    distribution = quantiles_on(GRID, ends)
    low, high = interval_of(distribution)
    worst = measured(
        min(max(confirmed[0].confirmed.value, low, 0.0), high),
        len(hits),
        distribution,
        unit=unit,
        method="found on one half, confirmed on the other; largest upper end of all slices",
    )
    return worst, confirmed if order else []


def fewest_rows(n: int, smallest_group: float | None, least_share: float) -> int:
    """Return how many rows a slice needs in each half: its share of n rows, or what a group needs to be judged, halved.

    At least 30 (rates of fewer say nothing).

    >>> fewest_rows(10_000, None, 0.05), fewest_rows(10_000, 200, 0.05), fewest_rows(400, None, 0.05)
    (250, 100, 30)
    """
    wanted = least_share * n if smallest_group is None else smallest_group
    return max(LEAST_ROWS, round(wanted / 2.0))


def some_part(conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
    """Return a part of the rows that one condition describes, of a tenth to four tenths, drawn by chance: (n,) bool.

    For planting.

    Raises
    ------
    NotApplicable
        Where no condition holds for so many.
    """
    n = len(conditions.codes)
    parts = [
        (column, value)
        for column, values in enumerate(conditions.values)
        for value in range(len(values))
        if LEAST_SHARE * n <= np.sum(conditions.codes[:, column] == value) <= MOST_SHARE * n
    ]
    if not parts:
        raise NotApplicable(
            f"no condition holds for {percent(LEAST_SHARE)} to {percent(MOST_SHARE)} of the {n:,} rows"
        )
    column, value = parts[int(rng.integers(len(parts)))]
    return conditions.codes[:, column] == value


def search(conditions: Conditions, hits: np.ndarray, *, floor: int, depth: int = 2) -> list[Slice]:
    """Return the parts in which something happens more often than outside, the surest first; ten at most.

    As the first half does in `largest_excess`, on all the rows given: a list to act on, not a measurement.

    Parameters
    ----------
    conditions : Conditions
        Of n rows.
    hits : (n,) bool array
    floor : int
        Fewest rows of a slice, and outside it.
    depth : int
    """
    hits, every = np.asarray(hits, bool), np.ones(len(hits), bool)
    singles = _singles(conditions, floor, every)
    counted = _counted(singles, hits, every, depth)
    enough = _enough(counted, len(hits), floor)
    if not enough.any():
        return []
    chosen = _found(singles, counted, enough, hits, len(hits))
    return [_slice(conditions, singles, counted.members[k]) for k in chosen]


@dataclass(frozen=True, eq=False)
class _Singles:
    """Single conditions: column and value of each, and which rows meet it, (n, v) float64 of 0 and 1."""

    pairs: tuple[tuple[int, int], ...]
    meets: FloatArray


def _singles(conditions: Conditions, floor: int, *parts: np.ndarray) -> _Singles:
    """Return the conditions that at least `floor` rows of every part of the rows meet, and as many do not.

    A majority is a part as well: where it is worse than the rest, no smaller part need be.
    """
    pairs: list[tuple[int, int]] = []
    columns: list[np.ndarray] = []
    for column, values in enumerate(conditions.values):
        for value in range(len(values)):
            meets = conditions.codes[:, column] == value
            fewest = min(min(np.sum(meets & part), np.sum(~meets & part)) for part in parts)
            if fewest >= floor:
                pairs.append((column, value))
                columns.append(meets)
    meets = np.array(columns, np.float64).reshape(len(columns), len(conditions.codes)).T
    return _Singles(tuple(pairs), np.ascontiguousarray(meets))


def _counted(singles: _Singles, hits: np.ndarray, of: np.ndarray, depth: int) -> _Candidates:
    """Return rows and hits of every conjunction, by products of matrices: those of pairs are X'X and X'HX."""
    meets = singles.meets[of]
    happened = meets[hits[of]]
    members: list[tuple[int, ...]] = [(i,) for i in range(len(singles.pairs))]
    rows, hit = [meets.sum(axis=0)], [happened.sum(axis=0)]
    if depth >= 2:
        above = _pairs(singles)
        members += [(int(i), int(j)) for i, j in above]
        rows.append((meets.T @ meets)[above[:, 0], above[:, 1]])
        hit.append((happened.T @ happened)[above[:, 0], above[:, 1]])
    if depth == 3:
        for i, others in _triples(singles):
            members += [(i, int(j), int(k)) for j, k in others]
            inside, wrong = meets[meets[:, i] > 0], happened[happened[:, i] > 0]
            rows.append((inside.T @ inside)[others[:, 0], others[:, 1]])
            hit.append((wrong.T @ wrong)[others[:, 0], others[:, 1]])
    return _Candidates(tuple(members), np.concatenate(rows), np.concatenate(hit))


def _pairs(singles: _Singles) -> np.ndarray:
    """Positions of two conditions on different columns, (m, 2)."""
    found = [
        (i, j)
        for i, j in combinations(range(len(singles.pairs)), 2)
        if singles.pairs[i][0] != singles.pairs[j][0]
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _triples(singles: _Singles) -> Iterator[tuple[int, np.ndarray]]:
    """Return each condition with the pairs behind it that complete it to three on different columns."""
    pairs = _pairs(singles)
    columns = np.array([column for column, _ in singles.pairs], np.int64)
    for i in range(len(singles.pairs)):
        later = (pairs[:, 0] > i) & (columns[pairs] != columns[i]).all(axis=1)
        if later.any():
            yield i, pairs[later]


def _enough(of: _Candidates, n: int, floor: int) -> np.ndarray:
    return (of.rows >= floor) & (n - of.rows >= floor)


def _found(
    singles: _Singles, first: _Candidates, enough: np.ndarray, hits: np.ndarray, n: int
) -> list[int]:
    """Return the candidates that the first half offers, the surest first, without near copies."""
    p = np.ones(len(enough))
    p[enough] = _more_often(first.hits[enough], first.rows[enough], int(hits.sum()), n)
    offered = np.zeros(len(enough), bool)
    offered[enough] = benjamini_hochberg(p[enough]) <= FALSE_DISCOVERIES
    rates = first.hits / np.maximum(first.rows, 1.0)
    position = {members: k for k, members in enumerate(first.members)}
    order = np.argsort(-_surely(first, int(hits.sum()), n), kind="stable")
    kept: list[int] = []
    seen: list[np.ndarray] = []
    for k in order:
        if not offered[k] or not _adds(int(k), first, rates, position):
            continue
        rows = np.asarray(singles.meets[:, list(first.members[k])].all(axis=1))
        if any(_jaccard(rows, other) > OVERLAP for other in seen):
            continue
        kept.append(int(k))
        seen.append(rows)
        if len(kept) == MOST_FOUND:
            break
    return kept


def _strongest(first: _Candidates, enough: np.ndarray, hits: np.ndarray, n: int) -> int:
    surely = np.where(enough, _surely(first, int(hits.sum()), n), -np.inf)
    return int(surely.argmax())


def _more_often(hits: FloatArray, rows: FloatArray, all_hits: int, n: int) -> FloatArray:
    """One-sided p of "no more often inside than outside" (Fisher's exact test)."""
    from scipy.stats import hypergeom

    return np.clip(hypergeom.sf(hits - 1, n, all_hits, rows), 0.0, 1.0)


def _surely(of: _Candidates, all_hits: int, n: int) -> FloatArray:
    """Excess over the rest less two standard errors: how bad a slice surely is. An order, no test."""
    inside, outside = np.maximum(of.rows, 1.0), np.maximum(n - of.rows, 1.0)
    # Two successes and two failures are added to each (Agresti & Caffo 2000), so that none is without doubt.
    a, b = (of.hits + 1.0) / (inside + 2.0), (all_hits - of.hits + 1.0) / (outside + 2.0)
    return a - b - 2.0 * np.sqrt(a * (1 - a) / (inside + 2.0) + b * (1 - b) / (outside + 2.0))


def _adds(k: int, of: _Candidates, rates: FloatArray, position: dict[tuple[int, ...], int]) -> bool:
    """Whether a slice is worse than each that leaves out one of its conditions, beyond luck."""
    members = of.members[k]
    for left_out in members if len(members) > 1 else ():
        wider = position[tuple(m for m in members if m != left_out)]
        if rates[k] < rates[wider] + LEAST_ADDED:
            return False
        counts = np.array([of.hits[k]]), np.array([of.rows[k]])
        p = _more_often(*counts, int(of.hits[wider]), int(of.rows[wider]))
        if p[0] > 0.05:
            return False
    return True


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum(a & b) / max(np.sum(a | b), 1))


def _slice(conditions: Conditions, singles: _Singles, members: tuple[int, ...]) -> Slice:
    pairs = tuple(singles.pairs[m] for m in members)
    return Slice(pairs, " and ".join(conditions.values[c][v] for c, v in pairs))


def _excess(of: _Candidates, k: int, n: int, all_hits: int, unit: str) -> Measurement:
    rows, hits = of.rows[k], of.hits[k]
    return rate_difference(hits, rows, all_hits - hits, n - rows, unit=unit)


@dataclass(frozen=True, eq=False)
class _Contenders:
    """Slices whose upper end may be the largest: hits and rows of each, and of the rows outside it."""

    hits: FloatArray
    rows: FloatArray
    hits_outside: FloatArray
    rows_outside: FloatArray


def _contenders(every: _Candidates, enough: np.ndarray, n: int, all_hits: int) -> _Contenders:
    """Return the few that can come to the top: the largest end at one level is near it at every other."""
    rows, hits = every.rows[enough], every.hits[enough]
    apart = exact_newcombe(hits, rows, all_hits - hits, n - rows)
    excess = hits / rows - (all_hits - hits) / (n - rows)
    near = np.argsort(-apart.high)[:MOST_AT_THE_END], np.argsort(-excess)[:MOST_AT_THE_END]
    kept = np.unique(np.concatenate(near))
    return _Contenders(hits[kept], rows[kept], all_hits - hits[kept], n - rows[kept])


def _upper_end(of: _Contenders, probability: float) -> float:
    """Largest upper end: that of `exact_newcombe`, at any level."""
    inside = _limits(of.hits, of.rows, 1.0 - probability)
    outside = _limits(of.hits_outside, of.rows_outside, 1.0 - probability)
    rates = of.hits / of.rows, of.hits_outside / of.rows_outside
    return float(np.max(square_and_add(rates[0], inside, rates[1], outside).high))


def _limits(hits: FloatArray, rows: FloatArray, tail: float) -> Interval[FloatArray]:
    low = exact_limit(hits, rows, tail)
    return Interval(low, exact_limit(hits, rows, 1.0 - tail, upper=True))
