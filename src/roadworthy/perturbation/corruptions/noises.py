"""Sensor noise. Images are (n, c, h, w) float32 in 0 to 1; the caller clips what leaves that."""

import numpy as np

from roadworthy.perturbation.noise import RowNoise


def gaussian_noise(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add normal noise of this standard deviation."""
    return images + amount * noise.normal(images.shape[1:], "gaussian noise")


def shot_noise(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add noise whose variance grows with the light, the normal limit of counted photons."""
    return images + amount * np.sqrt(images) * noise.normal(images.shape[1:], "shot noise")


def speckle_noise(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add noise in proportion to the value, as of coherent light, radar and ultrasound."""
    return images * (1 + amount * noise.normal(images.shape[1:], "speckle noise"))


def impulse_noise(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Set this share of positions to the least or the greatest value, in all channels."""
    drawn = noise.uniform((2, 1, *images.shape[2:]), "impulse noise")
    value = (drawn[:, 1] < 0.5).astype(np.float32)
    return np.where(drawn[:, 0] < amount, value, images)


def interference(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Add a sine wave of this height, of one to eight periods over the image, in any direction."""
    h, w = images.shape[2:]
    drawn = noise.uniform((3,), "interference")[:, :, None, None]
    periods = 1.0 + drawn[:, 0] * (min(8.0, max(max(h, w) / 4.0, 1.0)) - 1.0)
    angle = np.pi * drawn[:, 1] * (h > 1)
    y, x = np.arange(h)[:, None] / h, np.arange(w)[None, :] / w
    along = x * np.cos(angle) + y * np.sin(angle)
    wave = np.sin(2 * np.pi * (periods * along + drawn[:, 2]))
    return images + amount * wave[:, None].astype(np.float32)


def coarse_levels(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Round to levels this far apart."""
    del noise
    return np.round(images / amount) * np.float32(amount)
