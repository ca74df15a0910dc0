"""A network as attacks see it: in evaluation mode, its weights frozen, its passes counted."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from roadworthy.errors import NotApplicable, is_lack_of_memory
from roadworthy.fewer_rows import as_many_as_fit, in_parts

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (n, c) and labels (n,) to what is to be made large: (n,)."""
Forward = Callable[[Tensor], Tensor]
"""Inputs (n, ...) to outputs (n, c) or (n,)."""
Backward = Callable[[Tensor], tuple[Tensor, Callable[[Tensor], Tensor]]]
"""Inputs (n, ...) to outputs, and what takes a gradient by the outputs to that by the inputs."""
Precision = Literal["float32", "bfloat16"]
Part = TypeVar("Part")


@dataclass
class Passes:
    """How many rows went through the network."""

    forward: int = 0
    backward: int = 0


class AttackedModel:
    """Logits of a network and their gradients by the input.

    Parameters
    ----------
    module : nn.Module or callable
        Takes raw inputs, preprocessing included. Use `attacked` to have its mode restored. A callable that is no
        module is a black box: it has no gradients.
    classes : int
        Number of classes c.
    gives_probabilities : bool
        Its outputs are probabilities, whose logarithms are then the logits.
    chunk : int
        Rows at a time: as many as fit into the caches is fastest on a processor. Halved where memory does not suffice.
    precision : {"float32", "bfloat16"}
        Of the gradients, and of the logits that come with them; `logits` is always float32.
    forward : callable, optional
        A faster way to the same outputs, without gradients.
    straight_through : bool
        Let gradients pass steps such as rounding, which have none of their own.
    reverse : callable, optional
        A faster way to the same gradients: inputs to outputs, and what takes a gradient by these back to the inputs.
    scale : float
        What logits are divided by; of a power of two no answer and no order of margins changes.
    answers : nn.Module or callable, optional
        What the user is told, where that is not `module`: of a network that draws random numbers, the mean over its own.
    judge : nn.Module or callable, optional
        What a verdict on moved rows rests on, where that is not `module`: of such a network, draws that no search has seen.
    """

    def __init__(
        self,
        module: nn.Module | Forward,
        classes: int,
        *,
        gives_probabilities: bool = False,
        chunk: int = 128,
        precision: Precision = "float32",
        forward: Forward | None = None,
        straight_through: bool = False,
        reverse: Backward | None = None,
        scale: float = 1.0,
        answers: nn.Module | Forward | None = None,
        judge: nn.Module | Forward | None = None,
    ) -> None:
        self.module = module
        self.classes = classes
        self.gives_probabilities = gives_probabilities
        self.chunk = chunk
        self.precision: Precision = precision
        self.forward = forward
        self.straight_through = straight_through
        self.reverse = reverse
        self.scale = scale
        self.answers = answers
        self.judge = judge
        self.passes = Passes()

    @property
    def is_coarse(self) -> bool:
        """Whether gradients come in lower precision or another way, so that what they find needs to be confirmed."""
        return self.precision != "float32" or self.reverse is not None

    def exact(self) -> "AttackedModel":
        """Return the module itself in float32, counting into the same passes: what confirms what was found."""
        found = copy(self)
        found.precision, found.forward, found.reverse = "float32", None, None
        return found

    def unaided(self) -> "AttackedModel":
        """Return the module as an attack meets it that divides no logits and passes no steps; itself where nothing is so."""
        if self.scale == 1.0 and not self.straight_through:
            return self
        found = self.exact()
        found.scale, found.straight_through = 1.0, False
        return found

    def told(self) -> "AttackedModel":
        """Return what the user is told, in float32."""
        found = self.exact()
        found.module = self.module if self.answers is None else self.answers
        return found

    def judged(self) -> "AttackedModel":
        """Return what a verdict on moved rows rests on, in float32."""
        found = self.exact()
        found.module = self.module if self.judge is None else self.judge
        return found

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the logits without gradients: (n, c) float32."""
        with torch.no_grad():
            parts = self.in_chunks(inputs, self._forward)
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if parts else inputs.new_zeros(0, self.classes)

    def gradient(self, inputs: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        """Return loss (n,), its gradient by the inputs (n, ...), and the logits (n, c).

        Raises
        ------
        NotApplicable
            Where the outputs do not depend on the inputs in a way that has gradients.
        """
        parts = self.in_chunks(
            inputs, lambda part, at: self._gradient(part, labels[at : at + len(part)], loss)
        )
        if len(parts) == 1:
            return parts[0]
        losses, slopes, logits = zip(*parts, strict=True)
        return torch.cat(losses), torch.cat(slopes), torch.cat(logits)

    def has_gradients(self, inputs: Tensor) -> bool:
        """Whether the outputs for these inputs can be differentiated at all; the gradients may still be zero."""
        if not isinstance(self.module, nn.Module):
            return False
        self.logits(inputs)  # what fails here fails without gradients too, and is an error

        def comes_back(rows: Tensor) -> bool:
            at = rows.detach().clone().requires_grad_()
            with torch.enable_grad():
                outputs = self._outputs(at)
                if not outputs.requires_grad:
                    return False
                # Refused where the outputs follow from what could learn, and not from the inputs.
                torch.autograd.grad(outputs.sum(), at)
            return True

        try:
            return as_many_as_fit(inputs, comes_back)[1]
        except RuntimeError as error:
            if is_lack_of_memory(error):
                raise
            # As from a call of .numpy() inside, which a tensor with gradients refuses, or on the
            # way back from a step such as heaviside, of which no derivative is known.
            return False

    def in_chunks(self, inputs: Tensor, run: Callable[[Tensor, int], Part]) -> list[Part]:
        """Run chunk after chunk; where memory does not suffice for one, in smaller ones."""
        if len(inputs) == 0:
            return []
        found, self.chunk = in_parts(
            len(inputs), self.chunk, lambda rows: run(inputs[rows], rows.start)
        )
        return found

    def _forward(self, inputs: Tensor, _: int) -> Tensor:
        self.passes.forward += len(inputs)
        outputs = self._outputs(inputs) if self.forward is None else self.forward(inputs)
        return self._scaled(outputs)

    def _gradient(
        self, inputs: Tensor, labels: Tensor, loss: Loss
    ) -> tuple[Tensor, Tensor, Tensor]:
        if self.reverse is not None:
            return self._reversed(self.reverse, inputs, labels, loss)
        at = inputs.detach().clone().requires_grad_()
        with torch.enable_grad():
            with self._searching(inputs), self._passing():
                outputs = self._outputs(at)
            if not outputs.requires_grad:
                raise NotApplicable(
                    "the model's outputs have no gradients by its inputs, so attacks that follow gradients do not "
                    "apply; leave out the step that cuts them, or attack it as a black box"
                )
            logits = self._scaled(outputs)
            losses = loss(logits, labels)
            (slope,) = torch.autograd.grad(losses.sum(), at)
        self.passes.forward += len(inputs)
        self.passes.backward += len(inputs)
        return losses.detach(), slope, logits.detach()

    def _reversed(
        self, reverse: Backward, inputs: Tensor, labels: Tensor, loss: Loss
    ) -> tuple[Tensor, Tensor, Tensor]:
        outputs, pull = reverse(inputs)
        outputs.requires_grad_()
        with torch.enable_grad():
            logits = self._scaled(outputs)
            losses = loss(logits, labels)
            (slope,) = torch.autograd.grad(losses.sum(), outputs)
        self.passes.forward += len(inputs)
        self.passes.backward += len(inputs)
        return losses.detach(), pull(slope), logits.detach()

    def _searching(self, inputs: Tensor) -> AbstractContextManager[object]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(inputs.device.type, torch.bfloat16)

    def _passing(self) -> AbstractContextManager[object]:
        if not self.straight_through:
            return nullcontext()
        from roadworthy.perturbation.straight_through import StraightThrough

        return StraightThrough()

    def _scaled(self, outputs: Tensor) -> Tensor:
        logits = as_logits(outputs, self.classes, self.gives_probabilities)
        return logits if self.scale == 1.0 else logits / self.scale

    def _outputs(self, inputs: Tensor) -> Tensor:
        return self.module(inputs)


def as_logits(outputs: Tensor, classes: int, are_probabilities: bool) -> Tensor:
    """Return logits of every class: (n, c) float32. One output is that of class code 1."""
    found = outputs.reshape(len(outputs), -1).float()
    if found.shape[1] == 1 and classes == 2:
        other = 1 - found if are_probabilities else torch.zeros_like(found)
        found = torch.cat([other, found], dim=1)
    return found.clamp_min(torch.finfo(torch.float32).tiny).log() if are_probabilities else found


@contextmanager
def attacked(module: nn.Module, *, channels_last: bool = False) -> Generator[nn.Module]:
    """Put a module into evaluation mode with frozen weights inside the block; restore both after it.

    Parameters
    ----------
    module : nn.Module
    channels_last : bool
        Lay the weights of convolutions out with the channels last inside the block. On a processor a pass forward and
        backward through a small network took 26 instead of 36 us per row, in bfloat16 20 instead of 31.
    """
    modes = [(m, m.training) for m in module.modules()]
    needs = [(p, p.requires_grad) for p in module.parameters()]
    laid_out = [(p, p.data) for p in module.parameters() if p.ndim == 4] if channels_last else []
    module.eval()
    for parameter, _ in needs:
        parameter.requires_grad_(False)
    for parameter, data in laid_out:
        parameter.data = data.contiguous(memory_format=torch.channels_last)
    try:
        yield module
    finally:
        for parameter, data in laid_out:
            parameter.data = data
        for part, mode in modes:
            part.training = mode
        for parameter, needed in needs:
            parameter.requires_grad_(needed)
