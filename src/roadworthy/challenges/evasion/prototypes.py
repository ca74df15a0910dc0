"""A linear network of random signs, whose worst case under Linf and L2 is known in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator

from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

Threat = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Logit k is the product of the input, seen from the middle of the range, with the signs of class k.

    An input at t times the signs of class y leads class k by 2 t m, m being the number of signs in which they differ;
    an Linf change of e takes away at most 2 e m, an L2 change 2 e sqrt(m).

    Parameters
    ----------
    signs : (c, d) float32 ndarray
        -1 and 1.
    shape : tuple of int
        Of one input, d values.
    """

    signs: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def drawn(cls, rng: Generator, classes: int, shape: tuple[int, ...]) -> "Prototypes":
        """Draw signs by chance, different for every class."""
        d = int(np.prod(shape))
        for _ in range(100):
            signs = np.where(rng.random((classes, d)) < 0.5, -1.0, 1.0).astype(np.float32)
            if len(np.unique(signs, axis=0)) == classes:
                return cls(signs, shape)
        raise NotApplicable(f"{d} input value(s) are too few for {classes} classes of signs")

    def apart(self, labels: np.ndarray) -> np.ndarray:
        """Return in how many signs the nearest other class differs, of each label: (n,)."""
        products = self.signs @ self.signs.T
        differ = (self.signs.shape[1] - products) / 2
        np.fill_diagonal(differ, np.inf)
        return differ.min(axis=1)[labels]

    def inputs(self, labels: np.ndarray, sizes: np.ndarray, threat: Threat) -> np.ndarray:
        """Return inputs at `sizes` (n,) times the signs of their labels, from the middle: (n, ...) float32."""
        low, high = (float(cast(float, threat[name])) for name in ("low", "high"))
        if sizes.max(initial=0.0) > (high - low) / 4:
            raise NotApplicable(
                f"rows out of reach of a change of {float(cast(float, threat['eps'])):.3g} would leave the range "
                f"{low:g} to {high:g}; state a smaller eps"
            )
        moved = (low + high) / 2 + sizes[:, None] * self.signs[labels]
        return moved.astype(np.float32).reshape(len(labels), *self.shape)

    def network(self, threat: Threat) -> Network:
        """Return the architecture."""
        low, high = (float(cast(float, threat[name])) for name in ("low", "high"))
        return Network(_Linear(self.signs.shape, (low + high) / 2), "a linear network of signs")

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {"head.weight": self.signs}


def reach_of(prototypes: Prototypes, threat: Threat, labels: np.ndarray) -> np.ndarray:
    """Return the size up to which a row of each label can be turned: (n,)."""
    eps = float(cast(float, threat["eps"]))
    if threat["norm"] == "linf":
        return np.full(len(labels), eps)
    return eps / np.sqrt(prototypes.apart(labels))


@dataclass(frozen=True, eq=False)
class _Linear:
    """The factory of the module."""

    shape: tuple[int, ...]
    middle: float

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.evasion.prototype_module import LinearFromTheMiddle

        return LinearFromTheMiddle(self.shape, self.middle)
