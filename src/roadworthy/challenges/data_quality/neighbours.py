"""Exact nearest neighbours by blocks of matrix products: memory does not grow with n squared."""

import numpy as np

BLOCK = 2**24  # distances held at a time: 64 MB of float32


def nearest(references: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (m, k) float32 and positions (m, k) int64 of the k nearest references, ascending.

    Distances from |a|² + |b|² - 2ab in float32 on centred rows: small ones are exact to about 1e-3 of the
    rows' length. k is cut to the number of references.
    """
    k = min(k, len(references))
    centre = references.mean(axis=0, dtype=np.float64).astype(np.float32)
    a = references.astype(np.float32) - centre
    squares = np.einsum("ij,ij->i", a, a)
    distances = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    step = max(1, BLOCK // max(len(a), 1))
    for start in range(0, len(queries), step):
        b = queries[start : start + step].astype(np.float32) - centre
        table = b @ a.T
        table *= -2
        table += squares
        chosen = np.argpartition(table, k - 1, axis=1)[:, :k]
        square = np.take_along_axis(table, chosen, axis=1) + np.einsum("ij,ij->i", b, b)[:, None]
        order = np.argsort(square, axis=1, kind="stable")
        positions[start : start + step] = np.take_along_axis(chosen, order, axis=1)
        distances[start : start + step] = np.sqrt(
            np.maximum(np.take_along_axis(square, order, axis=1), 0)
        )
    return distances, positions
