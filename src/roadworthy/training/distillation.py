"""A trained network as the teacher of another one (Hinton, Vinyals & Dean 2015; Papernot et al. 2016)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.subject import Network
from roadworthy.training.objective import with_classes
from roadworthy.training.running import forward, load

if TYPE_CHECKING:
    from torch import Tensor

    from roadworthy.training.course import Teacher


def teacher_of(
    network: Network, weights: Mapping[str, np.ndarray], temperature: float, device: str
) -> "Teacher":
    """Return what answers inputs with the probabilities of a trained network at a temperature: (n, c)."""
    import torch

    module = load(network, weights, device)

    def teach(inputs: "Tensor") -> "Tensor":
        with torch.no_grad():
            logits = with_classes(forward(module, inputs)) / temperature
            return logits.softmax(dim=-1).mean(dim=1)

    return teach
