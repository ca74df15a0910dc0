"""Fields that hold rows which are read when they are asked for: who takes them as they are, and who does not."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from roadworthy.errors import NotApplicable

MOST_BYTES = 1 << 28  # read into memory for what looks at all rows at once


def is_row_source(value: object) -> bool:
    """Whether a value stands for an array whose rows are read when they are asked for."""
    names = ("shape", "dtype", "nbytes", "__len__", "__getitem__", "__roadworthy_identity__")
    return not isinstance(value, np.ndarray) and all(hasattr(value, name) for name in names)


def in_memory(
    arguments: Mapping[str, Any],  # Any: whatever a function takes
    but: Collection[str],
) -> dict[str, Any]:
    """Return arguments in which every row source is an array, but for those named.

    Raises
    ------
    NotApplicable
        Where such an array would be too large.
    """
    return {
        name: _read(name, value) if name not in but and is_row_source(value) else value
        for name, value in arguments.items()
    }


def _read(name: str, source: Any) -> np.ndarray:  # Any: a row source
    if source.nbytes > MOST_BYTES:
        raise NotApplicable(
            f"{name} are read from their file when they are asked for, and this looks at all of them at once: "
            f"{source.nbytes / 1e9:.2g} GB, and at most {MOST_BYTES / 1e9:.2g} GB are read into memory. Give fewer rows, "
            "or an array"
        )
    return np.asarray(source[:])
