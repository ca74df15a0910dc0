"""Subjects without a model: targets, recorded predictions, and the groups that rows belong to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.subject.divide import marked
from roadworthy.subject.live_tables import arrow_of
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import Problems, listed, nearest, rows_named
from roadworthy.subject.readers import read_table
from roadworthy.subject.role_columns import (
    are_people,
    attributes_of,
    checked_roles,
    notes_on_groups,
    split_column_of,
    target_in,
)
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.table import ReadColumn, Table, table_from_arrow
from roadworthy.subject.target import Target
from roadworthy.subject.task import Task

SUM_TOLERANCE = 1e-3  # probabilities written with three decimals still pass

MARKS = ("_", "-", ".", " ", ":")


@dataclass(frozen=True)
class PredictionColumns:
    """Names of the columns that hold predictions.

    Parameters
    ----------
    probabilities : tuple of str
        One per class in the order of the classes (matched by name where names end in the classes),
        or one alone: the probability of the positive class.
    score : str, optional
        Larger: more likely positive.
    predicted : str, optional
        Spelled like the target.
    """

    probabilities: tuple[str, ...] = ()
    score: str | None = None
    predicted: str | None = None


def subject_from_predictions(
    source: Any,  # Any: a path, or a table of any library
    recorded: PredictionColumns,
    options: DataOptions,
) -> Subject:
    """Return the subject of recorded predictions: whatever needs no model can be audited.

    Parameters
    ----------
    source : path or table
        CSV or Parquet, or a table of pandas or pyarrow: a target, predictions, groups.
    recorded : PredictionColumns
    options : DataOptions

    Raises
    ------
    UserError
        With everything that is wrong: unknown columns, probabilities that are none, decisions
        that are no classes of the target.
    """
    table = _table(source, options)
    problems = Problems(table.name)
    roles = checked_roles(table, options, problems)
    _check_names(table, recorded, problems)
    problems.raise_if_any()
    target = target_in(table, roles, options, problems)
    split_column = split_column_of(table, options, problems)
    marks = None if split_column is None else marked(table.columns[split_column], problems)
    problems.raise_if_any()
    assert target is not None
    found: dict[str, np.ndarray] = {}
    target = _decisions(table, recorded, target, found, problems)
    target = _probabilities(table, recorded, target, found, problems)
    _scores(table, recorded, target, found, problems)
    problems.raise_if_any()
    whole = Split(
        inputs=None,
        target=target.values,
        attributes=attributes_of(table, roles),
        source_rows=np.arange(table.n, dtype=np.int64),
        recorded=found,
    )
    names = np.full(table.n, "test") if marks is None else marks
    note = (
        f"recorded predictions alone ({listed(sorted(found))}): what needs inputs or a model is "
        "not run"
    )
    return Subject(
        name=table.name,
        task=target.task,
        modality="predictions",
        splits={str(s): whole.take(np.flatnonzero(names == s)) for s in np.unique(names)},
        roles=roles,
        people=are_people(roles, options),
        notes=(*table.notes, *target.notes, *notes_on_groups(table, roles, target), note),
    )


def _table(source: Any, options: DataOptions) -> Table:  # Any: see `subject_from_predictions`
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        return read_table(source, options.reading)
    return table_from_arrow(
        arrow_of(source, "predictions", "target"), "predictions", reading=options.reading
    )


def _check_names(table: Table, recorded: PredictionColumns, problems: Problems) -> None:
    asked = [("--proba", name) for name in recorded.probabilities]
    asked += [("--score", recorded.score), ("--predicted", recorded.predicted)]
    if all(name is None for _, name in asked):
        problems.add(
            "no predictions are named; name them with --proba P_0,P_1, --score COLUMN or "
            f"--predicted COLUMN. There are: {listed(table.columns)}."
        )
    for option, name in asked:
        if name is not None and name not in table.columns:
            problems.add(f'no column "{name}" ({option}).{nearest(name, table.columns)}')


def _numbers(column: ReadColumn, option: str, problems: Problems) -> np.ndarray | None:
    if column.kind != "numeric":
        example = listed([repr(c) for c in column.categories], 2)
        problems.add(f'column "{column.name}" ({option}) must hold numbers, and holds {example}')
        return None
    bad = np.flatnonzero(~np.isfinite(column.values))
    if len(bad):
        problems.add(
            f'column "{column.name}" ({option}) has no finite number in {len(bad)} rows '
            f"({rows_named(bad)}); remove these rows or fill them in"
        )
        return None
    return column.values


def _decisions(
    table: Table,
    recorded: PredictionColumns,
    target: Target,
    found: dict[str, np.ndarray],
    problems: Problems,
) -> Target:
    if recorded.predicted is None:
        return target
    column = table.columns[recorded.predicted]
    if not target.task.is_classification:
        numbers = _numbers(column, "--predicted", problems)
        if numbers is not None:
            found["predicted"] = numbers
        return target
    coded = column.as_category()
    if coded.is_missing.any():
        rows = np.flatnonzero(coded.is_missing)
        problems.add(f'column "{column.name}" (--predicted) is empty in {rows_named(rows)}')
        return target
    used = [coded.categories[code] for code in np.unique(coded.values)]
    new = [name for name in used if name not in target.task.classes]
    if len(new) == len(used) or (new and target.task.kind == "binary"):
        problems.add(
            f'column "{column.name}" (--predicted) holds {listed([repr(n) for n in new], 5)}, and '
            f"the target's classes are {listed(target.task.classes, 5)}; spell decisions like the "
            "target"
        )
        return target
    if new:
        target = _widened(target, (*target.task.classes, *new))
    place = {name: code for code, name in enumerate(target.task.classes)}
    codes = np.array([place.get(name, -1) for name in coded.categories], np.int64)
    found["predicted"] = codes[coded.values]
    return target


def _widened(target: Target, names: tuple[str, ...]) -> Target:
    numeric = all(name.lstrip("-").isdigit() for name in names)
    classes = tuple(sorted(names, key=int)) if numeric else tuple(sorted(names))
    codes = np.array([classes.index(name) for name in target.task.classes], np.int64)
    task = Task("multiclass", classes)
    added = listed([n for n in names if n not in target.task.classes])
    note = f"classes that no row of the target has: {added}"
    return Target(task, codes[target.values], (*target.notes, note))


def _probabilities(
    table: Table,
    recorded: PredictionColumns,
    target: Target,
    found: dict[str, np.ndarray],
    problems: Problems,
) -> Target:
    names = recorded.probabilities
    if not names:
        return target
    if not target.task.is_classification:
        problems.add("probabilities (--proba) belong to classes, and the target is a number")
        return target
    columns = [_numbers(table.columns[name], "--proba", problems) for name in names]
    if any(column is None for column in columns):
        return target
    values = np.stack([c for c in columns if c is not None], axis=1)
    if len(names) == 1 and target.task.kind == "binary":
        _require_range(values, problems)
        positive = 1 if target.task.positive is None else target.task.positive
        both = np.empty((len(values), 2))
        both[:, positive], both[:, 1 - positive] = values[:, 0], 1 - values[:, 0]
        found["probabilities"] = both
        return target
    ordered = _in_order(names, target, problems)
    if ordered is None:
        return target
    target, order = ordered.target, ordered.order
    values = values[:, order]
    _require_range(values, problems)
    _require_sum(values, problems)
    found["probabilities"] = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-300)
    return target


@dataclass(frozen=True, eq=False)
class _Ordered:
    target: Target
    order: list[int]


def _in_order(names: tuple[str, ...], target: Target, problems: Problems) -> _Ordered | None:
    """Return the places of the columns of each class: by the ends of their names, else as given."""
    classes = target.task.classes
    ends = _ends(names)
    if set(classes) <= set(ends):
        if len(names) > len(classes):
            target = _widened(target, tuple(dict.fromkeys((*classes, *ends))))
        return _Ordered(target, [ends.index(name) for name in target.task.classes])
    if len(names) == len(classes):
        return _Ordered(target, list(range(len(names))))
    problems.add(
        f"{len(names)} columns of probabilities ({listed(names, 5)}) for {len(classes)} classes "
        f"({listed(classes, 5)}); give one for each class, in this order"
    )
    return None


def _ends(names: tuple[str, ...]) -> list[str]:
    """Return the names without the beginning that all share: p_0 and p_1 end in 0 and 1."""
    if len(names) < 2:
        return list(names)
    alike = [len(set(letters)) == 1 for letters in zip(*names, strict=False)]
    shared = names[0][: alike.index(False) if False in alike else len(alike)]
    if not shared.endswith(MARKS):
        shared = shared[: max(shared.rfind(mark) for mark in MARKS) + 1] or shared
    return [name.removeprefix(shared) for name in names]


def _require_range(values: np.ndarray, problems: Problems) -> None:
    bad = np.flatnonzero(((values < 0) | (values > 1 + SUM_TOLERANCE)).any(axis=1))
    if len(bad):
        worst = values[bad[0]]
        problems.add(
            f"probabilities (--proba) lie outside 0 to 1 in {len(bad)} rows ({rows_named(bad)}; the "
            f"first holds {listed([f'{v:g}' for v in worst], 4)}); give scores with --score"
        )


def _require_sum(values: np.ndarray, problems: Problems) -> None:
    total = values.sum(axis=1)
    bad = np.flatnonzero(np.abs(total - 1) > SUM_TOLERANCE)
    if len(bad):
        problems.add(
            f"probabilities (--proba) do not sum to 1 in {len(bad)} rows ({rows_named(bad)}; the "
            f"first sums to {total[bad[0]]:.4g}); name the columns of all classes, or normalise them"
        )


def _scores(
    table: Table,
    recorded: PredictionColumns,
    target: Target,
    found: dict[str, np.ndarray],
    problems: Problems,
) -> None:
    if recorded.score is None:
        return
    if target.task.kind != "binary":
        instead = "--proba or --predicted" if target.task.is_classification else "--predicted"
        problems.add(
            f"a score (--score) is for two classes, and the target is {target.task.kind}; give {instead}"
        )
        return
    numbers = _numbers(table.columns[recorded.score], "--score", problems)
    if numbers is not None:
        found["scores"] = numbers
