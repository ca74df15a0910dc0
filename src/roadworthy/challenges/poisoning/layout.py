"""Inputs as rows of coordinates: what a pattern can be laid over, and a space in which rows are near each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roadworthy.subject import Column

BLOCKS = 4
SEED = 20190513  # of the blocks of columns, which must not differ from one run to the next


@dataclass(frozen=True, eq=False)
class Layout:
    """How inputs of one subject are taken apart.

    Parameters
    ----------
    shape : tuple of int
        Of one row of inputs.
    category : (d,) bool ndarray
        Coordinates that hold codes.
    scale : (d,) float64 ndarray
        What counts as a large step of each coordinate.
    low, high : (d,) float64 ndarray
        Least and greatest value seen.
    owner : (f,) int64 ndarray
        Coordinate that each dimension of `positions` comes from.
    block : (f,) int64 ndarray
        Part of the input that each dimension belongs to: quarters of an image, random quarters of columns.
    table : bool
    """

    shape: tuple[int, ...]
    category: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    owner: np.ndarray
    block: np.ndarray
    table: bool

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return len(self.category)

    def flat(self, inputs: np.ndarray) -> np.ndarray:
        """Return inputs as (n, d) float64."""
        return inputs.reshape(len(inputs), -1).astype(np.float64)

    def shaped(self, flat: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Return (n, d) coordinates as inputs of the kind of `like`."""
        return flat.reshape(len(flat), *self.shape).astype(like.dtype)

    def positions(self, inputs: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return the space for neighbours (n, f) float32: features of tables, scaled values of arrays."""
        if self.table:
            return features.astype(np.float32)
        return np.nan_to_num(self.flat(inputs) / self.scale).astype(np.float32)


def layout_of(
    inputs: np.ndarray,
    feature_map: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None" = None,
) -> Layout:
    """Return the layout of training inputs."""
    flat = inputs.reshape(len(inputs), -1)
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
    low, high = np.nan_to_num(low).astype(np.float64), np.nan_to_num(high).astype(np.float64)
    shape = inputs.shape[1:]
    if not columns:
        d = flat.shape[1]
        whole = max(float(high.max() - low.min()), 1e-12)
        owner = np.arange(d)
        bounds = np.full(d, low.min()), np.full(d, high.max())
        none = np.zeros(d, bool)
        return Layout(shape, none, np.full(d, whole), *bounds, owner, _quarters(shape), False)
    category = np.array([column.kind == "category" for column in columns])
    scale = np.ones(len(columns))
    numeric = feature_map["numeric"]
    scale[numeric] = feature_map["scale"]
    owner = np.concatenate(
        [numeric, numeric[feature_map["indicated"]], feature_map["category_column"]]
    ).astype(np.int64)
    of_column = np.random.default_rng(SEED).permutation(len(columns)) % BLOCKS
    return Layout(shape, category, scale, low, high, owner, of_column[owner], True)


def _quarters(shape: tuple[int, ...]) -> np.ndarray:
    """Return the quarter of an image, series or vector that each value lies in."""
    index = np.indices(shape) if shape else np.zeros((1, 1), int)
    long = np.argsort(shape, kind="stable")[-2:] if len(shape) > 1 else np.array([0])
    if len(shape) < 2 or sorted(shape)[-2] < BLOCKS:
        side = int(np.argmax(shape)) if shape else 0
        return (index[side] * BLOCKS // max(shape[side] if shape else 1, 1)).ravel()
    a, b = (index[axis] * 2 // shape[axis] for axis in sorted(long.tolist()))
    return (2 * a + b).ravel().astype(np.int64)
