"""Inputs as channels of a plane of positions, which is what squares, pixels and patches are cut from."""

from dataclasses import dataclass

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
        free = torch.tensor([self.height - rows + 1, self.width - columns + 1])
        place = (corner * free).long().clamp_(max=free - 1)
        first = place[:, 0] * self.width + place[:, 1]
        return first[:, None] + self.offsets(rows, columns)

    def offsets(self, rows: int, columns: int) -> Tensor:
        """Return the elements of a window in the upper left corner, channel by channel."""
        down = torch.arange(rows)[:, None] * self.width + torch.arange(columns)
        return (torch.arange(self.channels)[:, None] * self.positions + down.flatten()).flatten()
