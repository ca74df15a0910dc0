"""How many rows of a table would be alike without any having been copied."""

import numpy as np

MOST_COLUMNS = 64
"""Rows with more columns than this are not alike by coincidence."""

FEWEST_PAIRS = 30
"""Below this many pairs that differ in two columns, the ratio that they enter is too noisy."""


def coincidental_share(first: np.ndarray, second: np.ndarray | None = None) -> float:
    """Share of the pairs of identical rows that chance explains: between 0 and 1.

    Few or coarse columns make rows of different origin identical. Where that happens, many more pairs
    agree on all columns but one; copies bring no such pairs with them. With M(j) the number of pairs
    that differ in column j alone and M(jk) in j and k alone, identical pairs by chance number
    M(j) M(k) / M(jk) where agreement on j and k has no interaction (the log-linear model that
    capture-recapture rests on: Bishop, Fienberg & Holland 1975, 6.2). j is the column that pairs differ in
    most often; M(k) and M(jk) are summed over all other columns k. Where these are too few, column j is
    taken to agree with its marginal probability m, which gives M(j) m / (1 - m).

    Parameters
    ----------
    first : (n, d) ndarray
    second : (m, d) ndarray, optional
        Pairs of one row of each; without it, pairs within `first`.
    """
    if first.shape[1] > MOST_COLUMNS:
        return 0.0
    pairs = _Pairs(first, second)
    identical = pairs.agreeing_without()
    if identical == 0:
        return 0.0
    differ = np.array([pairs.agreeing_without(j) for j in range(pairs.d)]) - identical
    j = int(differ.argmax())
    if differ[j] == 0:
        return 0.0
    match = pairs.agreeing_on(j)
    by_chance = differ[j] * match / (1 - match) if match < 1 else identical
    others = [k for k in range(pairs.d) if k != j]
    both = sum(pairs.agreeing_without(j, k) - differ[j] - differ[k] - identical for k in others)
    if both >= FEWEST_PAIRS:
        by_chance = max(by_chance, differ[j] * differ[others].sum() / both)
    return float(min(1.0, by_chance / identical))


class _Pairs:
    """Counts of pairs of rows that agree on chosen columns; a row is a sum of one hash per column."""

    def __init__(self, first: np.ndarray, second: np.ndarray | None) -> None:
        self.n = len(first)
        self.within = second is None
        rows = first if second is None else np.concatenate([first, second])
        rng = np.random.default_rng(0)  # of the hashes; any other gives the same counts
        self.hashes = [_hashed(column, rng) for column in rows.T]
        self.d = len(self.hashes)
        self.whole = np.zeros(len(rows), np.uint64)
        for column in self.hashes:
            self.whole = self.whole + column

    def agreeing_without(self, *left_out: int) -> float:
        """Return the number of pairs that agree on all columns but these."""
        key = self.whole
        for j in left_out:
            key = key - self.hashes[j]
        return self._count(key)

    def agreeing_on(self, j: int) -> float:
        """Return the share of all pairs that agree on column j."""
        total = self.n * (self.n - 1) / 2 if self.within else self.n * (len(self.whole) - self.n)
        return self._count(self.hashes[j]) / total

    def _count(self, key: np.ndarray) -> float:
        _, codes = np.unique(key, return_inverse=True)
        size = int(codes.max()) + 1
        first = np.bincount(codes[: self.n], minlength=size).astype(np.float64)
        if self.within:
            return float((first * (first - 1) / 2).sum())
        return float((first * np.bincount(codes[self.n :], minlength=size)).sum())


def _hashed(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    _, codes = np.unique(column, return_inverse=True)  # every NaN is the same NaN
    return rng.integers(0, 2**64, int(codes.max()) + 1, dtype=np.uint64)[codes]
