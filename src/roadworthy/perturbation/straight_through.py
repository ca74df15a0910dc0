"""Gradients through steps that have none, and answers of networks that draw random numbers.

A defence that rounds inputs has a gradient of zero everywhere, and one that adds noise a different one at each call:
attacks must see through both (Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security").
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from roadworthy.perturbation.model import Backward

Function = Callable[..., Any]  # Any: what a function of torch takes and gives

STEPS: frozenset[Function] = frozenset(
    function
    for holder in (torch, Tensor)
    for name in ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn")
    for function in (getattr(holder, name), getattr(holder, f"{name}_", None))
    if function is not None
)
"""Functions of torch that are constant between steps."""
DRAWS = 2
SAME = 1e-4  # relative: sums in another order differ by less


class StraightThrough(TorchFunctionMode):
    """Inside this block steps are taken forwards, and gradients go back as if there were none.

    Backward pass differentiable approximation by the identity (Bengio, Léonard & Courville 2013; BPDA of Athalye et
    al. 2018, section 4.1). `seen` says whether there was such a step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(  # the name that torch gives it
        self,
        func: Function,
        types: Sequence[type],
        args: Sequence[Any] = (),  # Any: see `Function`
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # Any: see `Function`
        """Call the function; where it is a step, let gradients pass."""
        del types
        if func not in STEPS or not args or not isinstance(args[0], Tensor):
            return func(*args, **(kwargs or {}))
        self.seen = True
        given = args[0]
        before = given.detach().clone()
        with torch.no_grad():
            found = func(before, *args[1:], **(kwargs or {}))
        return given + (found - given).detach()


def reverse_through(module: nn.Module, *, straight_through: bool) -> Backward:
    """Return gradients of another network than the one that confirms what they lead to, as `AttackedModel` takes them."""

    def ahead(inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        at = inputs.detach().clone().requires_grad_()
        with torch.enable_grad(), StraightThrough() if straight_through else nullcontext():
            outputs = module(at)

        def back(slope: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(outputs, at, slope.to(outputs.dtype))
            return found

        return outputs.detach().clone(), back

    return ahead


class Averaged(nn.Module):
    """The mean of what a network that draws random numbers gives in several calls.

    Expectation over transformations (Athalye, Engstrom, Ilyas & Kwok 2018): gradients of the mean, not of one draw.
    """

    def __init__(self, module: nn.Module, draws: int) -> None:
        super().__init__()
        self.module = module
        self.draws = draws

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of the outputs."""
        return torch.stack([self.module(inputs) for _ in range(self.draws)]).mean(dim=0)


def has_steps(module: nn.Module, inputs: Tensor) -> bool:
    """Whether the network takes steps that gradients do not pass."""
    with torch.no_grad(), StraightThrough() as watch:
        module(inputs)
    return watch.seen


def is_random(module: nn.Module, inputs: Tensor) -> bool:
    """Whether the network answers the same rows differently from call to call."""
    with torch.no_grad():
        first, *others = (module(inputs) for _ in range(1 + DRAWS))
    size = first.abs().amax().clamp_min(1e-12)
    return any(bool((other - first).abs().amax() > SAME * size) for other in others)
