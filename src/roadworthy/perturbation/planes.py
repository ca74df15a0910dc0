"""Inputs as channels of a plane of positions, which is what squares, pixels and patches are cut from."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable


@dataclass(frozen=True)
class Planes:
    """Shape of an input: (channels, height, width), (height, width) or (length,), which is a plane of height 1.

    Parameters
    ----------
    channels, height, width : int
    """

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, inputs: Tensor) -> "Planes":
        """Return the shape of each of these rows."""
        match tuple(inputs.shape[1:]):
            case (length,):
                return cls(1, 1, length)
            case (height, width):
                return cls(1, height, width)
            case (channels, height, width):
                return cls(channels, height, width)
            case other:
                raise NotApplicable(
                    f"inputs of the shape {other} are no images, images with channels, or series, "
                    "so they have no positions in a plane"
                )

    @property
    def positions(self) -> int:
        """Number of positions of the plane."""
        return self.height * self.width

    def window(self, share: float) -> tuple[int, int]:
        """Return height and width of the nearest to a square that covers this share of the plane."""
        area = share * self.positions
        rows = min(max(round(area**0.5), 1), self.height)
        return rows, min(max(round(area / rows), 1), self.width)

    def inside(self, corner: Tensor, rows: int, columns: int) -> Tensor:
        """Return the elements of a window in every channel: (n, channels * rows * columns) int64.

        Parameters
        ----------
        corner : (n, 2) Tensor
            From 0 to below 1: where the upper left corner is among the places that keep the window inside.
        rows, columns : int
            Size of the window.
        """
        down, across = self.height - rows + 1, self.width - columns + 1
        first = (corner[:, 0] * down).long().clamp_(max=down - 1) * self.width
        first += (corner[:, 1] * across).long().clamp_(max=across - 1)
        return first[:, None] + _offsets(self, rows, columns)

    def offsets(self, rows: int, columns: int) -> Tensor:
        """Return the elements of a window in the upper left corner, channel by channel."""
        return _offsets(self, rows, columns).clone()


@lru_cache(maxsize=64)
def _offsets(planes: Planes, rows: int, columns: int) -> Tensor:
    down = torch.arange(rows)[:, None] * planes.width + torch.arange(columns)
    return (torch.arange(planes.channels)[:, None] * planes.positions + down.flatten()).flatten()
