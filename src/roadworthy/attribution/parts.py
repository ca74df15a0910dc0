"""What of an input is removed together: all channels of a pixel, a column of a table, a block of pixels."""

from dataclasses import dataclass
from math import ceil, prod, sqrt

import torch
from torch import Tensor

MOST_WINDOWS = 1 << 10  # of an input
MOST_CHANNELS = 4  # of a last dimension, where the first has more: (height, width, channels)


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of an input.

    Parameters
    ----------
    of_value : (v,) int64 Tensor
        Which part each value of the flattened input belongs to.
    count : int
    """

    of_value: Tensor
    count: int

    @classmethod
    def positions(cls, shape: tuple[int, ...]) -> "Parts":
        """Return the positions of inputs of this shape: pixels with all their channels, else each value by itself."""
        plane = plane_of(shape)
        if plane is None:
            return cls(torch.arange(prod(shape)), prod(shape))
        height, width = plane
        at = torch.arange(height * width).view(height, width)
        return cls(_over_channels(at, shape), height * width)

    @classmethod
    def blocks(cls, shape: tuple[int, ...], most: int) -> "Parts":
        """Return at most so many blocks of neighbouring positions, as near to squares as can be."""
        plane = plane_of(shape)
        if plane is None:
            count = min(most, prod(shape))
            return cls(torch.arange(prod(shape)) * count // max(prod(shape), 1), count)
        height, width = plane
        side = max(1, ceil(sqrt(height * width / most)))
        while ceil(height / side) * ceil(width / side) > most:
            side += 1
        across = ceil(width / side)
        at = torch.arange(height)[:, None] // side * across + torch.arange(width) // side
        return cls(_over_channels(at, shape), ceil(height / side) * across)

    @property
    def sizes(self) -> Tensor:
        """How many values each part has: (p,)."""
        return torch.bincount(self.of_value, minlength=self.count)

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum of each part: (n, ...) to (n, p)."""
        flat = values.flatten(1)
        if self.count == flat.shape[1]:
            return flat
        return flat.new_zeros(len(flat), self.count).index_add_(1, self.of_value, flat)

    def spread(self, of_parts: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return what each part has, shared equally by its values: (n, p) to (n, *shape)."""
        return (of_parts / self.sizes.to(of_parts))[:, self.of_value].view(-1, *shape)

    def covered(self, chosen: Tensor) -> Tensor:
        """Return which values belong to chosen parts: (k, p) bool to (k, v) bool."""
        return chosen[:, self.of_value]


def windows(shape: tuple[int, ...], share: float) -> Tensor:
    """Return what sliding windows cover, one row each: (k, v) bool.

    Squares whose side is this share of the shorter side of an image, half a side apart; of anything else each value. Where
    these would be more than 1,024, as of a long series, so many blocks of neighbours: each window costs a pass.
    """
    plane = plane_of(shape)
    if plane is None:
        return (
            _blocks(shape)
            if prod(shape) > MOST_WINDOWS
            else torch.eye(prod(shape), dtype=torch.bool)
        )
    height, width = plane
    side = max(1, min(round(share * min(plane)), *plane))
    step = max(1, side // 2)
    downs, acrosses = _starts(height, side, step), _starts(width, side, step)
    if len(downs) * len(acrosses) > MOST_WINDOWS:
        return _blocks(shape)
    found = [_window(plane, down, across, side) for down in downs for across in acrosses]
    return torch.stack([_over_channels(at, shape) for at in found])


def _blocks(shape: tuple[int, ...]) -> Tensor:
    parts = Parts.blocks(shape, MOST_WINDOWS)
    return parts.of_value == torch.arange(parts.count)[:, None]


def _starts(length: int, side: int, step: int) -> list[int]:
    last = length - side
    return sorted({*range(0, last + 1, step), last})


def _window(plane: tuple[int, int], down: int, across: int, side: int) -> Tensor:
    found = torch.zeros(plane, dtype=torch.bool)
    found[down : down + side, across : across + side] = True
    return found


def plane_of(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return height and width of an image; None where inputs are none."""
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) == 3:
        return (shape[0], shape[1]) if has_channels_last(shape) else (shape[1], shape[2])
    return None


def has_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether a row is (height, width, channels)."""
    return len(shape) == 3 and shape[2] <= MOST_CHANNELS < shape[0]


def _over_channels(at: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Repeat a plane over the channels: (height, width) to (v,)."""
    if len(shape) < 3:
        return at.flatten()
    whole = at[:, :, None] if has_channels_last(shape) else at[None]
    return whole.expand(shape).flatten()
