"""What a network of classes holds at a place inside that all of an answer passes through, and the slopes there."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.interpretability.explaining import CHUNK, MOST_VALUES
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.perturbation.model import AttackedModel

PROBED = 64  # rows on which the place is looked for
SLIGHT = (
    1e-6  # of the largest slope, below which a slope has no direction that is more than rounding
)
ALIKE = 1e-8  # one minus the cosine of two directions that are the same: an angle of 1.4e-4


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
        """Give the last place before the last call that all of an answer passes, and at which slopes differ from row to row.

        In the last layer of an answer every row has the same slope, so that a direction would grow all answers of a class or
        none; and the last call need not be of that layer. Found on some of the rows, in the order of the calls: that in
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
                Inside(model, place)
                for place, value in enumerate(given[:-1])
                if outputs.requires_grad and not goes_around(outputs, value)
            ]
            # From the last on and place after place: slopes at all places of a large network at once take much memory.
            found = next((p for p in reversed(passed) if _differ(p.of_all(rows[:PROBED]))), None)
            if found is None:
                raise NotApplicable(
                    "no layer with weights before the last is passed by all of an answer and has slopes that differ from row "
                    "to row, so no place inside the network is its own"
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

        def answered(outputs: "Tensor", at: int) -> "Tensor":
            own = classes[at : at + len(outputs)]
            if outputs.shape[1] == 1:
                return torch.where(own == 1, outputs[:, 0], -outputs[:, 0])
            return outputs.gather(1, own[:, None])[:, 0]

        return self._slopes(rows, answered)

    def of_all(self, rows: np.ndarray) -> np.ndarray:
        """Return the slope of all outputs of each row together by what is held there: (n, f) float64."""
        import torch

        def together(outputs: "Tensor", _: int) -> "Tensor":
            # Each output by a factor of its own: that of one class may be constant, and those of two may cancel out.
            return outputs * torch.arange(1, outputs.shape[1] + 1, device=outputs.device).sqrt()

        return self._slopes(rows, together)

    def _slopes(self, rows: np.ndarray, score: "Callable[[Tensor, int], Tensor]") -> np.ndarray:
        """Return the slopes of what is made of the outputs, (n, c), of rows from a position on."""
        import torch

        def run(inputs: "Tensor", at: int) -> "Tensor":
            outputs, given = _run(self.model.module, inputs)
            total = score(outputs.reshape(len(inputs), -1), at).sum()
            return torch.autograd.grad(total, given[self.place])[0].flatten(1)

        return torch.cat(self.model.in_chunks(_tensor(rows), run)).double().numpy()


def _tensor(rows: np.ndarray) -> "Tensor":
    import torch

    return torch.from_numpy(np.array(rows, np.float32))


def _differ(slopes: np.ndarray) -> bool:
    """Whether slopes of rows, (n, f), point elsewhere, and do not differ in size alone as behind a sigmoid."""
    sizes = np.linalg.norm(slopes, axis=1)
    sizes[~np.isfinite(sizes)] = 0.0
    told = sizes > SLIGHT * sizes.max()
    ways = slopes[told] / sizes[told, None]
    return len(ways) > 1 and bool((ways @ ways[0] < 1.0 - ALIKE).any())


def _run(
    module: Any, inputs: "Tensor"
) -> "tuple[Tensor, list[Tensor]]":  # Any: as `AttackedModel` holds it
    """Return the outputs, and what each call of a layer with weights was given, all with gradients."""
    import torch
    from torch import nn

    given: list[Tensor] = []

    def watch(
        _: "nn.Module", args: Any, named: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:  # Any: of torch
        value, *others = (*args, *named.values())
        # What came from codes has no gradients by itself; a clone, as a step in place must not meet a leaf.
        value = value if value.requires_grad else value.detach().requires_grad_().clone()
        given.append(value)
        values = (value, *others)
        return values[: len(args)], dict(zip(named, values[len(args) :], strict=True))

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
