"""The nearest wrong answer of each row, where the question is how far and not whether within a budget."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from roadworthy.perturbation.threat import Ball

Wrong = Callable[[Tensor, Tensor], Tensor]
"""Inputs (m, ...) and the rows that they come from (m,) to whether the answer is wrong: (m,) bool."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest wrongly answered point that was found for each row.

    Parameters
    ----------
    inputs : (n, ...) Tensor
        The row itself where none was found.
    distance : (n,) Tensor
        0 where the row itself is answered wrongly, infinite where nothing was found: the true distance is at most that.
    """

    inputs: Tensor
    distance: Tensor

    def broken(self, eps: np.ndarray) -> np.ndarray:
        """Return the share of rows broken within each distance: (len(eps),)."""
        return (self.distance.numpy()[None] <= np.asarray(eps)[:, None]).mean(axis=1)


def between(origin: Tensor, found: Tensor, share: Tensor) -> Tensor:
    """Return the point at this share of the way from origin to found; share: (n,)."""
    return origin + (found - origin) * share.view(-1, *([1] * (origin.ndim - 1)))


def drawn_closer(wrong: Wrong, origin: Tensor, found: Nearest, ball: Ball, steps: int) -> Nearest:
    """Halve the stretch between a right row and its wrong point `steps` times and keep the wrong end."""
    rows = torch.nonzero(torch.isfinite(found.distance) & (found.distance > 0))[:, 0]
    if not len(rows):
        return found
    start, end = origin[rows], found.inputs[rows]
    low, high = torch.zeros(len(rows)), torch.ones(len(rows))
    for _ in range(steps):
        middle = (low + high) / 2
        is_wrong = wrong(between(start, end, middle), rows)
        high = torch.where(is_wrong, middle, high)
        low = torch.where(is_wrong, low, middle)
    inputs, distance = found.inputs.clone(), found.distance.clone()
    inputs[rows] = torch.where(
        (high < 1).view(-1, *([1] * (start.ndim - 1))), between(start, end, high), end
    )
    distance[rows] = ball.distance(start, inputs[rows])
    return Nearest(inputs, distance)
