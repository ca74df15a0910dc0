"""Where things are, and what hides them. Images are (n, c, h, w) float32 in 0 to 1; edges are continued."""

import numpy as np

from roadworthy.perturbation.corruptions.sampling import plasma, sampled, side_of
from roadworthy.perturbation.noise import RowNoise


def translated(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Move by this share of the side, in any direction."""
    angle = 2 * np.pi * noise.uniform((1, 1), "translation")
    y, x = _positions(images)
    if images.shape[2] == 1:
        angle = np.where(angle < np.pi, 0.0, np.pi)
    reach = amount * side_of(images)
    return sampled(images, y + reach * np.sin(angle), x + reach * np.cos(angle))


def rotated(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Turn by this many half turns, either way."""
    angle = np.pi * amount * _either_way(noise, "rotation")
    y, x = _positions(images, centred=True)
    h, w = images.shape[2:]
    rows = y * np.cos(angle) - x * np.sin(angle) + (h - 1) / 2
    columns = y * np.sin(angle) + x * np.cos(angle) + (w - 1) / 2
    return sampled(images, rows, columns)


def scaled(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Enlarge or shrink by e to this."""
    factor = np.exp(amount * _either_way(noise, "scale"))
    y, x = _positions(images, centred=True)
    h, w = images.shape[2:]
    return sampled(images, y * factor + (h - 1) / 2, x * factor + (w - 1) / 2)


def warped(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Move parts by up to this share of the side, neighbours alike; of a series the speed varies."""
    h, w = images.shape[2:]
    y, x = _positions(images)
    reach = 2 * amount * side_of(images)
    down = plasma(noise, h, w, "warp down", finest=4) - 0.5
    right = plasma(noise, h, w, "warp right", finest=4) - 0.5
    return sampled(images, y + reach * down, x + reach * right)


def occluded(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Cover a rectangle of this share of the image with one grey."""
    h, w = images.shape[2:]
    drawn = noise.uniform((3,), "occlusion")
    share = np.sqrt(amount) if h > 1 and w > 1 else amount
    down, right = (
        _covered(size, share, drawn[:, k]) if size > 1 else np.ones((len(drawn), 1), np.float32)
        for k, size in enumerate((h, w))
    )
    cover = (down[:, :, None] * right[:, None, :])[:, None]
    return images + cover * (drawn[:, 2][:, None, None, None] - images)


def dead_lines(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Set this share of rows or of columns to the least value; of a series of its points."""
    h, w = images.shape[2:]
    rows = noise.uniform((1, h, 1), "dead rows") < amount
    columns = noise.uniform((1, 1, w), "dead columns") < amount
    across = noise.uniform((1, 1, 1), "dead lines") < (0.5 if h > 1 and w > 1 else float(w == 1))
    return np.where(np.where(across, rows, columns), np.float32(0), images)


def _covered(size: int, share: float, place: np.ndarray) -> np.ndarray:
    """Return how much of each pixel lies in a stretch of this share of the side: (n, size) float32."""
    start = (place * (1 - share) * size)[:, None]
    pixel = np.arange(size)
    inside = np.minimum(pixel + 1, start + share * size) - np.maximum(pixel, start)
    return np.clip(inside, 0, 1).astype(np.float32)


def _positions(images: np.ndarray, *, centred: bool = False) -> tuple[np.ndarray, np.ndarray]:
    h, w = images.shape[2:]
    y, x = np.mgrid[:h, :w].astype(np.float64)
    return (y - (h - 1) / 2, x - (w - 1) / 2) if centred else (y, x)


def _either_way(noise: RowNoise, draw: str) -> np.ndarray:
    return np.where(noise.uniform((1, 1), draw) < 0.5, -1.0, 1.0)
