"""How many rows a severity is, which ones, and an edit of rows over all splits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.subject import Column, Split, Subject

SEEN = ("train", "validation", "test")


@dataclass(frozen=True)
class Pool:
    """The rows of all splits that checks see, laid end to end."""

    sizes: Mapping[str, int]

    @staticmethod
    def of(subject: Subject) -> "Pool":
        """Return the pool of a subject."""
        return Pool({name: subject.splits[name].n for name in SEEN if name in subject.splits})

    @property
    def n(self) -> int:
        """Number of rows."""
        return sum(self.sizes.values())

    def by_split(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the positions within each split of rows of the pool."""
        found: dict[str, np.ndarray] = {}
        start = 0
        for name, size in self.sizes.items():
            found[name] = rows[(rows >= start) & (rows < start + size)] - start
            start += size
        return found


def inputs_of(subject: Subject, name: str) -> np.ndarray:
    """Return the inputs of a split, which must exist."""
    split = subject.splits.get(name)
    if split is None or split.inputs is None:
        raise NotApplicable(f"there are no {name} inputs to plant a fault in")
    return split.inputs


def target_of(subject: Subject, name: str) -> np.ndarray:
    """Return the target of a split, which must exist."""
    split = subject.splits.get(name)
    if split is None or split.target is None:
        raise NotApplicable(f"there is no {name} target to plant a fault in")
    return split.target


def pooled_inputs(subject: Subject) -> np.ndarray:
    """Return the inputs of all splits that checks see."""
    return np.concatenate([inputs_of(subject, name) for name in Pool.of(subject).sizes])


def count_of(severity: float, n: int) -> int:
    """Return the whole number of rows nearest to a share of n."""
    return round(severity * n)


def chosen(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose so many of the rows, in ascending order."""
    if count > len(rows):
        raise NotApplicable(f"{count} rows are to be changed and only {len(rows)} can be")
    return np.sort(rng.choice(rows, count, replace=False))


def with_cells(subject: Subject, column: int, rows: np.ndarray, values: np.ndarray) -> Subject:
    """Return a subject whose table has these values in rows of the pool, one value a row."""
    start = 0
    for name, size in Pool.of(subject).sizes.items():
        here = (rows >= start) & (rows < start + size)
        if here.any():
            inputs = inputs_of(subject, name).copy()
            inputs[rows[here] - start, column] = values[here]
            subject = subject.with_inputs(name, inputs)
        start += size
    return subject


def with_column(subject: Subject, position: int, column: Column) -> Subject:
    """Return a subject with this description of the column at a position."""
    columns = (*subject.columns[:position], column, *subject.columns[position + 1 :])
    return replace(subject, columns=columns)


def kept(subject: Subject, name: str, keep: np.ndarray) -> Subject:
    """Return a subject whose split holds only these rows."""
    return subject if keep.all() else subject.with_split(name, subject.splits[name].take(keep))


def overwritten(
    split: Split, rows: np.ndarray, inputs: np.ndarray, target: np.ndarray | None
) -> Split:
    """Return a split in which rows have other inputs, and another target unless None."""
    assert split.inputs is not None
    new = split.inputs.copy()
    new[rows] = inputs
    if target is None or split.target is None:
        return replace(split, inputs=new)
    targets = split.target.copy()
    targets[rows] = target
    return replace(split, inputs=new, target=targets)


def numeric_columns(subject: Subject) -> list[int]:
    """Return the positions of a table's columns of numbers."""
    if not subject.columns:
        raise NotApplicable("the inputs are no table, so they have no columns to plant this in")
    found = [j for j, column in enumerate(subject.columns) if column.kind == "numeric"]
    if not found:
        raise NotApplicable("no column holds numbers")
    return found
