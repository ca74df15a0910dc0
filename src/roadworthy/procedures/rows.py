"""One line per audited row: identity, label, prediction, and which checks named it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roadworthy.engine import Outcome
from roadworthy.results import Audit, Examples
from roadworthy.subject import Subject

SPLITS = ("train", "validation", "test")
QUANTITIES = ("row_ids", "predicted", "losses")
ROW_ARTIFACTS = tuple(f"{split}_{quantity}" for split in SPLITS for quantity in QUANTITIES)


@dataclass(frozen=True)
class RowTable:
    """Columns of equal length: what `rows.parquet` holds."""

    columns: Mapping[str, np.ndarray]


def row_table(subject: Subject, outcomes: Mapping[str, Outcome], audit: Audit) -> RowTable:
    """Gather what is known of each row of the audited splits; proof rows are never listed."""
    parts: dict[str, list[np.ndarray]] = {}
    names = [name for name in SPLITS if name in subject.splits]
    for name in names:
        split = subject.splits[name]
        flagged = _flagged(audit, name, split.n)
        absent = np.full(split.n, np.nan)
        columns = {
            "split": np.full(split.n, name),
            "row": np.arange(split.n),
            "source_row": split.source_rows,
            "row_id": _value(outcomes, f"{name}_row_ids", np.zeros(split.n, np.uint64)),
            "target": absent if split.target is None else split.target,
            "predicted": _value(outcomes, f"{name}_predicted", absent),
            "loss": _value(outcomes, f"{name}_losses", absent),
            "flagged_by": flagged,
        }
        for column, values in columns.items():
            parts.setdefault(column, []).append(np.asarray(values))
    return RowTable({column: np.concatenate(arrays) for column, arrays in parts.items()})


def _value(outcomes: Mapping[str, Outcome], name: str, default: np.ndarray) -> np.ndarray:
    outcome = outcomes.get(name)
    if outcome is None or outcome.state != "done":
        return default
    value = outcome.value
    assert isinstance(value, np.ndarray)
    return value


def _flagged(audit: Audit, split: str, n: int) -> np.ndarray:
    names: list[list[str]] = [[] for _ in range(n)]
    for finding in audit.findings:
        rows = {
            example.row
            for evidence in finding.evidence
            if isinstance(evidence, Examples)
            for example in evidence.examples
            if example.split == split and 0 <= example.row < n
        }
        for row in rows:
            names[row].append(finding.check)
    return np.array([",".join(sorted(found)) for found in names], dtype=object)
