"""Fewer rows at once where memory does not suffice for so many."""

from collections.abc import Callable, Sized
from typing import Protocol, Self, TypeVar

from roadworthy.errors import LackOfMemory, is_lack_of_memory

LACKS = (LackOfMemory, MemoryError, RuntimeError)  # torch raises the last


class Rows(Sized, Protocol):
    """Rows of an array or tensor."""

    def __getitem__(self, rows: slice, /) -> Self:
        """Return these rows."""
        ...


SomeRows = TypeVar("SomeRows", bound=Rows)
Found = TypeVar("Found")


def in_parts(n: int, size: int, run: Callable[[slice], Found]) -> tuple[list[Found], int]:
    """Run `n` rows in parts of `size`; where memory does not suffice for one, it and all that follow are half as large.

    Parameters
    ----------
    n : int
        0 is run once too: nothing in, and the kind of what comes out.
    size : int
        At least 1.
    run : callable
        Takes the slice of a part.

    Returns
    -------
    found : list
        What each part gave, in order.
    size : int
        As given, or smaller where memory did not suffice.
    """
    found: list[Found] = []
    at = 0
    while at < n or not found:
        stop = min(at + size, n)
        try:
            found.append(run(slice(at, stop)))
        except LACKS as error:
            if stop - at <= 1 or not is_lack_of_memory(error):
                raise
            size = (stop - at) // 2
        else:
            at = stop
    return found, size


def as_many_as_fit(rows: SomeRows, run: Callable[[SomeRows], Found]) -> tuple[SomeRows, Found]:
    """Return as many of the first rows as memory suffices for at once, and what comes of them."""
    while True:
        try:
            return rows, run(rows)
        except LACKS as error:
            if len(rows) <= 1 or not is_lack_of_memory(error):
                raise
        rows = rows[: len(rows) // 2]
