"""The fleet: many models of one architecture trained at once, each as the loop would train it alone.

The forward pass is vectorised over the models (`torch.func`), the gradient is plain autograd of the sum
of their losses, and each has its own rows, batches, settings and end. For small models this takes
away most of the price of a step, which is the dispatch of small operations.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.training.checkpoint import State
from roadworthy.training.conduct import Unstackable, conduct_of
from roadworthy.training.divergence import refuse_divergence
from roadworthy.training.fleet_checkpoint import Done, FleetCheckpoint
from roadworthy.training.jobs import Diverged, Job
from roadworthy.training.loop import mean_loss
from roadworthy.training.losses import Penalties
from roadworthy.training.members import (
    amount_of,
    built,
    member_of,
    pooled,
    row_losses_of,
)
from roadworthy.training.regularisation import penalised
from roadworthy.training.running import reproducible, threads
from roadworthy.training.schedule import learning_rate
from roadworthy.training.stack import Stack
from roadworthy.training.streaming import rows_on

if TYPE_CHECKING:
    from torch import Tensor, nn

Progress = Callable[[int, int], None]


def train_fleet(jobs: Sequence[Job], *, progress: Progress | None = None) -> Iterator[Done]:
    """Train jobs that share architecture, validation rows, batch size and kind of optimizer.

    Each model gets the initial weights, the preprocessing, the batches, the dropout masks and the number
    of steps that the loop would give it, so its weights are those of the loop within the tolerance of
    float32, whoever else is in the fleet. A model that is done leaves.

    Where each job has a file for unfinished work, the state of all is laid down every few seconds, and a later call
    for those whose weights were not handed on yet goes on from it and ends with the same weights, bit for bit
    (`fleet_checkpoint`).

    Parameters
    ----------
    jobs : sequence of Job
    progress : callable, optional
        Called after each epoch with its number from 1 and the largest number of epochs.

    Yields
    ------
    position, weights
        Weights and buffers by name, or what went wrong where the loss was no longer finite; each
        as soon as it is there, or as the state that it is missing from is laid down.

    Raises
    ------
    Unstackable
        Before anything was yielded: where the modules cannot be run as one.
    UserError
        Before anything was yielded: where a job cannot be trained at all.
    """
    with _quiet(jobs[0]):
        fleet = Fleet(jobs)
        checkpoint = FleetCheckpoint(fleet, jobs)
    yield from checkpoint.passed_on([], is_last=not fleet.members)
    epochs = max(job.recipe.epochs for job in jobs)
    while fleet.members:
        with _quiet(jobs[0], fleet.stack.modules[0]):
            done = list(fleet.epoch(checkpoint.after_step))
        # Before progress is told, where a run may end.
        yield from checkpoint.passed_on(done, is_last=not fleet.members)
        if progress is not None:
            progress(fleet.epochs, epochs)


@contextmanager
def _quiet(job: Job, module: "nn.Module | None" = None) -> Generator[None]:
    """Leave random state and number of threads as they were, as the loop does."""
    with reproducible(job.recipe.seed, job.device):
        if module is None:
            yield
            return
        with threads(module, job.training.inputs):
            yield


class Fleet:
    """The models that are being trained; all are in the same epoch."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        import torch

        from roadworthy.training.optimizers import optimizer_of

        # Those with the most batches come first: the models that take a step are always neighbours.
        order = sorted(range(len(jobs)), key=lambda k: amount_of(jobs[k]), reverse=True)
        ready = [built(jobs[k]) for k in order]
        first = ready[0].module
        self.inputs, starts = pooled(jobs, first)
        width = max(-(-amount_of(job).rows // amount_of(job).batches) for job in jobs)
        self.members = [
            member_of(k, jobs[k], each, starts[id(jobs[k].training.inputs)], width)
            for k, each in zip(order, ready, strict=True)
        ]
        conduct = conduct_of(first, self.inputs[self.members[0].rows])
        self.mixes_rows = conduct.mixes_rows
        self.stack = Stack([b.module for b in ready], [b.generator for b in ready], conduct)
        recipes = [member.job.recipe for member in self.members]
        self.optimizer = optimizer_of(self.stack.flat, self.stack.gradients, recipes)
        self.losses = row_losses_of(self.members, ready)
        self.penalties = Penalties(recipes, self._penalised(first))
        self.epochs = 0
        self.step = 0  # within the epoch
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

    def epoch(self, after_step: Callable[[], None] = lambda: None) -> Iterator[Done]:
        """Train one epoch, or the rest of it; yield what is done with it."""
        plan = self._planned()
        for step in range(self.step, self.members[0].batches):
            active = sum(member.batches > step for member in self.members)
            for chosen, width in self._together(step, active):
                self._step(step, chosen, plan, width)
            self.step += 1
            after_step()
        self.epochs, self.step = self.epochs + 1, 0
        yield from self._finished()
        self.totals.zero_()

    def state(self) -> State:
        """Return all that the next step depends on, without the recipes and the rows."""
        tensors = {"totals": self.totals}
        for prefix, found in self._tensors().items():
            tensors |= {f"{prefix}/{name}": tensor for name, tensor in found.items()}
        generators = self.stack.masks.generators
        tensors |= {f"dropout/{k}": each.get_state() for k, each in enumerate(generators)}
        numbers = {
            "epochs": self.epochs,
            "step": self.step,
            "least": [member.least for member in self.members],
            "epochs_without": [member.epochs_without for member in self.members],
            "alike": sorted(self.stack.alike),
        }
        return State(tensors, numbers)

    def take_up(self, state: State, positions: Sequence[int]) -> None:
        """Go on from what `state` returned in a fleet whose members then were the jobs at these positions.

        Before the first step; the other jobs leave.
        """
        places = {member.position: k for k, member in enumerate(self.members)}
        self._keep([places[position] for position in positions])
        self.epochs, self.step = state.numbers["epochs"], state.numbers["step"]
        if not positions:
            return
        self.totals.copy_(state.tensors["totals"])
        for prefix, found in self._tensors().items():
            for name, tensor in found.items():
                tensor.copy_(state.tensors[f"{prefix}/{name}"])
        self.optimizer.taken_up()
        for k, generator in enumerate(self.stack.masks.generators):
            generator.set_state(state.tensors[f"dropout/{k}"])
        self.stack.share(frozenset(state.numbers["alike"]))
        numbers = zip(state.numbers["least"], state.numbers["epochs_without"], strict=True)
        for member, (least, epochs_without) in zip(self.members, numbers, strict=True):
            member.least, member.epochs_without = least, epochs_without
            # The orders of epochs that are done are drawn too: those after them depend on it.
            member.orders = islice(member.orders, self.epochs, None)

    def _tensors(self) -> "dict[str, dict[str, Tensor]]":
        found = {
            "stack": {"flat": self.stack.flat},
            "others": self.stack.others,
            "optimizer": self.optimizer.tensors(),
        }
        if self.held_out is not None:
            found |= {"best": {"flat": self.best}, "best_others": self.best_written}
        return found

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

    def _finished(self) -> Iterator[Done]:
        """Judge each model after an epoch; yield those that are done and let them go."""
        going: list[int] = []
        done: list[Done] = []
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
