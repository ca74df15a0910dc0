"""The target column: which kind of task it makes, which classes, which code per row."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from roadworthy.subject.problems import Problems, listed, nearest, rows_named
from roadworthy.subject.table import ReadColumn
from roadworthy.subject.task import Task

MOST_INTEGER_CLASSES = 20
POSITIVE_OF_PAIR = {
    frozenset(pair): pair[1]
    for pair in (
        ("0", "1"),
        ("-1", "1"),
        ("no", "yes"),
        ("n", "y"),
        ("false", "true"),
        ("f", "t"),
        ("negative", "positive"),
        ("neg", "pos"),
        ("absent", "present"),
        ("healthy", "sick"),
        ("benign", "malignant"),
        ("normal", "abnormal"),
        ("control", "case"),
        ("ham", "spam"),
        ("<=50k", ">50k"),
    )
}


@dataclass(frozen=True, eq=False)
class Target:
    """The task and the target of each row: int64 class codes, or float64."""

    task: Task
    values: np.ndarray
    notes: tuple[str, ...] = ()


def target_of(
    column: ReadColumn,
    problems: Problems,
    *,
    positive: str | None = None,
    kind: Literal["classification", "binary", "multiclass", "regression"] | None = None,
) -> Target | None:
    """Return the task that a column asks for; None with the reasons added to `problems`.

    Text, booleans and at most 20 different whole numbers are classes; other numbers are a
    regression target. `kind` decides otherwise.
    """
    before = column.is_missing | ~np.isfinite(column.values)
    if before.any():
        rows = np.flatnonzero(before)
        what = "no value" if column.is_missing.any() else "an infinite value"
        problems.add(
            f'the target "{column.name}" has {what} in {len(rows)} of {len(before)} rows '
            f"({rows_named(rows)}); remove these rows or fill them in"
        )
        return None
    wanted = kind or _kind_of(column)
    if wanted == "regression":
        return _regression(column, problems, positive)
    found = _classification(column, problems, positive)
    if found is not None and wanted not in ("classification", found.task.kind):
        problems.add(
            f'the target "{column.name}" has {len(found.task.classes)} classes '
            f"({listed(found.task.classes, 5)}), which is {found.task.kind}, not {wanted} (--task)"
        )
    return found


def _kind_of(column: ReadColumn) -> Literal["classification", "regression"]:
    if column.kind in ("category", "text"):
        return "classification"
    whole = bool(np.all(column.values == np.round(column.values)))
    few = column.distinct <= MOST_INTEGER_CLASSES
    return "classification" if whole and few else "regression"


def _regression(column: ReadColumn, problems: Problems, positive: str | None) -> Target | None:
    if column.kind not in ("numeric", "time"):
        problems.add(
            f'the target "{column.name}" is not a number in every row '
            f"(it holds {listed([repr(c) for c in column.categories], 3)}), "
            "and a regression needs numbers; leave out --task regression to predict classes"
        )
        return None
    if column.distinct < 2:
        problems.add(
            f'the target "{column.name}" is {column.values[0]:g} in all {len(column.values)} rows; '
            "there is nothing to predict"
        )
        return None
    if positive is not None:
        problems.add(
            f'the target "{column.name}" is a number to predict (regression) and has no positive '
            f'class "{positive}"; leave out --positive, or ask for --task classification'
        )
    return Target(Task("regression"), column.values.astype(np.float64))


def _classification(column: ReadColumn, problems: Problems, positive: str | None) -> Target | None:
    coded = column.as_category()
    used, codes = np.unique(coded.values, return_inverse=True)
    classes: tuple[str, ...] = tuple(coded.categories[code] for code in used)
    n = len(codes)
    if len(classes) < 2:
        only = "".join(classes)
        problems.add(
            f'the target "{column.name}" is "{only}" in all {n} rows; an audit needs at '
            "least two classes: add rows of another class"
        )
        return None
    if len(classes) > max(MOST_INTEGER_CLASSES, n // 2):
        problems.add(
            f'the target "{column.name}" has {len(classes)} different values in {n} rows, too many '
            "for classes; name another column with --target"
        )
        return None
    counts = np.bincount(codes.reshape(-1))
    code, notes = _positive_code(classes, counts, positive, problems)
    task = Task("binary" if len(classes) == 2 else "multiclass", classes, code)
    return Target(task, codes.reshape(-1).astype(np.int64), notes)


def _positive_code(
    classes: tuple[str, ...], counts: np.ndarray, positive: str | None, problems: Problems
) -> tuple[int | None, tuple[str, ...]]:
    if positive is not None and positive not in classes:
        problems.add(f'no class is called "{positive}" (--positive).{nearest(positive, classes)}')
        return None, ()
    if len(classes) != 2:
        return None, ()
    if positive is not None:
        return classes.index(positive), ()
    guess = usual_positive(classes)
    if guess is not None:
        return guess, ()
    rarer = int(np.argmin(counts))
    note = f'"{classes[rarer]}", the rarer class, was taken as the positive one (--positive)'
    return rarer, (note,)


def usual_positive(classes: tuple[str, ...]) -> int | None:
    """Return the code of the class that its name tells to be the positive one, if one does."""
    words = [name.strip().lower() for name in classes]
    positive = POSITIVE_OF_PAIR.get(frozenset(words))
    return None if positive is None else words.index(positive)
