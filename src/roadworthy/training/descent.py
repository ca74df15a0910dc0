"""Optimizers of one module, as torch has them, at less than torch's price of a call."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from roadworthy.subject import Recipe

State = defaultdict[Tensor, dict[str, Any]]  # Any: Tensor, or None for momentum before a step


class Descent(Protocol):
    """Changes parameters by their gradients; `state` holds what it remembers of each."""

    state: State

    def descend(self, rate: float) -> None:
        """Take one step at this learning rate with the parameters that have a gradient."""
        ...


class AdamW:
    """Does what torch.optim.AdamW(fused=True) does, to the bit.

    Grouping, hooks and records around torch's own step took a quarter of the step of a small network.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], recipe: Recipe) -> None:
        self.parameters = list(parameters)
        self.decay = recipe.weight_decay
        self.state: State = defaultdict(dict)

    @torch.no_grad()
    def descend(self, rate: float) -> None:
        """See `Descent`."""
        moved: list[Tensor] = [p for p in self.parameters if p.grad is not None]
        if not moved:
            return
        states = [self.state[p] or self._begun(p) for p in moved]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]  # no public name
        torch._fused_adamw_(  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]  # no public name
            moved,
            [p.grad for p in moved if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _begun(self, parameter: Tensor) -> dict[str, Tensor]:
        # Names as torch's, which checkpoints have.
        self.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
        return self.state[parameter]


class SGD:
    """Gradient descent with momentum; weight decay is added to the gradient."""

    def __init__(self, parameters: Sequence[nn.Parameter], recipe: Recipe) -> None:
        self.own = torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.state: State = self.own.state

    def descend(self, rate: float) -> None:
        """See `Descent`."""
        self.own.param_groups[0]["lr"] = rate
        self.own.step()


def descent_of(parameters: Sequence[nn.Parameter], recipe: Recipe) -> Descent:
    """Return the optimizer that the recipe names."""
    return (SGD if recipe.optimizer == "sgd" else AdamW)(parameters, recipe)
