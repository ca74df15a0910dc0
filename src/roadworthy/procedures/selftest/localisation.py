"""Whether the check named what was planted: rows and columns that differ, against those in its evidence.

Which rows a fault touched is seen by comparing the subject before and after it. A fault whose footprint
cannot be seen so (it changes the number of rows, or most of them) may say it: a field `planted` given to
the subject, a mapping with any of `rows` (split name to positions), `columns` (names) and `truth` (the value
really planted, where rounding to whole rows matters). No check sees that field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from roadworthy.results import Bars, Evidence, Examples, Intervals, Measurement, Table
from roadworthy.subject import Split, Subject

PLANTED = "planted"
# A change of more rows than this happened to the split, not to rows of it.
MOST_ROWS = 0.5
MOST_COLUMNS = 0.25


@dataclass(frozen=True)
class Footprint:
    """What a fault touched: row positions by split, names of columns, and the truth if it says so."""

    rows: Mapping[str, frozenset[int]] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    truth: float | None = None


def footprint(before: Subject, after: Subject) -> Footprint:
    """Return what differs, or what the fault says that it planted."""
    told: Mapping[str, Any] = after.given.get(PLANTED, {})  # Any: see the module's docstring
    rows = {name: frozenset(int(i) for i in r) for name, r in told.get("rows", {}).items()}
    columns = frozenset(told.get("columns", ()))
    if not rows and not columns:
        shared = [name for name in after.splits if name in before.splits]
        found = {n: changed_rows(before.splits[n], after.splits[n]) for n in shared}
        rows = {name: r for name, r in found.items() if r}
        columns = changed_columns(before, after)
    return Footprint(rows, columns, told.get("truth"))


def without_telling(subject: Subject) -> Subject:
    """Return the subject as a check may see it."""
    if PLANTED not in subject.given:
        return subject
    kept = {name: value for name, value in subject.given.items() if name != PLANTED}
    return replace(subject, given=kept)


def share_named(touched: Footprint, measurement: Measurement) -> float | None:
    """Return the share of the touched rows, or else columns, that the evidence names.

    A list shorter than what was planted is measured by its own length. None where nothing in
    particular was touched, or where the check lists no rows of a touched split.
    """
    named = {
        (example.split, example.row)
        for evidence in measurement.evidence
        if isinstance(evidence, Examples)
        for example in evidence.examples
        if example.split in touched.rows
    }
    if named:
        planted = {(split, row) for split, rows in touched.rows.items() for row in rows}
        return len(named & planted) / min(len(named), len(planted))
    if touched.columns and measurement.evidence:
        words = set(_words(measurement.evidence))
        return len(touched.columns & words) / len(touched.columns)
    return None


def changed_rows(before: Split, after: Split) -> frozenset[int]:
    """Return positions in `after` that were changed or appended; empty where that is most of them."""
    shared = before.n
    if after.n < shared or before is after:
        return frozenset()
    differs = np.zeros(after.n, bool)
    differs[shared:] = True
    for old, new in _pairs(before, after):
        if old is not new and old.shape[1:] == new.shape[1:]:
            unequal = old != new[:shared]
            if old.dtype.kind == "f":
                unequal &= ~(np.isnan(old) & np.isnan(new[:shared]))
            differs[:shared] |= unequal.reshape(shared, -1).any(axis=1)
    rows = np.flatnonzero(differs)
    return frozenset(rows.tolist()) if len(rows) <= MOST_ROWS * after.n else frozenset()


def changed_columns(before: Subject, after: Subject) -> frozenset[str]:
    """Return the names of a table's columns that were changed or added; empty where most were."""
    old = {column.name: j for j, column in enumerate(before.columns)}
    changed: set[str] = set()
    for j, column in enumerate(after.columns):
        if column.name not in old or any(
            not _same_column(before.splits.get(name), after.splits[name], old[column.name], j)
            for name in after.splits
        ):
            changed.add(column.name)
    few = len(changed) <= max(1.0, MOST_COLUMNS * len(after.columns))
    return frozenset(changed) if few else frozenset()


def _same_column(before: Split | None, after: Split, i: int, j: int) -> bool:
    if before is None or before.inputs is after.inputs:
        return True
    if before.inputs is None or after.inputs is None or before.n != after.n:
        return True
    return np.array_equal(before.inputs[:, i], after.inputs[:, j], equal_nan=True)


def _pairs(before: Split, after: Split) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for name in ("inputs", "target"):
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None:
            yield old, new
    for name, attribute in after.attributes.items():
        if name in before.attributes:
            yield before.attributes[name].values, attribute.values
    for name, values in after.recorded.items():
        if name in before.recorded:
            yield before.recorded[name], values


def _words(evidence: tuple[Evidence, ...]) -> Iterator[str]:
    for part in evidence:
        if isinstance(part, (Bars, Intervals)):
            yield from part.labels
        elif isinstance(part, Table):
            yield from (cell for row in part.rows for cell in row if isinstance(cell, str))
