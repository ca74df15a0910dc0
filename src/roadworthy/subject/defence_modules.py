"""The modules of networks with a defence. Apart because importing them imports torch."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.errors import NotApplicable

WINDOW = 3


class Ensemble(nn.Module):
    """Several modules; outputs of each (n, members, c) in training, else logits of their mean probability (n, c)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def prepare(self, inputs: Tensor) -> None:
        """Let each fit its preprocessing, where it has any."""
        for member in self.members:
            _prepare(member, inputs)

    def prepare_target(self, target: Tensor) -> None:
        """Let each fit the scale of the target, where it has any."""
        for member in self.members:
            if hasattr(member, "prepare_target"):
                member.prepare_target(target)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the members say of `inputs`."""
        found = torch.cat([_each(member(inputs)) for member in self.members], dim=1)
        if self.training:
            return found
        if found.shape[-1] == 1:  # one logit, or a number
            return found.mean(dim=1)
        return found.log_softmax(dim=-1).logsumexp(dim=1)


class Cleaned(nn.Module):
    """A module whose inputs are cleaned first. See `defences.cleaned`."""

    def __init__(self, module: nn.Module, by: str, amount: float, low: float, high: float) -> None:
        super().__init__()
        self.module = module
        self.by = by
        self.amount = amount
        self.low = low
        self.high = high

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing to cleaned inputs, where it has any."""
        _prepare(self.module, self.clean(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the module says of the cleaned inputs."""
        return self.module(self.clean(inputs))

    def clean(self, inputs: Tensor) -> Tensor:
        """Return the cleaned inputs, of the same shape."""
        if self.by == "rounding":
            steps = (self.amount - 1) / (self.high - self.low)
            rounded = ((inputs - self.low) * steps).round() / steps + self.low
            return inputs + (rounded - inputs).detach()
        window = _mean_of_window if self.by == "smoothing" else _median_of_window
        return (1 - self.amount) * inputs + self.amount * window(inputs)


def noisy(module: nn.Module, amount: float) -> nn.Module:
    """Add noise after each hidden layer of a module while it trains."""
    for layer in _hidden(module):
        layer.register_forward_hook(partial(_add_noise, amount))
    return module


def smooth(module: nn.Module, share: float) -> nn.Module:
    """Smooth what each hidden layer of a module gives."""
    layers = [layer for layer in _hidden(module) if isinstance(layer, nn.Conv1d | nn.Conv2d)]
    if not layers:
        raise NotApplicable("the network has no hidden convolution whose maps could be smoothed")
    for layer in layers:
        layer.register_forward_hook(partial(_smooth, share))
    return module


def _hidden(module: nn.Module) -> Iterator[nn.Module]:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [layer for layer in module.modules() if isinstance(layer, kinds)]
    if len(layers) < 2:
        raise NotApplicable("the network has no hidden linear or convolutional layer")
    yield from layers[:-1]


def _add_noise(amount: float, layer: nn.Module, _: Any, found: Tensor) -> Tensor:  # Any: its inputs
    if not layer.training:
        return found
    spread = found.detach().flatten(1).std(dim=1, correction=0)
    return found + amount * spread.view(-1, *[1] * (found.ndim - 1)) * torch.randn_like(found)


def _smooth(share: float, _: nn.Module, __: Any, found: Tensor) -> Tensor:  # Any: its inputs
    return (1 - share) * found + share * _mean_of_window(found)


def _mean_of_window(values: Tensor) -> Tensor:
    """Mean over neighbours in the last two dimensions (one, of series): of the same shape."""
    if values.ndim < 3:
        raise NotApplicable("rows of numbers have no neighbours to be smoothed with")
    if values.ndim == 3 or min(values.shape[-2:]) == 1:
        flat = values.reshape(-1, 1, values.shape[-1])
        return functional.avg_pool1d(
            flat, WINDOW, stride=1, padding=1, count_include_pad=False
        ).view_as(values)
    planes = values.reshape(-1, 1, *values.shape[-2:])
    return functional.avg_pool2d(
        planes, WINDOW, stride=1, padding=1, count_include_pad=False
    ).view_as(values)


def _median_of_window(values: Tensor) -> Tensor:
    if values.ndim < 3:
        raise NotApplicable("rows of numbers have no neighbours to be smoothed with")
    planes = values.reshape(-1, 1, *values.shape[-2:])
    padded = functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    windows = padded.unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)  # (m, 1, h, w, 3, 3)
    return windows.flatten(-2).median(dim=-1).values.reshape(values.shape)


def _prepare(module: nn.Module, inputs: Tensor) -> None:
    if hasattr(module, "prepare"):
        module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network


def _each(outputs: Tensor) -> Tensor:
    """Return outputs as (n, members, c): a member may be an ensemble itself."""
    return outputs if outputs.ndim == 3 else outputs.reshape(len(outputs), 1, -1)
