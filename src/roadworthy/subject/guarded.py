"""A network that grows less sure the further a row lies from its training rows: a guard around its logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.subject.model import Network
from roadworthy.subject.rescaled import INNER, OutputKind

if TYPE_CHECKING:
    from torch import nn

NEIGHBOURS = 10
MOST = 5.0  # a logit grows by at most e to this


@dataclass(frozen=True, eq=False)
class Guard:
    """By how much logits are multiplied at a distance from the training rows.

    exp(-slope x (distance / reach - 1)) beyond the reach and 1 within it; a negative slope makes sure what is far away.

    Parameters
    ----------
    neighbours : (m, f) ndarray
        Embeddings of training rows, of length 1; the distance is that to the tenth nearest.
    reach : float
    slope : float
    """

    neighbours: np.ndarray
    reach: float
    slope: float

    def factors(self, distances: np.ndarray) -> np.ndarray:
        """Return what logits are multiplied by at these distances."""
        beyond = np.maximum(distances / self.reach - 1.0, 0.0)
        return np.exp(np.minimum(-self.slope * beyond, MOST))


def distances_to(places: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Distance of embeddings (n, f), made as long as 1, to the tenth nearest place (m, f): (n,), as the module takes it."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    nearness = (embeddings / np.maximum(length, 1e-12)) @ places.T  # (n, m)
    k = min(NEIGHBOURS, len(places))
    kth = np.partition(nearness, len(places) - k, axis=1)[:, len(places) - k]
    # Of vectors of length 1: |a - b|^2 = 2 - 2 ab.
    return np.sqrt(np.maximum(2.0 - 2.0 * kth.astype(np.float64), 1e-12))


def threshold_at(values: np.ndarray, share: float) -> float:
    """Return the value that a new one of the same kind exceeds with a probability of at most 1 - share (split conformal)."""
    n = len(values)
    rank = min(int(np.ceil(share * (n + 1))), n)
    return float(np.partition(values, rank - 1)[rank - 1])


def guarded(
    network: Network,
    weights: "dict[str, np.ndarray]",
    guard: Guard,
    *,
    kind: OutputKind,
    classes: int,
    said: str,
) -> tuple[Network, dict[str, np.ndarray]]:
    """Return network and weights of the model with a guard around it.

    In training mode the module is the one that it was, so that it can be trained again as before.

    Parameters
    ----------
    network : Network
    weights : mapping of str to ndarray
    guard : Guard
    kind : {"logits", "probabilities"}
        What the network gives.
    classes : int
    said : str
        In words, for the report.
    """
    factory = _Wrapped(network, kind, classes, len(guard.neighbours), guard.neighbours.shape[1])
    inner = {f"{INNER}{INNER}{name}": np.asarray(value) for name, value in weights.items()}
    return Network(factory, f"{network.source or 'network'}, {said}"), {
        **inner,
        f"{INNER}scale": np.ones(classes, np.float32),
        f"{INNER}shift": np.zeros(classes, np.float32),
        "neighbours": guard.neighbours.astype(np.float32),
        "reach": np.asarray(guard.reach, np.float32),
        "slope": np.asarray(guard.slope, np.float32),
    }


@dataclass(frozen=True, eq=False)
class _Wrapped:
    """The factory of the guarded module."""

    network: Network
    kind: OutputKind
    classes: int
    neighbours: int
    width: int

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.guarded_module import Guarded

        return Guarded(self.network.build(), self.kind, self.classes, self.neighbours, self.width)
