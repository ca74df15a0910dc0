"""Light, colour and weather. Images are (n, c, h, w) float32 in 0 to 1; the caller clips what leaves that."""

import numpy as np

from roadworthy.perturbation.corruptions.sampling import plasma
from roadworthy.perturbation.noise import RowNoise


def brightness(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Make brighter or darker by this much."""
    return images + np.float32(amount) * _either_way(noise, "brightness")


def contrast(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Draw all values towards their mean by this share of the way."""
    del noise
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return images + np.float32(amount) * (mean - images)


def gamma(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Take values to the power of e to plus or minus this."""
    return images ** np.exp(np.float32(amount) * _either_way(noise, "gamma"))


def solarised(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Turn bright values dark by this share of the way, as film that is far too long exposed."""
    del noise
    return images + np.float32(amount) * (np.minimum(2 * images, 2 - 2 * images) - images)


def fog(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Cover with this share of drifting fog."""
    h, w = images.shape[2:]
    cover = plasma(noise, h, w, "fog")[:, None]
    return images + np.float32(amount) * (0.25 + 0.75 * cover - images)


def uneven_light(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add a slope from minus to plus this across the image, in any direction; to a series a drift."""
    h, w = images.shape[2:]
    angle = 2 * np.pi * noise.uniform((1, 1), "uneven light")
    if h == 1:
        angle = np.where(angle < np.pi, 0.0, np.pi)
    y, x = (np.arange(size) / max(size - 1, 1) * 2 - 1 for size in (h, w))
    slope = x[None, :] * np.cos(angle) + y[:, None] * np.sin(angle) * (h > 1)
    return images + np.float32(amount) * slope[:, None].astype(np.float32)


def colour_cast(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add a number of its own to each channel, of mean 0 and of this spread."""
    shift = noise.normal((images.shape[1], 1, 1), "colour cast")
    return images + np.float32(amount) * (shift - shift.mean(axis=1, keepdims=True))


def _either_way(noise: RowNoise, draw: str) -> np.ndarray:
    return np.where(noise.uniform((1, 1, 1), draw) < 0.5, np.float32(-1), np.float32(1))
