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
    """Changes parameters by their gradients; both are rows of matrices (K, P) that it holds."""

    def step(self, chosen: range, rates: Sequence[float]) -> None:
        """Take one step with neighbouring rows, at a learning rate for each."""
        ...

    def keep(self, positions: list[int], flat: Tensor, gradients: Tensor) -> None:
        """Go on with these rows alone, which now lie in other matrices."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return by name what it remembers of earlier steps, a row for each model."""
        ...

    def taken_up(self) -> None:
        """Take note that these tensors were given other values."""
        ...


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), betas .9 and .999, epsilon 1e-8."""

    def __init__(self, flat: Tensor, gradients: Tensor, recipes: Sequence[Recipe]) -> None:
        self.first = torch.zeros_like(flat)
        self.second = torch.zeros_like(flat)
        self.steps = torch.zeros(len(flat), device=flat.device)
        self.counts = [0] * len(flat)
        self.decays = [recipe.weight_decay for recipe in recipes]
        self._lay_out(flat, gradients)

    def step(self, chosen: range, rates: Sequence[float]) -> None:
        """See `Optimizer`."""
        part = slice(chosen.start, chosen.stop)
        self.steps[part] += 1
        for k in chosen:
            self.counts[k] += 1
        settings = [*zip(rates, self.decays[part], self.counts[part], strict=True)]
        if len(set(settings)) == 1:
            rate, decay, _ = settings[0]
            whole = [matrix[part] for matrix in self.matrices]
            _fused([*whole, self.steps[chosen.start]], rate, decay)
            return
        for row, (rate, decay, _) in zip(self.rows[part], settings, strict=True):
            _fused(row, rate, decay)

    def keep(self, positions: list[int], flat: Tensor, gradients: Tensor) -> None:
        """See `Optimizer`."""
        self.first, self.second = self.first[positions], self.second[positions]
        self.steps = self.steps[positions]
        self.counts = [self.counts[k] for k in positions]
        self.decays = [self.decays[k] for k in positions]
        self._lay_out(flat, gradients)

    def tensors(self) -> dict[str, Tensor]:
        """See `Optimizer`."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def taken_up(self) -> None:
        """See `Optimizer`."""
        self.counts = [int(count) for count in self.steps.tolist()]

    def _lay_out(self, flat: Tensor, gradients: Tensor) -> None:
        self.matrices = (flat, gradients, self.first, self.second)
        # To take views of rows anew for each step would cost as much as the step.
        self.rows = list(zip(*(m.unbind() for m in (*self.matrices, self.steps)), strict=True))


class SGD:
    """Gradient descent with momentum; weight decay is added to the gradient."""

    def __init__(self, flat: Tensor, gradients: Tensor, recipes: Sequence[Recipe]) -> None:
        self.flat, self.gradients = flat, gradients
        self.velocity = torch.zeros_like(flat)
        self.settings = flat.new_tensor([[r.weight_decay, r.momentum] for r in recipes])

    def step(self, chosen: range, rates: Sequence[float]) -> None:
        """See `Optimizer`."""
        part = slice(chosen.start, chosen.stop)
        decay, momentum = self.settings[part].unsqueeze(2).unbind(1)  # (k, 1) each
        flat, velocity = self.flat[part], self.velocity[part]
        velocity.mul_(momentum).add_(self.gradients[part].addcmul_(flat, decay))
        flat.addcmul_(velocity, velocity.new_tensor(rates)[:, None], value=-1)

    def keep(self, positions: list[int], flat: Tensor, gradients: Tensor) -> None:
        """See `Optimizer`."""
        self.flat, self.gradients = flat, gradients
        self.velocity, self.settings = self.velocity[positions], self.settings[positions]

    def tensors(self) -> dict[str, Tensor]:
        """See `Optimizer`."""
        return {"velocity": self.velocity}

    def taken_up(self) -> None:
        """See `Optimizer`; nothing is counted beside them."""


def optimizer_of(flat: Tensor, gradients: Tensor, recipes: Sequence[Recipe]) -> Optimizer:
    """Return the optimizer that the recipes name; they name the same."""
    return (SGD if recipes[0].optimizer == "sgd" else AdamW)(flat, gradients, recipes)


def _fused(tensors: Sequence[Tensor], rate: float, decay: float) -> None:
    """Do what torch.optim.AdamW(fused=True) does to parameter, gradient, moments and step count."""
    parameters, gradients, first, second, steps = tensors
    torch._fused_adamw_(  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]  # no public name
        [parameters],
        [gradients],
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
