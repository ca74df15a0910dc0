"""What is put in the place of parts that are removed: the reference, the same image out of focus, another real row."""

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

from roadworthy.attribution.method import Reference
from roadworthy.attribution.parts import has_channels_last, plane_of
from roadworthy.perturbation.attack import Points

SIGMA = 1 / 8  # of the blur, as a share of the shorter side
LEAST_SIDE = 4  # of an image that can be blurred
BLUR = "the blurred image"
WIDTH = 3  # of the kernel, in standard deviations to each side


def fillers(points: Points, reference: Reference) -> dict[str, Tensor]:
    """Return two kinds of what removed values become, by name: two of (n, ...) or (1, ...).

    The reference (the mean, or usual, row); and of images a blurred copy, of anything else the values of another real
    row, drawn for each row. An order that is good under one kind alone may be so by the kind.
    """
    usual, other = names_of_fillers(tuple(points.inputs.shape[1:]))
    if other == BLUR:
        return {usual: reference.point, other: _blurred(points.inputs)}
    drawn = points.noise.integers(len(reference.sample), (1,), "filler")[:, 0]
    return {usual: reference.point, other: reference.sample[torch.from_numpy(drawn)]}


def names_of_fillers(shape: tuple[int, ...]) -> tuple[str, str]:
    """Return the names of the two kinds for inputs of this shape."""
    is_image = len(shape) in (2, 3) and min(plane_of(shape) or (0,)) >= LEAST_SIDE
    return "the usual row", BLUR if is_image else "another row"


def _blurred(inputs: Tensor) -> Tensor:
    """Return images out of focus: (n, ...) to the same shape."""
    shape = tuple(inputs.shape[1:])
    planes = inputs if len(shape) == 3 else inputs[:, None]
    planes = planes.permute(0, 3, 1, 2) if has_channels_last(shape) else planes
    side = min(planes.shape[-2:])
    kernel = _bell(SIGMA * side, most=side - 1)
    found = planes.nan_to_num()
    for vertical in (True, False):
        found = _convolved(found, kernel, vertical=vertical)
    found = found.permute(0, 2, 3, 1) if has_channels_last(shape) else found
    return found.reshape(inputs.shape)


def _bell(sigma: float, *, most: int) -> Tensor:
    reach = min(ceil(WIDTH * sigma), most)
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    bell = (-(at**2) / (2 * sigma**2)).exp()
    return bell / bell.sum()


def _convolved(planes: Tensor, kernel: Tensor, *, vertical: bool) -> Tensor:
    n, channels, height, width = planes.shape
    reach = len(kernel) // 2
    pad = (0, 0, reach, reach) if vertical else (reach, reach, 0, 0)
    padded = functional.pad(planes, pad, mode="reflect").flatten(0, 1)[:, None]
    weight = kernel.view(1, 1, -1, 1) if vertical else kernel.view(1, 1, 1, -1)
    return functional.conv2d(padded, weight).view(n, channels, height, width)
