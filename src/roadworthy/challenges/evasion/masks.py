"""A network behind a mask: its gradients are cut, its answers nearly the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

INNER = "module."


def masked(
    network: Network, weights: dict[str, np.ndarray], levels: int, low: float, high: float
) -> tuple[Network, dict[str, np.ndarray]]:
    """Return network and weights of the model with inputs rounded to `levels` before it."""
    built = Network(
        _Masked(network, levels, low, high), f"{network.source}, behind {levels} levels"
    )
    return built, {f"{INNER}{name}": np.asarray(value) for name, value in weights.items()}


@dataclass(frozen=True, eq=False)
class _Masked:
    """The factory of the masked module."""

    network: Network
    levels: int
    low: float
    high: float

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.evasion.mask_module import Masked

        return Masked(self.network.build(), self.levels, self.low, self.high)
