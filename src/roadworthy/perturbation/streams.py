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
        self._drawn = -1
        self._block = torch.empty(0, len(noise), size)

    def __len__(self) -> int:
        return len(self._noise)

    def next(self) -> Tensor:
        """Return the numbers of the next step: (n, size)."""
        return self.several(1)[0]

    def several(self, steps: int) -> Tensor:
        """Return the numbers of the next steps, fewer where a block ends before: (at most `steps`, n, size)."""
        block, within = divmod(self._step, BLOCK)
        if block != self._drawn:
            drawn = self._noise.uniform((BLOCK, self._size), f"{self._draw} {block}")
            self._block = torch.from_numpy(drawn).transpose(0, 1).contiguous()
            self._drawn = block
        found = self._block[within : within + steps]
        self._step += len(found)
        return found

    def back(self, steps: int) -> None:
        """Go back by steps that were returned and not used."""
        self._step -= steps

    def take(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self._noise = self._noise.take(rows.numpy())
        self._block = self._block[:, rows]
