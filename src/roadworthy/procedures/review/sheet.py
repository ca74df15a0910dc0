"""The review sheet: rows whose label the models doubt, for a person to decide on."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy import engine
from roadworthy.engine import Registry, Store
from roadworthy.procedures.audit import Request
from roadworthy.procedures.rows import RowTable
from roadworthy.results import Audit
from roadworthy.subject import Subject
from roadworthy.subject.fields import fields_of

SPLITS = ("train", "validation", "test")
DECISION = "decision"
COLUMNS = ("split", "source_row", "content", "label", "suggested", "sureness", DECISION)
MOST = 1000  # rows of a split: more than anybody looks through, ordered by how suspect they are
DOUBTS = "{split}_label_doubts"
CHECKS = {
    "train": "label_errors_in_train",
    "validation": "label_errors_in_test",
    "test": "label_errors_in_test",
}


def review_sheet(
    subject: Subject, registry: Registry, *, store: Store, request: Request, audit: Audit
) -> RowTable | None:
    """Return the rows whose label the models find less likely than another, the most suspect first.

    Made where the audit has measured labels, from what it kept; None where there is nothing to look at.
    """
    measured = {f.check for f in audit.findings if f.value is not None}
    names = [s for s in SPLITS if s in subject.splits and CHECKS[s] in measured]
    if not names or any(f.reason_code == "interrupted" for f in audit.findings):
        return None
    rows = SheetRows(subject, tuple(names))
    return rows.sheet(_values(subject, registry, store, request, rows.wanted))


@dataclass(frozen=True)
class SheetRows:
    """Which rows a sheet shows, and from which artifacts that is known."""

    subject: Subject
    splits: tuple[str, ...]

    @staticmethod
    def of(subject: Subject) -> "SheetRows":
        """Return those of a subject all of whose labels were measured."""
        return SheetRows(subject, tuple(name for name in SPLITS if name in subject.splits))

    @property
    def wanted(self) -> list[str]:
        """Names of artifacts; a sheet is made of those that there are."""
        return [name for s in self.splits for name in (DOUBTS.format(split=s), f"{s}_row_ids")]

    def ids(self, found: Mapping[str, Any]) -> dict[str, np.ndarray]:  # Any: what artifacts return
        """Return what tells the rows of each split by their values, where they have values."""
        return {s: found[f"{s}_row_ids"] for s in self.splits if f"{s}_row_ids" in found}

    def sheet(self, found: Mapping[str, Any]) -> RowTable | None:  # Any: what artifacts return
        """Return the sheet without decisions, None where there is nothing to look at."""
        ids = self.ids(found)
        parts = [
            _part(self.subject, s, found[DOUBTS.format(split=s)], ids.get(s))
            for s in self.splits
            if DOUBTS.format(split=s) in found
        ]
        parts = [part for part in parts if len(part[DECISION])]
        if not parts:
            return None
        return RowTable({c: np.concatenate([part[c] for part in parts]) for c in COLUMNS})


def sheet_csv(sheet: RowTable) -> bytes:
    """Return the sheet as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(*(sheet.columns[c].tolist() for c in COLUMNS), strict=True))
    return text.getvalue().encode()


def is_filled(path: Path) -> bool:
    """Whether there is a sheet with work in it, which must not be written over; one that cannot be read counts."""
    if not path.is_file():
        return False
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return True
    # As it was written a line ends in its empty decision; whatever a table program saved is somebody's.
    return not lines or lines[0] != ",".join(COLUMNS) or not all(x.endswith(",") for x in lines[1:])


def row_ids(subject: Subject, registry: Registry, store: Store) -> dict[str, np.ndarray]:
    """Return what tells the rows of each split by their values, where they have values."""
    rows = SheetRows.of(subject)
    wanted = [f"{name}_row_ids" for name in rows.splits]
    return rows.ids(_values(subject, registry, store, Request(), wanted))


def content_of(ids: np.ndarray) -> np.ndarray:
    """Return the ids of rows as text that no table program takes for a number: (n,) str."""
    return np.array([f"x{int(i):016x}" for i in ids], dtype=object)


def _values(
    subject: Subject, registry: Registry, store: Store, request: Request, wanted: Sequence[str]
) -> dict[str, Any]:  # Any: what artifacts return
    fields = {**fields_of(subject), "device": request.device, **request.purpose_fields}
    wanted = [name for name in wanted if engine.exists(registry, fields, name)]
    outcomes = engine.compute(
        registry, fields, wanted, store=store, seed=request.seed, options=request.options
    )
    return {name: o.value for name, o in outcomes.items() if o.state == "done"}


def _part(
    subject: Subject, name: str, doubts: Mapping[str, np.ndarray], ids: np.ndarray | None
) -> dict[str, np.ndarray]:
    split = subject.splits[name]
    classes = np.array(subject.task.classes, dtype=object)
    assert split.target is not None, "what has doubtful labels has labels"
    order = np.argsort(-doubts["suspicion"], kind="stable")
    rows = order[doubts["sureness"][order] > doubts["own"][order]][:MOST]
    blank = np.full(len(rows), "", dtype=object)
    return {
        "split": np.full(len(rows), name, dtype=object),
        "source_row": split.source_rows[rows],
        "content": blank if ids is None else content_of(ids[rows]),
        "label": classes[split.target[rows]],
        "suggested": classes[doubts["suggested"][rows]],
        "sureness": np.round(doubts["sureness"][rows], 3),
        DECISION: blank,
    }
