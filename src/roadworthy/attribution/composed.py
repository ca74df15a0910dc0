"""Steps that are sums, products and quotients of others, written out so that each part has its own rule."""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from roadworthy.attribution.calls import without_rule


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
        raise without_rule("normalisation by another norm")
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
        raise without_rule("attention with dropout or grouped heads")
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


COMPOSED: dict[str, Callable[..., Tensor]] = {
    "layer_norm": _layer_norm,
    "normalize": _normalised,
    "scaled_dot_product_attention": _attention,
}
"""Steps that are taken apart into others."""
