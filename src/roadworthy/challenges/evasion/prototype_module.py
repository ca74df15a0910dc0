"""The module of a linear network that sees inputs from the middle of their range. Apart because it imports torch."""

from torch import Tensor, nn


class LinearFromTheMiddle(nn.Module):
    """Logits are products of weights with what the input lies off the middle."""

    def __init__(self, shape: tuple[int, ...], middle: float) -> None:
        super().__init__()
        self.middle = middle
        classes, values = shape
        self.head = nn.Linear(values, classes, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c) of inputs (n, ...)."""
        return self.head(inputs.flatten(1) - self.middle)
