"""What training makes small: the loss of a module's outputs, whatever their shape."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from roadworthy.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


class Objective(Protocol):
    """Mean loss over the rows of a batch, each of which counts as much as its weight says."""

    def __call__(
        self,
        outputs: "Tensor",
        target: "Tensor",
        smoothing: float,
        weights: "Tensor | None" = None,
    ) -> "Tensor":
        """Return the loss: a scalar. `weights` (n,) have mean 1 over all training rows."""
        ...


def squared_error(spread: float) -> Objective:
    """Squared error in units of `spread`: the mean over rows and members of an ensemble."""

    def objective(
        outputs: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        del smoothing  # of labels
        per_member = outputs.reshape(len(outputs), -1)  # (n, members)
        losses = ((per_member - target[:, None]) / spread) ** 2
        return losses.mean() if weights is None else (losses.mean(dim=1) * weights).mean()

    return objective


def cross_entropy(
    outputs: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None" = None
) -> "Tensor":
    """Cross-entropy of logits in nats: the mean over rows and members of an ensemble."""
    return _cross_entropy(with_classes(outputs), target, smoothing, weights)


def cross_entropy_of_probabilities(
    outputs: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None" = None
) -> "Tensor":
    """Cross-entropy for a module that ends in a softmax or a sigmoid."""
    return _cross_entropy(with_classes(outputs, probabilities=True), target, smoothing, weights)


def adjusted_cross_entropy(shift: "Tensor", *, probabilities: bool) -> Objective:
    """Cross-entropy after `shift` (c,) is added to the logits: see `logit_shift`."""

    def objective(
        outputs: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        logits = with_classes(outputs, probabilities=probabilities) + shift
        return _cross_entropy(logits, target, smoothing, weights)

    return objective


def tempered(objective: Objective, temperature: float) -> Objective:
    """Loss of logits divided by a temperature."""

    def at_temperature(
        outputs: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        return objective(outputs / temperature, target, smoothing, weights)

    return at_temperature


def logit_shift(target: "Tensor", c: int, strength: float) -> "Tensor":
    """Return what logit adjustment adds to the logits of c classes in the loss: (c,) float32.

    `strength` times the logarithm of each class's share of the training rows (Menon et al. 2021,
    equation 10). A class without a row is taken to have half a row: it has to stay finite.
    """
    counts = target.bincount(minlength=c).double().clamp_min(0.5)
    return (strength * (counts / len(target)).log()).float()


def relative_weights(row_weights: np.ndarray) -> np.ndarray:
    """Return weights of rows in proportion to these, with mean 1: (n,) float32.

    Raises
    ------
    UserError
        Where one is negative or not finite, or all are 0.
    """
    weights = np.asarray(row_weights, float)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any() or not weights.any():
        found = f"row {int(bad.argmax())} has {weights[bad][0]:g}" if bad.any() else "all are 0"
        raise UserError(
            f"Weights of training rows must be finite, at least 0 and not all 0, but {found}. "
            "Give each row what it counts, 1 for an ordinary one."
        )
    return (weights / weights.mean()).astype(np.float32)


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


def _cross_entropy(
    logits: "Tensor", target: "Tensor", smoothing: float, weights: "Tensor | None"
) -> "Tensor":
    from torch.nn import functional

    members = logits.shape[1]
    labels = target if members == 1 else target.repeat_interleave(members, dim=0)
    if weights is None:
        return functional.cross_entropy(logits.flatten(0, 1), labels, label_smoothing=smoothing)
    losses = functional.cross_entropy(
        logits.flatten(0, 1), labels, label_smoothing=smoothing, reduction="none"
    )
    return (losses.unflatten(0, (-1, members)).mean(dim=1) * weights).mean()
