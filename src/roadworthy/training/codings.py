"""Rows as vectors that a generator can make, and back: tables by ranks and one-hot blocks, arrays by range."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

if TYPE_CHECKING:
    from roadworthy.subject import Column

EDGE = 1e-3  # share of a tail that is cut, so that normal scores stay within 3.1


@dataclass(frozen=True, eq=False)
class _Numbers:
    """A numeric column by its sorted present values."""

    values: np.ndarray
    is_whole: bool
    is_smooth: bool

    @staticmethod
    def of(column: np.ndarray) -> "_Numbers":
        values = np.sort(column[np.isfinite(column)])
        return _Numbers(
            values,
            is_whole=bool((values == np.round(values)).all()),
            # Between values that recur (0 and the few others of a count) there is nothing.
            is_smooth=2 * len(np.unique(values)) > len(values),
        )

    def scores(self, column: np.ndarray, rng: Generator) -> np.ndarray:
        """Return normal scores of the ranks; ties, and what is missing, are spread at random."""
        from scipy.special import ndtri

        u = rng.random(len(column))
        present = np.isfinite(column)
        left, right = (np.searchsorted(self.values, column[present], s) for s in ("left", "right"))
        u[present] = (left + u[present] * (right - left)) / max(1, len(self.values))
        return ndtri(u.clip(EDGE, 1 - EDGE))

    def at(self, u: np.ndarray) -> np.ndarray:
        """Return the values at these shares of the ranks."""
        m = len(self.values)
        if m == 0:
            return np.full(len(u), np.nan)
        if not self.is_smooth:
            return self.values[np.minimum((u * m).astype(int), m - 1)]
        found = np.interp(u * m - 0.5, np.arange(m), self.values)
        return np.round(found) if self.is_whole else found


@dataclass(frozen=True, eq=False)
class TableCoding:
    """Cells of a table as one vector: normal scores of numbers, then one-hot blocks.

    A block stands for a category column (the codes that occur, and missing where that occurs), or says whether a number
    is missing where some are.

    Parameters
    ----------
    columns : tuple of Column
    numbers : dict of position to _Numbers
        Of numeric columns.
    blocks : tuple of (position, codes)
        Codes of a block's slots, NaN for missing; of a numeric column: NaN and 0 (present).
    """

    columns: "tuple[Column, ...]"
    numbers: dict[int, _Numbers]
    blocks: tuple[tuple[int, np.ndarray], ...]

    @staticmethod
    def of(inputs: np.ndarray, columns: "tuple[Column, ...]") -> "TableCoding":
        """Fit to the rows of a table."""
        numbers = {
            j: _Numbers.of(inputs[:, j]) for j, c in enumerate(columns) if c.kind == "numeric"
        }
        blocks: list[tuple[int, np.ndarray]] = []
        for j, column in enumerate(columns):
            if column.kind == "category":
                blocks.append((j, np.unique(inputs[:, j])))  # NaN, once, is the last
            elif not np.isfinite(inputs[:, j]).all():
                blocks.append((j, np.array([0.0, np.nan])))
        return TableCoding(columns, numbers, tuple(blocks))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of slots of each block."""
        return tuple(len(codes) for _, codes in self.blocks)

    def encode(self, inputs: np.ndarray, rng: Generator) -> np.ndarray:
        """Return the vectors of rows: (n, width) float32."""
        parts = [n.scores(inputs[:, j], rng)[:, None] for j, n in self.numbers.items()]
        for j, codes in self.blocks:
            cells = inputs[:, j]
            if j in self.numbers:
                cells = np.where(np.isfinite(cells), 0.0, np.nan)
            same = (cells[:, None] == codes) | (np.isnan(cells)[:, None] & np.isnan(codes))
            parts.append(same)
        return np.concatenate(parts, axis=1).astype(np.float32)

    def decode(self, vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return the rows (n, d) of generated vectors.

        `known` are vectors from the same generator: a number's rank among theirs says where it lies among the
        real numbers, so that each column as a whole is distributed as the real one, whatever the generator does.
        """
        rows = np.full((len(vectors), len(self.columns)), np.nan)
        for place, (j, numbers) in enumerate(self.numbers.items()):
            scores = np.sort(known[:, place])
            shares = (np.arange(len(scores)) + 0.5) / len(scores)
            rows[:, j] = numbers.at(np.interp(vectors[:, place], scores, shares))
        start = len(self.numbers)
        for (j, codes), size in zip(self.blocks, self.sizes, strict=True):
            slots = codes[vectors[:, start : start + size].argmax(axis=1)]
            rows[:, j] = np.where(
                np.isnan(slots), np.nan, rows[:, j] if j in self.numbers else slots
            )
            start += size
        return rows


@dataclass(frozen=True, eq=False)
class ArrayCoding:
    """Values of an array from -1 to 1 over the range of each position (images: of all of them).

    Parameters
    ----------
    size : tuple of int
    dtype : dtype
    low, high : ndarray
    missing : (m, size) bool ndarray
        Where values are missing in the rows it was fitted to; empty where none is.
    """

    size: tuple[int, ...]
    dtype: np.dtype
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray

    @staticmethod
    def of(inputs: np.ndarray) -> "ArrayCoding":
        """Fit to the rows of an array."""
        flat = inputs.reshape(len(inputs), -1).astype(float)
        present = np.isfinite(flat)
        low = np.where(present, flat, np.inf).min(axis=0)
        high = np.where(present, flat, -np.inf).max(axis=0)
        never = ~present.any(axis=0)
        low[never], high[never] = 0.0, 0.0
        missing = ~present if not present.all() else np.empty((0, flat.shape[1]), bool)
        return ArrayCoding(inputs.shape[1:], inputs.dtype, low, high, missing)

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Return the vectors of rows: (n, width) float32; what is missing lies in the middle."""
        flat = inputs.reshape(len(inputs), -1).astype(float)
        span = np.where(self.high > self.low, self.high - self.low, 1)
        coded = 2 * (flat - self.low) / span - 1
        return np.where(np.isfinite(coded), coded, 0).astype(np.float32)

    def decode(self, vectors: np.ndarray, rng: Generator) -> np.ndarray:
        """Return rows of the dtype and within the range of the real ones, with values missing as in some of them."""
        found = self.low + (vectors.astype(float) + 1) / 2 * (self.high - self.low)
        if self.dtype.kind in "iu":
            found = np.round(found)
        found = found.clip(self.low, self.high)
        if len(self.missing):
            found[self.missing[rng.integers(len(self.missing), size=len(found))]] = np.nan
        return found.reshape(len(found), *self.size).astype(self.dtype)
