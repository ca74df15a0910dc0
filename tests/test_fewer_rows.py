"""Whether rows are run in fewer where memory does not suffice, all of them and each once."""

import numpy as np
import pytest

from roadworthy.errors import LackOfMemory
from roadworthy.fewer_rows import as_many_as_fit, in_parts

ROWS = np.arange(100)


def short_of(most: int, error: Exception) -> "list[int]":
    """Run all rows with memory for `most` of them; return the sizes that were tried."""
    tried: list[int] = []

    def run(part: slice) -> np.ndarray:
        rows = ROWS[part]
        tried.append(len(rows))
        if len(rows) > most:
            raise error
        return rows

    found, size = in_parts(len(ROWS), 64, run)
    np.testing.assert_array_equal(np.concatenate(found), ROWS)
    assert size <= most
    return tried


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        LackOfMemory("told already"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
)
def test_parts_are_halved_from_where_memory_ends_and_every_row_comes_once(error: Exception) -> None:
    assert short_of(20, error) == [64, 32, *[16] * 6, 4]


def test_where_one_row_is_too_many_or_the_error_is_another_it_is_raised() -> None:
    with pytest.raises(MemoryError):
        short_of(0, MemoryError())
    with pytest.raises(RuntimeError, match="shape"):
        short_of(20, RuntimeError("wrong shape"))


def test_no_row_is_run_once() -> None:
    found, size = in_parts(0, 8, lambda part: ROWS[part])
    assert [len(rows) for rows in found] == [0]
    assert size == 8


def test_as_many_first_rows_as_fit() -> None:
    def run(rows: np.ndarray) -> int:
        if len(rows) > 13:
            raise MemoryError
        return int(rows.sum())

    rows, found = as_many_as_fit(ROWS, run)
    np.testing.assert_array_equal(rows, np.arange(12))
    assert found == 66

    def never(rows: np.ndarray) -> int:
        raise MemoryError

    with pytest.raises(MemoryError):
        as_many_as_fit(ROWS, never)
