"""What each job brings into a fleet: its module, prepared, its rows, its batches and how far it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roadworthy.training.conduct import Unstackable
from roadworthy.training.jobs import Job
from roadworthy.training.losses import CrossEntropies, RowLosses, SquaredErrors
from roadworthy.training.objective import (
    Objective,
    gives_probabilities,
    logit_shift,
    with_classes,
)
from roadworthy.training.preparation import prepared, refuse_untrainable
from roadworthy.training.regularisation import set_dropout
from roadworthy.training.running import reproducible, rows_at_a_time, tensor_of
from roadworthy.training.schedule import batch_count, orders
from roadworthy.training.streaming import rows_on

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass
class Member:
    """One model of the fleet beside its tensors: where it comes from and how far it is.

    `rows` are positions among all inputs, `places` (batches, widest batch) positions in the order of an
    epoch; a batch that is not full repeats its last row.
    """

    position: int
    job: Job
    rows: "Tensor"
    target: "Tensor"
    row_weights: "Tensor | None"
    orders: "Iterator[Tensor]"
    sizes: list[int]
    places: "Tensor"
    shares: "Tensor"
    objective: Objective
    least: float = inf
    epochs_without: int = 0

    @property
    def batches(self) -> int:
        """How many an epoch has."""
        return len(self.sizes)


class Kind(NamedTuple):
    """What the outputs of a classifier are."""

    classes: int
    probabilities: bool


class Amount(NamedTuple):
    """How much an epoch of a job is."""

    batches: int
    rows: int


@dataclass(frozen=True)
class Built:
    """A module before its first step, and what its rows and outputs are like."""

    module: "nn.Module"
    objective: Objective
    kind: Kind | None
    target: "Tensor"
    row_weights: "Tensor | None"
    generator: "torch.Generator"


def amount_of(job: Job) -> Amount:
    """Return the numbers of batches and rows of an epoch."""
    n = len(job.training.target) if job.rows is None else len(job.rows)
    return Amount(batch_count(n, job.recipe), n)


def built(job: Job) -> Built:
    """Build the module of a job and fit its preprocessing, as the loop does."""
    import torch

    examples, recipe = job.examples, job.recipe
    refuse_untrainable(examples)
    with reproducible(recipe.seed, job.device):
        module = job.network.build().to(job.device, torch.float32)
        set_dropout(module, recipe.dropout)
        rows = rows_on(examples, module, job.device)
        objective = prepared(module, rows, recipe)
        generator = torch.Generator(job.device)
        if job.device == "cpu":
            generator.set_state(torch.get_rng_state())
        else:
            generator.manual_seed(recipe.seed)
        kind = None
        if not rows.target.is_floating_point():
            with torch.no_grad():
                outputs = module.eval()(rows.inputs(slice(0, rows_at_a_time(rows.source.shape))))
            kind = Kind(with_classes(outputs).shape[-1], gives_probabilities(outputs))
    return Built(module, objective, kind, rows.target, rows.weights, generator)


def pooled(jobs: Sequence[Job], module: "nn.Module") -> "tuple[Tensor, dict[int, int]]":
    """Return all different inputs one after the other, and where those with an id begin."""
    import torch

    different = {id(job.training.inputs): job.training.inputs for job in jobs}
    starts: dict[int, int] = {}
    end = 0
    for key, inputs in different.items():
        starts[key] = end
        end += len(inputs)
    pool = [tensor_of(inputs, module, jobs[0].device) for inputs in different.values()]
    return (pool[0] if len(pool) == 1 else torch.cat(pool)), starts


def member_of(position: int, job: Job, built: Built, start: int, width: int) -> Member:
    """Lay out the rows of a job, which begin at `start` of all inputs, in batches of this width at most."""
    import torch

    amount = amount_of(job)
    rows = torch.arange(amount.rows) if job.rows is None else torch.from_numpy(np.array(job.rows))
    parts = torch.arange(amount.rows).tensor_split(amount.batches)
    sizes = [len(part) for part in parts]
    filling = torch.arange(width)
    places = torch.stack([part[filling.clamp(max=len(part) - 1)] for part in parts])
    counts = filling < torch.tensor(sizes)[:, None]
    return Member(
        position=position,
        job=job,
        rows=rows.to(job.device, torch.int64) + start,
        target=built.target,
        row_weights=built.row_weights,
        orders=orders(amount.rows, job.recipe),
        sizes=sizes,
        places=places.to(job.device),
        shares=(counts / counts.sum(dim=1, keepdim=True)).to(job.device),
        objective=built.objective,
    )


def row_losses_of(members: Sequence[Member], built: Sequence[Built]) -> RowLosses:
    """Return what is minimised for all of them at once."""
    import torch

    target, kind = built[0].target, built[0].kind
    if kind is None:
        spreads = [float(each.target.std()) or 1.0 for each in built]
        return SquaredErrors(target.new_tensor(spreads)[:, None, None])
    if any(each.kind != kind for each in built):
        raise Unstackable("some modules seem to give probabilities and some logits")
    recipes = [member.job.recipe for member in members]
    shifts = None
    if any(recipe.logit_adjustment for recipe in recipes):
        pairs = zip(built, recipes, strict=True)
        shifts = torch.stack(
            [logit_shift(b.target, kind.classes, r.logit_adjustment) for b, r in pairs]
        )
    smoothing = [recipe.label_smoothing for recipe in recipes]
    return CrossEntropies(smoothing, shifts, kind.probabilities)
