"""Attributions by what layers hold: the last maps of a convolutional network, and weights of attention.

They say where, coarsely, and of attention not even for which class; curves say how far to believe them.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from math import isqrt, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from roadworthy.attribution.calls import Call, Function
from roadworthy.attribution.method import Attributed, Reference
from roadworthy.attribution.parts import has_channels_last, plane_of
from roadworthy.attribution.passage import goes_around
from roadworthy.attribution.score import score
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel, as_logits

OWN_FORWARD = (
    "attention rollout needs the weights of attention, and a subclass of nn.MultiheadAttention"
)


@dataclass(frozen=True)
class GradCam:
    """Channels of the last map, each weighed by its mean slope, where they speak for the class.

    Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization". The last map is
    that of a convolution, or of a step after it on the same plane, which all of an answer passes through: of a residual block
    the sum, not one of its ways. It is as coarse as that convolution, and is spread over the image by linear interpolation.
    """

    name: str = "Grad-CAM"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        del reference
        shape = tuple(points.inputs.shape[1:])
        plane = plane_of(shape)
        _modules(model)
        if plane is None:
            raise NotApplicable("Grad-CAM needs images, and a network with a convolution over them")

        def run(inputs: Tensor, at: int) -> Tensor:
            with _Maps(len(inputs)) as seen:
                logits = _outputs(model, inputs)
            maps = _last_passed(seen.found, logits)  # (n, k, h, w)
            scores = score(logits, points.labels[at : at + len(inputs)])
            slopes = torch.autograd.grad(scores.sum(), maps)[0]
            heat = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu().detach()
            return functional.interpolate(heat, plane, mode="bilinear", align_corners=False)

        found = torch.cat(model.in_chunks(points.inputs, run))
        return Attributed(_over_channels(found[:, 0], shape))


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

        def run(inputs: Tensor, at: int) -> Tensor:
            del at
            with torch.enable_grad(), _attending(layers) as weights:
                _outputs(model, inputs)
            if len(weights) < len(layers) or any(w.shape != weights[0].shape for w in weights):
                raise NotApplicable(
                    "the layers of attention look at different places, so their weights cannot be multiplied through"
                )
            asking, asked = weights[0].shape[-2:]
            if asking != asked:
                raise NotApplicable(
                    f"{asking} places of attention look at {asked} others, so their weights cannot be multiplied through"
                )
            return _rolled(weights)

        found = torch.cat(model.in_chunks(points.inputs, run))
        return Attributed(_at_places(found, tuple(points.inputs.shape[1:])))


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


def _outputs(model: AttackedModel, inputs: Tensor) -> Tensor:
    with torch.enable_grad():
        found = model.module(inputs.detach().clone().requires_grad_())
    return as_logits(found, model.classes, model.gives_probabilities)


class _Maps(TorchFunctionMode):
    """Keeps the maps of convolutions, and of steps after each on the same plane, in the order of the steps."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.found: list[Tensor] = []
        self._rows, self._plane = rows, torch.Size()

    def __torch_function__(  # the name that torch gives it
        self,
        func: Function,
        types: Sequence[type],
        args: Sequence[Any] = (),  # Any: see `Function`
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # Any: see `Function`
        """Go through one step, and keep what comes out where it is such a map."""
        del types
        given = func(*args, **(kwargs or {}))
        if not isinstance(given, Tensor) or given.ndim != 4 or len(given) != self._rows:
            return given
        plane = given.shape[2:]
        # A single place, as of a convolution behind the pooling, says nothing of where.
        if Call(func, (), {}).kind == "conv2d" and plane.numel() > 1:
            self._plane = plane
        if plane == self._plane and given.requires_grad:
            self.found.append(given)
        return given


def _last_passed(maps: list[Tensor], logits: Tensor) -> Tensor:
    if logits.requires_grad:
        for each in reversed(maps):
            if not goes_around(logits, each):
                return each
    raise NotApplicable(
        "Grad-CAM needs images, and a network with a convolution over them whose map has several places, has gradients, and is "
        "passed by all of an answer"
    )


def _asked(layer: nn.Module, args: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Return what is given to a layer of attention, with its weights asked for.

    By name, whichever way the network gave it: what is given by place cannot be given again.
    """
    try:
        given = signature(nn.MultiheadAttention.forward).bind(layer, *args, **named).arguments
        del given["self"]
        given.update(need_weights=True, average_attn_weights=True)
        signature(layer.forward).bind(**given)
    except TypeError:
        raise NotApplicable(f"{OWN_FORWARD} cannot be asked for them") from None
    return given


@contextmanager
def _attending(layers: Sequence[nn.Module]) -> Generator[list[Tensor]]:
    """Collect the weights of attention inside the block, the mean over heads, in the order of the calls."""
    held: list[Tensor] = []
    hooks: list[Any] = []  # Any: handles of torch

    def ask(layer: nn.Module, args: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return (), _asked(layer, args, named)

    def keep(_: nn.Module, __: Any, given: Any) -> None:
        if not isinstance(given, tuple) or not isinstance(given[-1], Tensor) or len(given) != 2:
            raise NotApplicable(f"{OWN_FORWARD} gives none")
        held.append(given[1].detach())

    for layer in layers:
        hooks.append(layer.register_forward_pre_hook(ask, with_kwargs=True))
        hooks.append(layer.register_forward_hook(keep))
    try:
        yield held
    finally:
        for hook in hooks:
            hook.remove()
