"""How each kind of step hands a difference back: the rules behind DeepLift.

A rule is given a call, the same call at the reference, and what came out there; it returns what comes out here, with
multipliers in the place of its slopes.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from roadworthy.attribution.calls import POOLS, Call
from roadworthy.errors import NotApplicable

NEAR = 1e-6  # of the size of the inputs of a smooth step: closer than this the slope half-way is as good
TOUCHING = 1e-10  # of a step made of straight pieces, whose quotient is exact

Rule = Callable[[Call, Call, Any], Tensor]  # Any: what came out at the reference


class _Multiplied(Function):
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


class _Handed(Function):
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


def _elementwise(call: Call, there: Call, out: Tensor, *, straight: bool) -> Tensor:
    """Difference of outputs over difference of inputs; the slope where the inputs are the same."""
    given = _only_first(call)
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
    return _Multiplied.apply(given, value, multiplier.to(value.dtype))  # pyright: ignore[reportReturnType] - torch's own annotation


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
    if not (_depends(one) and _depends(other)):
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
    depends = [_depends(operand) for operand in operands]
    if sum(depends) <= 1:
        return call()
    if len(operands) > 2:
        raise _without_rule("einsum of more than two")
    return _product(call, there, out, first=1)


def _quotient(call: Call, there: Call, out: Tensor) -> Tensor:
    """Share a product with the inverse, whose own difference is handed back as of a single value."""
    if call.named.get("rounding_mode") is not None:
        raise _without_rule("division with rounding")
    one, other = call.args[:2]
    return (
        call() if not _depends(other) else _divided(one, other, there.args[0], there.args[1], out)
    )


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
    if _depends(one):
        shared = shared + one * ((1 / here + 1 / other_away) / 2)
    return value + (shared - shared.detach())


def _power(call: Call, there: Call, out: Tensor) -> Tensor:
    if not isinstance(call.args[0], Tensor):
        raise _without_rule("power of a number")
    return _elementwise(call, there, out, straight=False)


def _softmax(call: Call, there: Call, out: Tensor, *, logarithm: bool) -> Tensor:
    """Exponential, sum, inverse or logarithm, and product, each by its own rule; in float64, past one common shift."""
    del out
    given = _only_first(call)
    dim = _dimension(call)
    here, away = given.detach().double(), there.args[0].double()
    e, e_away, rate = _exponentials(here, away, dim)
    s, s_away = e.sum(dim, keepdim=True), e_away.sum(dim, keepdim=True)
    if logarithm:
        of_sum = _logarithms_rate(s, s_away)
        value = here.log_softmax(dim)

        def back(handed: Tensor) -> Tensor:
            g = handed.double()
            return (g - g.sum(dim, keepdim=True) * of_sum * rate).to(handed.dtype)
    else:
        value = e / s
        inverse = (1 / s + 1 / s_away) / 2

        def back(handed: Tensor) -> Tensor:
            g = handed.double()
            common = (g * (e + e_away) / 2).sum(dim, keepdim=True) / (s * s_away)
            return (rate * (g * inverse - common)).to(handed.dtype)

    return _Handed.apply(given, value.to(given.dtype), back)  # pyright: ignore[reportReturnType] - torch's own annotation


def _logsumexp(call: Call, there: Call, out: Tensor) -> Tensor:
    """Exponential, sum and logarithm, each by its own rule."""
    del out
    given = _only_first(call)
    dim = _dimension(call)
    keeps = bool(call.named.get("keepdim", call.args[2] if len(call.args) > 2 else False))
    here, away = given.detach().double(), there.args[0].double()
    e, e_away, rate = _exponentials(here, away, dim)
    share = rate * _logarithms_rate(e.sum(dim, keepdim=True), e_away.sum(dim, keepdim=True))
    value = here.logsumexp(dim, keepdim=keeps)

    def back(handed: Tensor) -> Tensor:
        g = handed.double() if keeps else handed.double().unsqueeze(dim)
        return (g * share).to(handed.dtype)

    return _Handed.apply(given, value.to(given.dtype), back)  # pyright: ignore[reportReturnType] - torch's own annotation


def _exponentials(here: Tensor, away: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return exponentials here and at the reference, and the rate between them, past a shift that both share."""
    shift = torch.maximum(here.amax(dim, keepdim=True), away.amax(dim, keepdim=True))
    e, e_away = (here - shift).exp(), (away - shift).exp()
    off = here - away
    rate = torch.where(off.abs() < 1e-6, (e + e_away) / 2, (e - e_away) / off)
    return e, e_away, rate


def _logarithms_rate(s: Tensor, s_away: Tensor) -> Tensor:
    off = s - s_away
    near = off.abs() < 1e-6 * s
    return torch.where(near, 2 / (s + s_away), (s.log() - s_away.log()) / off)


def _pooled(call: Call, there: Call, out: Any) -> Any:  # Any: one tensor, or two with places
    """Give what the larger of two maxima adds to its place, as in DeepSHAP; overlapping windows add up."""
    given = _only_first(call)
    if call.named.get("return_indices"):
        raise _without_rule("pooling that returns places")
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
            -1, where.expand_as(value).flatten(-places), amount.flatten(-places)
        )

    def back(handed: Tensor) -> Tensor:
        gone = to_places(handed * rises, at) + to_places(handed * falls, at_away)
        same = off.abs() < TOUCHING
        found = gone.view_as(here) / off
        return torch.where(same, to_places(handed, at).view_as(here), found)

    return _Handed.apply(given, value, back)


def _chosen(call: Call, there: Call, out: Tensor) -> Tensor:
    """Go through: what is chosen is the same as for the reference, or it would have been refused."""
    del there, out
    if call.kind == "where" and len(call.args) < 3:
        raise _without_rule("where without two values")
    return call()


def _only_first(call: Call) -> Tensor:
    given = call.args[0] if call.args else None
    if not isinstance(given, Tensor) or any(
        t.requires_grad and t is not given for t in call.tensors
    ):
        raise _without_rule(f"{call.kind} of several values that depend on the input")
    return given


def _dimension(call: Call) -> int:
    dim = call.named.get("dim", call.args[1] if len(call.args) > 1 else None)
    if isinstance(dim, tuple | list) and len(dim) == 1:
        dim = dim[0]
    if not isinstance(dim, int):
        raise _without_rule(f"{call.kind} without one dimension")
    return dim


def _depends(value: Any) -> bool:  # Any: whatever a function is called with
    return isinstance(value, Tensor) and value.requires_grad


def _without_rule(what: str) -> NotApplicable:
    return NotApplicable(
        f"DeepLift has no rule for the step {what}, and would be wrong without one; use integrated gradients, or build "
        "the model of layers that it knows"
    )


def _layer_norm(
    given: Tensor,
    shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    over = tuple(range(-len(shape), 0))
    centred = given - given.mean(over, keepdim=True)
    variance = (centred * centred).mean(over, keepdim=True)
    found = centred / (variance + eps).sqrt()
    found = found if weight is None else found * weight
    return found if bias is None else found + bias


def _normalised(
    given: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    if p != 2.0 or out is not None:
        raise _without_rule("normalisation by another norm")
    return given / (given * given).sum(dim, keepdim=True).sqrt().clamp(min=eps)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if dropout_p or enable_gqa:
        raise _without_rule("attention with dropout or grouped heads")
    each = scale if scale is not None else 1 / sqrt(query.shape[-1])
    agreement = query @ key.transpose(-2, -1) * each
    if is_causal:
        later = torch.ones(agreement.shape[-2:], dtype=torch.bool).triu(1)
        agreement = agreement.masked_fill(later, -torch.inf)
    if attn_mask is not None:
        is_mask = attn_mask.dtype == torch.bool
        agreement = (
            agreement.masked_fill(~attn_mask, -torch.inf) if is_mask else agreement + attn_mask
        )
    return agreement.softmax(-1) @ value


_POOLS: dict[str, Callable[..., Any]] = {kind: function for function, kind in POOLS.items()}

SMOOTH = [
    "sigmoid",
    "tanh",
    "softplus",
    "elu",
    "gelu",
    "silu",
    "selu",
    "celu",
    "mish",
    "log_sigmoid",
    "softsign",
    "tanhshrink",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "rsqrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "atan",
    "arctan",
    "erf",
    "sinh",
    "cosh",
]
STRAIGHT = [
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "rrelu",
    "threshold",
    "hardtanh",
    "clamp",
    "clamp_min",
    "clamp_max",
    "abs",
    "hardsigmoid",
    "hardswish",
    "hardshrink",
    "softshrink",
    "round",
    "floor",
    "ceil",
    "trunc",
    "sign",
]

CHOOSERS = (
    "where",
    "masked_fill",
    "index_select",
    "gather",
    "take_along_dim",
    "embedding",
    "__getitem__",
    "__setitem__",
)
"""Steps that choose among values."""

RULES: dict[str, Rule] = {
    **{kind: partial(_elementwise, straight=False) for kind in SMOOTH},
    **{kind: partial(_elementwise, straight=True) for kind in STRAIGHT},
    **dict.fromkeys(_POOLS, _pooled),
    "pow": _power,
    "__pow__": _power,
    "__rpow__": _power,
    "mul": _product,
    "matmul": _product,
    "einsum": _einsum,
    "div": _quotient,
    "rdiv": _turned_quotient,
    "softmax": partial(_softmax, logarithm=False),
    "log_softmax": partial(_softmax, logarithm=True),
    "logsumexp": _logsumexp,
    **dict.fromkeys(CHOOSERS, _chosen),
}
"""Steps that are not linear, each with how it hands a difference back."""

SUMS = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "neg",
        "sum",
        "mean",
        "cat",
        "stack",
        "hstack",
        "vstack",
        "reshape",
        "view",
        "view_as",
        "flatten",
        "unflatten",
        "unsqueeze",
        "squeeze",
        "transpose",
        "permute",
        "swapaxes",
        "movedim",
        "t",
        "contiguous",
        "clone",
        "expand",
        "expand_as",
        "repeat",
        "repeat_interleave",
        "chunk",
        "split",
        "unbind",
        "tensor_split",
        "narrow",
        "select",
        "__get__",
        "roll",
        "flip",
        "cumsum",
        "to",
        "float",
        "double",
        "type",
        "type_as",
        "pad",
        "pixel_shuffle",
        "pixel_unshuffle",
        "unfold",
        "fold",
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "adaptive_avg_pool3d",
        "channel_shuffle",
        "diff",
        "tril",
        "triu",
        "requires_grad",
        "nan_to_num",
        "reflection_pad2d",
        "copy",
    ]
)
"""Steps that are linear in all that they are given, with training switched off."""

WEIGHTED = frozenset(
    [
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "batch_norm",
        "interpolate",
        "upsample",
        "addmm",
        "baddbmm",
        "grid_sample",
    ]
)
"""Steps that are linear in what they are given first, with weights that do not depend on the input."""

DECOMPOSED: dict[str, Callable[..., Tensor]] = {
    "layer_norm": _layer_norm,
    "normalize": _normalised,
    "scaled_dot_product_attention": _attention,
}
"""Steps that are taken apart into others."""


TRAINING = {
    "batch_norm": 5,
    "dropout": 2,
    "dropout1d": 2,
    "dropout2d": 2,
    "dropout3d": 2,
    "alpha_dropout": 2,
}
"""Where steps are told that they are in training, in which rows meet or chance rules."""


def is_linear(call: Call) -> bool:
    """Whether a step is linear in what depends on the input."""
    at = TRAINING.get(call.kind)
    if at is not None and call.named.get("training", dict(enumerate(call.args)).get(at, True)):
        return False
    if call.kind in SUMS:
        return True
    later = (*call.args[1:], *call.named.values())
    return call.kind in WEIGHTED and not any(_depends(value) for value in later)
