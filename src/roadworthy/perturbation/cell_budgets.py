"""Budgets of the columns of a table, from its training rows: spreads, ranges, whole numbers, what changes together."""

from collections.abc import Sequence

import numpy as np

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.cells import Cells, Switch

BEYOND_LUCK = (
    7.0  # rows expected to have two of the columns, and none has: by luck one time in 1,000
)
MOST_PATTERNS = 1000  # of a category: beyond, it is a name and no category


def cells_within(
    inputs: np.ndarray,
    numeric: np.ndarray,
    budgets: np.ndarray,
    *,
    swaps: int,
    rising: Sequence[int] = (),
    falling: Sequence[int] = (),
    names: Sequence[str] = (),
) -> Cells:
    """Return the threat that the training rows and the budgets of columns make.

    Parameters
    ----------
    inputs : (n, d) ndarray
        Training rows, NaN where a value is missing.
    numeric : (d,) bool ndarray
        Which columns are numbers; the others are codes of categories.
    budgets : (d,) ndarray
        In spreads of the column (interquartile range / 1.349, the standard deviation where that is 0); 0: it stays.
        For categories and columns of 0 and 1 any other number says that they may be swapped.
    swaps : int
        Categories that may be swapped in one row.
    rising, falling : sequence of int
        Columns that may only grow, or only shrink.
    names : sequence of str
        Of the columns, to say which is meant; their positions where none are given.

    Raises
    ------
    UserError
        Where a column that may only rise or fall stands for a category.
    """
    if len(inputs) == 0:
        raise NotApplicable("there are no training rows to take the spread of columns from")
    d = inputs.shape[1]
    down, low, high, whole = np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d, bool)
    flags = [j for j in range(d) if numeric[j] and _is_flag(inputs[:, j])]
    for j in np.flatnonzero(numeric):
        present = inputs[np.isfinite(inputs[:, j]), j].astype(np.float64)
        if j in flags or len(present) == 0:
            continue
        low[j], high[j] = present.min(), present.max()
        whole[j] = bool((present == np.round(present)).all())
        reach = budgets[j] * _spread(present)
        down[j] = np.floor(reach) if whole[j] else reach
    up = down.copy()
    down[list(rising)] = 0.0
    up[list(falling)] = 0.0
    switches = [
        _directed(s, rising, falling, names)
        for s in _switches(inputs, numeric, flags)
        if (budgets[list(s.columns)] > 0).all()
    ]
    return Cells(down, up, low, high, whole, tuple(switches), swaps)


def _spread(present: np.ndarray) -> float:
    low, high = np.quantile(present, [0.25, 0.75])
    found = float((high - low) / 1.349) or float(present.std())
    # A constant column of large values has a spread of rounding errors.
    return found if found > 1e-9 * np.abs(present).max() else 0.0


def _is_flag(column: np.ndarray) -> bool:
    present = column[~np.isnan(column)]
    return set(np.unique(present).tolist()) == {0.0, 1.0}


def _switches(inputs: np.ndarray, numeric: np.ndarray, flags: Sequence[int]) -> list[Switch]:
    found: list[Switch] = []
    for j in np.flatnonzero(~numeric):
        codes = np.unique(inputs[np.isfinite(inputs[:, j]), j])
        if 2 <= len(codes) <= MOST_PATTERNS:
            found.append(Switch((int(j),), tuple((float(c),) for c in codes), True))
    for group in _groups(inputs, flags):
        patterns = np.eye(len(group))
        if (inputs[:, group].sum(axis=1) == 0).any():
            patterns = np.concatenate([np.zeros((1, len(group))), patterns])
        found.append(Switch(group, tuple(tuple(p) for p in patterns.tolist()), False))
    return found


def _directed(
    switch: Switch, rising: Sequence[int], falling: Sequence[int], names: Sequence[str]
) -> Switch:
    """Leave a column of 0 and 1 the way that it may go."""
    directed = {*rising, *falling} & set(switch.columns)
    if not directed:
        return switch
    (column, *others) = switch.columns
    if others or switch.coded:
        meant = ", ".join(names[j] if names else f"column {j} (from 0)" for j in sorted(directed))
        raise UserError(
            f"{meant} cannot rise or fall: it stands for one of several categories, which have no order. Name "
            "it under fixed if nobody can change it, or leave it out of rising and falling."
        )
    end = 1.0 if column in rising else 0.0
    return Switch(switch.columns, ((end,),), True)


def _groups(inputs: np.ndarray, flags: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide columns of 0 and 1 into groups that stand for one category, wherever they lie, and single ones.

    First those of which exactly one is 1 in every row; of the others those of which never two are, where that is beyond
    luck (a category whose first value has no column of its own).
    """
    known = [j for j in flags if not np.isnan(inputs[:, j]).any()]
    ones = (inputs[:, known] == 1).astype(np.float64)
    together, n = ones.T @ ones, len(inputs)
    counts = np.diag(together)
    found: list[tuple[int, ...]] = []
    left = list(range(len(known)))
    for fewest, everywhere in ((0.0, True), (BEYOND_LUCK, False)):
        for first in list(left):
            if first not in left:
                continue
            group = [first]
            for j in sorted(left, key=lambda j: -counts[j]):
                by_luck = counts[group].sum() * counts[j] / n
                if j not in group and not together[j, group].any() and by_luck >= fewest:
                    group.append(j)
            if len(group) > 1 and (counts[group].sum() == n or not everywhere):
                found.append(tuple(sorted(known[j] for j in group)))
                left = [j for j in left if j not in group]
    single = [(j,) for j in flags if not any(j in group for group in found)]
    return sorted([*found, *single])
