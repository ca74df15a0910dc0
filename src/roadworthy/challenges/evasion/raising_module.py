"""The module of a model that breaks under attack. Apart because it imports torch."""

import torch
from torch import Tensor, nn


class Raising(nn.Module):
    """A module that answers always, and lets gradients pass a few times before it raises."""

    def __init__(self, module: nn.Module, steps: int) -> None:
        super().__init__()
        self.module = module
        self.steps = steps
        self.taken = 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the answers of the module inside, or raise."""
        if torch.is_grad_enabled() and inputs.requires_grad:
            self.taken += 1
            if self.taken > self.steps:
                raise RuntimeError("planted: the model breaks in the middle of an attack")
        return self.module(inputs)
