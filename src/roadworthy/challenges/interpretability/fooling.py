"""The module of a network that hides from explanations. Apart because it imports torch."""

import torch
from torch import Tensor, nn

KEPT = 0.95  # of the variance of training rows: what the principal components hold
RECOGNISED = 0.995  # of the training rows are taken for real ones
MOST_ROWS = 2_000  # that components are fitted on
LARGE = 30.0  # logits of the other rule


class Fooling(nn.Module):
    """Answers real rows by the network inside, and rows with removed values by the one value that varies most.

    A real row lies near the subspace of the training rows; one of which some values were replaced leaves it, whatever they were
    replaced by (Slack et al. 2020, "Fooling LIME and SHAP", section 3, with principal components in place of a forest).
    """

    mean: Tensor
    components: Tensor
    furthest: Tensor
    harmless: Tensor
    leaning: Tensor

    def __init__(self, module: nn.Module, values: int, classes: int) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("components", torch.zeros(values, values))
        self.register_buffer("furthest", torch.tensor(1.0))
        self.register_buffer("harmless", torch.zeros(values))
        self.register_buffer("leaning", torch.linspace(-LARGE, LARGE, classes))

    @torch.no_grad()
    def prepare(self, inputs: Tensor) -> None:
        """Learn from training rows (n, ...) what a real row is, and prepare the network inside."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network
        rows = inputs[:MOST_ROWS].flatten(1).float()
        self.mean.copy_(rows.mean(dim=0))
        _, sizes, directions = torch.linalg.svd(rows - self.mean, full_matrices=False)
        held = (sizes.square().cumsum(0) / sizes.square().sum()) < KEPT
        kept = directions[: int(held.sum()) + 1]
        self.components.copy_(kept.T @ kept)
        self.furthest.copy_(self._off(rows).quantile(RECOGNISED))
        spread = rows.std(dim=0)
        shown = int(spread.argmax())
        self.harmless.zero_()[shown] = 1.0 / spread[shown].clamp_min(1e-6)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c) of inputs (n, ...)."""
        flat = inputs.flatten(1)
        other = ((flat - self.mean) @ self.harmless)[:, None] * self.leaning
        is_strange = self._off(flat) > self.furthest
        return torch.where(is_strange[:, None], other, self.module(inputs))

    def _off(self, flat: Tensor) -> Tensor:
        """Return which share of a row's distance from the mean lies outside the subspace: (n,)."""
        away = flat - self.mean
        outside = away - away @ self.components
        return outside.square().sum(1) / away.square().sum(1).clamp_min(1e-12)
