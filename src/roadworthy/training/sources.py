"""Inputs that do not fit in memory: rows that are read when they are asked for, never copied as a whole."""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from roadworthy.errors import UserError
from roadworthy.training.schedule import BLOCKS_TOGETHER

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BYTES_IN_MEMORY = 256 << 20  # of the copy in single precision


class RowSource(Protocol):
    """What can stand for an array of inputs: rows that are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Of what indexing returns."""
        ...

    @property
    def nbytes(self) -> int:
        """How large an array of all rows would be."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray: ...


def is_streamed(inputs: np.ndarray | RowSource) -> bool:
    """Whether training reads these inputs batch by batch.

    So it does with a memory-mapped array, with what is no array, and where a copy would be too large.
    """
    if not isinstance(inputs, np.ndarray) or isinstance(inputs, np.memmap):
        return True
    return inputs.size * 4 > BYTES_IN_MEMORY


class SomeRows:
    """Some rows of inputs that are read when they are asked for.

    Parameters
    ----------
    source : ndarray or RowSource
    rows : (m,) int64 ndarray
        Positions in `source`.
    """

    def __init__(self, source: np.ndarray | RowSource, rows: np.ndarray) -> None:
        self.source = source
        self.rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        self.dtype = source.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, ...)."""
        return len(self.rows), *self.source.shape[1:]

    @property
    def nbytes(self) -> int:
        """How large an array of all rows would be."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """How many of the rows are in each block of the source; None where they do not ascend."""
        blocks = getattr(self.source, "blocks", None)
        if blocks is None or (np.diff(self.rows) < 0).any():
            return None
        counts = np.diff(np.searchsorted(self.rows, np.cumsum([0, *blocks])))
        return tuple(counts[counts > 0].tolist())

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return some of these rows."""
        return self.source[self.rows[rows]]

    def __roadworthy_identity__(self) -> object:
        """Identity of the rows: of which inputs, and which of them."""
        return (self.source, self.rows)


class ParquetRows:
    """Inputs (n, d) in a Parquet file of numbers: row groups are read when a row of them is asked for.

    A missing value is NaN. Training shuffles whole row groups, then the rows of as many of them as are
    kept in memory: see `schedule.orders`.

    Parameters
    ----------
    path : Path
    columns : sequence of str, optional
        In this order; all of them by default.
    groups_in_memory : int
        Row groups that are kept, the latest used ones. About `groups_in_memory` * rows of a group * d * 4
        bytes are held: write files with row groups of some thousand rows.

    Raises
    ------
    UserError
        Where the file is not there or not Parquet, a column is not in it or holds no numbers.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        path: Path | str,
        columns: Sequence[str] | None = None,
        groups_in_memory: int = BLOCKS_TOGETHER,
    ) -> None:
        self.path = Path(path)
        self.groups_in_memory = groups_in_memory
        self._file = _opened(self.path)
        self.columns = list(columns or self._file.schema_arrow.names)
        _refuse_columns(self.path, self._file.schema_arrow, self.columns)
        metadata = self._file.metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._ends = np.cumsum([0, *sizes])
        self._kept: dict[int, np.ndarray] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return int(self._ends[-1]), len(self.columns)

    @property
    def ndim(self) -> int:
        """Two: rows and columns."""
        return 2

    @property
    def nbytes(self) -> int:
        """How large an array of all rows would be."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def blocks(self) -> tuple[int, ...]:
        """Number of rows of each row group."""
        return tuple(np.diff(self._ends).tolist())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return some rows: (m, d) float32."""
        positions = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if positions.dtype == bool:
            positions = np.flatnonzero(positions)
        positions = np.where(positions < 0, positions + len(self), positions)
        found = np.empty((len(positions), len(self.columns)), np.float32)
        group = np.searchsorted(self._ends, positions, side="right") - 1
        # What is kept comes first, so that reading the others cannot drop it before it is used.
        for i in sorted(np.unique(group).tolist(), key=lambda i: i not in self._kept):
            chosen = group == i
            found[chosen] = self._group(i)[positions[chosen] - self._ends[i]]
        return found

    def __roadworthy_identity__(self) -> object:
        """Identity of the rows: the content of the file, and which columns."""
        return (self._digest, self.columns)

    @cached_property
    def _digest(self) -> str:
        digest = sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def _group(self, i: int) -> np.ndarray:
        import pyarrow as pa

        rows = self._kept.pop(i, None)
        if rows is None:
            while len(self._kept) >= self.groups_in_memory:
                del self._kept[next(iter(self._kept))]
            table = self._file.read_row_group(i, self.columns)
            rows = np.empty((table.num_rows, len(self.columns)), np.float32)
            for j, name in enumerate(self.columns):
                rows[:, j] = table.column(name).cast(pa.float64(), safe=False).to_numpy()
        self._kept[i] = rows
        return rows


def _opened(path: Path) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{path}: could not be read as Parquet ({error}). Give a Parquet file of numbers."
        ) from error


def _refuse_columns(path: Path, schema: "pa.Schema", columns: list[str]) -> None:
    import pyarrow as pa

    unknown = [name for name in columns if name not in schema.names]
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    others = [
        f"{name} ({schema.field(name).type})"
        for name in columns
        if name in schema.names and not any(test(schema.field(name).type) for test in numbers)
    ]
    problems = [f"no column {name}" for name in unknown]
    problems += [f"{each} is not a number" for each in others]
    if problems:
        raise UserError(
            f"{path}: {'; '.join(problems)}. Streamed inputs are columns of numbers, categories as "
            f"codes; the file has {', '.join(schema.names)}."
        )
