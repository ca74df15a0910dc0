"""What a network of classes holds at a place inside that all of an answer passes through, and the slopes there."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.interpretability.explaining import CHUNK, MOST_VALUES
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.perturbation.model import AttackedModel


@dataclass(frozen=True, eq=False)
class Inside:
    """What is given to one call of a layer with weights.

    Parameters
    ----------
    model : AttackedModel
        In evaluation mode, frozen.
    place : int
        Number of the call, of all calls of such layers.
    """

    model: "AttackedModel"
    place: int

    @staticmethod
    @contextmanager
    def before_the_last(module: "nn.Module", rows: np.ndarray, classes: int) -> "Generator[Inside]":
        """Give the last place before the last layer with weights that all of an answer passes through.

        In the last one every row would have the same slope. Found on two of the rows, in the order of the calls: that in
        which layers are registered says nothing, and the last of a residual block may be its shortcut.
        """
        from roadworthy.attribution.passage import goes_around
        from roadworthy.perturbation.model import AttackedModel, attacked

        chunk = max(1, min(CHUNK, MOST_VALUES // max(1, rows[:1].size)))
        with attacked(module) as frozen:
            model = AttackedModel(frozen, classes, chunk=chunk)
            outputs, given = _run(frozen, _tensor(rows[:2]))
            if len(given) < 2:
                raise NotApplicable(
                    "the network calls one layer with weights: every row has the same slope"
                )
            passed = [
                place
                for place, value in enumerate(given[:-1])
                if outputs.requires_grad and not goes_around(outputs, value)
            ]
            if not passed:
                raise NotApplicable(
                    "no layer with weights before the last is passed by all of an answer, so no place inside the network is its own"
                )
            yield Inside(model, passed[-1])

    def activations(self, rows: np.ndarray) -> np.ndarray:
        """Return what is held there: (n, f) float32."""
        import torch

        def run(inputs: "Tensor", _: int) -> "Tensor":
            return _run(self.model.module, inputs)[1][self.place].detach().flatten(1)

        return torch.cat(self.model.in_chunks(_tensor(rows), run)).numpy()

    def slopes(self, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return the slope of each row's answered output by what is held there: (n, f) float64."""
        import torch

        classes = torch.from_numpy(np.asarray(answers, np.int64))

        def run(inputs: "Tensor", at: int) -> "Tensor":
            outputs, given = _run(self.model.module, inputs)
            outputs = outputs.reshape(len(inputs), -1)
            answered = classes[at : at + len(inputs)]
            if outputs.shape[1] == 1:
                score = torch.where(answered == 1, outputs[:, 0], -outputs[:, 0])
            else:
                score = outputs.gather(1, answered[:, None])[:, 0]
            return torch.autograd.grad(score.sum(), given[self.place])[0].flatten(1)

        return torch.cat(self.model.in_chunks(_tensor(rows), run)).double().numpy()


def _tensor(rows: np.ndarray) -> "Tensor":
    import torch

    return torch.from_numpy(np.array(rows, np.float32))


def _run(
    module: Any, inputs: "Tensor"
) -> "tuple[Tensor, list[Tensor]]":  # Any: as `AttackedModel` holds it
    """Return the outputs, and what each call of a layer with weights was given, all with gradients."""
    import torch
    from torch import nn

    given: list[Tensor] = []

    def watch(_: "nn.Module", args: "tuple[Tensor, ...]") -> "tuple[Tensor, ...]":
        # What came from codes has no gradients by itself; a clone, as a step in place must not meet a leaf.
        value = args[0] if args[0].requires_grad else args[0].detach().requires_grad_().clone()
        given.append(value)
        return (value, *args[1:])

    def begin(_: "nn.Module", __: object, found: "Tensor") -> "Tensor":
        return found.detach().requires_grad_().clone()

    weighted = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    looked_up = (nn.Embedding, nn.EmbeddingBag)
    layers = list(module.modules())
    hooks = [m.register_forward_pre_hook(watch) for m in layers if isinstance(m, weighted)]
    hooks += [m.register_forward_hook(begin) for m in layers if isinstance(m, looked_up)]
    try:
        with torch.enable_grad():
            return module(inputs.detach().requires_grad_().clone()), given
    finally:
        for hook in hooks:
            hook.remove()
