"""Rows that come from elsewhere, made from the subject's own: what unseen inputs are rehearsed with.

Half of the ways are for choosing a score, the other half for reporting how good it is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from roadworthy.perturbation.noise import RowNoise

Fitted = Mapping[str, Any]  # Any: arrays, names and numbers

CHOOSING_ARRAYS = ("shuffled", "clouds", "halves")
REPORTED_ARRAYS = ("inverted", "noise", "blended")
CHOOSING_TABLES = ("columns apart", "shifted")
REPORTED_TABLES = ("mirrored", "anywhere in range")
SHIFT = 3.0  # spreads


def ways(is_table: bool) -> tuple[str, ...]:
    """Return the names of all ways, those for choosing first."""
    if is_table:
        return (*CHOOSING_TABLES, *REPORTED_TABLES)
    return (*CHOOSING_ARRAYS, *REPORTED_ARRAYS)


def choosing(is_table: bool) -> int:
    """Return how many of the ways are for choosing."""
    return len(CHOOSING_TABLES if is_table else CHOOSING_ARRAYS)


def foreign(inputs: np.ndarray, way: str, noise: RowNoise, fitted: Fitted) -> np.ndarray:
    """Return rows made foreign in one way, each from itself and the pool of training rows alone.

    Parameters
    ----------
    inputs : (n, ...) ndarray
    way : str
    noise : RowNoise
        Of these rows.
    fitted : mapping
        `pool` (m, ...), some training rows; of tables what `perturbation.corruptions.table_facts` gives, of
        arrays the `range` of their values and `order`, one permutation of their elements.
    """
    if "numeric" in fitted:
        return _foreign_table(np.asarray(inputs, np.float64), way, noise, fitted)
    low, high = (float(end) for end in fitted["range"])
    shape = inputs.shape[1:]
    pool: np.ndarray = fitted["pool"]
    other = pool[noise.integers(len(pool), (), f"foreign {way}")].astype(np.float64)
    if way == "shuffled":
        found = inputs.reshape(len(inputs), -1)[:, fitted["order"]].reshape(inputs.shape)
    elif way == "clouds":
        found = low + (high - low) * _clouds(shape, noise)
    elif way == "halves":
        right = np.arange(shape[-1]) >= shape[-1] / 2
        found = np.where(right, other, inputs)
    elif way == "inverted":
        found = low + high - inputs.astype(np.float64)
    elif way == "noise":
        found = low + (high - low) * noise.uniform(shape, "foreign noise")
    else:
        assert way == "blended", way
        found = (inputs + other) / 2
    return found.astype(inputs.dtype)


def _clouds(shape: tuple[int, ...], noise: RowNoise) -> np.ndarray:
    from roadworthy.perturbation.corruptions.sampling import plasma

    h, w = (1, *shape)[-2:]
    cover = plasma(noise, h, w, "foreign clouds")
    return np.broadcast_to(
        cover.reshape(len(noise), *(1,) * (len(shape) - min(len(shape), 2)), *shape[-2:]),
        (len(noise), *shape),
    )


def _foreign_table(inputs: np.ndarray, way: str, noise: RowNoise, fitted: Fitted) -> np.ndarray:
    numeric, sizes = fitted["numeric"], np.maximum(fitted["sizes"], 1)
    d = inputs.shape[1:]
    if way == "columns apart":
        pool: np.ndarray = fitted["pool"]
        return pool[noise.integers(len(pool), d, "foreign cells"), np.arange(d[0])]
    if way == "shifted":
        sign = np.where(noise.uniform(d, "foreign sign") < 0.5, -1.0, 1.0)
        moved, codes = inputs + SHIFT * sign * fitted["spread"], (inputs + 1) % sizes
    elif way == "mirrored":
        moved, codes = 2 * fitted["usual"] - inputs, sizes - 1 - inputs
    else:
        assert way == "anywhere in range", way
        place = noise.uniform(d, "foreign place").astype(np.float64)
        low, high = fitted["quantiles"][0], fitted["quantiles"][-1]
        moved, codes = low + place * (high - low), np.floor(place * sizes)
    return np.where(numeric, moved, codes)
