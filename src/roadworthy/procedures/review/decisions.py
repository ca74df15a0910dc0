"""Decisions that a person wrote into a review sheet, read back and held against the rows that they are about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.procedures.review.sheet import COLUMNS, DECISION, content_of
from roadworthy.results import Review
from roadworthy.subject import Subject
from roadworthy.subject.delimited import cells_of
from roadworthy.subject.label_review import LEFT_OUT, Decided, LabelReview
from roadworthy.subject.problems import Problems, listed, nearest

KEEP, DROP = "keep", "drop"
NEEDED = ("split", "source_row", "label", DECISION)
ACTED_ON = ("train", "validation")
SEEN = (*ACTED_ON, "test")
HOW = f'"{KEEP}", "{DROP}" or the name of a class'

Cells = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Reviewed:
    """The decisions to act on, and what is recorded of the sheet."""

    labels: LabelReview
    record: Review


@dataclass(frozen=True)
class _Line:
    split: str
    row: int
    position: int
    decision: int  # code of a class: its own is "keep"


def read_review(
    given: Any,  # Any: a path, or a data frame of pandas
    subject: Subject,
    ids: Mapping[str, np.ndarray],
) -> Reviewed:
    """Read a sheet and check that it is about these rows.

    Parameters
    ----------
    given : path or DataFrame
        With the columns split, source_row, label and decision; content where the rows are to be compared too.
    subject : Subject
    ids : mapping of split to (n,) uint64 ndarray
        Of the rows; empty where they have none.

    Raises
    ------
    UserError
        With all that is wrong.
    """
    where = str(given) if isinstance(given, str | Path) else "reviewed"
    if not subject.task.is_classification:
        raise UserError(
            f"{where}: {subject.name} predicts a number, and labels that a person reviews are classes. Correct the "
            "values in the data."
        )
    cells, name = _cells(given, where)
    lacking = [column for column in NEEDED if column not in cells]
    if lacking:
        raise UserError(
            f"{where}: the column {listed(lacking)} is not there; there are {listed(cells)}. Fill the review.csv that "
            "`roadworthy audit` writes into the folder of its report, and leave its columns as they are."
        )
    problems = Problems(where)
    lines = _lines(cells, subject, ids, problems)
    problems.raise_if_any()
    if not lines:
        raise UserError(
            f"{where}: no decision is filled in ({len(cells[DECISION])} rows). Write {HOW} into the column "
            f"{DECISION}; rows left empty stay as they are."
        )
    return _reviewed(lines, subject, name, len(cells[DECISION]))


def in_words(record: Review) -> tuple[str, ...]:
    """Say what was decided, and why decisions on test rows are not followed."""
    said = [
        f"Reviewed by a person: {record.decided:,} of {record.rows:,} labels of the sheet decided: {record.kept:,} "
        f"kept, {record.relabelled:,} labelled anew, {record.dropped:,} left out (sheet {record.sha256[:12]})."
    ]
    if record.test_rows_left:
        rows = (
            "1 test row" if record.test_rows_left == 1 else f"{record.test_rows_left:,} test rows"
        )
        said.append(
            f"The review finds the label of {rows} wrong, left as it is: test rows measure the repair, and mending "
            "only those that a model doubts would count its own mistakes as right. Have all of them labelled "
            "again, and audit anew."
        )
    return tuple(said)


def _cells(given: Any, where: str) -> tuple[Cells, str]:  # Any: see `read_review`
    """Return the cells of a sheet as text by column, and the hash of the sheet."""
    if not isinstance(given, str | Path):
        columns = {str(name): [_text(v) for v in given[name]] for name in given}
        return columns, sha256(repr(columns).encode()).hexdigest()
    path = Path(given)
    if path.is_file() and sum(bool(line.strip()) for line in path.read_bytes().splitlines()) < 2:
        raise UserError(f"{where}: the sheet is empty; a line for each reviewed row was expected.")
    table = cells_of(path).table
    columns = {
        str(name): [str(v) for v in table.column(i).to_pylist()]
        for i, name in enumerate(table.column_names)
    }
    return columns, sha256(path.read_bytes()).hexdigest()


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)  # NaN is not itself


def _lines(
    cells: Cells, subject: Subject, ids: Mapping[str, np.ndarray], problems: Problems
) -> list[_Line]:
    classes = _Classes(subject.task.classes)
    taken = classes.taken
    if taken:
        problems.add(f'a class is called "{taken}", so that {HOW} cannot be told apart')
        return []
    found: dict[tuple[str, int], _Line] = {}
    rows = _Rows(subject, ids)
    strange: dict[str, list[str]] = {}
    for number, decision in enumerate(cells[DECISION]):
        if not decision.strip():
            continue
        record = {column: cells[column][number].strip() for column in COLUMNS if column in cells}
        wrong, line = _line(record, rows, classes)
        if line is None:
            strange.setdefault(wrong, []).append(_row_words(record))
            continue
        before = found.setdefault((line.split, line.row), line)
        if before.decision != line.decision:
            said = "is there twice with different decisions; leave one of them"
            strange.setdefault(said, []).append(_row_words(record))
    for wrong, which in strange.items():
        problems.add(f"{listed(which, 5)}: {wrong}")
    if strange and all(len(v) > 1 for v in strange.values()) and not found:
        problems.add("no row fits: the sheet belongs to other data, or these were read another way")
    return list(found.values())


def _line(
    record: Mapping[str, str], rows: "_Rows", classes: "_Classes"
) -> tuple[str, _Line | None]:
    """Return what is wrong with a line of the sheet, or the decision that it holds."""
    split, label = record["split"].lower(), record["label"]
    row = _whole(record["source_row"])
    if row is None:
        return "source_row is no whole number", None
    position = rows.position(split, row)
    if isinstance(position, str):
        return position, None
    own = rows.label(split, position)
    if classes.code(label) != own:
        return (
            f'the row is labelled "{classes.names[own]}" in this data and not as in the sheet',
            None,
        )
    content = record.get("content", "")
    if content and rows.content(split, position) not in ("", content):
        return (
            "the row holds other values than the one that was reviewed; the sheet is of another file, or its columns "
            "were given other roles"
        ), None
    decision = record[DECISION]
    code = {KEEP: own, DROP: LEFT_OUT}.get(decision.lower(), classes.code(decision))
    if code is None:
        return f'"{decision}" is no decision; write {HOW}.{nearest(decision, classes.names)}', None
    return "", _Line(split, row, position, code)


def _row_words(record: Mapping[str, str]) -> str:
    return f"{record['split'] or 'no split,'} row {record['source_row'] or '(no number)'}"


def _whole(text: str) -> int | None:
    """Read a row number; a table program may have made it 12.0 or 12,0."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return int(value) if value.is_integer() and value >= 0 else None


class _Classes:
    """Names of classes as a person or a table program writes them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._exact = {name: code for code, name in enumerate(self.names)}
        lower = [name.lower() for name in self.names]
        self._loose = {name: code for code, name in enumerate(lower) if lower.count(name) == 1}
        self.taken = next((name for name in self.names if name.lower() in (KEEP, DROP)), "")

    def code(self, written: str) -> int | None:
        """Return the code of a class, whatever its case, and 3.0 for the class 3."""
        found = self._exact.get(written, self._loose.get(written.lower()))
        if found is None and (whole := _whole(written)) is not None:
            return self._exact.get(str(whole))
        return found


class _Rows:
    """The rows of a subject by split and place in the file."""

    def __init__(self, subject: Subject, ids: Mapping[str, np.ndarray]) -> None:
        self._splits = subject.splits
        self._places = {
            name: {int(row): i for i, row in enumerate(split.source_rows)}
            for name, split in subject.splits.items()
        }
        self._contents = {name: content_of(values) for name, values in ids.items()}

    def position(self, split: str, row: int) -> int | str:
        """Return where a row stands in its split, or what is wrong with it."""
        if split not in self._places or split not in SEEN:
            return (
                f"there is no such split; there are {listed(s for s in SEEN if s in self._places)}"
            )
        found = self._places[split].get(row)
        if found is not None:
            return found
        others = [name for name in self._places if row in self._places[name]]
        if "proof" in others:
            return "the row is sealed for the proof of repairs; take it out of the sheet"
        if others:
            return f"the row is now one of {listed(others)}; audit again and review the new sheet"
        last = max(self._places[split], default=-1)
        return (
            f"no row of that number is read from the data (numbers start at 0, the last is {last})"
        )

    def label(self, split: str, position: int) -> int:
        target = self._splits[split].target
        assert target is not None, "what is classified has labels"
        return int(target[position])

    def content(self, split: str, position: int) -> str:
        known = self._contents.get(split)
        return "" if known is None else str(known[position])


def _reviewed(lines: Sequence[_Line], subject: Subject, name: str, rows: int) -> Reviewed:
    def own(line: _Line) -> int:
        target = subject.splits[line.split].target
        assert target is not None, "checked when the line was read"
        return int(target[line.position])

    wrong = [line for line in lines if line.decision != own(line)]
    acted = [line for line in wrong if line.split in ACTED_ON]
    labels = {
        split: Decided(
            np.array([x.row for x in acted if x.split == split], np.int64),
            np.array([own(x) for x in acted if x.split == split], np.int64),
            np.array([x.decision for x in acted if x.split == split], np.int64),
        )
        for split in ACTED_ON
        if any(line.split == split for line in acted)
    }
    record = Review(
        sha256=name,
        rows=rows,
        kept=len(lines) - len(wrong),
        dropped=sum(line.decision == LEFT_OUT for line in acted),
        relabelled=sum(line.decision != LEFT_OUT for line in acted),
        test_rows_left=len(wrong) - len(acted),
    )
    return Reviewed(labels, record)
