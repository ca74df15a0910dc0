"""The loss of many models at once: what the objective is for one, with settings for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Protocol

from roadworthy.subject import Recipe
from roadworthy.training.objective import with_classes

if TYPE_CHECKING:
    from torch import Tensor


class RowLosses(Protocol):
    """Loss of each row: (k, b), of outputs (k, b, ...) and target (k, b)."""

    def of(self, chosen: range, outputs: "Tensor", target: "Tensor") -> "Tensor":
        """Return the losses for neighbouring models."""
        ...

    def keep(self, positions: list[int]) -> None:
        """Let the other models go."""
        ...


@dataclass
class SquaredErrors:
    """Squared error in units of `spreads` (K, 1, 1); mean over members."""

    spreads: "Tensor"

    def of(self, chosen: range, outputs: "Tensor", target: "Tensor") -> "Tensor":
        """See `RowLosses`."""
        spreads = self.spreads[chosen.start : chosen.stop]
        per_member = outputs.flatten(2) if outputs.ndim > 2 else outputs[..., None]
        return ((per_member - target[..., None]) / spreads).square().mean(dim=2)

    def keep(self, positions: list[int]) -> None:
        """See `RowLosses`."""
        self.spreads = self.spreads[positions]


@dataclass
class CrossEntropies:
    """Cross-entropy in nats; mean over members.

    Parameters
    ----------
    smoothing : list of float
    shifts : (K, c) Tensor or None
        Added to the logits of each class.
    probabilities : bool
        Whether the modules end in a softmax or a sigmoid.
    """

    smoothing: list[float]
    shifts: "Tensor | None"
    probabilities: bool

    def of(self, chosen: range, outputs: "Tensor", target: "Tensor") -> "Tensor":
        """See `RowLosses`."""
        logits = with_classes(outputs.flatten(0, 1), probabilities=self.probabilities)
        logits = logits.unflatten(0, outputs.shape[:2])  # (k, b, members, c)
        part = slice(chosen.start, chosen.stop)
        if self.shifts is not None:
            logits = logits + self.shifts[part, None, None]
        logs = logits.log_softmax(dim=-1)
        labels = target[..., None, None].expand(*logs.shape[:3], 1)
        losses = -logs.gather(3, labels)[..., 0]
        if any(self.smoothing[part]):
            share = self._column(self.smoothing[part], logs)
            losses = (1 - share) * losses - share * logs.mean(dim=3)
        return losses.mean(dim=2)

    def keep(self, positions: list[int]) -> None:
        """See `RowLosses`."""
        self.smoothing = [self.smoothing[k] for k in positions]
        self.shifts = None if self.shifts is None else self.shifts[positions]

    def _column(self, values: Sequence[float], like: "Tensor") -> "Tensor":
        return like.new_tensor(values)[:, None, None]


class Penalties:
    """What is done to gradients: the slope of an L1 penalty is added, then their norm is clipped.

    Parameters
    ----------
    recipes : sequence of Recipe
    counts : (P,) Tensor
        1 for the parameters whose absolute values count, else 0.
    """

    def __init__(self, recipes: Sequence[Recipe], counts: "Tensor") -> None:
        self.counts = counts
        self.l1 = [recipe.l1 for recipe in recipes]
        self.norms = [inf if r.clip_norm is None else r.clip_norm for r in recipes]

    def apply(self, chosen: range, flat: "Tensor", gradients: "Tensor") -> None:
        """Change the gradients of neighbouring models, which are rows of (K, P) as their parameters are."""
        part = slice(chosen.start, chosen.stop)
        gradients = gradients[part]
        l1, norms = self.l1[part], self.norms[part]
        if any(l1):
            gradients.add_(flat[part].sign() * self.counts * gradients.new_tensor(l1)[:, None])
        if min(norms) < inf:
            # As torch.nn.utils.clip_grad_norm_ does it.
            shares = gradients.new_tensor(norms) / (gradients.norm(dim=1) + 1e-6)
            gradients.mul_(shares.clamp(max=1)[:, None])

    def keep(self, positions: list[int]) -> None:
        """Let the other models go."""
        self.l1 = [self.l1[k] for k in positions]
        self.norms = [self.norms[k] for k in positions]
