"""What every attack takes and gives, and the one place where its claim is verified."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Threat


@dataclass(frozen=True, eq=False)
class Points:
    """Rows under attack.

    Parameters
    ----------
    inputs : (n, ...) float32 Tensor
    labels : (n,) int64 Tensor
        What an attack leads away from.
    noise : RowNoise
    """

    inputs: Tensor
    labels: Tensor
    noise: RowNoise

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Tensor) -> "Points":
        """Return these rows (positions or a mask)."""
        at: np.ndarray = rows.cpu().numpy()
        return replace(
            self, inputs=self.inputs[rows], labels=self.labels[rows], noise=self.noise.take(at)
        )


@dataclass(frozen=True, eq=False)
class Found:
    """The worst point that an attack found for each row.

    Parameters
    ----------
    inputs : (n, ...) float32 Tensor
    margin : (n,) Tensor
        Logit of the label minus the largest other there; below 0: the answer is wrong.
    forward, backward : (n,) Tensor, optional
        Passes that each row took; None: as many for each.
    """

    inputs: Tensor
    margin: Tensor
    forward: Tensor | None = None
    backward: Tensor | None = None


class Attack(Protocol):
    """A search for wrong answers within a threat. A dataclass: its fields are its budget.

    It may stop on a row as soon as the answer there is wrong, and never touches the rows it is given. What it
    raises goes up: a failed attack is an error, never a robust row.
    """

    @property
    def name(self) -> str:
        """As in a report: "APGD on cross-entropy, 100 steps"."""
        ...

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """Search; every row returned lies within the threat."""
        ...


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label minus the largest of the others: (n,)."""
    of_label = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return of_label - others.amax(1)


def is_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the answer is not the label: (n,) bool.

    A tie of logits is answered with the lower code, and is wrong where that is another class. An answer that is
    not a number is no answer: it counts as wrong, as it would in use.
    """
    return (logits.argmax(1) != labels) | logits.isnan().any(1)


def verified(model: AttackedModel, points: Points, threat: Threat, found: Found) -> Tensor:
    """Return the rows whose answer is wrong at an allowed point, by a fresh pass in float32: (n,) bool.

    Of a network that draws random numbers, by draws that the attack has not seen. A row that was not moved is answered as
    the user is told, so that a threat of no size changes nothing.
    """
    inputs = found.inputs.detach().float()
    wrong = is_wrong(model.judged().logits(inputs), points.labels)
    if model.judge is not None:
        is_moved = (inputs != points.inputs).flatten(1).any(1)
        wrong = torch.where(is_moved, wrong, is_wrong(model.told().logits(inputs), points.labels))
    return threat.allows(points.inputs, inputs) & wrong
