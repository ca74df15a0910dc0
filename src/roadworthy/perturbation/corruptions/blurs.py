"""Detail that is lost: lenses out of focus, motion, coarse pixels, compression.

Images are (n, c, h, w) float32 in 0 to 1; lengths are shares of the shorter side that has pixels.
"""

import numpy as np

from roadworthy.perturbation.corruptions.sampling import interpolation, side_of
from roadworthy.perturbation.noise import RowNoise

ZOOMS = 6  # copies that a zoom blur averages
BLOCK = 8
# Quantisation of luminance, ITU-T T.81 (1992), annex K.1, of values from 0 to 255.
STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)


def gaussian_blur(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Blur by a normal kernel of this standard deviation."""
    from scipy.ndimage import gaussian_filter1d

    del noise
    deviation = amount * side_of(images)
    for axis in _axes(images):
        images = gaussian_filter1d(images, deviation, axis=axis, mode="nearest", truncate=3.0)
    return images


def box_blur(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Average over a square of this side, as a lens out of focus does."""
    from scipy.ndimage import uniform_filter1d

    del noise
    reach = amount * side_of(images) / 2
    whole, part = int(reach), np.float32(reach - int(reach))
    for axis in _axes(images):
        smaller = uniform_filter1d(images, 2 * whole + 1, axis=axis, mode="nearest")
        larger = uniform_filter1d(images, 2 * whole + 3, axis=axis, mode="nearest")
        images = smaller + part * (larger - smaller)
    return images


def motion_blur(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Average along a line of this length, in a direction of its own for each image.

    A line is a sinc in the frequency domain, so that its length need not be whole; edges are continued.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    h, w = images.shape[2:]
    length = amount * side_of(images)
    margin = int(np.ceil(length)) + 1
    rows, columns = margin if h > 1 else 0, margin if w > 1 else 0
    padded = np.pad(images, ((0, 0), (0, 0), (rows, rows), (columns, columns)), mode="edge")
    size = [int(next_fast_len(s, real=True) or s) for s in padded.shape[2:]]
    # What is added beyond the margin lies further than the line reaches.
    spectrum = np.asarray(rfft2(padded, s=size))
    angle = np.pi * noise.uniform((1, 1), "motion blur") * (h > 1)
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None, :]
    along = x * np.cos(angle) + y * np.sin(angle)
    spectrum *= np.sinc(length * along).astype(np.float32)[:, None]
    found = np.asarray(irfft2(spectrum, s=size), np.float32)
    return found[:, :, rows : rows + h, columns : columns + w]


def zoom_blur(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Average copies that are enlarged by up to this share."""
    del noise
    h, w = images.shape[2:]
    total = np.zeros_like(images)
    for zoom in np.linspace(1.0, 1.0 + amount, ZOOMS):
        rows = interpolation(h, (np.arange(h) - (h - 1) / 2) / zoom + (h - 1) / 2)
        columns = interpolation(w, (np.arange(w) - (w - 1) / 2) / zoom + (w - 1) / 2)
        total += rows @ images @ columns.T
    return total / ZOOMS


def pixelate(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Give squares of this side their mean."""
    del noise
    size = 1.0 + amount * (side_of(images) - 1)
    whole, part = int(size), np.float32(size - int(size))
    return (1 - part) * _in_squares(images, whole) + part * _in_squares(images, whole + 1)


def block_compression(images: np.ndarray, amount: float, noise: RowNoise) -> np.ndarray:
    """Round the cosine transform of squares of 8 x 8, as JPEG does; 1 is about its quality 50."""
    from scipy.fft import dctn, idctn

    del noise
    n, c, h, w = images.shape
    tall = BLOCK if h > 1 else 1
    below, right = -h % tall, -w % BLOCK
    padded = np.pad(images, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    shape = (n, c, (h + below) // tall, tall, (w + right) // BLOCK, BLOCK)
    steps = np.float32(amount / 255.0) * STEPS[:tall, None, :]
    centred = padded.reshape(shape) - np.float32(0.5)
    parts = np.asarray(dctn(centred, axes=(3, 5), norm="ortho"))
    parts = np.round(parts / steps) * steps
    found = np.asarray(idctn(parts, axes=(3, 5), norm="ortho")) + np.float32(0.5)
    return found.reshape(padded.shape)[:, :, :h, :w]


def _axes(images: np.ndarray) -> list[int]:
    return [axis for axis in (2, 3) if images.shape[axis] > 1]


def _in_squares(images: np.ndarray, size: int) -> np.ndarray:
    for axis in _axes(images):
        length = images.shape[axis]
        starts = np.arange(0, length, size)
        counts = np.minimum(starts + size, length) - starts
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        sums = np.add.reduceat(images, starts, axis=axis)
        means = sums / counts.astype(np.float32).reshape(shape)
        images = np.repeat(means, counts, axis=axis)
    return images
