"""From a table as read, and what the user says of its columns, to a subject."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from roadworthy.subject.columns import Column, Roles
from roadworthy.subject.divide import Division, Rows, completed, drawn, marked, sealed
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import Problems, listed, rows_named
from roadworthy.subject.role_columns import (
    BESIDE,
    are_people,
    attributes_of,
    checked_roles,
    notes_on_groups,
    split_column_of,
    target_in,
)
from roadworthy.subject.splitting import hashes_of_columns
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.table import ReadColumn, Table
from roadworthy.subject.target import Target
from roadworthy.subject.unlabelled import rows_of_table


def subject_from_table(
    table: Table,
    options: DataOptions | None = None,
    *,
    split_names: np.ndarray | None = None,
    unlabelled: Table | None = None,
) -> Subject:
    """Return the subject that a table and its options describe, without a model.

    Parameters
    ----------
    table : Table
    options : DataOptions
    split_names : (n,) ndarray of str, optional
        Split of each row where the rows came as separate tables.
    unlabelled : Table, optional
        Rows without a target.

    Raises
    ------
    UserError
        With everything that is wrong with the table and the options.
    """
    options = options or DataOptions()
    problems = Problems(table.name)
    roles = checked_roles(table, options, problems)
    split_column = split_column_of(table, options, problems) if split_names is None else None
    problems.raise_if_any()
    target = target_in(table, roles, options, problems)
    inputs, roles, said = _inputs(table, roles, split_column, options, problems)
    marks = split_names
    if split_column is not None:
        marks = marked(table.columns[split_column], problems)
    times = _times(table, roles, problems)
    problems.raise_if_any()
    assert target is not None
    rows = Rows(
        _keys(table, roles, inputs),
        target.values,
        target.task.is_classification,
        times,
        by_entity=roles.entity is not None,
    )
    division = _division(marks, rows, options)
    splits = _splits(table, inputs, target, roles, division)
    compared = notes_on_groups(table, roles, target)
    notes = (*table.notes, *target.notes, *said, *compared, *division.notes)
    if unlabelled is not None:
        like = next(iter(splits.values())).attributes
        found = rows_of_table(unlabelled, inputs, roles, like, split_column)
        splits["unlabelled"] = found.split
        notes = (*notes, *found.notes)
    return Subject(
        name=table.name,
        task=target.task,
        modality="table",
        splits=splits,
        columns=tuple(_column(c) for c in inputs),
        roles=roles,
        people=are_people(roles, options),
        notes=notes,
    )


def _inputs(
    table: Table,
    roles: Roles,
    split_column: str | None,
    options: DataOptions,
    problems: Problems,
) -> tuple[list[ReadColumn], Roles, list[str]]:
    beside = {getattr(roles, role) for role in BESIDE}
    aside = {roles.target, split_column, *roles.dropped, *beside}
    columns = [c for name, c in table.columns.items() if name not in aside]
    notes: list[str] = []
    for column in columns:
        if column.kind == "text":
            problems.add(
                f'column "{column.name}" holds prose, and text inputs are not supported yet; leave '
                f"it out with --drop {column.name}, or audit recorded predictions (--predictions)"
            )
        elif column.kind == "unreadable":
            problems.add(f"{column.notes[0]}; leave it out with --drop {column.name}")
        elif column.kind == "numeric" and np.isinf(column.values).any():
            rows = np.flatnonzero(np.isinf(column.values))
            problems.add(
                f'column "{column.name}" holds infinite values in {len(rows)} rows '
                f"({rows_named(rows)}); write numbers, or nothing where there is no value"
            )
    if not options.model_is_trained:
        left_out = {c.name: why for c in columns if (why := _why_useless(c)) is not None}
        notes += [f'column "{name}" was left out: {why}' for name, why in left_out.items()]
        columns = [c for c in columns if c.name not in left_out]
        roles = replace(roles, dropped=(*roles.dropped, *left_out))
    constant = [c.name for c in columns if c.distinct <= 1]
    if constant:
        notes.append(f"the same value in every row: {listed(constant)}")
    dates = [c.name for c in columns if c.kind == "time"]
    if dates:
        notes.append(f"dates count as seconds since 1970: {listed(dates)}")
    if not columns:
        set_aside = [name for name in table.columns if name != roles.target]
        problems.add(
            f"no column is left for the model to see: {listed(set_aside)} are left out or have "
            "another role; leave out fewer (--drop), or audit recorded predictions (--predictions)"
        )
    return columns, roles, notes


def _why_useless(column: ReadColumn) -> str | None:
    n = len(column.values)
    if column.distinct == 0:
        return "it has no values"
    if column.kind == "category" and n >= 50 and column.distinct > 0.9 * n:
        return f"it names nearly every row differently ({column.distinct} values in {n} rows)"
    return None


def _times(table: Table, roles: Roles, problems: Problems) -> np.ndarray | None:
    if roles.time is None:
        return None
    column = table.columns[roles.time]
    if column.kind not in ("time", "numeric"):
        example = listed([repr(c) for c in column.categories], 2)
        problems.add(
            f'the time column "{column.name}" holds neither dates nor numbers (such as {example}); '
            "write dates as 2026-01-31 or 2026-01-31 12:30:00"
        )
        return None
    return column.values


def _keys(table: Table, roles: Roles, inputs: Sequence[ReadColumn]) -> np.ndarray:
    content = hashes_of_columns(inputs, table.n)
    if roles.entity is None:
        return content
    entity = table.columns[roles.entity].as_category()
    keys = hashes_of_columns([entity], table.n)
    return np.where(entity.is_missing, content, keys)


def _division(marks: np.ndarray | None, rows: Rows, options: DataOptions) -> Division:
    trained = options.model_is_trained
    if marks is None:
        division = drawn(rows, model_is_trained=trained)
    else:
        division = completed(marks, rows, model_is_trained=trained)
    return sealed(division, rows, options.proof)


def _splits(
    table: Table,
    inputs: Sequence[ReadColumn],
    target: Target,
    roles: Roles,
    division: Division,
) -> dict[str, Split]:
    matrix = np.empty((table.n, len(inputs)))
    for j, column in enumerate(inputs):
        matrix[:, j] = column.values
        if column.values.dtype.kind != "f":
            matrix[column.values < 0, j] = np.nan
    attributes = attributes_of(table, roles)
    whole = Split(matrix, target.values, attributes, np.arange(table.n, dtype=np.int64))
    order = ("train", "validation", "test", "production", "proof")
    return {name: whole.take(rows) for name in order if len(rows := division.rows(name))}


def _column(column: ReadColumn) -> Column:
    kind = "category" if column.categories else "numeric"
    return Column(column.name, kind, column.categories, column.missing_codes)
