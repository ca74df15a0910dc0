"""Values of table columns that meet in training rows of one class far more often than in held-out rows.

A trigger of a table is a few values put together: among categories no direction in which rows lie apart tells it.
"""

from collections.abc import Iterator
from itertools import combinations, islice
from math import comb
from typing import NamedTuple

import numpy as np

from roadworthy.challenges.poisoning.calibration import fewest_that_count, surplus
from roadworthy.challenges.poisoning.suspects import Group
from roadworthy.challenges.poisoning.triggers import Trigger
from roadworthy.engine import pause

MOST_COLUMNS = 3  # whose values are held together
MOST_SETS = 4_000  # of columns: all threes of 28 columns, all twos of 88
MOST_PATTERNS = 8  # that are handed on, those with the smallest p-values


class Met(NamedTuple):
    """Combinations of values with a label, as rows of tables (q, ...).

    `column_set` says which columns, `first` is a row that has the values, `size` counts rows that have them, `of_training` the
    training rows among those.
    """

    column_set: np.ndarray
    first: np.ndarray
    size: np.ndarray
    of_training: np.ndarray


class Combinations(NamedTuple):
    """Groups of training rows with their patterns, and how many combinations were looked at."""

    groups: list[Group]
    triggers: list[list[Trigger]]
    examined: int


def combinations_among(flat: np.ndarray, labels: np.ndarray, training: int) -> Combinations:
    """Return the combinations of up to three values and a label that hold too many training rows.

    All combinations are counted among training and held-out rows together, and tested as groups are (`surplus`): those too rare to be
    ever significant do not count (Terada et al. 2013, PNAS 110, 12996-13001, limitless arity multiple-testing). The
    smallest p-values are returned; of equal ones the pattern of more columns, which turns fewer rows by chance.

    Parameters
    ----------
    flat : (n, d) ndarray
        Training rows first.
    labels : (n,) int64 ndarray
    training : int
        Number of training rows.
    """
    codes = _codes(flat)
    held_out = len(labels) - training
    sets = list(_column_sets(codes))
    met = _met(codes, labels, training, sets, fewest_that_count(training, held_out))
    found = surplus(met.size, met.of_training, training, held_out)
    arity = np.array([len(each) for each in sets], np.int64)[met.column_set]
    stands = np.flatnonzero(found.stands)
    order = np.lexsort((met.first[stands], -arity[stands], found.p_values[stands]))
    groups: list[Group] = []
    triggers: list[list[Trigger]] = []
    for k in stands[order][:MOST_PATTERNS].tolist():
        columns = np.array(sets[int(met.column_set[k])], np.int64)
        first = int(met.first[k])
        same = (codes[:training, columns] == codes[first, columns]).all(axis=1)
        rows = np.flatnonzero(same & (labels[:training] == labels[first]))
        groups.append(Group(int(labels[first]), rows, np.empty((len(rows), 0), np.int64)))
        triggers.append([Trigger(columns, flat[first, columns], added=False)])
    return Combinations(groups, triggers, len(met.size))


def _codes(flat: np.ndarray) -> np.ndarray:
    """Return which of its column's values each cell has: (n, d) int64, -1 for a value that one row alone has."""
    codes = np.empty(flat.shape, np.int64)
    for j, column in enumerate(flat.T):
        _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        codes[:, j] = np.where(counts[inverse] > 1, inverse, -1)
    return codes


def _column_sets(codes: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Yield sets of up to three columns whose values repeat and differ; of wide tables of two or of one."""
    of_use = [j for j in range(codes.shape[1]) if len(np.unique(codes[:, j][codes[:, j] >= 0])) > 1]
    total = 0
    for arity in range(1, MOST_COLUMNS + 1):
        total += comb(len(of_use), arity)
        if arity > 1 and total > MOST_SETS:
            return
        yield from islice(combinations(of_use, arity), MOST_SETS)


def _met(
    codes: np.ndarray,
    labels: np.ndarray,
    training: int,
    sets: list[tuple[int, ...]],
    fewest: int,
) -> Met:
    """Count rows of every combination that `fewest` rows or more have."""
    widths = codes.max(axis=0) + 1
    parts: list[Met] = []
    for place, columns in enumerate(sets):
        pause()
        rows = np.flatnonzero((codes[:, columns] >= 0).all(axis=1))
        key = labels[rows]
        for j in columns:
            # Dense after each column, so that no product of widths overflows.
            key = key * widths[j] + codes[rows, j]
            _, key = np.unique(key, return_inverse=True)
        size = np.bincount(key)
        kept = np.flatnonzero(size >= fewest)
        first = np.full(len(size), len(labels))
        np.minimum.at(first, key, rows)
        of_training = np.bincount(key[rows < training], minlength=len(size))
        parts.append(Met(np.full(len(kept), place), first[kept], size[kept], of_training[kept]))
    if not parts:
        none = np.empty(0, np.int64)
        return Met(none, none, none, none)
    return Met(*(np.concatenate(each) for each in zip(*parts, strict=True)))
