"""A network as attacks see it: in evaluation mode, its weights frozen, its passes counted."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (n, c) and labels (n,) to what is to be made large: (n,)."""


@dataclass
class Passes:
    """How many rows went through the network."""

    forward: int = 0
    backward: int = 0


class AttackedModel:
    """Logits of a network and their gradients by the input.

    Parameters
    ----------
    module : nn.Module
        Takes raw inputs, preprocessing included. Use `attacked` to have its mode restored.
    classes : int
        Number of classes c.
    gives_probabilities : bool
        Its outputs are probabilities, whose logarithms are then the logits.
    chunk : int
        Rows at a time: as many as fit into the caches is fastest on a processor.
    """

    def __init__(
        self,
        module: nn.Module,
        classes: int,
        *,
        gives_probabilities: bool = False,
        chunk: int = 128,
    ) -> None:
        self.module = module
        self.classes = classes
        self.gives_probabilities = gives_probabilities
        self.chunk = chunk
        self.passes = Passes()

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the logits without gradients: (n, c) float32."""
        with torch.no_grad():
            return torch.cat([self._logits(part) for part in self._parts(inputs)])

    def gradient(self, inputs: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """Return loss (n,), its gradient by the inputs (n, ...), and the logits (n, c)."""
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for part, of in zip(self._parts(inputs), labels.split(self.chunk), strict=True):
            at = part.detach().requires_grad_()
            with torch.enable_grad():
                logits = self._logits(at)
                losses = loss(logits, of)
                (slope,) = torch.autograd.grad(losses.sum(), at)
            self.passes.backward += len(part)
            found.append((losses.detach(), slope, logits.detach()))
        losses, slopes, logits = zip(*found, strict=True)
        return torch.cat(losses), torch.cat(slopes), torch.cat(logits)

    def _parts(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return inputs.split(self.chunk)

    def _logits(self, inputs: Tensor) -> Tensor:
        self.passes.forward += len(inputs)
        return as_logits(self.module(inputs), self.classes, self.gives_probabilities)


def as_logits(outputs: Tensor, classes: int, are_probabilities: bool) -> Tensor:
    """Return logits of every class: (n, c) float32. One output is that of class code 1."""
    found = outputs.reshape(len(outputs), -1).float()
    if found.shape[1] == 1 and classes == 2:
        other = 1 - found if are_probabilities else torch.zeros_like(found)
        found = torch.cat([other, found], dim=1)
    return found.clamp_min(torch.finfo(torch.float32).tiny).log() if are_probabilities else found


@contextmanager
def attacked(module: nn.Module) -> Generator[nn.Module]:
    """Put a module into evaluation mode with frozen weights inside the block; restore both after it."""
    modes = [(m, m.training) for m in module.modules()]
    needs = [(p, p.requires_grad) for p in module.parameters()]
    module.eval()
    for parameter, _ in needs:
        parameter.requires_grad_(False)
    try:
        yield module
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter, needed in needs:
            parameter.requires_grad_(needed)
