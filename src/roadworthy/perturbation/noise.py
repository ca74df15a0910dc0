"""Random numbers that belong to a row, so that neither its neighbours nor the cut into shards changes them."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class RowNoise:
    """A random stream for each row, by counter: the same row and draw give the same numbers anywhere.

    Parameters
    ----------
    row_ids : (n,) uint64 ndarray
    seed : int
        Of the run.
    """

    row_ids: np.ndarray
    seed: int = 0

    def __len__(self) -> int:
        return len(self.row_ids)

    def take(self, rows: np.ndarray) -> "RowNoise":
        """Return the streams of these rows (positions or a mask)."""
        return RowNoise(self.row_ids[rows], self.seed)

    def bits(self, size: int, draw: str) -> np.ndarray:
        """Return `size` words for each row: (n, size) uint64. `draw` names what they are for."""
        start = _mixed(self.row_ids.astype(np.uint64) ^ _key(self.seed, draw))
        with np.errstate(over="ignore"):
            counters = start[:, None] + GOLDEN * np.arange(1, size + 1, dtype=np.uint64)
        return _mixed(counters)

    def uniform(self, shape: tuple[int, ...], draw: str) -> np.ndarray:
        """Return numbers from 0 to below 1: (n, *shape) float32."""
        bits = self.bits(int(np.prod(shape, dtype=np.int64)), draw)
        values = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return values.reshape(len(self), *shape)

    def normal(self, shape: tuple[int, ...], draw: str) -> np.ndarray:
        """Return standard normal numbers: (n, *shape) float32 (Box & Muller 1958)."""
        size = int(np.prod(shape, dtype=np.int64))
        bits = self.bits(2 * size, draw) >> np.uint64(11)
        values = (bits.astype(np.float64) + 0.5) * 2.0**-53
        radius = np.sqrt(-2.0 * np.log(values[:, :size]))
        found = radius * np.cos(2.0 * np.pi * values[:, size:])
        return found.astype(np.float32).reshape(len(self), *shape)

    def integers(self, high: int, shape: tuple[int, ...], draw: str) -> np.ndarray:
        """Return whole numbers from 0 to below `high`: (n, *shape) int64; biased by less than high / 2^32."""
        bits = self.bits(int(np.prod(shape, dtype=np.int64)), draw) >> np.uint64(32)
        return ((bits * np.uint64(high)) >> np.uint64(32)).astype(np.int64).reshape(-1, *shape)


def _key(seed: int, draw: str) -> np.uint64:
    digest = blake2b(f"{seed}:{draw}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, "<u8")[0]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatter neighbouring numbers: the finalizer of SplitMix64 (Steele, Lea & Flood 2014)."""
    z = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
