"""A table as read: every column typed, its missing values known, its spellings kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from roadworthy.subject.problems import Problems, listed
from roadworthy.subject.reading import Reading
from roadworthy.subject.spelling import MISSING_CODES, Spelled, dates, is_text, numbers

if TYPE_CHECKING:
    import pyarrow as pa

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""How an index without a name is kept in a file: where rows stood in memory, nothing of them."""
Origin = Literal["boolean", "integer", "float", "string", "date", "empty", "other"]


@dataclass(frozen=True, eq=False)
class ReadColumn:
    """One column as read.

    Parameters
    ----------
    name : str
    kind : {"numeric", "category", "text", "time", "unreadable"}
    values : (n,) ndarray
        float64 (NaN: missing) for numbers and times (seconds since 1970); int64 codes into
        `categories` (-1: missing) otherwise.
    origin : str
        What the values were in the source.
    categories : tuple of str
    missing_codes : tuple of str
        Spellings that were read as missing.
    exact : (n,) int64 ndarray, optional
        Whole numbers as they are: float64 would merge identifiers beyond 2**53.
    notes : tuple of str
    """

    name: str
    kind: Literal["numeric", "category", "text", "time", "unreadable"]
    values: np.ndarray
    origin: Origin
    categories: tuple[str, ...] = ()
    missing_codes: tuple[str, ...] = ()
    exact: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_missing(self) -> np.ndarray:
        """Whether each row has no value: (n,) bool."""
        return np.isnan(self.values) if self.values.dtype.kind == "f" else self.values < 0

    def as_category(self) -> "ReadColumn":
        """Return the column with one code per distinct value, whatever its kind."""
        if self.values.dtype.kind != "f":
            return self
        values = self.values if self.exact is None else self.exact
        distinct, codes = np.unique(values, return_inverse=True)
        codes = codes.reshape(-1).astype(np.int64)
        if distinct.dtype.kind == "f":
            codes[np.isnan(self.values)] = -1
            distinct = distinct[~np.isnan(distinct)]
        return replace(
            self,
            kind="category",
            values=codes,
            categories=tuple(spelled_number(value) for value in distinct),
        )

    @property
    def distinct(self) -> int:
        """Number of different values, missing ones aside."""
        present = self.values[~self.is_missing]
        return len(np.unique(present))


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length under different names, in the order of the source."""

    name: str
    columns: Mapping[str, ReadColumn]
    n: int
    notes: tuple[str, ...] = ()


def spelled_number(value: float | int) -> str:
    """Return a number as a person would write it: 1 for 1.0."""
    number = float(value)
    return str(int(value)) if number.is_integer() else repr(number)


def table_from_arrow(
    source: "pa.Table", name: str, *, notes: tuple[str, ...] = (), reading: Reading | None = None
) -> Table:
    """Return the typed table of an Arrow table; an index without a name, as pandas keeps it, is left out.

    Parameters
    ----------
    source : pyarrow.Table
    name : str
        Of the file or argument, for messages.
    notes : tuple of str
        What is known of how it was read.
    reading : Reading, optional
        Decimal mark of numbers that are spelled as text, and what means "missing".

    Raises
    ------
    UserError
        Where there are no rows or no columns, or column names are not unique.
    """
    problems = Problems(name)
    repeated = sorted({c for c in source.column_names if source.column_names.count(c) > 1})
    if repeated:
        problems.add(
            f"column names must differ, and these occur more than once: {listed(repeated)}; "
            "rename or remove them"
        )
    if source.num_columns == 0 or source.num_rows == 0:
        problems.add(
            f"there is nothing to audit: {source.num_rows} rows, {source.num_columns} columns"
        )
    problems.raise_if_any()
    index = [column for column in source.column_names if PANDAS_INDEX.fullmatch(column)]
    if 0 < len(index) < source.num_columns:
        source = source.drop_columns(index)
        notes = (*notes, f"the index of the pandas table was left out: {listed(index)}")
    columns = {
        column: _coded(_read(column, source.column(column), reading or Reading()), reading)
        for column in source.column_names
    }
    said = [note for column in columns.values() for note in column.notes]
    codes = () if reading is None else reading.missing_codes
    return Table(name, columns, source.num_rows, (*notes, *_missing_notes(columns, codes), *said))


def _missing_notes(columns: Mapping[str, ReadColumn], asked: Sequence[str]) -> list[str]:
    by_code: dict[str, list[str]] = {}
    for column in columns.values():
        for code in column.missing_codes:
            if code in MISSING_CODES or code in asked:
                by_code.setdefault(code, []).append(column.name)
    return [
        f'"{code}" was read as a missing value in {listed(names)}'
        for code, names in by_code.items()
        if code
    ]


def _coded(column: ReadColumn, reading: Reading | None) -> ReadColumn:
    """Return a column of numbers with those that mean "missing" taken out."""
    if reading is None or column.values.dtype.kind != "f":
        return column
    codes = {n: code for n, code in reading.missing_numbers.items() if n in column.values}
    if not codes:
        return column
    values = np.where(np.isin(column.values, list(codes)), np.nan, column.values)
    spelled = tuple(sorted({*column.missing_codes, *codes.values()}))
    return replace(column, values=values, missing_codes=spelled, exact=None)


def _read(name: str, column: "pa.ChunkedArray", reading: Reading) -> ReadColumn:
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type
    if kinds.is_dictionary(kind):
        return _read_dictionary(name, column, reading)
    if kinds.is_null(kind):
        return ReadColumn(name, "numeric", np.full(len(column), np.nan), "empty")
    if kinds.is_boolean(kind):
        codes = column.cast(pa.int8()).fill_null(-1).to_numpy().astype(np.int64)
        return ReadColumn(name, "category", codes, "boolean", ("False", "True"))
    if kinds.is_integer(kind):
        return _read_integer(name, column)
    if kinds.is_floating(kind) or kinds.is_decimal(kind):
        values = column.cast(pa.float64()).fill_null(float("nan")).to_numpy()
        return ReadColumn(name, "numeric", np.array(values, np.float64), "float")
    if kinds.is_temporal(kind) and not (kinds.is_duration(kind) or kinds.is_time(kind)):
        return _read_time(name, column)
    if kinds.is_string(kind) or kinds.is_large_string(kind):
        return _read_dictionary(name, column.combine_chunks().dictionary_encode(), reading)
    codes = np.full(len(column), -1, np.int64)
    note = f'column "{name}" holds {kind}, which cannot be read as numbers or categories'
    return ReadColumn(name, "unreadable", codes, "other", notes=(note,))


def _read_integer(name: str, column: "pa.ChunkedArray") -> ReadColumn:
    import pyarrow as pa

    values = np.array(
        column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy(), np.float64
    )
    exact = None
    if column.null_count == 0 and np.abs(values).max(initial=0) >= 2**53:
        exact = column.to_numpy()
    return ReadColumn(name, "numeric", values, "integer", exact=exact)


def _read_time(name: str, column: "pa.ChunkedArray") -> ReadColumn:
    import pyarrow as pa

    micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    seconds = micros.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy() / 1e6
    return ReadColumn(name, "time", seconds, "date")


def _read_dictionary(name: str, column: "pa.ChunkedArray", reading: Reading) -> ReadColumn:
    import pyarrow as pa

    encoded = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    whole = encoded.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    dictionary = whole.dictionary
    if not pa.types.is_string(dictionary.type) and not pa.types.is_large_string(dictionary.type):
        return _read(name, pa.chunked_array([whole.dictionary_decode()]), reading)
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    ordered = pa.types.is_dictionary(column.type) and column.type.ordered
    spelled = Spelled.of(
        codes, dictionary.to_pylist(), keep_order=ordered, also_missing=reading.missing_codes
    )
    return read_spelled(name, spelled, reading.decimal or ".")


def read_spelled(name: str, spelled: Spelled, decimal: str) -> ReadColumn:
    """Return the column of values that are spelled as text: numbers, dates, categories or prose."""
    missing = spelled.missing_codes
    if not spelled.values:
        values = np.full(len(spelled.codes), np.nan)
        return ReadColumn(name, "numeric", values, "empty", missing_codes=missing)
    parsed = numbers(spelled, decimal)
    if parsed is not None:
        note = ()
        if parsed.others:
            row = int(np.flatnonzero(np.isin(spelled.codes, parsed.other_codes))[0])
            note = (
                f'column "{name}" mixes numbers with text: '
                f"{listed([repr(other) for other in parsed.others], 5)} "
                f"(first in row {row + 1}) was read as missing",
            )
        codes = (*missing, *parsed.others)
        return ReadColumn(name, "numeric", parsed.values, "string", (), codes, notes=note)
    seconds = dates(spelled)
    if seconds is not None:
        return ReadColumn(
            name, "time", seconds.values, "string", (), missing, notes=seconds.notes(name)
        )
    kind = "text" if is_text(spelled) else "category"
    return ReadColumn(name, kind, spelled.codes, "string", spelled.values, missing)
