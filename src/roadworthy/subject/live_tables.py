"""Tables that live in a Python session (pandas, pyarrow, dicts of columns), made Arrow tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.problems import listed
from roadworthy.subject.reading import Reading
from roadworthy.subject.table import Table, table_from_arrow

if TYPE_CHECKING:
    import pyarrow as pa

TableLike = Any  # Any: pandas, pyarrow, a dict of columns, a file, or (table, column)


def is_table_like(value: object) -> bool:
    """Whether a value has named columns; pandas is not imported to find out."""
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}
    named = {"pandas.DataFrame", "polars.DataFrame", "pyarrow.Table"}
    return bool(kinds & named) or isinstance(value, Mapping) or hasattr(value, "__dataframe__")


@dataclass(frozen=True, eq=False)
class LiveTable:
    """An Arrow table, and how it was read where it came from a file."""

    arrow: "pa.Table"
    notes: tuple[str, ...] = ()


def live_table(
    value: TableLike, name: str, target: str, reading: Reading | None = None
) -> LiveTable:
    """Return a table of any form, read where it is a file."""
    if isinstance(value, str | Path):
        return _from_file(Path(value), reading)
    return LiveTable(arrow_of(value, name, target))


def arrow_of(value: TableLike, name: str, target: str) -> "pa.Table":
    """Return a table that lives in this session as an Arrow table.

    A pair (table, column of targets) becomes one table with the target under its name.
    """
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return value
    if isinstance(value, tuple | list) and len(value) == 2:
        table = arrow_of(value[0], name, target)
        if target in table.column_names:
            raise UserError(
                f'{name}: the table has a column "{target}", and a target is given beside it. Give '
                "one of them."
            )
        column = _column(np.asarray(value[1]))
        if len(column) != table.num_rows:
            raise UserError(
                f"{name}: {table.num_rows} rows of inputs and {len(column)} targets. Give one target "
                "for each row."
            )
        return table.append_column(target, column)
    to_arrow = getattr(value, "to_arrow", None)
    if callable(to_arrow):
        return cast("pa.Table", to_arrow())
    if not is_table_like(value):
        raise UserError(
            f"{name} is a {type(value).__qualname__}; a table, (inputs, target), a DataLoader, a "
            "Dataset or the path of a file was expected."
        )
    columns = _columns(value)
    lengths = [f"{key} {len(column)}" for key, column in columns]
    if len({len(column) for _, column in columns}) > 1:
        raise UserError(
            f"{name}: columns have different lengths: {listed(lengths, 5)}. Give them one length."
        )
    arrays = [_column(column) for _, column in columns]
    return pa.Table.from_arrays(arrays, names=[key for key, _ in columns])


def _columns(table: Any) -> list[tuple[str, Any]]:  # Any: a pandas data frame, a dict of columns
    if isinstance(table, Mapping):
        return [(str(name), column) for name, column in table.items()]
    return [(str(name), table.iloc[:, j]) for j, name in enumerate(table.columns)]


def _column(values: Any) -> "pa.Array":  # Any: a pandas series, an array or a list
    import pyarrow as pa

    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    try:
        found = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Mixed types: every value as text; what reads as a number is told apart later, and said.
        found = pa.array([None if _is_none(v) else str(v) for v in values], pa.string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _is_none(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _from_file(path: Path, reading: Reading | None) -> LiveTable:
    from roadworthy.subject.delimited import read_delimited
    from roadworthy.subject.readers import DELIMITED, PARQUET, read_parquet

    if path.suffix.lower() in PARQUET:
        return LiveTable(read_parquet(path))
    if path.suffix.lower() in DELIMITED:
        table = read_delimited(path, reading)
        return LiveTable(_arrow_of_read(table), tuple(f"{path.name}: {n}" for n in table.notes))
    raise UserError(f"{path}: give CSV or Parquet here, or the whole npz or folder as data=...")


def _arrow_of_read(table: Table) -> "pa.Table":
    """Return a table as read, its columns in the types that were found in them."""
    import pyarrow as pa

    arrays: dict[str, pa.Array] = {}
    for name, column in table.columns.items():
        if column.is_missing.all():
            arrays[name] = pa.nulls(table.n)
        elif column.categories:
            spelled = np.array([*column.categories, None], object)[column.values]
            arrays[name] = pa.array(spelled, pa.string())
        elif column.kind == "time":
            moments = np.where(column.is_missing, 0, column.values * 1e6).astype(np.int64)
            arrays[name] = pa.array(moments, mask=column.is_missing).cast(pa.timestamp("us"))
        else:
            arrays[name] = pa.array(column.values, mask=column.is_missing)
    return pa.table(arrays)


def stacked(
    given: Mapping[str, LiveTable], reading: Reading | None = None
) -> tuple[Table, list[str]]:
    """Return the rows of all splits as one table, so that categories agree, and each row's split."""
    import pyarrow as pa

    tables = {split: table.arrow for split, table in given.items()}
    notes = tuple(note for table in given.values() for note in table.notes)
    first = next(iter(tables.values()))
    for split, table in tables.items():
        if set(table.column_names) != set(first.column_names):
            lacks = sorted(set(first.column_names) - set(table.column_names))
            extra = sorted(set(table.column_names) - set(first.column_names))
            raise UserError(
                f"The tables of {next(iter(tables))} and {split} have different columns: {split} "
                f"lacks {listed(lacks) or 'none'} and has {listed(extra) or 'none'} besides. "
                "Give them the same columns."
            )
    names = [split for split, table in tables.items() for _ in range(table.num_rows)]
    if len(tables) == 1:
        return table_from_arrow(first, _name(tables), notes=notes, reading=reading), names
    try:
        whole = pa.concat_tables(
            [t.select(first.column_names) for t in tables.values()], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"The tables of {listed(tables)} have columns of different types ({reason}). Give each "
            "column one type."
        ) from None
    return table_from_arrow(whole, _name(tables), notes=notes, reading=reading), names


def _name(tables: "Mapping[str, pa.Table]") -> str:
    return "table" if len(tables) == 1 else f"tables {listed(tables)}"
