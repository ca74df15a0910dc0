"""Who a row is: a hash of its contents, and a number for each copy of the same contents."""

from hashlib import blake2b

import numpy as np

from roadworthy.engine import artifact

VALUES_AT_A_TIME = 1 << 21  # bounds the float64 copy of large images


@artifact(per="split", shape="n 2", rows=True)
def content_hashes(inputs: np.ndarray) -> np.ndarray:
    """128-bit hash of what the model sees of each row: (n, 2) uint64.

    BLAKE2b (RFC 7693) of the values as float64 in which -0.0 is 0.0 and every NaN the same NaN:
    equal values hash equal whatever their dtype or byte order. Rows of different shape differ.
    """
    hashes = np.empty((len(inputs), 2), np.uint64)
    shape = repr(inputs.shape[1:]).encode()
    size = max(1, VALUES_AT_A_TIME // max(1, inputs[:1].size))
    for start in range(0, len(inputs), size):
        rows = _canonical(inputs[start : start + size])
        digests = b"".join(blake2b(row, digest_size=16, key=shape).digest() for row in rows)
        hashes[start : start + len(rows)] = np.frombuffer(digests, "<u8").reshape(-1, 2)
    return hashes


@artifact(per="split", shape="n")
def row_ids(content_hashes: np.ndarray) -> np.ndarray:
    """Name of each row, alike in every audit of the same data: (n,) uint64, unique in its split.

    The first half of the content hash; the second, third, ... occurrence of the same contents is
    mixed with its occurrence number, so that reordering distinct rows renames none.
    """
    occurrence = occurrence_numbers(content_hashes)
    return np.where(
        occurrence == 0,
        content_hashes[:, 0],
        _mixed(content_hashes[:, 0] + _mixed(occurrence.astype(np.uint64))),
    )


def occurrence_numbers(content_hashes: np.ndarray) -> np.ndarray:
    """How many earlier rows have the same contents: (n,) int64.

    >>> occurrence_numbers(np.array([[7, 7], [8, 8], [7, 7], [7, 7]], np.uint64)).tolist()
    [0, 0, 1, 2]
    """
    order = np.lexsort((content_hashes[:, 1], content_hashes[:, 0]))  # stable: first comes first
    ordered = content_hashes[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    position = np.arange(len(order))
    start_of_run = np.maximum.accumulate(np.where(is_first, position, 0))
    occurrence = np.empty(len(order), np.int64)
    occurrence[order] = position - start_of_run
    return occurrence


def _canonical(rows: np.ndarray) -> np.ndarray:
    values = np.array(rows.reshape(len(rows), -1), dtype="<f8", order="C") + 0.0  # -0.0 -> 0.0
    values[np.isnan(values)] = np.nan
    return values


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatter neighbouring numbers: the finalizer of SplitMix64 (Steele, Lea & Flood 2014)."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
