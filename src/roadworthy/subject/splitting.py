"""How rows are divided into splits: by content, so that the same row always falls the same way.

Rows with the same inputs, and rows of one entity, are never divided.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roadworthy.subject.streamed import in_chunks
from roadworthy.subject.table import ReadColumn

_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: np.ndarray) -> np.ndarray:
    """Return uint64 values thoroughly mixed (splitmix64; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        z = values + _ODD
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hash_of_text(text: str) -> int:
    """Return 64 bits that depend on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def hashes_of_columns(columns: Sequence[ReadColumn], n: int) -> np.ndarray:
    """Return a hash of each row's content, whatever the order of rows and columns: (n,) uint64."""
    total = np.zeros(n, np.uint64)
    for column in columns:
        salt = np.uint64(hash_of_text(column.name))
        with np.errstate(over="ignore"):
            total += mixed(_bits(column) ^ salt)
    return mixed(total)


def _bits(column: ReadColumn) -> np.ndarray:
    if column.values.dtype.kind != "f":
        texts = [hash_of_text(category) for category in column.categories]
        return np.array([*texts, hash_of_text("missing")], np.uint64)[column.values]
    values = np.where(column.values == 0, 0.0, column.values)  # -0.0 is 0.0
    values[np.isnan(values)] = np.nan  # all missing values alike
    return values.view(np.uint64)


def hashes_of_arrays(inputs: np.ndarray) -> np.ndarray:
    """Return a hash of each row's bytes: (n,) uint64."""
    found = np.empty(len(inputs), np.uint64)
    for chunk in in_chunks(inputs):
        rows = np.ascontiguousarray(chunk.rows).reshape(len(chunk.rows), -1)
        digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]
        found[chunk.start : chunk.start + len(rows)] = np.frombuffer(b"".join(digests), np.uint64)
    return found


@dataclass(frozen=True, eq=False)
class Units:
    """Rows that must stay together.

    Parameters
    ----------
    unit : (n,) int64 ndarray
        Code of each row's unit.
    order : (u,) ndarray
        What the units of a stratum are sorted by.
    stratum : (u,) int64 ndarray
        Units of one stratum are divided in the given shares.
    """

    unit: np.ndarray
    order: np.ndarray
    stratum: np.ndarray

    def divided(self, shares: Sequence[float]) -> np.ndarray:
        """Return for each row which of the shares it falls into: (n,) int64."""
        sizes = np.bincount(self.unit, minlength=len(self.order)).astype(float)
        bounds = np.cumsum(shares)[:-1] / np.sum(shares)
        part = np.empty(len(self.order), np.int64)
        for stratum in np.unique(self.stratum):
            members = np.flatnonzero(self.stratum == stratum)
            members = members[np.argsort(self.order[members], kind="stable")]
            reached = np.cumsum(sizes[members])
            middle = (reached - sizes[members] / 2) / reached[-1]
            part[members] = np.searchsorted(bounds, middle, side="right")
        return part[self.unit]


def units_by_content(
    keys: np.ndarray, target: np.ndarray | None, *, is_class: bool, salt: str
) -> Units:
    """Return units of equal keys, stratified by the target, in an order drawn by hash.

    Parameters
    ----------
    keys : (n,) uint64 ndarray
        Hash of the content or of the entity.
    target : (n,) ndarray or None
    is_class : bool
        Strata are the classes; otherwise tenths of the target's distribution.
    salt : str
        Names the draw: two draws with different names are independent.
    """
    distinct, unit = np.unique(keys, return_inverse=True)
    unit = unit.reshape(-1)
    order = mixed(distinct ^ np.uint64(hash_of_text(salt)))
    return Units(unit, order, _strata(unit, len(distinct), target, is_class=is_class))


def _strata(
    unit: np.ndarray, units: int, target: np.ndarray | None, *, is_class: bool
) -> np.ndarray:
    if target is None:
        return np.zeros(units, np.int64)
    if is_class:
        classes = int(target.max(initial=0)) + 1
        pairs, counts = np.unique(unit * classes + target, return_counts=True)
        order = np.argsort(counts, kind="stable")  # the last written is the most frequent class
        stratum = np.empty(units, np.int64)
        stratum[pairs[order] // classes] = pairs[order] % classes
        return stratum
    means = np.bincount(unit, target, units) / np.bincount(unit, minlength=units)
    tenths = min(10, max(1, len(target) // 10))
    ranks = np.argsort(np.argsort(means, kind="stable"), kind="stable")
    return ranks * tenths // max(units, 1)


def units_by_time(times: np.ndarray, keys: np.ndarray | None) -> Units:
    """Return units in the order of their latest time, of equal keys where keys are given."""
    if keys is None:
        unit = np.arange(len(times))
    else:
        unit = np.unique(keys, return_inverse=True)[1].reshape(-1)
    latest = np.full(int(unit.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(latest, unit, np.where(np.isnan(times), -np.inf, times))
    return Units(unit, latest, np.zeros(len(latest), np.int64))
