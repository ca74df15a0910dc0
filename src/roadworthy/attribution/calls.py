"""A step of a network as torch calls it: a function, what it is called with, and what kind of step that is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.errors import NotApplicable

Function = Callable[..., Any]  # Any: what a function of torch takes and gives

ALIASES = {
    "__rsub__": "sub",
    "__radd__": "add",
    "__rmul__": "mul",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "__rdiv__": "rdiv",
    "__rtruediv__": "rdiv",
    "__matmul__": "matmul",
    "bmm": "matmul",
    "mm": "matmul",
    "concat": "cat",
    "concatenate": "cat",
    "clip": "clamp",
    "special_expit": "sigmoid",
    "logsigmoid": "log_sigmoid",
}


class Unlike(Exception):
    """A value of one reference does not stand beside those of many rows."""


@dataclass(frozen=True, eq=False)
class Call:
    """A function of torch and what it is called with."""

    function: Function
    args: tuple[Any, ...]
    named: Mapping[str, Any]

    @staticmethod
    def of(function: Function, args: tuple[Any, ...], named: Mapping[str, Any]) -> "Call":
        """Return the call with its input in the first place, and the other of two in the second."""
        left = dict(named)
        if not args and "input" in left:
            args = (left.pop("input"),)
        # Of `where` the condition comes first, and its "other" is the third of three.
        if len(args) == 1 and "other" in left and not {"input", "self", "condition"} & set(left):
            args = (*args, left.pop("other"))
        return Call(function, args, left)

    def __call__(self) -> Any:  # Any: see `Function`
        """Call it."""
        return self.function(*self.args, **self.named)

    def on(self, *first: Any) -> Any:  # Any: see `Function`
        """Call it with other first arguments, and not in place."""
        named = {name: value for name, value in self.named.items() if name != "inplace"}
        rest = self.args[len(first) :]
        if self.named.get("inplace") is None and self._has_inplace_argument:
            rest = tuple(False if value is True else value for value in rest)
        return self._out_of_place(*first, *rest, **named)

    def like(self, *first: Any) -> "Call":
        """Return the call with other first arguments."""
        return Call(self.function, (*first, *self.args[len(first) :]), self.named)

    @cached_property
    def kind(self) -> str:
        """What kind of step it is: a name that a function, a method and an operator share."""
        for function, kind in POOLS.items():
            if self.function is function:
                return kind
        name = self._plain
        return ALIASES.get(name, name)

    @property
    def is_in_place(self) -> bool:
        """Whether it changes its first argument."""
        name = getattr(self.function, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            return True
        given = self.named.get("inplace")
        return given is True or (self._has_inplace_argument and True in self.args[1:])

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The arguments that are tensors, those in lists too."""
        return tuple(_tensors_in((*self.args, *self.named.values())))

    @property
    def depends(self) -> bool:
        """Whether it depends on the input: weights are frozen."""
        return any(t.requires_grad for t in self.tensors)

    def held(self) -> "Call":
        """Return the call with copies of what it or a later step in place may change: all but weights."""
        named = {name: copied(value) for name, value in self.named.items()}
        return Call(self.function, copied(self.args), named)

    @property
    def _plain(self) -> str:
        name = getattr(self.function, "__name__", str(self.function))
        return name.rstrip("_") if name.endswith("_") and not name.endswith("__") else name

    @property
    def _has_inplace_argument(self) -> bool:
        return self._plain in ("relu", "relu6", "silu", "hardswish", "mish", "hardsigmoid")

    @property
    def _out_of_place(self) -> Function:
        if not getattr(self.function, "__name__", "").endswith("_") or self._plain.endswith("__"):
            return self.function
        for holder in (torch, Tensor, functional):
            found = getattr(holder, self._plain, None)
            if found is not None:
                return found
        return self.function


def depends(value: Any) -> bool:  # Any: whatever a function is called with
    """Whether a value depends on the input."""
    return isinstance(value, Tensor) and value.requires_grad


def copied(value: Any) -> Any:  # Any: what a function is called with, or what it gives
    """Return a value with copies of the tensors in it; weights, which no network changes as it answers, stay."""
    if isinstance(value, Tensor):
        return value if isinstance(value, nn.Parameter) else value.clone()
    if isinstance(value, list):
        return [copied(each) for each in value]
    return tuple(copied(each) for each in value) if type(value) is tuple else value


def without_rule(what: str) -> NotApplicable:
    """Say that there is no rule for a step."""
    return NotApplicable(
        f"DeepLift has no rule for the step {what}, and would be wrong without one; use integrated gradients, or build "
        "the model of layers that it knows"
    )


def _tensors_in(values: Any) -> Iterator[Tensor]:  # Any: what a function is called with
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors_in(value)


POOLS: dict[Function, str] = {
    getattr(functional, f"{adaptive}max_pool{d}d"): f"{adaptive}max_pool{d}d"
    for adaptive in ("", "adaptive_")
    for d in (1, 2, 3)
}
"""What torch gives no name of its own."""
