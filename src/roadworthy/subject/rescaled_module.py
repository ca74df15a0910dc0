"""The module around a rescaled network. Apart because importing it imports torch."""

from typing import Literal

import torch
from torch import Tensor, nn


class Rescaled(nn.Module):
    """A module and, in evaluation mode, an affine map of the logits of each class.

    Parameters
    ----------
    module : nn.Module
    kind : {"logits", "probabilities"}
        What it gives.
    classes : int
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, module: nn.Module, kind: Literal["logits", "probabilities"], classes: int
    ) -> None:
        super().__init__()
        self.module = module
        self.kind = kind
        self.register_buffer("scale", torch.ones(classes))
        self.register_buffer("shift", torch.zeros(classes))

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return rescaled logits (n, c); in training mode what the module itself gives."""
        outputs = self.module(inputs)
        if self.training:
            return outputs
        outputs = outputs.reshape(len(outputs), -1)
        if self.kind == "probabilities":
            outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny)
        if outputs.shape[1] == 1:
            other = 1 - outputs if self.kind == "probabilities" else torch.zeros_like(outputs)
            outputs = torch.cat([other, outputs], dim=1)
        if self.kind == "probabilities":
            outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()
        return outputs * self.scale + self.shift
