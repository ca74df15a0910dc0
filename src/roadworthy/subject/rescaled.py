"""A network whose logits are rescaled class by class: what calibration after training puts around it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from roadworthy.subject.model import Network

if TYPE_CHECKING:
    from torch import nn

OutputKind = Literal["logits", "probabilities"]
INNER = "module."


def rescaled(
    network: Network,
    weights: "dict[str, np.ndarray]",
    scale: np.ndarray,
    shift: np.ndarray,
    *,
    kind: OutputKind,
    said: str,
) -> tuple[Network, dict[str, np.ndarray]]:
    """Return network and weights of the model whose logits are `scale` x logits + `shift`.

    In training mode the module is the one that it was, so that it can be trained again as before.

    Parameters
    ----------
    network : Network
    weights : mapping of str to ndarray
    scale, shift : (c,) ndarray
        Of each class; a single output is widened to two logits, that of class 0 being 0.
    kind : {"logits", "probabilities"}
        What the network gives; of probabilities the logarithm is rescaled.
    said : str
        In words, for the report: "logits divided by 1.8".
    """
    built = Network(_Wrapped(network, kind, len(scale)), f"{network.source or 'network'}, {said}")
    inner = {f"{INNER}{name}": np.asarray(value) for name, value in weights.items()}
    return built, {
        **inner,
        "scale": np.asarray(scale, np.float32),
        "shift": np.asarray(shift, np.float32),
    }


@dataclass(frozen=True, eq=False)
class _Wrapped:
    """The factory of the wrapped module."""

    network: Network
    kind: OutputKind
    classes: int

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.rescaled_module import Rescaled

        return Rescaled(self.network.build(), self.kind, self.classes)
