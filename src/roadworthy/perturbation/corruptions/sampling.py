"""Values of images between their pixels, and smooth random fields. Edges are continued."""

import numpy as np

from roadworthy.perturbation.noise import RowNoise


def side_of(images: np.ndarray) -> int:
    """Return the shorter side; of a series (height 1) its length."""
    h, w = images.shape[2:]
    return w if h == 1 else h if w == 1 else min(h, w)


def interpolation(size: int, at: np.ndarray) -> np.ndarray:
    """Return the matrix that takes `size` values to straight lines between them: (len(at), size) float32.

    >>> interpolation(3, np.array([0.5, 9.0])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    at = np.clip(at, 0, size - 1)
    lower = np.minimum(at.astype(np.int64), max(size - 2, 0))
    part = at - lower
    found = np.zeros((len(at), size), np.float32)
    rows = np.arange(len(at))
    found[rows, lower] = 1 - part
    found[rows, np.minimum(lower + 1, size - 1)] += part
    return found


def sampled(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return each image at positions of its own, bilinear.

    Parameters
    ----------
    images : (n, c, h, w) ndarray
    rows, columns : (n, h, w) ndarray
    """
    n, c, h, w = images.shape
    flat = images.reshape(n, c, h * w)
    rows, columns = np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down = (rows - top).reshape(n, 1, -1).astype(np.float32)
    right = (columns - left).reshape(n, 1, -1).astype(np.float32)
    below, beside = np.minimum(top + 1, h - 1), np.minimum(left + 1, w - 1)

    def at(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.take_along_axis(flat, (y * w + x).reshape(n, 1, -1), axis=2)

    upper = at(top, left) + right * (at(top, beside) - at(top, left))
    lower = at(below, left) + right * (at(below, beside) - at(below, left))
    return (upper + down * (lower - upper)).reshape(n, c, h, w)


def plasma(noise: RowNoise, h: int, w: int, draw: str, *, finest: int | None = None) -> np.ndarray:
    """Return a smooth random field for each row, 0 to 1: (n, h, w) float32.

    Normal noise on grids that double, each half as strong as the one before (midpoint displacement,
    Fournier, Fussell & Carpenter 1982, Communications of the ACM 25, as a sum).
    """
    total = np.zeros((len(noise), h, w), np.float32)
    cells, weight = 2, 1.0
    most = max(h, w) if finest is None else finest
    while cells == 2 or cells <= most:
        grid = noise.normal((cells + 1, cells + 1), f"{draw} {cells}")
        rows = interpolation(cells + 1, np.arange(h) * (cells / max(h - 1, 1)))
        columns = interpolation(cells + 1, np.arange(w) * (cells / max(w - 1, 1)))
        total += np.float32(weight) * (rows @ grid @ columns.T)
        cells, weight = cells * 2, weight / 2
    least = total.min(axis=(1, 2), keepdims=True)
    reach = total.max(axis=(1, 2), keepdims=True) - least
    return (total - least) / np.maximum(reach, 1e-6)
