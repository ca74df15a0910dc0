"""Which rows of two sets of fields are the same row: by content, or by place where inputs were edited."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")

Fields = Mapping[str, Any]  # Any: a field may hold whatever an artifact takes
Values = Callable[[Sequence[str]], Mapping[str, Any]]  # Any: what artifacts returned; None: absent


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows of one split that both sides have.

    Parameters
    ----------
    before, after : (m,) int64 ndarray
        Positions of the same rows on either side.
    n_before, n_after : int
        Rows of the split on either side.
    """

    before: np.ndarray
    after: np.ndarray
    n_before: int
    n_after: int

    @property
    def n(self) -> int:
        """How many rows are shared."""
        return len(self.before)

    @property
    def is_whole(self) -> bool:
        """Whether neither side has a row that the other lacks."""
        return self.n == self.n_before == self.n_after


def paired_rows(
    before: Fields, after: Fields, values_before: Values, values_after: Values
) -> dict[str, Pairs]:
    """Return the shared rows of each split that both sides have.

    Rows are the same where their content is (`row_ids`). Where not all are, and the rows have the same
    places in the source and the same target, they are paired by place: a change that edits inputs
    (units, missing values) makes no other row of them. So are rows without inputs.

    Parameters
    ----------
    before, after : mapping of field to value
    values_before, values_after : callable
        Take names of artifacts and return their values, None where there is none.
    """
    found: dict[str, Pairs] = {}
    for split in SPLITS:
        sizes = _rows(before, split), _rows(after, split)
        if sizes[0] is None or sizes[1] is None:
            continue
        if _same_places(before, after, split):
            places = np.arange(sizes[0])
            found[split] = Pairs(places, places, sizes[0], sizes[1])
            continue
        name = f"{split}_row_ids"
        one, other = values_before([name])[name], values_after([name])[name]
        if one is not None and other is not None:
            _, first, second = np.intersect1d(one, other, return_indices=True)
            order = np.argsort(first, kind="stable")
            found[split] = Pairs(first[order], second[order], len(one), len(other))
    return found


def _rows(fields: Fields, split: str) -> int | None:
    places = fields.get(f"{split}_source_rows")
    return len(places) if isinstance(places, np.ndarray) else None


def _same_places(before: Fields, after: Fields, split: str) -> bool:
    return all(
        same_values(before.get(f"{split}_{name}"), after.get(f"{split}_{name}"))
        for name in ("source_rows", "labels", "targets")
    )


def same_values(one: Any, other: Any) -> bool:  # Any: arrays or Missing
    """Whether two fields hold the same array, or neither holds one."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one is other or np.array_equal(one, other)
    return isinstance(one, np.ndarray) == isinstance(other, np.ndarray)
