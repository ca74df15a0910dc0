"""Turning, scaling and shifting images and series: one matrix a row, one interpolation for all of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class Warp:
    """A random move of pixels.

    Parameters
    ----------
    kind : {"rotation", "scaling", "shift"}
    amount : float
        At most: degrees, share of the size, share of each side.
    """

    kind: str
    amount: float

    def matrices(self, n: int, height: int, width: int, generator: "Generator") -> "Tensor":
        """Draw one for each of n rows: (n, 3, 3), see `warped`."""
        import torch

        drawn = 2 * torch.rand(2, n, generator=generator) - 1
        if self.kind == "rotation":
            return rotations(self.amount * drawn[0])
        if self.kind == "scaling":
            return scalings(1 + self.amount * drawn[0])
        return shifts(self.amount * width * drawn[0], self.amount * height * drawn[1])


def rotations(degrees: "Tensor") -> "Tensor":
    """Return what turns images counter-clockwise about their centre: (n, 3, 3)."""
    matrices = _identities(len(degrees))
    cosine, sine = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    matrices[:, 0, 0], matrices[:, 0, 1] = cosine, -sine
    matrices[:, 1, 0], matrices[:, 1, 1] = sine, cosine
    return matrices


def scalings(factors: "Tensor") -> "Tensor":
    """Return what enlarges images by these factors about their centre: (n, 3, 3)."""
    matrices = _identities(len(factors))
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / factors
    return matrices


def shifts(right: "Tensor", down: "Tensor") -> "Tensor":
    """Return what moves images by these numbers of pixels: (n, 3, 3)."""
    matrices = _identities(len(right))
    matrices[:, 0, 2], matrices[:, 1, 2] = -right, -down
    return matrices


def warped(planes: "Tensor", matrices: "Tensor") -> "Tensor":
    """Return planes (n, channels, height, width) whose pixels were moved, interpolated linearly.

    A matrix takes the place (right, down, 1) of a pixel of the result, from the centre, to the place where its value
    comes from; a product of matrices is a move after the other, the first one leftmost. Beyond the
    border the value of the border goes on.
    """
    import torch
    from torch.nn import functional

    height, width = planes.shape[2:]
    # affine_grid counts from -1 to 1 over each side.
    to_pixels = torch.tensor([width / 2, height / 2, 1.0])
    theta = (matrices * to_pixels / to_pixels[:, None])[:, :2].to(planes.device)
    grid = functional.affine_grid(theta, list(planes.shape), align_corners=False)
    return functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def _identities(n: int) -> "Tensor":
    import torch

    return torch.eye(3).repeat(n, 1, 1)
