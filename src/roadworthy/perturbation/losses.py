"""What gradient attacks make large: losses of logits that grow as the answer becomes wrong."""

from torch import Tensor
from torch.nn import functional

from roadworthy.perturbation.attack import margin

GUARD = 1e-12  # of a denominator, as in the published code of Croce & Hein (2020)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Negative log probability of the label: (n,). Its gradient vanishes where the model is very sure."""
    return functional.cross_entropy(logits, labels, reduction="none")


def lost_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Largest other logit minus that of the label: (n,)."""
    return -margin(logits, labels)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio (Croce & Hein 2020, equation 6): (n,), the same for all multiples of the logits.

    It needs three classes; with two the margin takes its place.
    """
    if logits.shape[1] < 3:
        return lost_margin(logits, labels)
    top = logits.topk(3, dim=1).values
    return lost_margin(logits, labels) / (top[:, 0] - top[:, 2] + GUARD)


def towards(logits: Tensor, pairs: Tensor) -> Tensor:
    """Logit of a target minus that of the label: (n,), of pairs of label and target (n, 2)."""
    label, target = logits.gather(1, pairs).unbind(1)
    return target - label


def targeted_dlr(logits: Tensor, pairs: Tensor) -> Tensor:
    """Difference of logits ratio towards a target (Croce & Hein 2020, equation 7): (n,), of pairs (n, 2).

    It needs four classes; with fewer the difference of the two logits takes its place.
    """
    if logits.shape[1] < 4:
        return towards(logits, pairs)
    top = logits.topk(4, dim=1).values
    return towards(logits, pairs) / (top[:, 0] - 0.5 * (top[:, 2] + top[:, 3]) + GUARD)
