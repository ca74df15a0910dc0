"""How each kind of step hands a difference back: the rules behind DeepLift.

A rule is given a call, the same call at the reference, and what came out there; it returns what comes out here, with
multipliers in the place of its slopes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from roadworthy.attribution.calls import POOLS, Call, depends, without_rule
from roadworthy.attribution.exponentials import logsumexp, softmax
from roadworthy.attribution.handing import handed, multiplied, only_first
from roadworthy.attribution.steps import CHOICES, SMOOTH, STRAIGHT

NEAR = 1e-6  # of the size of the inputs of a smooth step: closer than this the slope half-way is as good
TOUCHING = 1e-10  # of a step made of straight pieces, whose quotient is exact

Rule = Callable[[Call, Call, Any], Tensor]  # Any: what came out at the reference


def _elementwise(call: Call, there: Call, out: Tensor, *, straight: bool) -> Tensor:
    """Difference of outputs over difference of inputs; the slope where the inputs are the same."""
    given = only_first(call)
    with torch.no_grad():
        here, away = given.detach(), there.args[0]
        value = found = call.on(here)
        if not straight:  # near each other, rounding to float32 would spoil the quotient
            here, away = here.double(), away.double()
            found, out = call.on(here), call.on(away)
        off = here - away
        multiplier = (found - out) / off
        least = TOUCHING if straight else NEAR * torch.maximum(here.abs(), away.abs())
        near = off.abs() <= least
        if bool(near.any()):
            slope = _slope(call, here if straight else (here + away) / 2)
            multiplier = torch.where(near, slope, multiplier)
    return multiplied(given, value, multiplier.to(value.dtype))


def _slope(call: Call, at: Tensor) -> Tensor:
    if call.kind == "relu":
        return (at > 0).to(at)
    leaf = at.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(call.on(leaf).sum(), leaf)[0]


def _product(call: Call, there: Call, out: Tensor, *, first: int = 0) -> Tensor:
    """Each of two factors takes its difference times the mean of the other's two values."""
    del out
    one, other = call.args[first : first + 2]
    if not (depends(one) and depends(other)):
        return call()
    before, (one_away, other_away) = call.args[:first], there.args[first : first + 2]
    with torch.no_grad():
        value = call.on(*before, one.detach(), other.detach())
        mean, other_mean = (one.detach() + one_away) / 2, (other.detach() + other_away) / 2
    shared = call.on(*before, one, other_mean) + call.on(*before, mean, other)
    return value + (shared - shared.detach())


def _einsum(call: Call, there: Call, out: Tensor) -> Tensor:
    """Share a product of two; one with what does not depend on the input is linear."""
    operands = call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
        call, there = (each.like(each.args[0], *each.args[1]) for each in (call, there))
    if sum(depends(operand) for operand in operands) <= 1:
        return call()
    if len(operands) > 2:
        raise without_rule("einsum of more than two")
    return _product(call, there, out, first=1)


def _quotient(call: Call, there: Call, out: Tensor) -> Tensor:
    """Share a product with the inverse, whose own difference is handed back as of a single value."""
    if call.named.get("rounding_mode") is not None:
        raise without_rule("division with rounding")
    one, other = call.args[:2]
    return call() if not depends(other) else _divided(one, other, there.args[0], there.args[1], out)


def _turned_quotient(call: Call, there: Call, out: Tensor) -> Tensor:
    """As `_quotient`, where torch calls the divisor first."""
    return _divided(call.args[1], call.args[0], there.args[1], there.args[0], out)


def _divided(
    one: Any, other: Tensor, one_away: Any, other_away: Tensor, out: Tensor
) -> Tensor:  # Any: tensor or number
    del out
    here = other.detach()
    fixed = one.detach() if isinstance(one, Tensor) else one
    value = fixed / here
    shared = other * (-(fixed + one_away) / 2 / (here * other_away))
    if depends(one):
        shared = shared + one * ((1 / here + 1 / other_away) / 2)
    return value + (shared - shared.detach())


def _power(call: Call, there: Call, out: Tensor) -> Tensor:
    if not isinstance(call.args[0], Tensor):
        raise without_rule("power of a number")
    return _elementwise(call, there, out, straight=False)


def _pooled(call: Call, there: Call, out: Any) -> Any:  # Any: one tensor, or two with places
    """Give what the larger of two maxima adds to its place, as in DeepSHAP; overlapping windows add up."""
    given = only_first(call)
    if call.named.get("return_indices"):
        raise without_rule("pooling that returns places")
    function = _POOLS[call.kind]
    named = {n: v for n, v in call.named.items() if n != "return_indices"}
    with torch.no_grad():
        here, away = given.detach(), there.args[0]
        value, at = function(here, *call.args[1:], **named, return_indices=True)
        value_away, at_away = function(away, *call.args[1:], **named, return_indices=True)
        larger = torch.maximum(value, value_away)
        rises, falls = larger - value_away, value - larger
        off = here - away
        places = int(call.kind[-2])  # dimensions of the plane

    def to_places(amount: Tensor, where: Tensor) -> Tensor:
        found = amount.new_zeros(here.shape).flatten(-places)
        return found.scatter_add(
            -1, where.expand(at.shape).flatten(-places), amount.flatten(-places)
        )

    def back(g: Tensor) -> Tensor:
        gone = to_places(g * rises, at) + to_places(g * falls, at_away)
        same = off.abs() < TOUCHING
        found = gone.view_as(here) / off
        return torch.where(same, to_places(g, at).view_as(here), found)

    return handed(given, value, back)


def _chosen(call: Call, there: Call, out: Tensor) -> Tensor:
    """Go through: what is chosen is the same as for the reference, or it would have been refused."""
    del there, out
    if call.kind == "where" and len(call.args) < 3:
        raise without_rule("where without two values")
    return call()


_POOLS: dict[str, Callable[..., Any]] = {kind: function for function, kind in POOLS.items()}

# Sorted: the order of a set differs from process to process, and with it the identity of what looks a rule up.
RULES: dict[str, Rule] = {
    **{kind: partial(_elementwise, straight=False) for kind in sorted(SMOOTH)},
    **{kind: partial(_elementwise, straight=True) for kind in sorted(STRAIGHT)},
    **dict.fromkeys(sorted(_POOLS), _pooled),
    "pow": _power,
    "__pow__": _power,
    "__rpow__": _power,
    "mul": _product,
    "matmul": _product,
    "einsum": _einsum,
    "div": _quotient,
    "rdiv": _turned_quotient,
    "softmax": partial(softmax, logarithm=False),
    "log_softmax": partial(softmax, logarithm=True),
    "logsumexp": logsumexp,
    **dict.fromkeys(sorted(CHOICES), _chosen),
}
"""Steps that are not linear, each with how it hands a difference back."""
