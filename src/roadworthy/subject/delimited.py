"""CSV files of any dialect: encoding, delimiter and decimal mark found out, and said."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from roadworthy.errors import UserError
from roadworthy.subject.claims import require_file
from roadworthy.subject.problems import Problems, listed
from roadworthy.subject.reading import Reading
from roadworthy.subject.spelling import COMMA, MISSING_CODES, POINT
from roadworthy.subject.table import Table, table_from_arrow

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE = 256 * 1024  # bytes looked at to find the dialect
LINES = 100


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written."""

    encoding: str
    delimiter: str
    decimal: str

    def notes(self) -> tuple[str, ...]:
        """Say what is out of the ordinary."""
        said: list[str] = []
        if self.encoding != "utf-8":
            said.append(f"read as {self.encoding.upper()} text")
        if self.delimiter != ",":
            said.append(f"fields are separated by {_called(self.delimiter)}")
        if self.decimal == ",":
            said.append("numbers have a decimal comma")
        return ("; ".join(said),) if said else ()


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a file as text, and how the file is written."""

    table: "pa.Table"
    dialect: Dialect
    notes: tuple[str, ...]


def read_delimited(path: Path, reading: Reading | None = None) -> Table:
    """Return the table of a CSV file.

    Raises
    ------
    UserError
        Naming the lines that have too few or too many fields, and whatever else cannot be read.
    """
    reading = reading or Reading()
    cells = cells_of(path, reading)
    found = replace(reading, decimal=cells.dialect.decimal)
    return table_from_arrow(cells.table, str(path), notes=cells.notes, reading=found)


def cells_of(path: Path, reading: Reading | None = None) -> Cells:
    """Return every cell of a CSV file as text."""
    require_file(path)
    reading = reading or Reading()
    encoding = encoding_of(path) if reading.encoding is None else _given(path, reading.encoding)
    sample = _sample(path, encoding)
    before = next((i for i, line in enumerate(sample) if line.strip()), len(sample))
    declared = re.fullmatch(r"sep=(.)\s*", sample[before]) if before < len(sample) else None
    before += declared is not None  # a line that Excel writes
    lines = [line for line in sample[before:] if line.strip()]
    delimiter = reading.delimiter or (
        declared[1] if declared and declared[1] in DELIMITERS else delimiter_of(lines)
    )
    names, renamed = _names(path, lines, delimiter)
    if len(lines) == 1:
        raise UserError(
            f"{path}: there is nothing to audit: 0 rows, {len(names)} columns. Write it again."
        )
    table = _cells(path, encoding, delimiter, names, skip=before + 1)
    dialect = Dialect(encoding, delimiter, reading.decimal or _decimal(table, delimiter))
    return Cells(table, dialect, (*dialect.notes(), *renamed))


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8, else cp1252."""
    import codecs

    with path.open("rb") as stream:
        start = stream.read(SAMPLE)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8"
    zeros = (start[0::2].count(0), start[1::2].count(0))
    if max(zeros) > 0.4 * len(start) / 2:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if sum(zeros):
        raise UserError(
            f"{path}: holds zero bytes and is no text file. Save the table as CSV (UTF-8) or Parquet."
        )
    return _eight_bit(path)


def _eight_bit(path: Path) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            with path.open(encoding=encoding, newline="") as stream:
                while stream.read(1 << 20):
                    pass
        except UnicodeDecodeError as error:
            at = error.start
            continue
        return encoding
    raise UserError(
        f"{path}: neither UTF-8, UTF-16 nor cp1252 text (byte {at} fits none of them). "  # type: ignore[possibly-unbound]: a failure set it
        "Save it again as UTF-8."
    )


def _given(path: Path, encoding: str) -> str:
    """Return the normal name of an encoding that the user named, after a whole reading in it."""
    import codecs

    try:
        with path.open(encoding=encoding, newline="") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeError as error:
        at = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise UserError(
            f"{path}: is no {encoding} text{at}, which --encoding asks for. Leave it out, and the "
            "encoding is found out."
        ) from None
    name = codecs.lookup(encoding).name
    return "utf-8" if name in ("utf-8-sig", "ascii") else name


def _called(delimiter: str) -> str:
    return f"a {DELIMITERS[delimiter]}" if delimiter in DELIMITERS else f'"{delimiter}"'


def _sample(path: Path, encoding: str) -> list[str]:
    text_encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=text_encoding, newline="", errors="replace") as stream:
        text = stream.read(SAMPLE).lstrip("\ufeff")
    lines = list(io.StringIO(text, newline=""))
    return lines[:LINES] if len(text) < SAMPLE else lines[: min(LINES, len(lines) - 1)]


def delimiter_of(lines: Sequence[str]) -> str:
    """Return the character that divides the lines most evenly into more than one field."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        score = alike + 0.001 * min(widths[0], 100)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _names(path: Path, lines: Sequence[str], delimiter: str) -> tuple[list[str], tuple[str, ...]]:
    if not lines:
        raise UserError(f"{path}: holds no lines but blank ones. Write it again.")
    header = next(csv.reader(lines, delimiter=delimiter))
    numeric = [name for name in header if POINT.fullmatch(name) or COMMA.fullmatch(name)]
    if len(numeric) > len(header) / 2:
        raise UserError(
            f"{path}, line 1: holds data ({listed(header, 4)}) where column names are expected. "
            "Add a first line with a name for each column."
        )
    names = [name.strip() or f"unnamed_{i + 1}" for i, name in enumerate(header)]
    unnamed = [i + 1 for i, name in enumerate(header) if not name.strip()]
    notes = tuple(f'column {i} has no name and is called "unnamed_{i}"' for i in unnamed)
    return names, notes


def _cells(path: Path, encoding: str, delimiter: str, names: list[str], *, skip: int) -> "pa.Table":
    """Return every cell as text. The file is read in one thread, so that a bad line has a number."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    bad: list[tuple[int, int]] = []

    def remember(row: Any) -> str:  # Any: pyarrow has no annotations
        bad.append((row.number, row.actual_columns))
        return "skip"

    places = [str(i) for i in range(len(names))]
    source: Any = str(path)
    if encoding != "utf-8":
        source = io.BytesIO(path.read_bytes().decode(encoding).lstrip("\ufeff").encode())
    try:
        table = arrow_csv.read_csv(
            source,
            arrow_csv.ReadOptions(use_threads=False, column_names=places, skip_rows=skip),
            arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not readable as CSV ({error}). Save it again.") from None
    problems = Problems(str(path))
    if bad:
        lines = [f"line {number} has {found}" for number, found in bad]
        problems.add(
            f"{len(bad)} lines do not have {len(names)} fields as the first line has: "
            f"{listed(lines, 5)}; mend them, or put fields that hold {_called(delimiter)} in "
            "double quotes"
        )
    problems.raise_if_any()
    return cast("pa.Table", table.rename_columns(names))


def _decimal(table: "pa.Table", delimiter: str) -> str:
    """Return "," where some column reads as numbers with a decimal comma and not with a point."""
    if delimiter == ",":
        return "."
    for column in table.columns:
        head = {cell for cell in column.slice(0, 1000).to_pylist() if not _is_gap(cell)}
        has_comma = any(re.search(r"\d,\d", cell) for cell in head)
        if has_comma and all(COMMA.fullmatch(cell) for cell in head):
            return ","
    return "."


def _is_gap(cell: str | None) -> bool:
    return cell is None or cell.strip() in MISSING_CODES
