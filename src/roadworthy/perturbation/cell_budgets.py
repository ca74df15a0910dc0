"""Budgets of the columns of a table, from its training rows: spreads, ranges, whole numbers, what changes together."""

from collections.abc import Sequence

import numpy as np

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.cells import Cells, Switch

MOST_PATTERNS = 1000  # of a category: beyond, it is a name and no category


def cells_within(
    inputs: np.ndarray,
    numeric: np.ndarray,
    budgets: np.ndarray,
    *,
    swaps: int,
    rising: Sequence[int] = (),
    falling: Sequence[int] = (),
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
        _directed(s, rising, falling)
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
        patterns = np.eye(len(group)) if len(group) > 1 else np.array([[0.0], [1.0]])
        found.append(Switch(group, tuple(tuple(p) for p in patterns.tolist()), False))
    return found


def _directed(switch: Switch, rising: Sequence[int], falling: Sequence[int]) -> Switch:
    """Leave a column of 0 and 1 the way that it may go."""
    directed = {*rising, *falling} & set(switch.columns)
    if not directed:
        return switch
    (column, *others) = switch.columns
    if others or switch.coded:
        raise UserError(
            f"Column(s) {sorted(directed)} (counted from 0) cannot rise or fall: they stand for one of several "
            "categories. Leave them out, or keep them as they are."
        )
    end = 1.0 if column in rising else 0.0
    return Switch(switch.columns, ((end,),), True)


def _groups(inputs: np.ndarray, flags: Sequence[int]) -> list[tuple[int, ...]]:
    """Divide columns of 0 and 1 into runs of which exactly one is 1 in every row, and single ones."""
    found: list[tuple[int, ...]] = []
    at = 0
    while at < len(flags):
        total, size = np.zeros(len(inputs)), 1
        for end in range(at, len(flags)):
            total = total + inputs[:, flags[end]]  # NaN where a value is missing
            if (total == 1).all():
                size = end - at + 1
                break
            if (total > 1).any() or np.isnan(total).any():
                break
        found.append(tuple(flags[at : at + size]))
        at += size
    return found
