"""Verifying that an array has the shape its artifact declares: one place sees every array."""

from typing import Any

import numpy as np


def verified(value: Any, declared: str | None, n: int | None) -> Any:  # Any: what was returned
    """Return the value as it is.

    Parameters
    ----------
    value : object
    declared : str or None
        Dimension letters and numbers, "n c" or "n 2"; "..." at the end stands for any more. None:
        nothing is declared.
    n : int or None
        Rows, where that is known.

    Raises
    ------
    TypeError
        When the value is no array of that shape.
    """
    if declared is None:
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"an array of shape ({declared}) is declared; {type(value).__name__} came")
    letters = declared.split()
    is_open = letters[-1:] == ["..."]
    letters = letters[:-1] if is_open else letters
    sizes = {} if n is None else {"n": n}
    fits = value.ndim >= len(letters) if is_open else value.ndim == len(letters)
    for letter, size in zip(letters, value.shape, strict=False):
        expected = int(letter) if letter.isdecimal() else sizes.setdefault(letter, size)
        fits = fits and expected == size
    if not fits:
        rows = "" if n is None else f" with n = {n}"
        raise TypeError(f"the shape ({declared}){rows} is declared; {value.shape} came")
    return value
