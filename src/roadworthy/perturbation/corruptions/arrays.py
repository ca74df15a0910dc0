"""The suite of corruptions of images and series, of any size and number of channels, and how it is applied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.corruptions import blurs, geometry, light, noises
from roadworthy.perturbation.corruptions.severity import amount_at, amounts_for
from roadworthy.perturbation.noise import RowNoise

Change = Callable[[np.ndarray, float, RowNoise], np.ndarray]

REFERENCE_ROWS = 256  # that severities are set on
REFERENCE_VALUES = 1 << 20  # bounds them where images are large: 7 of 3 x 224 x 224


@dataclass(frozen=True)
class Corruption:
    """One kind.

    Parameters
    ----------
    name : str
    change : callable
        (n, c, h, w) float32 images in 0 to 1, an amount above 0 and noise to changed images; a greater amount
        is worse. It may leave 0 to 1 and touches no row by another.
    greatest : float
        Amount beyond which it is not taken, whatever the severity asks for.
    needs : {"pixels", "image", "colour"}
        What it makes no sense without: more than one value, two sides, several channels.
    """

    name: str
    change: Change
    greatest: float
    needs: Literal["pixels", "image", "colour"] = "pixels"


SUITE: tuple[Corruption, ...] = (
    Corruption("gaussian noise", noises.gaussian_noise, 4.0),
    Corruption("shot noise", noises.shot_noise, 4.0),
    Corruption("speckle noise", noises.speckle_noise, 4.0),
    Corruption("impulse noise", noises.impulse_noise, 1.0),
    Corruption("interference", noises.interference, 2.0),
    Corruption("coarse levels", noises.coarse_levels, 1.0),
    Corruption("gaussian blur", blurs.gaussian_blur, 0.5),
    Corruption("box blur", blurs.box_blur, 1.0),
    Corruption("motion blur", blurs.motion_blur, 1.0),
    Corruption("zoom blur", blurs.zoom_blur, 2.0, "image"),
    Corruption("pixelation", blurs.pixelate, 1.0),
    Corruption("block compression", blurs.block_compression, 60.0),
    Corruption("brightness", light.brightness, 1.0),
    Corruption("contrast", light.contrast, 1.0),
    Corruption("gamma", light.gamma, 3.0),
    Corruption("solarisation", light.solarised, 1.0),
    Corruption("fog", light.fog, 1.0, "image"),
    Corruption("uneven light", light.uneven_light, 2.0),
    Corruption("colour cast", light.colour_cast, 2.0, "colour"),
    Corruption("translation", geometry.translated, 0.5),
    Corruption("rotation", geometry.rotated, 0.5, "image"),
    Corruption("scale", geometry.scaled, 1.0),
    Corruption("warp", geometry.warped, 0.3),
    Corruption("occlusion", geometry.occluded, 0.9),
    Corruption("dead lines", geometry.dead_lines, 1.0),
)


def kinds_for(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the kinds that make sense for inputs of this shape, the rows included.

    >>> "colour cast" in kinds_for((9, 1, 8, 8)), "colour cast" in kinds_for((9, 3, 8, 8))
    (False, True)
    """
    c, h, w = _form(shape)
    has = {"pixels": h * w > 1, "image": h > 1 and w > 1, "colour": c > 1}
    return tuple(kind.name for kind in SUITE if has[kind.needs])


def calibrated(
    inputs: np.ndarray, input_range: tuple[float, float], kinds: tuple[str, ...] | None = None
) -> dict[str, np.ndarray]:
    """Return the amount of each kind at each severity, so that severities are alike in decibels.

    Found on at most 256 rows spread over the inputs, after clipping to the range. The signal is the variance
    of the values of an image about their mean, on average over images.

    Parameters
    ----------
    inputs : (n, h, w), (n, c, h, w) or (n, length) ndarray
    input_range : (float, float)
    kinds : names, optional
        None: all that make sense here.

    Returns
    -------
    dict of name to (5,) float64 ndarray

    Raises
    ------
    NotApplicable
        Without a row or a value to look at.
    """
    names = kinds_for(inputs.shape) if kinds is None else kinds
    if len(inputs) == 0 or not names:
        raise NotApplicable(f"nothing can be corrupted in inputs of shape {inputs.shape}")
    most = max(1, min(REFERENCE_ROWS, REFERENCE_VALUES // max(1, inputs[0].size), len(inputs)))
    reference = inputs[np.linspace(0, len(inputs) - 1, most).astype(np.int64)]
    images = _finite(_unit(reference, input_range))[0]
    noise = RowNoise(np.arange(most, dtype=np.uint64))
    power = _power(images)

    def amounts(kind: Corruption) -> np.ndarray:
        def change_at(amount: float) -> float:
            changed = np.clip(kind.change(images, amount, noise), 0, 1)
            return float(np.mean(np.square(changed - images), dtype=np.float64))

        return np.array(amounts_for(change_at, kind.greatest, power))

    return {name: amounts(_named(name)) for name in names}


def corrupted(
    inputs: np.ndarray,
    kind: str,
    severity: float,
    noise: RowNoise,
    *,
    amounts: Mapping[str, np.ndarray],
    input_range: tuple[float, float],
) -> np.ndarray:
    """Return inputs with one kind of corruption, of the same shape and dtype and inside the range.

    Parameters
    ----------
    inputs : (n, h, w), (n, c, h, w) or (n, length) ndarray
    kind : str
    severity : float
        0 (nothing) to 5; parts of a severity are allowed.
    noise : RowNoise
        Of these rows.
    amounts : mapping of kind to (5,) ndarray
        As `calibrated` gives.
    input_range : (float, float)
    """
    amount = amount_at(amounts[kind], severity)
    if amount == 0.0 or len(inputs) == 0:
        return inputs
    low, high = input_range
    images, bad = _finite(_unit(inputs, input_range))
    changed = np.clip(_named(kind).change(images, amount, noise), 0, 1)
    values = (changed * np.float32(high - low) + np.float32(low)).reshape(inputs.shape)
    if inputs.dtype.kind in "iu":
        return np.round(values).astype(inputs.dtype)
    if bad is not None:
        values[bad.reshape(inputs.shape)] = np.nan
    return np.clip(values, low, high).astype(inputs.dtype)


def _named(name: str) -> Corruption:
    return next(kind for kind in SUITE if kind.name == name)


def _form(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width; a series is an image of height 1."""
    inner = shape[1:]
    if len(inner) not in (1, 2, 3):
        raise NotApplicable(
            f"inputs of shape {shape} are no images (n, h, w) or (n, channels, h, w) and no series (n, length)"
        )
    c, h, w = (1,) * (3 - len(inner)) + inner
    return c, h, w


def _unit(inputs: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Return the inputs as (n, c, h, w) float32 in 0 to 1."""
    low, high = input_range
    images = (inputs.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(images, 0, 1).reshape(len(inputs), *_form(inputs.shape))


def _finite(images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the images with 0 where they are not numbers, and where that is."""
    bad = np.isnan(images)
    return (np.where(bad, np.float32(0), images), bad) if bad.any() else (images, None)


def _power(images: np.ndarray) -> float:
    """Return the variance within images; between them, or of the range, where that is nothing."""
    within = float(images.reshape(len(images), -1).var(axis=1, dtype=np.float64).mean())
    return next(p for p in (within, float(images.var(dtype=np.float64)), 1 / 12) if p > 1e-9)
