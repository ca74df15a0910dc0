"""How fast an answer goes when what an explanation names first is removed, and comes when it alone is shown.

Deletion and insertion (Petsiuk, Das & Saenko 2018, "RISE", section 4.2), beside random orders of the same row.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from roadworthy.attribution.parts import Parts
from roadworthy.attribution.score import probability
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel

VALUES_AT_A_TIME = 1 << 20  # of inputs with parts removed, which are held at once
STEPS = 20
RANDOM_ORDERS = 3


@dataclass(frozen=True, eq=False)
class Worth:
    """What is looked at while parts go: the probability of the answer, or a number seen from where it came.

    A number is turned so that the difference from the reference's is positive, and divided by `spread`: then taking away what
    explains it lowers it, as it lowers a probability.

    Parameters
    ----------
    sign : (n,) Tensor
    spread : float
    """

    sign: Tensor
    spread: float

    @classmethod
    def of(cls, model: AttackedModel, points: Points, reference: Tensor, spread: float) -> "Worth":
        """Look where the score of each row lies from that of the reference."""
        if model.classes > 1:
            return cls(torch.ones(len(points)), 1.0)
        off = model.logits(points.inputs)[:, 0] - model.logits(reference)[:, 0]
        return cls(torch.where(off < 0, -1.0, 1.0), spread)

    def __call__(self, logits: Tensor, classes: Tensor, rows: Tensor) -> Tensor:
        """Return the worth of outputs (m, c) for these classes of these rows: (m,)."""
        return probability(logits, classes) * self.sign[rows] / self.spread


def order_of(attributions: Tensor) -> Tensor:
    """Return the rank of each part, 0 for the one that speaks most for the answer, of ties the first: (n, p) int64."""
    return attributions.argsort(dim=1, descending=True, stable=True).argsort(dim=1)


def random_orders(points: Points, parts: int, number: int) -> list[Tensor]:
    """Return random ranks, drawn for each row: `number` of (n, p) int64."""
    return [
        order_of(torch.from_numpy(points.noise.uniform((parts,), f"random order {i}")))
        for i in range(number)
    ]


def steps_of(parts: int, most: int = STEPS) -> Tensor:
    """Return how many parts are gone at each step, from none to all: (k + 1,) int64."""
    count = min(parts, most)
    return (torch.arange(count + 1) * parts + count // 2) // count


def removal_curve(
    model: AttackedModel,
    points: Points,
    filler: Tensor,
    ranks: Tensor,
    worth: Worth,
    *,
    most: int = STEPS,
) -> Tensor:
    """Return what is left of each answer as parts go, those of rank 0 first: (n, k + 1).

    Parameters
    ----------
    model : AttackedModel
    points : Points
    filler : (n, ...) or (1, ...) Tensor
        What removed values become.
    ranks : (n, p) int64 Tensor
    worth : Worth
    most : int
        Steps at most.
    """
    shape = tuple(points.inputs.shape[1:])
    parts = Parts.positions(shape)
    narrow = (
        torch.int16 if ranks.shape[1] < 1 << 15 else torch.int32
    )  # comparing int64 took most of the time
    of_value = ranks.to(narrow)[:, parts.of_value].view(-1, *shape)
    gone = steps_of(ranks.shape[1], most)
    differs = _differing(points.inputs, filler, ranks, gone, parts)  # (k + 1, n)
    asked = differs.nonzero()  # (m, 2): step and row
    found = torch.empty(len(asked))
    size = max(1, VALUES_AT_A_TIME // max(1, prod(shape)))
    for first in range(0, len(asked), size):
        step, row = asked[first : first + size].T
        limit = gone.to(narrow)[step].view(-1, *[1] * len(shape))
        removed = filler if len(filler) == 1 else filler[row]
        versions = torch.where(of_value[row] < limit, removed, points.inputs[row])
        found[first : first + size] = worth(model.logits(versions), points.labels[row], row)
    # Where nothing differs, what was found last still holds.
    place = torch.zeros(differs.shape, dtype=torch.int64)
    place[differs] = torch.arange(len(asked))
    return found[place.cummax(dim=0).values].T if len(asked) else found.view(0, len(gone))


def _differing(inputs: Tensor, filler: Tensor, ranks: Tensor, gone: Tensor, parts: Parts) -> Tensor:
    """Return at which steps a version of a row differs from the one before: (k + 1, n) bool, the first always.

    What is removed may be what it becomes, as the background of an image: such versions need not be asked about again.
    """
    changes = parts.summed((inputs != filler).float())  # (n, p)
    step = torch.searchsorted(gone, ranks, right=True)
    found = torch.zeros(len(inputs), len(gone)).scatter_add_(1, step, changes)
    found[:, 0] = 1.0
    return (found > 0).T


def faithfulness_curves(
    model: AttackedModel,
    points: Points,
    attributions: Tensor,
    filled: dict[str, Tensor],
    worth: Worth,
    *,
    orders: int = RANDOM_ORDERS,
) -> Tensor:
    """Return curves of deletion, insertion and deletion in random orders, under each filler: (n, f, 3, k + 1).

    Insertion shows the same share of parts at each step as deletion removes. What a random order removes first, its
    reverse would show last: so one curve of random orders stands beside both.

    Parameters
    ----------
    model : AttackedModel
    points : Points
    attributions : (n, p) Tensor
    filled : mapping of name to Tensor
        As `fillers` returns them.
    worth : Worth
    orders : int
        Random orders of each row, whose mean is returned.
    """
    # What lowers a number explains one that is low; sizes alone (saliency) have no direction to turn.
    sizes_alone = (attributions >= 0).all(1, keepdim=True)
    ranks = order_of(torch.where(sizes_alone, attributions, attributions * worth.sign[:, None]))
    parts = ranks.shape[1]
    chance = random_orders(points, parts, orders)
    found: list[Tensor] = []
    for filler in filled.values():
        deletion = removal_curve(model, points, filler, ranks, worth)
        insertion = removal_curve(model, points, filler, parts - 1 - ranks, worth).flip(1)
        by_chance = [removal_curve(model, points, filler, order, worth) for order in chance]
        mean = torch.stack(by_chance).mean(0) if by_chance else torch.zeros_like(deletion)
        found.append(torch.stack([deletion, insertion, mean], dim=1))
    return torch.stack(found, dim=1)


def area(curves: Tensor) -> Tensor:
    """Return the mean height of curves, by trapezoids: (..., k + 1) to (...)."""
    inside = curves[..., 1:-1].sum(-1) + (curves[..., 0] + curves[..., -1]) / 2
    return inside / (curves.shape[-1] - 1)
