"""What training makes small: the loss of a module's outputs, whatever their shape."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Objective = Callable[["Tensor", "Tensor", float], "Tensor"]  # outputs, target, label smoothing


def squared_error(spread: float) -> Objective:
    """Squared error in units of `spread`: the mean over rows and members of an ensemble."""

    def objective(outputs: "Tensor", target: "Tensor", _: float) -> "Tensor":
        per_member = outputs.reshape(len(outputs), -1)  # (n, members)
        return (((per_member - target[:, None]) / spread) ** 2).mean()

    return objective


def cross_entropy(outputs: "Tensor", target: "Tensor", smoothing: float) -> "Tensor":
    """Cross-entropy of logits in nats: the mean over rows and members of an ensemble."""
    return _cross_entropy(with_classes(outputs), target, smoothing)


def cross_entropy_of_probabilities(
    outputs: "Tensor", target: "Tensor", smoothing: float
) -> "Tensor":
    """Cross-entropy for a module that ends in a softmax or a sigmoid."""
    return _cross_entropy(with_classes(outputs, probabilities=True), target, smoothing)


def with_classes(outputs: "Tensor", *, probabilities: bool = False) -> "Tensor":
    """Logits of every class for every member: (n, members, c).

    Outputs may be (n,) or (n, 1), for class code 1 alone, (n, c), or (n, members, c).
    """
    import torch

    if outputs.ndim < 3:
        outputs = outputs.reshape(len(outputs), 1, -1)
    if outputs.shape[-1] == 1:
        other = 1 - outputs if probabilities else torch.zeros_like(outputs)
        outputs = torch.cat([other, outputs], dim=-1)
    return outputs.clamp_min(1e-7).log() if probabilities else outputs


def gives_probabilities(outputs: "Tensor") -> bool:
    """Whether these outputs of an untrained module are shares that sum to 1.

    One output alone counts only where it never leaves 0 to 1 and is never near 0: an untrained
    sigmoid lies around one half, an untrained logit around zero.
    """
    if outputs.ndim != 2 or bool((outputs < 0).any()):
        return False
    if outputs.shape[1] == 1:
        return bool(((outputs > 0.2) & (outputs < 0.8)).all())
    return bool(((outputs.sum(dim=1) - 1).abs() < 1e-3).all())


def _cross_entropy(logits: "Tensor", target: "Tensor", smoothing: float) -> "Tensor":
    from torch.nn import functional

    labels = target.repeat_interleave(logits.shape[1])
    return functional.cross_entropy(logits.flatten(0, 1), labels, label_smoothing=smoothing)
