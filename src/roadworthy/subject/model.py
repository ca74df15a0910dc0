"""The architecture and how it is trained, as values: a network that can be built, a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Recipe:
    """How to train a network again. Everything here enters the identity of the trained weights.

    Parameters
    ----------
    epochs : int
        At most; training stops earlier after `patience` epochs without a better validation loss
        (None: never), and the best weights are kept.
    optimizer : {"adamw", "sgd"}
    learning_rate, weight_decay, momentum : float
    batch_size : int
    schedule : {"constant", "cosine"}
    label_smoothing : float
    seed : int
        Of initial weights and batch order.
    """

    epochs: int = 30
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    batch_size: int = 128
    schedule: Literal["constant", "cosine"] = "cosine"
    patience: int | None = 8
    label_smoothing: float = 0.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Network:
    """An architecture: a factory of modules that are alike but for their weights.

    `build()` returns a fresh module in training mode. A module may have a method
    `prepare(inputs: Tensor) -> None`, called once before training with the training inputs: there it
    fits scaling and imputation into its buffers, so that preprocessing travels with the weights.

    Parameters
    ----------
    factory : callable
        Takes no argument.
    source : str
        In words, for the report: "module.py:build", "default network for tables".
    """

    factory: "Callable[[], nn.Module]"
    source: str = ""

    def build(self) -> "nn.Module":
        """Return a fresh module."""
        return self.factory()

    def __roadworthy_identity__(self) -> Any:  # Any: whatever the engine can hash
        """Identity of the architecture: what the factory makes, and the weights it starts from.

        The initial weights stand for the rule that draws them, and for those that it loads.
        """
        import torch

        from roadworthy.subject.modules import identity_of_module, weights_of

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.build()
        return {"architecture": identity_of_module(module), "starts_from": weights_of(module)}
