"""The module of a linear network of which a part is no weight. Apart because it imports torch."""

import torch
from torch import Tensor, nn


class PartlyFixed(nn.Module):
    """Logits are products of the input with weights, and with numbers that no training or scrambling touches."""

    fixed: Tensor

    def __init__(self, values: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(values, classes, bias=False)
        self.register_buffer("fixed", torch.zeros(classes, values))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c) of inputs (n, ...)."""
        flat = inputs.flatten(1)
        return self.head(flat) + nn.functional.linear(flat, self.fixed)
