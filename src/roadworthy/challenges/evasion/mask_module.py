"""The module of a mask. Apart because importing it imports torch."""

from typing import Any

import torch
from torch import Tensor, nn

SHARPENING = 200.0


class Masked(nn.Module):
    """A module whose inputs are rounded to levels and its logits multiplied, and whose gradients point the wrong way."""

    def __init__(self, module: nn.Module, levels: int, low: float, high: float) -> None:
        super().__init__()
        self.module = module
        self.levels = levels
        self.low = low
        self.high = high

    def forward(self, inputs: Tensor) -> Tensor:
        """Return large logits of rounded inputs."""
        steps = (self.levels - 1) / (self.high - self.low)
        return SHARPENING * self.module(_rounded(inputs, self.low, steps))


class _Misleading(torch.autograd.Function):
    """Rounding to levels that hands gradients back with the other sign: no known step that could be passed straight through."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, low: float, steps: float) -> Tensor:  # Any: torch's own
        """Round."""
        del ctx
        return ((inputs - low) * steps).round() / steps + low

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # Any: torch's own
        """Turn the gradient round."""
        del ctx
        return -gradients[0], None, None


def _rounded(inputs: Tensor, low: float, steps: float) -> Tensor:
    found = _Misleading.apply(inputs, low, steps)
    assert isinstance(found, Tensor)
    return found
