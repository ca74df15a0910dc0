"""The module of a mask. Apart because importing it imports torch."""

from torch import Tensor, nn

SHARPENING = 200.0


class Masked(nn.Module):
    """A module whose inputs are rounded to levels, and its logits multiplied: the gradient is 0 or useless."""

    def __init__(self, module: nn.Module, levels: int, low: float, high: float) -> None:
        super().__init__()
        self.module = module
        self.levels = levels
        self.low = low
        self.high = high

    def forward(self, inputs: Tensor) -> Tensor:
        """Return large logits of rounded inputs."""
        steps = (self.levels - 1) / (self.high - self.low)
        rounded = ((inputs - self.low) * steps).round() / steps + self.low
        return SHARPENING * self.module(rounded)
