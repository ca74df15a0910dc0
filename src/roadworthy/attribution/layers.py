"""Attributions by what layers hold: maps of the last convolution, and weights of attention.

They say where, coarsely, and of attention not even for which class; curves say how far to believe them.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from math import isqrt, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.attribution.method import Attributed, Reference
from roadworthy.attribution.parts import has_channels_last, plane_of
from roadworthy.attribution.score import score
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel


@dataclass(frozen=True)
class GradCam:
    """Channels of the last convolution, each weighed by its mean slope, where they speak for the class.

    Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization". The map is
    as coarse as that layer, and is spread over the image by linear interpolation.
    """

    name: str = "Grad-CAM"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        del reference
        shape = tuple(points.inputs.shape[1:])
        plane = plane_of(shape)
        layers = [m for m in _modules(model) if isinstance(m, nn.Conv2d)]
        if plane is None or not layers:
            raise NotApplicable("Grad-CAM needs images, and a network with a convolution over them")
        found: list[Tensor] = []
        for rows in _chunks(points, model.chunk):
            with _kept(layers[-1]) as held:
                logits = _outputs(model, rows.inputs)
            maps = _single(held, "its last convolution")  # (n, k, h, w)
            slopes = torch.autograd.grad(score(logits, rows.labels).sum(), maps)[0]
            heat = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu().detach()
            found.append(functional.interpolate(heat, plane, mode="bilinear", align_corners=False))
        return Attributed(_over_channels(torch.cat(found)[:, 0], shape))


@dataclass(frozen=True)
class AttentionRollout:
    """Weights of attention, multiplied through the layers, with half of each step going straight on.

    Abnar & Zuidema 2020, "Quantifying attention flow in transformers". The mean over heads; what reaches the place that answers is
    the mean over places, or the first place where there is one more than the input has. It knows no classes.
    """

    name: str = "attention rollout"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        del reference
        layers = [m for m in _modules(model) if isinstance(m, nn.MultiheadAttention)]
        if not layers:
            raise NotApplicable("attention rollout needs a network with nn.MultiheadAttention")
        found: list[Tensor] = []
        for rows in _chunks(points, model.chunk):
            with torch.enable_grad(), _attending(layers) as weights:
                _outputs(model, rows.inputs)
            if len(weights) < len(layers) or any(w.shape != weights[0].shape for w in weights):
                raise NotApplicable(
                    "the layers of attention look at different places, so their weights cannot be multiplied through"
                )
            asking, asked = weights[0].shape[-2:]
            if asking != asked:
                raise NotApplicable(
                    f"{asking} places of attention look at {asked} others, so their weights cannot be multiplied through"
                )
            found.append(_rolled(weights))
        return Attributed(_at_places(torch.cat(found), tuple(points.inputs.shape[1:])))


def _rolled(weights: list[Tensor]) -> Tensor:
    """Return what of each place reaches the answer: (n, t)."""
    places = weights[0].shape[-1]
    straight = torch.eye(places)
    flow = straight.expand_as(weights[0])
    for weight in weights:
        flow = (weight + straight) / 2 @ flow
    return flow


def _at_places(flow: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the flow at the values of inputs: places are steps, or patches of an image: (n, t, t) to (n, *shape)."""
    n, places = len(flow), flow.shape[-1]
    plane = plane_of(shape)
    for extra in (0, 1):  # a place of its own for the answer comes first
        left = places - extra
        to_answer = flow[:, 0, 1:] if extra else flow.mean(1)
        if shape[0] == left and len(shape) in (1, 2):  # steps of a series
            each = to_answer.view(n, left, *[1] * (len(shape) - 1))
            return each.expand(n, *shape) / max(1, prod(shape[1:]))
        side = isqrt(left)
        if plane is not None and side > 1 and side * side == left:
            patches = to_answer.view(n, 1, side, side)
            return _over_channels(
                functional.interpolate(patches, plane, mode="nearest")[:, 0], shape
            )
    raise NotApplicable(
        f"{places} places of attention are neither the steps nor square patches of inputs of the shape {shape}"
    )


def _over_channels(planes: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Share a plane equally among its channels: (n, h, w) to (n, *shape)."""
    if len(shape) == 2:
        return planes
    last = has_channels_last(shape)
    channels = shape[2] if last else shape[0]
    return (planes[..., None] if last else planes[:, None]).expand(-1, *shape) / channels


def _modules(model: AttackedModel) -> list[nn.Module]:
    if not isinstance(model.module, nn.Module):
        raise NotApplicable("the model is a black box, so what it computes inside cannot be seen")
    return list(model.module.modules())


def _chunks(points: Points, size: int) -> Generator[Points]:
    for first in range(0, len(points), size):
        yield points.take(torch.arange(first, min(first + size, len(points))))


def _outputs(model: AttackedModel, inputs: Tensor) -> Tensor:
    from roadworthy.perturbation.model import as_logits

    with torch.enable_grad():
        found = model.module(inputs.detach().clone().requires_grad_())
    return as_logits(found, model.classes, model.gives_probabilities)


def _single(held: list[Tensor], what: str) -> Tensor:
    if len(held) != 1 or held[0].ndim != 4 or not held[0].requires_grad:
        raise NotApplicable(
            f"{what} is called {len(held)} times for a row, or without gradients, so no map is its own"
        )
    return held[0]


@contextmanager
def _kept(layer: nn.Module) -> Generator[list[Tensor]]:
    """Keep what a layer gives inside the block."""
    held: list[Tensor] = []

    def keep(_: nn.Module, __: Any, given: Tensor) -> None:  # Any: what torch hands to hooks
        held.append(given)

    hook = layer.register_forward_hook(keep)
    try:
        yield held
    finally:
        hook.remove()


@contextmanager
def _attending(layers: Sequence[nn.Module]) -> Generator[list[Tensor]]:
    """Collect the weights of attention inside the block, the mean over heads, in the order of the calls."""
    held: list[Tensor] = []
    hooks: list[Any] = []  # Any: handles of torch

    def ask(layer: nn.Module, args: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        # By name, whichever way the network gave it: what is given by place cannot be given again.
        given = signature(nn.MultiheadAttention.forward).bind(layer, *args, **named).arguments
        del given["self"]
        return (), {**given, "need_weights": True, "average_attn_weights": True}

    def keep(_: nn.Module, __: Any, given: tuple[Tensor, Tensor]) -> None:
        held.append(given[1].detach())

    for layer in layers:
        hooks.append(layer.register_forward_pre_hook(ask, with_kwargs=True))
        hooks.append(layer.register_forward_hook(keep))
    try:
        yield held
    finally:
        for hook in hooks:
            hook.remove()
