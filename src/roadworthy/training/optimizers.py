"""Optimizers of many models whose parameters are the rows of one matrix.

Each row has its own learning rate, weight decay and number of steps, and what is not in the range of a
step is not touched. Fused kernels go over each row: a broadcast over columns of settings took 4 times
as long at 10,000 parameters (19 against 5 us a model, one thread).
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from roadworthy.subject import Recipe


class Optimizer(Protocol):
    """Changes parameters by their gradients."""

    def step(self, chosen: range, gradients: Tensor, rates: Sequence[float]) -> None:
        """Take one step with the rows of a range; `gradients` and `rates` are theirs."""
        ...

    def keep(self, positions: list[int], flat: Tensor) -> None:
        """Go on with these rows alone, which now lie in `flat`."""
        ...


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), betas .9 and .999, epsilon 1e-8."""

    def __init__(self, flat: Tensor, recipes: Sequence[Recipe]) -> None:
        self.flat = flat
        self.first = torch.zeros_like(flat)
        self.second = torch.zeros_like(flat)
        self.steps = torch.zeros(len(flat), device=flat.device)
        self.decays = [recipe.weight_decay for recipe in recipes]

    def step(self, chosen: range, gradients: Tensor, rates: Sequence[float]) -> None:
        """See `Optimizer`."""
        part = slice(chosen.start, chosen.stop)
        self.steps[part] += 1
        rows = zip(
            self.flat[part],
            gradients,
            self.first[part],
            self.second[part],
            self.steps[part],
            rates,
            self.decays[part],
            strict=True,
        )
        for parameters, gradient, first, second, steps, rate, decay in rows:
            # What torch.optim.AdamW(fused=True) calls for each group of parameters.
            torch._fused_adamw_(  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
                [parameters],
                [gradient],
                [first],
                [second],
                [],
                [steps],
                lr=rate,
                beta1=0.9,
                beta2=0.999,
                weight_decay=decay,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )

    def keep(self, positions: list[int], flat: Tensor) -> None:
        """See `Optimizer`."""
        self.flat = flat
        self.first, self.second = self.first[positions], self.second[positions]
        self.steps = self.steps[positions]
        self.decays = [self.decays[k] for k in positions]


class SGD:
    """Gradient descent with momentum; weight decay is added to the gradient."""

    def __init__(self, flat: Tensor, recipes: Sequence[Recipe]) -> None:
        self.flat = flat
        self.velocity = torch.zeros_like(flat)
        self.settings = flat.new_tensor([[r.weight_decay, r.momentum] for r in recipes])

    def step(self, chosen: range, gradients: Tensor, rates: Sequence[float]) -> None:
        """See `Optimizer`."""
        part = slice(chosen.start, chosen.stop)
        decay, momentum = self.settings[part].unsqueeze(2).unbind(1)  # (k, 1) each
        velocity = self.velocity[part]
        velocity.mul_(momentum).add_(gradients.addcmul(self.flat[part], decay))
        self.flat[part].addcmul_(velocity, velocity.new_tensor(rates)[:, None], value=-1)

    def keep(self, positions: list[int], flat: Tensor) -> None:
        """See `Optimizer`."""
        self.flat = flat
        self.velocity, self.settings = self.velocity[positions], self.settings[positions]


def optimizer_of(flat: Tensor, recipes: Sequence[Recipe]) -> Optimizer:
    """Return the optimizer that the recipes name; they name the same."""
    return (SGD if recipes[0].optimizer == "sgd" else AdamW)(flat, recipes)
