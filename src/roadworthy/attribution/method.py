"""What every method of attribution takes and gives."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel


@dataclass(frozen=True, eq=False)
class Reference:
    """What an input is compared with: an answer is explained as its difference from the answer there.

    Parameters
    ----------
    point : (1, ...) float32 Tensor
        One input that stands for "nothing to see".
    sample : (r, ...) float32 Tensor
        Real inputs, for methods that compare with many.
    """

    point: Tensor
    sample: Tensor


@dataclass(frozen=True, eq=False)
class Gap:
    """What the values of a row promise to sum to: its score less that of the reference.

    Parameters
    ----------
    here, there : (n,) Tensor
        The scores.
    """

    here: Tensor
    there: Tensor

    def missed(self, values: Tensor) -> Tensor:
        """Return how far the sum of each row of `values` (n, ...) is from what it promises, as a share of that: (n,).

        A gap of less than a hundredth of the scores themselves counts as that much. A sum that is no number is infinitely far
        off: NaN means that nothing was promised.
        """
        here, there = self.here.double(), self.there.double()
        size = torch.maximum((here - there).abs(), torch.maximum(here.abs(), there.abs()) / 100)
        off = values.double().flatten(1).sum(1) - (here - there)
        return (off.abs() / size.clamp_min(1e-12)).nan_to_num(nan=torch.inf, posinf=torch.inf)


@dataclass(frozen=True, eq=False)
class Attributed:
    """What each value of each input adds to the score of the answer.

    Parameters
    ----------
    values : (n, ...) float32 Tensor
        In the shape of the inputs.
    gap : Gap, optional
        What they promise to sum to. None: no such promise.
    """

    values: Tensor
    gap: Gap | None = None

    def incompleteness(self) -> Tensor:
        """Return how far each sum is from what it promises, as a share of that: (n,), NaN without a promise."""
        if self.gap is None:
            return torch.full((len(self.values),), torch.nan, dtype=torch.float64)
        return self.gap.missed(self.values)


class Method(Protocol):
    """A method of attribution. A dataclass: its fields are its budget. No row's result depends on other rows."""

    @property
    def name(self) -> str:
        """As in a report: "integrated gradients"."""
        ...

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """Explain the score of `points.labels`, the classes answered."""
        ...
