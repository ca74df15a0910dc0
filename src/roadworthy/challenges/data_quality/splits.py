"""Rows of several splits as one array, and the way back from a position in it."""

from collections.abc import Sequence

import numpy as np


def concatenated(*arrays: np.ndarray | None) -> np.ndarray:
    """Return the rows of all splits that exist, in the order given."""
    return np.concatenate([a for a in arrays if a is not None])


def located(row: int, n_train: int) -> str:
    """Return where a row of "training rows, then validation rows" lies, in words.

    >>> located(3, 10), located(12, 10)
    ('train row 3', 'validation row 2')
    """
    return f"train row {row}" if row < n_train else f"validation row {row - n_train}"


def split_and_row(row: int, sizes: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """Return the split and the position in it of a row of several splits laid end to end.

    >>> split_and_row(12, [("train", 10), ("validation", 0), ("test", 5)])
    ('test', 2)
    """
    for name, size in sizes:
        if row < size:
            return name, row
        row -= size
    raise IndexError(f"row {row} lies behind the last split")


def sizes_of(
    train: np.ndarray, validation: np.ndarray | None, test: np.ndarray
) -> list[tuple[str, int]]:
    """Return the splits that exist and their sizes, in the order of `concatenated`."""
    return [
        ("train", len(train)),
        ("validation", 0 if validation is None else len(validation)),
        ("test", len(test)),
    ]
