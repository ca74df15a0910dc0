"""Rows without a target, beside the rows of a subject: the same columns in the same codes.

Nothing here changes the other splits: what they are does not depend on which rows without a target are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.arrays import UNLABELLED
from roadworthy.subject.columns import Attribute, Roles
from roadworthy.subject.live_tables import is_table_like, live_table
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import Problems, listed, rows_named
from roadworthy.subject.role_columns import BESIDE, attributes_of
from roadworthy.subject.subject import Split
from roadworthy.subject.table import ReadColumn, Table, table_from_arrow


@dataclass(frozen=True, eq=False)
class WithoutTarget:
    """The split of rows without a target, and what was done to make it."""

    split: Split
    notes: tuple[str, ...] = ()


def table_of(value: Any, options: DataOptions) -> Table:  # Any: a table of any form, or a file
    """Return the table of the rows without a target.

    Raises
    ------
    UserError
        Where they are an array, and the labelled rows a table.
    """
    is_pair = isinstance(value, tuple | list) and len(value) == 2 and is_table_like(value[0])
    if not (isinstance(value, str | Path) or is_pair or is_table_like(value)):
        raise UserError(
            f"{UNLABELLED} is a {type(value).__qualname__}, and the rows with a target are a table. Give a table "
            "with the same columns, or a file of one."
        )
    table = live_table(value, UNLABELLED, options.roles.target or "target", options.reading)
    name = str(value) if isinstance(value, str | Path) else UNLABELLED
    return table_from_arrow(table.arrow, name, notes=table.notes, reading=options.reading)


def rows_of_table(
    table: Table,
    inputs: Sequence[ReadColumn],
    roles: Roles,
    like: Mapping[str, Attribute],
    split_column: str | None = None,
) -> WithoutTarget:
    """Return the rows of a table without a target in the columns and codes of the labelled rows.

    Parameters
    ----------
    table : Table
    inputs : sequence of ReadColumn
        Of the labelled rows.
    roles : Roles
    like : mapping of column name to Attribute
        Of the labelled rows.
    split_column : str, optional
        Says of labelled rows which split they are in; not asked for here.

    Raises
    ------
    UserError
        Naming the columns that are not there, or hold something else than in the labelled rows.
    """
    problems = Problems(table.name)
    named = (*roles.sensitive, *(getattr(roles, role) for role in BESIDE))
    needed = list(dict.fromkeys((*(c.name for c in inputs), *(n for n in named if n is not None))))
    lacking = [name for name in needed if name not in table.columns]
    if lacking:
        problems.add(
            f"rows without a target need the columns of the others, and there is no column {listed(lacking)}; "
            f"add {'it' if len(lacking) == 1 else 'them'}. There are: {listed(table.columns)}."
        )
    problems.raise_if_any()
    notes = [*table.notes, *_ignored(table, needed, roles, split_column)]
    matrix = np.empty((table.n, len(inputs)))
    for j, column in enumerate(inputs):
        found = _codes(table.columns[column.name], column, problems)
        matrix[:, j] = (
            np.where(found.codes < 0, np.nan, found.codes) if column.categories else found.codes
        )
        notes += found.notes
    problems.raise_if_any()
    attributes = {
        name: _attribute(table.columns[name], like[name]) if name in roles.sensitive else own
        for name, own in attributes_of(table, roles).items()
    }
    rows = np.arange(table.n, dtype=np.int64)
    return WithoutTarget(Split(matrix, None, attributes, rows), tuple(notes))


def _ignored(
    table: Table, needed: Sequence[str], roles: Roles, split_column: str | None
) -> list[str]:
    notes: list[str] = []
    if roles.target in table.columns:
        notes.append(f'the target "{roles.target}" of the rows of {table.name} was not looked at')
    known = {*needed, roles.target, split_column, *roles.dropped}
    others = [name for name in table.columns if name not in known]
    if others:
        notes.append(
            f"{table.name}: columns that the labelled rows lack were left out: {listed(others)}"
        )
    return notes


@dataclass(frozen=True, eq=False)
class _Coded:
    codes: np.ndarray  # -1: missing, of a category
    notes: tuple[str, ...] = ()


def _codes(column: ReadColumn, like: ReadColumn, problems: Problems) -> _Coded:
    """Return the values of a column as those of the labelled rows are written."""
    if like.categories:
        found = column.as_category()
        return _Coded(_in_codes_of(found, like.categories), _new_notes(found, like.categories))
    if column.kind != like.kind and not column.is_missing.all():
        example = (
            f" (such as {listed([repr(c) for c in column.categories], 2)})"
            if column.categories
            else ""
        )
        problems.add(
            f'column "{column.name}" is {column.kind}{example}, and {like.kind} in the labelled rows; write it alike'
        )
        return _Coded(np.full(len(column.values), np.nan))
    values = np.where(column.is_missing, np.nan, column.values)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        problems.add(
            f'column "{column.name}" holds infinite values in {len(infinite)} rows ({rows_named(infinite)}); '
            "write numbers, or nothing where there is no value"
        )
    return _Coded(values)


def _in_codes_of(column: ReadColumn, names: tuple[str, ...]) -> np.ndarray:
    code = {name: i for i, name in enumerate(names)}
    # A missing value has the code -1, which looks up the last place.
    return np.array([*(code.get(name, -1) for name in column.categories), -1])[column.values]


def _new_notes(column: ReadColumn, names: tuple[str, ...]) -> tuple[str, ...]:
    new = [name for name in column.categories if name not in names]
    if not new:
        return ()
    said = listed([repr(name) for name in new], 5)
    return (
        f'"{column.name}" of the rows without a target holds {said}, which no labelled row has: read as missing',
    )


def _attribute(column: ReadColumn, like: Attribute) -> Attribute:
    if not like.names:
        return Attribute(np.where(column.is_missing, np.nan, column.values), ())
    return replace(like, values=_in_codes_of(column.as_category(), like.names))
