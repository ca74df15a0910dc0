"""Which steps of networks are linear, smooth, made of straight pieces, or choices, by the names that torch gives them."""

from roadworthy.attribution.calls import Call, depends


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


SMOOTH = _named(
    "sigmoid tanh softplus elu gelu silu selu celu mish log_sigmoid softsign tanhshrink hardswish exp exp2 expm1 log log1p log2 log10 "
    "sqrt rsqrt square reciprocal sin cos tan atan arctan erf sinh cosh"
)
"""Smooth functions of each value by itself."""

STRAIGHT = _named(
    "relu relu6 leaky_relu prelu threshold hardtanh clamp clamp_min clamp_max abs hardsigmoid hardshrink softshrink round floor "
    "ceil trunc sign"
)
"""Functions of each value by itself, made of straight pieces."""

CHOICES = _named(
    "where masked_fill index_select gather take_along_dim embedding __getitem__ __setitem__"
)
"""Steps that choose among values: linear in these while the choice is the same."""

SUMS = _named(
    "add sub rsub neg sum mean cat stack hstack vstack reshape view view_as flatten unflatten unsqueeze squeeze transpose permute "
    "swapaxes movedim t contiguous clone expand expand_as repeat repeat_interleave chunk split unbind tensor_split narrow select "
    "__get__ roll flip cumsum to float double type_as pad pixel_shuffle pixel_unshuffle unfold fold dropout dropout1d "
    "dropout2d dropout3d alpha_dropout avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d channel_shuffle diff tril triu nan_to_num copy"
)
"""Steps that are linear in all that they are given, with training switched off."""

WEIGHTED = _named(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d batch_norm interpolate upsample"
)
"""Steps that are linear in what they are given first, with weights that do not depend on the input."""

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
    return call.kind in WEIGHTED and not any(depends(value) for value in later)
