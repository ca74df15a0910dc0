"""Random numbers of many steps drawn at once for each row: drawing them one step at a time costs more than a pass."""

import torch
from torch import Tensor

from roadworthy.perturbation.noise import RowNoise

BLOCK = 64  # steps


class RowStream:
    """Numbers from 0 to below 1 for each row and step, whichever rows are still there.

    Parameters
    ----------
    noise : RowNoise
    size : int
        Numbers for each step.
    draw : str
        Names what they are for.
    """

    def __init__(self, noise: RowNoise, size: int, draw: str) -> None:
        self._noise = noise
        self._size = size
        self._draw = draw
        self._step = 0
        self._block = torch.empty(0, len(noise), size)

    def next(self) -> Tensor:
        """Return the numbers of the next step: (n, size)."""
        block, within = divmod(self._step, BLOCK)
        if within == 0:
            drawn = self._noise.uniform((BLOCK, self._size), f"{self._draw} {block}")
            self._block = torch.from_numpy(drawn).transpose(0, 1).contiguous()
        self._step += 1
        return self._block[within]

    def take(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self._noise = self._noise.take(rows.numpy())
        self._block = self._block[:, rows]
