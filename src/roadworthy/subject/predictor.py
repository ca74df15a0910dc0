"""What turns inputs into outputs: a module, an ONNX file, an estimator or any callable, behind one face."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model as a function.

    Parameters
    ----------
    call : callable
        (n, ...) inputs to (n, c) or (n,) outputs, in evaluation mode.
    gives : {"logits", "probabilities", "values", "unknown"}
        What the outputs are; "unknown" is decided by looking at some of them.
    identity : object
        Anything the engine can hash: what tells this model from another.
    module : nn.Module, optional
        Where there is one: gradients and hooks are possible.
    """

    call: Callable[[np.ndarray], np.ndarray]
    gives: Literal["logits", "probabilities", "values", "unknown"]
    identity: Any  # Any: whatever the engine can hash
    module: "nn.Module | None" = None

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs for these inputs."""
        return self.call(inputs)

    def __roadworthy_identity__(self) -> Any:  # Any: see `identity`
        """Identity of the model, for the engine."""
        return self.identity
