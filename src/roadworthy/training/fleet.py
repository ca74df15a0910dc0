"""The fleet: many models of one architecture trained at once, each as the loop would train it alone.

The forward pass is vectorised over the models (`torch.func`), the gradient is plain autograd of the sum
of their losses, and each has its own rows, batches, settings and end. For small models this takes
away most of the price of a step, which is the dispatch of small operations.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roadworthy.training.conduct import Unstackable, conduct_of
from roadworthy.training.divergence import refuse_divergence
from roadworthy.training.jobs import Diverged, Job
from roadworthy.training.loop import mean_loss
from roadworthy.training.losses import CrossEntropies, Penalties, RowLosses, SquaredErrors
from roadworthy.training.objective import (
    Objective,
    gives_probabilities,
    logit_shift,
    with_classes,
)
from roadworthy.training.preparation import prepared, refuse_untrainable
from roadworthy.training.regularisation import penalised, set_dropout
from roadworthy.training.running import reproducible, rows_at_a_time, tensor_of, threads
from roadworthy.training.schedule import batch_count, learning_rate, orders
from roadworthy.training.stack import Stack
from roadworthy.training.streaming import rows_on

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Progress = Callable[[int, int], None]
Trained = dict[str, np.ndarray] | Diverged


def train_fleet(
    jobs: Sequence[Job], *, progress: Progress | None = None
) -> Iterator[tuple[int, Trained]]:
    """Train jobs that share architecture, validation rows, batch size and kind of optimizer.

    Each model gets the initial weights, the preprocessing, the batches, the dropout masks and the number
    of steps that the loop would give it, so its weights are those of the loop within the tolerance of
    float32, whoever else is in the fleet. A model that is done leaves.

    Parameters
    ----------
    jobs : sequence of Job
    progress : callable, optional
        Called after each epoch with its number from 1 and the largest number of epochs.

    Yields
    ------
    position, weights
        Weights and buffers by name, or what went wrong where the loss was no longer finite; each
        as soon as it is there.

    Raises
    ------
    Unstackable
        Before anything was yielded: where the modules cannot be run as one.
    UserError
        Before anything was yielded: where a job cannot be trained at all.
    """
    with _quiet(jobs[0]):
        fleet = Fleet(jobs)
    epochs = max(job.recipe.epochs for job in jobs)
    for epoch in range(1, epochs + 1):
        with _quiet(jobs[0], fleet.stack.modules[0]):
            done = list(fleet.epoch())
        if progress is not None:
            progress(epoch, epochs)
        yield from done
        if not len(fleet.stack):
            break


@contextmanager
def _quiet(job: Job, module: "nn.Module | None" = None) -> Generator[None]:
    """Leave random state and number of threads as they were, as the loop does."""
    with reproducible(job.recipe.seed, job.device):
        if module is None:
            yield
            return
        with threads(module, job.training.inputs):
            yield


@dataclass
class _Member:
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
        return len(self.sizes)


class Fleet:
    """The models that are being trained; all are in the same epoch."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        import torch

        from roadworthy.training.optimizers import optimizer_of

        # Those with the most batches come first: the models that take a step are always neighbours.
        order = sorted(range(len(jobs)), key=lambda k: _amount(jobs[k]), reverse=True)
        built = [_built(jobs[k]) for k in order]
        first = built[0].module
        self.inputs, starts = _pooled(jobs, first)
        width = max(-(-_amount(job).rows // _amount(job).batches) for job in jobs)
        self.members = [
            _member(k, jobs[k], each, starts[id(jobs[k].training.inputs)], width)
            for k, each in zip(order, built, strict=True)
        ]
        conduct = conduct_of(first, self.inputs[self.members[0].rows])
        self.mixes_rows = conduct.mixes_rows
        self.stack = Stack([b.module for b in built], [b.generator for b in built], conduct)
        recipes = [member.job.recipe for member in self.members]
        self.optimizer = optimizer_of(self.stack.flat, self.stack.gradients, recipes)
        self.losses = _row_losses(self.members, built)
        self.penalties = Penalties(recipes, self._penalised(first))
        self.epochs = 0
        validation = jobs[0].validation
        self.held_out = None
        if validation is not None and len(validation.target) > 0:
            self.held_out = rows_on(validation, first, jobs[0].device)
            self.best = self.stack.flat.clone()
            self.best_written = {n: self.stack.others[n].clone() for n in conduct.writes}
        self.totals = torch.zeros(len(jobs), device=self.inputs.device)

    def _penalised(self, module: "nn.Module") -> "Tensor":
        """Return which columns of the parameters an L1 penalty counts: (P,), 0 or 1."""
        counts = self.stack.flat.new_zeros(self.stack.flat.shape[1])
        for name, _ in penalised(module):
            if name in self.stack.places:
                counts[self.stack.places[name]] = 1
        return counts

    def epoch(self) -> Iterator[tuple[int, Trained]]:
        """Train one epoch; yield what is done with it."""
        self.totals.zero_()
        plan = self._planned()
        for step in range(self.members[0].batches):
            active = sum(member.batches > step for member in self.members)
            for chosen, width in self._together(step, active):
                self._step(step, chosen, plan, width)
        self.epochs += 1
        yield from self._finished()

    def _planned(self) -> "_Plan":
        """Lay out the batches of the coming epoch."""
        import torch

        rows, target, shares = [], [], []
        most = self.members[0].batches
        for member in self.members:
            order = next(member.orders).to(self.inputs.device)
            chosen = order[member.places]  # (batches, width)
            weights = member.shares
            if member.row_weights is not None:
                weights = weights * member.row_weights[chosen]
            short = most - len(chosen)
            for found, values in (
                (rows, member.rows[chosen]),
                (target, member.target[chosen]),
                (shares, weights),
            ):
                found.append(torch.nn.functional.pad(values, (0, 0, 0, short)))
        return _Plan(torch.stack(rows), torch.stack(target), torch.stack(shares))

    def _together(self, step: int, active: int) -> Iterator[tuple[range, int]]:
        """Yield neighbouring models that can take this step in one call, and how many rows."""
        sizes = [member.sizes[step] for member in self.members[:active]]
        if not self.mixes_rows:
            yield range(active), max(sizes)
            return
        # Rows that fill up would count in the statistics of a batch.
        start = 0
        for size, group in groupby(sizes):
            stop = start + len(list(group))
            yield range(start, stop), size
            start = stop

    def _step(self, step: int, chosen: range, plan: "_Plan", width: int) -> None:

        part = slice(chosen.start, chosen.stop)
        members = self.members[part]
        rows = plan.rows[part, step, :width]
        try:
            inputs = self.inputs.index_select(0, rows.flatten()).unflatten(0, rows.shape)
            outputs = self.stack.forward(chosen, inputs, [member.sizes[step] for member in members])
            losses = self.losses.of(chosen, outputs, plan.target[part, step, :width])
            losses = (losses * plan.shares[part, step, :width]).sum(dim=1)  # (k,)
            self.stack.differentiate(chosen, losses.sum())
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            raise Unstackable(str(error).partition("\n")[0]) from error
        self.totals[part] += losses.detach()
        self.penalties.apply(chosen, self.stack.flat, self.stack.gradients)
        done = [self.epochs * member.batches + step for member in members]
        rates = [
            learning_rate(member.job.recipe, at, member.job.recipe.epochs * member.batches)
            for member, at in zip(members, done, strict=True)
        ]
        self.optimizer.step(chosen, rates)

    def _finished(self) -> Iterator[tuple[int, Trained]]:
        """Judge each model after an epoch; yield those that are done and let them go."""
        going: list[int] = []
        done: list[tuple[int, Trained]] = []
        totals = self.totals.tolist()
        for k, member in enumerate(self.members):
            broken = self._judged(k, totals[k] / member.batches)
            patience = member.job.recipe.patience
            if broken is not None:
                done.append((member.position, broken))
            elif self.epochs == member.job.recipe.epochs or (
                patience is not None and member.epochs_without >= patience
            ):
                done.append((member.position, self._weights(k)))
            else:
                going.append(k)
        if done:
            self._keep(going)
        yield from done

    def _judged(self, k: int, loss: float) -> Diverged | None:
        """Take note of the losses of an epoch as the loop does."""
        member = self.members[k]
        found = None
        try:
            refuse_divergence(loss, self.epochs, member.job.recipe, member.job.training)
            if self.held_out is not None:
                found = mean_loss(self.stack.modules[k], self.held_out, member.objective)
                refuse_divergence(found, self.epochs, member.job.recipe, member.job.training)
        except Diverged as error:
            return error
        if found is None or found < member.least:
            member.least = inf if found is None else found
            member.epochs_without = 0
            if found is not None:
                self.best[k] = self.stack.flat[k]
                for name, values in self.best_written.items():
                    values[k] = self.stack.others[name][k]
        else:
            member.epochs_without += 1
        return None

    def _weights(self, k: int) -> dict[str, np.ndarray]:
        if self.held_out is not None:
            self.stack.flat[k] = self.best[k]
            for name, values in self.best_written.items():
                self.stack.others[name][k] = values[k]
        state = self.stack.modules[k].state_dict()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def _keep(self, positions: list[int]) -> None:
        self.members = [self.members[k] for k in positions]
        self.totals = self.totals[positions]
        if not positions:
            self.stack.modules = []
            return
        self.stack.keep(positions)
        self.optimizer.keep(positions, self.stack.flat, self.stack.gradients)
        self.losses.keep(positions)
        self.penalties.keep(positions)
        if self.held_out is not None:
            self.best = self.best[positions]
            self.best_written = {n: v[positions] for n, v in self.best_written.items()}


@dataclass(frozen=True)
class _Plan:
    """The batches of one epoch: (K, batches, width) each. `shares` sum to 1 over a batch."""

    rows: "Tensor"
    target: "Tensor"
    shares: "Tensor"


class _Kind(NamedTuple):
    """What the outputs of a classifier are."""

    classes: int
    probabilities: bool


class _Amount(NamedTuple):
    batches: int
    rows: int


@dataclass(frozen=True)
class _Built:
    module: "nn.Module"
    objective: Objective
    kind: _Kind | None
    target: "Tensor"
    row_weights: "Tensor | None"
    generator: "torch.Generator"


def _amount(job: Job) -> _Amount:
    n = len(job.training.target) if job.rows is None else len(job.rows)
    return _Amount(batch_count(n, job.recipe), n)


def _built(job: Job) -> _Built:
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
            kind = _Kind(with_classes(outputs).shape[-1], gives_probabilities(outputs))
    return _Built(module, objective, kind, rows.target, rows.weights, generator)


def _pooled(jobs: Sequence[Job], module: "nn.Module") -> "tuple[Tensor, dict[int, int]]":
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


def _member(position: int, job: Job, built: _Built, start: int, width: int) -> _Member:
    import torch

    amount = _amount(job)
    rows = torch.arange(amount.rows) if job.rows is None else torch.from_numpy(np.array(job.rows))
    parts = torch.arange(amount.rows).tensor_split(amount.batches)
    sizes = [len(part) for part in parts]
    filling = torch.arange(width)
    places = torch.stack([part[filling.clamp(max=len(part) - 1)] for part in parts])
    counts = filling < torch.tensor(sizes)[:, None]
    return _Member(
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


def _row_losses(members: Sequence[_Member], built: Sequence[_Built]) -> RowLosses:
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
