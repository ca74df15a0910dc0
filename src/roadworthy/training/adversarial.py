"""Training against an adversary: where a batch is moved to, and how the loss is taken there."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from roadworthy.errors import UserError
from roadworthy.perturbation.model import attacked
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball
from roadworthy.subject import AdversarialTraining
from roadworthy.training.augmentation import Batch
from roadworthy.training.objective import gives_probabilities, with_classes

FAST_STEP = 1.25  # of eps: larger steps overfit to the single step (Wong et al. 2020, section 5.1)
STEP = 2.5  # times eps, over all steps together (Madry et al. 2018, appendix A)
WATCHED_STEPS = (
    10  # against which an epoch is judged: fewer are what "fast" training comes to overfit to
)
WATCHED_ROWS = 1024
ROWS_TO_LOOK_AT = 64

Loss = Callable[[Batch], Tensor]
Descend = Callable[[Tensor], None]
Harm = Callable[[Tensor], Tensor]
"""What an adversary makes large, of the outputs: a scalar."""


@dataclass(frozen=True, eq=False)
class Adversary:
    """Who moves the rows of batches, by the plan of a recipe.

    Parameters
    ----------
    plan : AdversarialTraining
    generator : torch.Generator
        Of random starts; it lives on the processor.
    gives_probabilities : bool
        Whether the network's outputs are probabilities.
    """

    plan: AdversarialTraining
    generator: Generator
    gives_probabilities: bool = False

    @property
    def threat(self) -> Ball:
        """Where a row may be moved to."""
        return Ball(self.plan.norm, self.plan.eps, self.plan.low, self.plan.high)

    def train(self, module: nn.Module, batch: Batch, loss: Loss, descend: Descend) -> Tensor:
        """Change the weights by one batch; return its loss.

        Parameters
        ----------
        module : Module
            In training mode, and left so.
        batch : Batch
        loss : callable
            Of a batch, with gradients.
        descend : callable
            Changes the weights by a loss.
        """
        if self.plan.method == "free":
            return self._freely(batch, loss, descend)
        if self.plan.method == "trades":
            found = loss(batch) + self.plan.beta * self._movement(module, batch.inputs)
        else:
            steps = 1 if self.plan.method == "fast" else self.plan.steps
            found = loss(replace(batch, inputs=self._worst(module, batch, loss, steps)))
        descend(found)
        return found.detach()

    def _worst(self, module: nn.Module, batch: Batch, loss: Loss, steps: int) -> Tensor:
        start = self.threat.start(batch.inputs, self._noise(len(batch.inputs)), "start")
        with attacked(module):
            return self.ascended(
                start, batch.inputs, steps, lambda at: loss(replace(batch, inputs=at))
            )

    def _movement(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """Return how far the answers move at most within the threat: mean Kullback-Leibler divergence."""
        with attacked(module):
            with torch.no_grad():
                sure = self._logits(module(inputs)).softmax(dim=-1)
            nearby = torch.from_numpy(
                self._noise(len(inputs)).normal(tuple(inputs.shape[1:]), "start")
            )
            start = self.threat.project(inputs, inputs + 1e-3 * nearby.to(inputs))
            moved = self.ascended(
                start, inputs, self.plan.steps, lambda at: self._divergence(module(at), sure)
            )
        return self._divergence(module(moved), self._logits(module(inputs)).softmax(dim=-1))

    def _divergence(self, outputs: Tensor, sure: Tensor) -> Tensor:
        found = functional.kl_div(self._logits(outputs).log_softmax(dim=-1), sure, reduction="sum")
        return found / sure[..., 0].numel()

    def _logits(self, outputs: Tensor) -> Tensor:
        return with_classes(outputs, probabilities=self.gives_probabilities)

    def _freely(self, batch: Batch, loss: Loss, descend: Descend) -> Tensor:
        """Go through a batch several times; one gradient moves weights and inputs alike."""
        threat, origin = self.threat, batch.inputs
        at = threat.start(origin, self._noise(len(origin)), "start")
        found = torch.zeros(())
        for _ in range(max(1, self.plan.steps)):
            at = at.detach().requires_grad_()
            found = loss(replace(batch, inputs=at))
            descend(found)
            assert at.grad is not None
            slope = at.grad.detach()
            if self.plan.random:
                slope = torch.randn(slope.shape, generator=self.generator).to(slope)
            at = threat.project(origin, at.detach() + self.plan.eps * threat.ascend(slope))
        return found.detach()

    def ascended(self, start: Tensor, origin: Tensor, steps: int, harm: Harm) -> Tensor:
        """Return where so many steps up the harm lead from `start`, within reach of `origin`: (n, ...); the start itself for random moves."""
        threat, moved = self.threat, start
        if self.plan.random:
            return start
        length = self.plan.eps * (FAST_STEP if steps == 1 else STEP / steps)
        for _ in range(steps):
            at = moved.detach().requires_grad_()
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(harm(at), at)
            moved = threat.project(origin, at.detach() + length * threat.ascend(slope))
        return moved.detach()

    @staticmethod
    def rows_to_watch(n: int) -> int:
        """Return how many of n rows an epoch is judged by."""
        return min(n, WATCHED_ROWS)

    def watched(self, module: nn.Module, inputs: Tensor, harm: Harm) -> Tensor:
        """Return where rows are moved to for judging an epoch: the same start and steps each time."""
        noise = RowNoise(np.arange(len(inputs), dtype=np.uint64))
        start = self.threat.start(inputs, noise, "watched")
        with attacked(module):
            return self.ascended(start, inputs, WATCHED_STEPS, lambda at: harm(module(at)))

    def _noise(self, n: int) -> RowNoise:
        drawn = torch.randint(0, 1 << 62, (n,), generator=self.generator)
        return RowNoise(drawn.numpy().astype(np.uint64))


def adversary_of(
    plan: AdversarialTraining | None,
    module: nn.Module,
    inputs: Tensor,
    generator: Generator,
    *,
    is_table: bool,
) -> Adversary | None:
    """Return who trains against the network, or None where nobody does.

    Raises
    ------
    UserError
        Where the plan makes no sense, or not for these inputs.
    """
    if plan is None or plan.eps == 0:
        return None
    if is_table or not inputs.is_floating_point():
        raise UserError(
            "The recipe asks for adversarial training, which moves all elements of an input alike: columns of a "
            "table and codes have no common range. Set `adversarial` of the recipe to None."
        )
    if plan.steps < 1 or plan.beta < 0:
        raise UserError(
            f"The recipe asks for adversarial training with {plan.steps} steps and beta {plan.beta:g}; at least "
            "1 step and a beta of at least 0 were expected."
        )
    with torch.no_grad():
        outputs = module.eval()(inputs[:ROWS_TO_LOOK_AT])
    adversary = Adversary(plan, generator, gives_probabilities(outputs))
    low, high = float(inputs.min()), float(inputs.max())
    if low < adversary.threat.low or high > adversary.threat.high:
        raise UserError(
            f"The recipe asks for adversarial training of inputs from {plan.low:g} to {plan.high:g}, but training "
            f"rows run from {low:g} to {high:g}. State the range that the model is given."
        )
    return adversary
