"""Whether two pictures are the same one: shifted, mirrored, cut, recoloured, compressed again."""

from collections.abc import Iterator

import numpy as np

LARGEST_SIDE = 32  # larger pictures are averaged down first
SMALLEST_SIDE = 16  # smaller ones agree by coincidence: a fifth of 8 x 8 digits do
TEMPLATE = 0.75  # of the side: the middle of one picture is sought in the other
SCALES = (1.0, 0.9, 1.1)
BAND = (0.7, 2.0)  # standard deviations in pixels of the two blurs whose difference is compared
PAIRS_AT_A_TIME = 2_000


def grey(inputs: np.ndarray) -> np.ndarray | None:
    """Return (n, h, w) float32 with sides of 16 to 32 pixels, None where the rows are no pictures.

    Pictures are (n, h, w), (n, channels, h, w) or (n, h, w, channels); channels are averaged.
    """
    pictures = _channels_first(inputs)
    if pictures is None or min(pictures.shape[2:]) < SMALLEST_SIDE:
        return None
    single = np.nan_to_num(pictures.mean(axis=1, dtype=np.float32))
    factor = -(-max(single.shape[1:]) // LARGEST_SIDE)
    n, height, width = single.shape
    if factor == 1:
        return single
    height, width = height // factor, width // factor
    if min(height, width) < SMALLEST_SIDE:
        return None
    cut = single[:, : height * factor, : width * factor]
    return cut.reshape(n, height, factor, width, factor).mean(axis=(2, 4))


def band_passed(pictures: np.ndarray) -> np.ndarray:
    """Return edges and textures without brightness and pixel noise: a difference of two Gaussians.

    Smooth pictures (sky, sea) agree with each other in grey values; in this band they do not.
    """
    from scipy.ndimage import gaussian_filter

    shrunk = min(pictures.shape[1:]) / LARGEST_SIDE
    fine, coarse = (
        max(sigma * shrunk, floor) for sigma, floor in zip(BAND, (0.0, 1.0), strict=True)
    )
    return gaussian_filter(pictures, (0, fine, fine)) - gaussian_filter(
        pictures, (0, coarse, coarse)
    )


def agreement(
    first: np.ndarray, second: np.ndarray, asked: np.ndarray, candidates: np.ndarray
) -> np.ndarray:
    """Largest normalised cross-correlation of the middle of one picture with a part of another: (m,).

    Over all placements, mirrored or not, at its size and 10 % smaller or larger; a real shift moves pixels
    out of the picture, which a circular one would not.

    Parameters
    ----------
    first, second : (n, h, w), (k, h, w)
        As `band_passed` returns them.
    asked, candidates : (m,) int64
        Pairs of positions in `first` and `second`.
    """
    best = np.empty(len(asked), np.float32)
    size = round(TEMPLATE * min(first.shape[1:]))
    for start in range(0, len(asked), PAIRS_AT_A_TIME):
        part = slice(start, start + PAIRS_AT_A_TIME)
        pictures = second[candidates[part]]
        local = _Local(pictures, size)
        scores = [local.best_match(t) for t in _templates(first[asked[part]], size)]
        best[part] = np.max(scores, axis=0)
    return best


class _Local:
    """Pictures prepared for matching templates of one size: local sums and transforms, made once."""

    def __init__(self, pictures: np.ndarray, size: int) -> None:
        self.size = size
        self.shape = pictures.shape[1:]
        self.transform = np.fft.rfft2(pictures)
        total, square = self._box(pictures), self._box(pictures.astype(np.float64) ** 2)
        self.spread = np.sqrt(np.maximum(square - total**2 / size**2, 1e-6))

    def best_match(self, templates: np.ndarray) -> np.ndarray:
        """Return the largest normalised cross-correlation over placements: (m,)."""
        centred = templates - templates.mean(axis=(1, 2), keepdims=True)
        length = np.sqrt(np.square(centred).sum(axis=(1, 2)))
        product = np.fft.irfft2(
            np.conj(np.fft.rfft2(centred, self.shape)) * self.transform, self.shape
        )
        placed = product[:, : self.spread.shape[1], : self.spread.shape[2]] / self.spread
        return placed.reshape(len(placed), -1).max(axis=1) / np.maximum(length, 1e-3)

    def _box(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over every window of the template's size."""
        sums = np.zeros((len(values), self.shape[0] + 1, self.shape[1] + 1))
        sums[:, 1:, 1:] = values.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
        t = self.size
        return sums[:, t:, t:] - sums[:, :-t, t:] - sums[:, t:, :-t] + sums[:, :-t, :-t]


def _templates(pictures: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for scale in SCALES:
            yield _middle(mirrored, size, scale)


def _middle(pictures: np.ndarray, size: int, scale: float) -> np.ndarray:
    """Sample the middle of the pictures by bilinear interpolation: (m, size, size)."""
    height, width = pictures.shape[1:]
    offsets = (np.arange(size) - (size - 1) / 2) * scale
    y, x = (
        np.clip(offsets + (height - 1) / 2, 0, height - 1),
        np.clip(offsets + (width - 1) / 2, 0, width - 1),
    )
    top, left = np.minimum(y.astype(int), height - 2), np.minimum(x.astype(int), width - 2)
    down, right = (y - top)[:, None], (x - left)[None, :]
    above = pictures[:, top] * (1 - down) + pictures[:, top + 1] * down  # (m, size, w)
    return above[:, :, left] * (1 - right) + above[:, :, left + 1] * right


def _channels_first(inputs: np.ndarray) -> np.ndarray | None:
    if inputs.ndim == 3:
        return inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[3] <= 4 < inputs.shape[1]:
        return np.moveaxis(inputs, 3, 1)
    return inputs if inputs.ndim == 4 else None
