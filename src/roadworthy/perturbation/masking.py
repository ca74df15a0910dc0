"""Signs that attacks along gradients are misled: rows that stand for the wrong reason."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from roadworthy.perturbation.attack import Attack, Points, verified
from roadworthy.perturbation.gradient_attacks import Fgsm, Pgd
from roadworthy.perturbation.losses import cross_entropy, lost_margin
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.threat import Ball

COLUMNS = (
    "right",
    "flat",
    "saturated",
    "by_one_step",
    "by_many_steps",
    "by_far",
    "by_unaided_steps",
)
"""Of a table of signs, each 0 or 1: the row is answered right; the gradient of its margin is 0 in every value; its
cross-entropy is exactly 0 in float32; it falls to one step, to ten; to twenty steps as far as half the range; to ten
that undo no masking."""
ONE, MANY = Fgsm(), Pgd(steps=10, step=0.25)
FAR = Pgd(steps=20, step=0.15, loss="margin")
HALF = 0.5  # of the range: every input can become even grey, and no classifier tells grey from grey


@dataclass(frozen=True, eq=False)
class Signs:
    """A table of signs by column.

    Parameters
    ----------
    table : (n, k) float64 ndarray
        Columns as in `COLUMNS`.
    """

    table: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """Return a column of the rows that are answered right: (m,) bool."""
        right = self.table[:, 0] == 1
        return self.table[right, COLUMNS.index(name)] == 1


def signs(model: AttackedModel, points: Points, threat: Ball) -> np.ndarray:
    """Look at each row for signs of masked gradients: (n, k) float64, columns as in `COLUMNS`.

    Parameters
    ----------
    model : AttackedModel
    points : Points
    threat : Ball
    """
    found = np.zeros((len(points), len(COLUMNS)))
    right = model.told().logits(points.inputs).argmax(1) == points.labels
    found[:, 0] = right.cpu().numpy()
    rows = right.nonzero()[:, 0]
    if len(rows) == 0:
        return found
    at = rows.cpu().numpy()
    standing = points.take(rows)
    exact = model.exact()
    _, slope, _ = exact.gradient(standing.inputs, standing.labels, lost_margin)
    losses, _, _ = exact.gradient(standing.inputs, standing.labels, cross_entropy)
    far = replace(threat, norm="linf", eps=HALF * (threat.high - threat.low))
    many, unaided = _falls(model, standing, threat, MANY), model.unaided()
    columns = (
        (slope.flatten(1) == 0).all(1),
        losses == 0,
        _falls(model, standing, threat, ONE),
        many,
        _falls(model, standing, far, FAR),
        many if unaided is model else _falls(unaided, standing, threat, MANY),
    )
    found[at, 1:] = torch.stack(columns, dim=1).cpu().numpy()
    return found


def _falls(model: AttackedModel, points: Points, threat: Ball, attack: Attack) -> Tensor:
    if threat.size == 0:
        return torch.zeros(len(points), dtype=torch.bool, device=points.inputs.device)
    return verified(model, points, threat, attack(model, points, threat))
