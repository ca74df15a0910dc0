"""The module around a guarded network. Apart because importing it imports torch."""

from typing import Literal

import torch
from torch import Tensor, nn

from roadworthy.subject.guarded import MOST, NEIGHBOURS
from roadworthy.subject.rescaled_module import Rescaled


class Guarded(nn.Module):
    """A module and, in evaluation mode, a factor on its logits by the distance of the row from training rows.

    Parameters
    ----------
    module : nn.Module
        With a linear layer, the last of which is called once per batch.
    kind : {"logits", "probabilities"}
        What it gives.
    classes, neighbours, width : int
        Logits, training rows and numbers in an embedding.
    """

    neighbours: Tensor
    reach: Tensor
    slope: Tensor

    def __init__(
        self,
        module: nn.Module,
        kind: Literal["logits", "probabilities"],
        classes: int,
        neighbours: int,
        width: int,
    ) -> None:
        super().__init__()
        self.module = Rescaled(module, kind, classes)  # its scale 1 and shift 0 make logits of it
        self.register_buffer("neighbours", torch.zeros(neighbours, width))
        self.register_buffer("reach", torch.ones(()))
        self.register_buffer("slope", torch.zeros(()))

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        self.module.prepare(inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return guarded logits (n, c); in training mode what the module itself gives."""
        if self.training:
            return self.module(inputs)
        seen: list[Tensor] = []

        def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            seen.append(given[0].float().flatten(1))

        last = [m for m in self.module.modules() if isinstance(m, nn.Linear)][-1]
        hook = last.register_forward_pre_hook(look)
        try:
            logits = self.module(inputs)
        finally:
            hook.remove()
        beyond = (self._distance(torch.cat(seen)) / self.reach - 1).clamp_min(0)
        return logits * (-self.slope * beyond).clamp_max(MOST).exp()[:, None]

    def _distance(self, embeddings: Tensor) -> Tensor:
        unit = nn.functional.normalize(embeddings, dim=1)
        k = min(NEIGHBOURS, len(self.neighbours))
        nearness = (unit @ self.neighbours.T).topk(k, dim=1).values[:, -1]
        # Of vectors of length 1: |a - b|^2 = 2 - 2 ab.
        return (2 - 2 * nearness).clamp_min(1e-12).sqrt()
