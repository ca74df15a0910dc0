"""Corruption of training rows: every second kind of the suite, so that the others show what was learnt beyond them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.perturbation.corruptions import calibrated, corrupted, kinds_for
from roadworthy.perturbation.noise import RowNoise

if TYPE_CHECKING:
    from torch import Generator, Tensor

AT_A_TIME = 3  # kinds in a batch: of more, each call would change a row or two


@dataclass(frozen=True, eq=False)
class Corrupting:
    """Kinds of corruption, and how much of each is which severity for these inputs.

    Parameters
    ----------
    amounts : mapping of kind to (5,) ndarray
    input_range : (float, float)
        Least and greatest value of the training rows.
    """

    amounts: Mapping[str, np.ndarray]
    input_range: tuple[float, float]

    @classmethod
    def of(cls, rows: "Tensor") -> "Corrupting":
        """Look at training rows: (n, ...)."""
        values = rows.cpu().numpy()
        found = (float(values.min()), float(values.max()))
        return cls(calibrated(values, found, kinds_to_train_on(values.shape)), found)

    def changed(self, inputs: "Tensor", severity: float, generator: "Generator") -> "Tensor":
        """Return rows with one of a few kinds each, of a severity from 0 to `severity`."""
        import torch

        names = list(self.amounts)
        drawn = torch.randint(0, 1 << 62, (len(inputs),), generator=generator)
        noise = RowNoise(drawn.numpy().astype(np.uint64))
        chosen = torch.randperm(len(names), generator=generator)[:AT_A_TIME].tolist()
        kinds = torch.randint(len(chosen), (len(inputs),), generator=generator).numpy()
        severities = torch.rand(len(chosen), generator=generator).numpy() * severity
        values = inputs.cpu().numpy().copy()
        for position, kind in enumerate(chosen):
            rows = np.flatnonzero(kinds == position)
            values[rows] = corrupted(
                values[rows].clip(*self.input_range),
                names[kind],
                float(severities[position]),
                noise.take(rows),
                amounts=self.amounts,
                input_range=self.input_range,
            )
        return torch.from_numpy(values).to(inputs)


def kinds_to_train_on(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the kinds that training may see, for rows of this shape (n, ...): every second one of the suite."""
    return kinds_for(shape)[::2]
