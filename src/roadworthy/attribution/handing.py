"""Values that hand back something else than their slopes."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.autograd import Function

from roadworthy.attribution.calls import Call, without_rule


class Multiplied(Function):
    """A value that hands back what comes to it, times a multiplier of each element."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, value: Tensor, multiplier: Tensor
    ) -> Tensor:  # Any: of torch
        """Return the value."""
        del given
        ctx.save_for_backward(multiplier)
        return value

    @staticmethod
    def backward(ctx: Any, *handed: Tensor) -> Any:  # Any: of torch
        """Hand back."""
        (multiplier,) = ctx.saved_tensors
        return handed[0] * multiplier, None, None


class Handed(Function):
    """A value that hands back by a function of what comes to it."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, value: Tensor, back: Callable[[Tensor], Tensor]
    ) -> Tensor:  # Any: of torch
        """Return the value."""
        del given
        ctx.back = back
        return value

    @staticmethod
    def backward(ctx: Any, *handed: Tensor) -> Any:  # Any: of torch
        """Hand back."""
        return ctx.back(handed[0]), None, None


def only_first(call: Call) -> Tensor:
    """Return the argument that depends on the input, which must be the first and the only one."""
    given = call.args[0] if call.args else None
    if not isinstance(given, Tensor) or any(
        t.requires_grad and t is not given for t in call.tensors
    ):
        raise without_rule(f"{call.kind} of several values that depend on the input")
    return given
