"""A person who reviews labels, simulated: shown the sheet that an audit writes, and not always right.

A remedy that does what a person decided is proven like any other only if somebody decides. This one is not told
where the fault was planted: it sees the rows that the models doubt, all of them and no others, and fills the column
that a person fills; the sheet is then read back as a person's is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from roadworthy.engine import Marked
from roadworthy.procedures.review import DECISION, SheetRows, read_review
from roadworthy.procedures.review.decisions import KEEP
from roadworthy.procedures.rows import RowTable
from roadworthy.procedures.transforms import CannotApply
from roadworthy.subject import Subject
from roadworthy.subject.label_review import LabelReview

OPTION = "label_review"
WRONG = 0.05  # of the decisions; on plain pictures people err less, on hard ones more

Values = Callable[[Sequence[str]], Mapping[str, Any]]  # Any: what artifacts return


def wants_review(marked: Marked | None) -> bool:
    """Whether a remedy or its sham acts on what a person decided."""
    return marked is not None and any(p.name == OPTION for p in marked.parameters)


def simulated_review(
    sound: Subject, broken: Subject, values: Values, rng: np.random.Generator
) -> LabelReview:
    """Return what a person who is wrong in 5 % of the decisions would hand back.

    Parameters
    ----------
    sound : Subject
        As it was before the fault was planted: its labels are the truth that the person sees in a row.
    broken : Subject
        What an audit would make the sheet of.
    values : callable
        Computes artifacts of `broken` by name, those that can be.
    rng : Generator

    Raises
    ------
    CannotApply
        Where the sheet would be empty.
    """
    rows = SheetRows.of(broken)
    found = values(rows.wanted)
    sheet = rows.sheet(found)
    if sheet is None:
        raise CannotApply("the models doubt no label, so there is nothing to review")
    filled = {**sheet.columns, DECISION: decisions(sheet, sound, rng)}
    return read_review(filled, broken, rows.ids(found)).labels


def decisions(sheet: RowTable, sound: Subject, rng: np.random.Generator) -> np.ndarray:
    """Return a decision for each row of a sheet: (k,) of text.

    Where the person errs, the sheet is believed: a wrong label is kept, and for a right one the models' suggestion is
    written. Errors of people who see label and suggestion lean that way, and they hurt more than random ones.
    """
    columns = sheet.columns
    truth = _truth(sheet, sound)
    is_right = truth == columns["label"]
    errs = rng.random(len(truth)) < WRONG
    told = np.where(is_right, KEEP, truth)
    return np.where(errs, np.where(is_right, columns["suggested"], KEEP), told)


def _truth(sheet: RowTable, sound: Subject) -> np.ndarray:
    """Return the name of each row's class before the fault: (k,) of text."""
    classes = np.array(sound.task.classes, dtype=object)
    truth = sheet.columns["label"].copy()
    for name in np.unique(sheet.columns["split"].astype(str)):
        split = sound.splits[name]
        assert split.target is not None, "what has doubtful labels has labels"
        here = np.flatnonzero(sheet.columns["split"] == name)
        order = np.argsort(split.source_rows, kind="stable")
        at = np.searchsorted(split.source_rows[order], sheet.columns["source_row"][here])
        truth[here] = classes[split.target[order[at]]]
    return truth
