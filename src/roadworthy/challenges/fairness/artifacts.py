"""Counts by group, label and decision: the one table from which every rate by group follows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Task

Counts = Mapping[str, Mapping[str, Any]]  # Any: names, counts and words, by those keys


@artifact(per="split")
def group_counts(
    groups: "Mapping[str, Grouping]", labels: np.ndarray, predicted: np.ndarray, task: "Task"
) -> Counts:
    """Rows by group, label and decision, for each sensitive attribute: a mapping by attribute.

    `counts` is (g, c, c) int64 [group, label, decision], `unknown` (c, c) of the rows whose group is not
    known, `names` has g entries, groups without rows included, and `cut` says how a number was made groups.
    """
    return _counted(groups, labels, predicted, len(task.classes))


@artifact(per="split")
def intersection_counts(
    group_intersections: "Mapping[str, Grouping]",
    labels: np.ndarray,
    predicted: np.ndarray,
    task: "Task",
) -> Counts:
    """Rows by several attributes at once, label and decision, as `group_counts`; what no row is, is left out."""
    whole = _counted(group_intersections, labels, predicted, len(task.classes))
    found: dict[str, Mapping[str, Any]] = {}  # Any: see `Counts`
    for name, table in whole.items():
        present = table["counts"].any(axis=(1, 2))
        kept = tuple(n for n, here in zip(table["names"], present, strict=True) if here)
        found[name] = {**table, "names": kept, "counts": table["counts"][present]}
    return found


def count_table(
    codes: np.ndarray, g: int, labels: np.ndarray, predicted: np.ndarray, c: int
) -> np.ndarray:
    """Return rows by group, label and decision: (g + 1, c, c) int64, those of unknown group (code -1) last.

    >>> count_table(np.array([0, 0, -1]), 1, np.array([1, 1, 0]), np.array([1, 0, 0]), 2).tolist()
    [[[0, 0], [1, 1]], [[1, 0], [0, 0]]]
    """
    place = np.where(codes < 0, g, codes)
    flat = (place * c + labels) * c + predicted
    return np.bincount(flat, minlength=(g + 1) * c * c).reshape(g + 1, c, c)


def _counted(
    groups: "Mapping[str, Grouping]", labels: np.ndarray, predicted: np.ndarray, c: int
) -> Counts:
    if not len(labels):
        raise NotApplicable("there are no rows to count")
    for what, codes in (("Labels", labels), ("Decisions", predicted)):
        if not 0 <= codes.min() <= codes.max() < c:
            raise UserError(
                f"{what} run from {codes.min()} to {codes.max()}, but the task has the classes 0 to {c - 1}. "
                "Name all classes in the task."
            )
    found: dict[str, Mapping[str, Any]] = {}  # Any: see `Counts`
    for name, grouping in groups.items():
        table = count_table(grouping.codes, len(grouping.names), labels, predicted, c)
        found[name] = {
            "names": grouping.names,
            "counts": table[:-1],
            "unknown": table[-1],
            "cut": grouping.cut,
        }
    return found
