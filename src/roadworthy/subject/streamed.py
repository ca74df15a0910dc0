"""Inputs that do not fit in memory, as a subject holds them: rows that are read when they are asked for."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple, cast

import numpy as np

from roadworthy.engine.streamed import is_row_source
from roadworthy.errors import UserError
from roadworthy.subject.subject import Subject

CHUNK_BYTES = 1 << 24


def is_streamed(inputs: object) -> bool:
    """Whether inputs are not to be copied into memory: a memory-mapped array, or what reads rows when asked."""
    return isinstance(inputs, np.memmap) or is_row_source(inputs)


class StreamedRows:
    """Rows of streamed inputs: all or some of them, in their own type or another.

    Parameters
    ----------
    source : ndarray or row source
        (n, ...), such as a `numpy.memmap` or a `ParquetRows`.
    rows : (m,) int64 ndarray, optional
        Positions in `source`; None: all.
    dtype : dtype, optional
        Of what is read; None: as it is.
    """

    def __init__(
        self, source: Any, rows: np.ndarray | None = None, dtype: np.dtype | None = None
    ) -> None:  # Any: an array or a row source
        self.source = source
        self.rows = rows
        self.dtype = np.dtype(source.dtype if dtype is None else dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, ...)."""
        return len(self), *self.source.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of dimensions, that of the rows among them."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """How large an array of all rows would be."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """How many of the rows are in each block that the source reads as a whole; None where it has none."""
        blocks = getattr(self.source, "blocks", None)
        if blocks is None or self.rows is None:
            return blocks
        if (np.diff(self.rows) < 0).any():
            return None
        counts = np.diff(np.searchsorted(self.rows, np.cumsum([0, *blocks])))
        return tuple(counts[counts > 0].tolist())

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return some of these rows, or one."""
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        chosen = rows if self.rows is None else self.rows[rows]
        return np.asarray(self.source[chosen], self.dtype)

    def __roadworthy_identity__(self) -> object:
        """Identity of the rows: of which inputs, which of them, read as what."""
        return (self.source, self.rows, self.dtype.str)


def rows_taken(inputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return some rows, given by ascending positions: of streamed inputs a view or a `StreamedRows`, never a copy."""
    if len(rows) == len(inputs):
        return inputs
    if not is_streamed(inputs):
        return inputs[rows]
    if isinstance(inputs, np.memmap) and rows[-1] - rows[0] == len(rows) - 1:
        return inputs[rows[0] : rows[-1] + 1]
    return cast(np.ndarray, StreamedRows(inputs, rows))


def as_float64(inputs: np.ndarray) -> np.ndarray:
    """Return the inputs of a table: float64, of streamed ones when they are read."""
    if not is_streamed(inputs):
        return inputs.astype(np.float64)
    if isinstance(inputs, np.memmap) and inputs.dtype == np.float64:
        return inputs
    return cast(np.ndarray, StreamedRows(inputs, dtype=np.dtype(np.float64)))


def in_own_type(inputs: np.ndarray) -> np.ndarray:
    """Return the inputs of arrays, as they are; of a row source as `StreamedRows`."""
    return cast(np.ndarray, StreamedRows(inputs)) if is_row_source(inputs) else inputs


class Chunk(NamedTuple):
    """Some consecutive rows, and the position of the first."""

    start: int
    rows: np.ndarray


def in_chunks(inputs: np.ndarray) -> Iterator[Chunk]:
    """Yield the rows of inputs in order, about 16 MB at a time."""
    size = max(1, CHUNK_BYTES // max(1, inputs.dtype.itemsize * prod(inputs.shape[1:])))
    for start in range(0, len(inputs), size):
        yield Chunk(start, np.asarray(inputs[start : start + size]))


def require_in_memory(subject: Subject, what: str) -> None:
    """Refuse a subject with rows that are read when they are asked for, where rows are edited.

    Raises
    ------
    UserError
        Naming the splits.
    """
    streamed = [n for n, split in subject.splits.items() if is_row_source(split.inputs)]
    if streamed:
        raise UserError(
            f"The {', '.join(streamed)} rows of {subject.name} are read from their file when they are asked for, and "
            f"{what} has to change rows in memory. Give fewer rows, as an array or a table; `audit` takes "
            "them as they are."
        )
