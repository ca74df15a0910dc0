"""What a network of classes holds at a place inside that all of an answer passes through, and the slopes there."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.interpretability.explaining import CHUNK, MOST_VALUES
from roadworthy.errors import NotApplicable

PROBED = 64  # rows whose slopes are compared
ALIKE = 1e-4  # length of the difference of two directions; rounding in float32 makes it about 1e-6

if TYPE_CHECKING:
    from collections.abc import Callable

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
        """Give the last place that all of an answer passes through and where rows have slopes of their own.

        Where they all point one way, as in the last layer, every share would be 0 or 1. Found in the order of the calls: that
        in which layers are registered says nothing, and the last of a residual block may be its shortcut. Nor does being called
        last: a layer for training alone, or one of two that are summed, may come after what is the last of the answer.
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
            # From the first to the last, as rows may be in order.
            probed = rows[np.linspace(0, len(rows) - 1, min(PROBED, len(rows))).astype(int)]
            places = (Inside(model, place) for place in reversed(passed))
            found = next((each for each in places if each._tells_rows_apart(probed)), None)
            if found is None:
                raise NotApplicable(
                    "at no place inside the network that all of an answer passes through do rows have slopes of their own"
                )
            yield found

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

        def score(outputs: "Tensor", at: int) -> "Tensor":
            answered = classes[at : at + len(outputs)]
            if outputs.shape[1] == 1:
                return torch.where(answered == 1, outputs[:, 0], -outputs[:, 0])
            return outputs.gather(1, answered[:, None])[:, 0]

        return self._slopes(rows, score)

    def _slopes(self, rows: np.ndarray, score: "Callable[[Tensor, int], Tensor]") -> np.ndarray:
        import torch

        def run(inputs: "Tensor", at: int) -> "Tensor":
            outputs, given = _run(self.model.module, inputs)
            of_rows = score(outputs.reshape(len(inputs), -1), at)
            return torch.autograd.grad(of_rows.sum(), given[self.place])[0].flatten(1)

        return torch.cat(self.model.in_chunks(_tensor(rows), run)).double().numpy()

    def _tells_rows_apart(self, rows: np.ndarray) -> bool:
        """Whether slopes of some of these rows point another way: how steep they are changes no share."""
        import torch

        def score(outputs: "Tensor", _: int) -> "Tensor":
            # Of one class slopes may be 0 everywhere, and of the sum of all they may cancel out.
            numbers = torch.arange(1, outputs.shape[1] + 1, dtype=outputs.dtype)
            return outputs @ numbers.reciprocal()

        slopes = self._slopes(rows, score)
        steep = np.linalg.norm(slopes, axis=1)
        pointing = np.isfinite(steep) & (steep > 0)
        ways = slopes[pointing] / steep[pointing, None]
        return bool((np.linalg.norm(ways - ways[:1], axis=1) > ALIKE).any())


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

    def watch(
        _: "nn.Module", args: "tuple[Tensor, ...]", named: "dict[str, Tensor]"
    ) -> "tuple[tuple[Tensor, ...], dict[str, Tensor]]":
        value = args[0] if args else named["input"]
        if not value.requires_grad:
            # What came from codes has no gradients by itself; a clone, as a step in place must not meet a leaf.
            value = value.detach().requires_grad_().clone()
        given.append(value)
        return (value, *args[1:]), {name: v for name, v in named.items() if name != "input"}

    def begin(_: "nn.Module", __: object, found: "Tensor") -> "Tensor":
        return found.detach().requires_grad_().clone()

    weighted = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    looked_up = (nn.Embedding, nn.EmbeddingBag)
    layers = list(module.modules())
    hooks = [
        m.register_forward_pre_hook(watch, with_kwargs=True)
        for m in layers
        if isinstance(m, weighted)
    ]
    hooks += [m.register_forward_hook(begin) for m in layers if isinstance(m, looked_up)]
    try:
        with torch.enable_grad():
            return module(inputs.detach().requires_grad_().clone()), given
    finally:
        for hook in hooks:
            hook.remove()
