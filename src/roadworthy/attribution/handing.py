"""Values that hand back something else than their slopes."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.autograd import Function

from roadworthy.attribution.calls import Call, without_rule


def multiplied(given: Tensor, value: Tensor, multiplier: Tensor) -> Tensor:
    """Return a value that hands back to what was given what comes to it, times a multiplier of each element.

    The value must be nobody else's: it is returned itself, not a copy.
    """
    return _Multiplied.apply(given, (_whole(value),), multiplier)  # pyright: ignore[reportReturnType] - torch's own annotation


def handed(given: Tensor, value: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a value that hands back to what was given by a function of what comes to it.

    The value must be nobody else's: it is returned itself, not a copy. The function must not hold it, or neither is ever freed.
    """
    return _Handed.apply(given, (_whole(value),), back)  # pyright: ignore[reportReturnType] - torch's own annotation


def _whole(value: Tensor) -> Tensor:
    """Return a value that is no view, as one-dimensional pooling gives."""
    return value.clone() if value._is_view() else value


class _Multiplied(Function):
    # The value comes in a tuple: a tensor that goes in and comes out again is a view to torch, which a network may not
    # change in place; and a copy would cost a pass over memory at each step.
    @staticmethod
    def forward(
        ctx: Any, given: Tensor, value: tuple[Tensor], multiplier: Tensor
    ) -> Tensor:  # Any: of torch
        del given
        ctx.save_for_backward(multiplier)
        return value[0]

    @staticmethod
    def backward(ctx: Any, *handed: Tensor) -> Any:  # Any: of torch
        (multiplier,) = ctx.saved_tensors
        return handed[0] * multiplier, None, None


class _Handed(Function):
    @staticmethod
    def forward(
        ctx: Any, given: Tensor, value: tuple[Tensor], back: Callable[[Tensor], Tensor]
    ) -> Tensor:  # Any: of torch
        del given
        ctx.back = back
        return value[0]

    @staticmethod
    def backward(ctx: Any, *handed: Tensor) -> Any:  # Any: of torch
        return ctx.back(handed[0]), None, None


def only_first(call: Call) -> Tensor:
    """Return the argument that depends on the input, which must be the first and the only one."""
    given = call.args[0] if call.args else None
    if not isinstance(given, Tensor) or any(
        t.requires_grad and t is not given for t in call.tensors
    ):
        raise without_rule(f"{call.kind} of several values that depend on the input")
    return given
