"""Dropout of many modules at once: the masks of each come from a generator of its own.

The draws are those that the module would make alone, so company does not change its weights.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from roadworthy.training.conduct import DropoutCall


class GivenMask(nn.Module):
    """Stands where a dropout layer stood; multiplies by the mask that it is given for each call."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.called = 0
        for call in range(calls):
            self.register_buffer(f"mask{call}", torch.ones(()), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs times the mask of this call."""
        mask: Tensor = getattr(self, f"mask{self.called}")
        self.called += 1
        return inputs * mask


class Masks:
    """Draws what the dropout layers of K modules drop.

    Parameters
    ----------
    template : Module
        Its dropout layers are replaced by `GivenMask`.
    modules : sequence of Module
        Alike; their dropout layers tell the rates.
    generators : sequence of torch.Generator
        One for each module.
    calls : tuple of DropoutCall
    """

    def __init__(
        self,
        template: nn.Module,
        modules: Sequence[nn.Module],
        generators: Sequence[Generator],
        calls: tuple[DropoutCall, ...],
    ) -> None:
        self.generators = list(generators)
        self.layers: list[GivenMask] = []
        self.names: list[str] = []
        self.shapes = [call.shape for call in calls]
        self.rates = [[_rate(module, call.layer) for module in modules] for call in calls]
        count: dict[str, int] = {}
        for call in calls:
            self.names.append(f"{call.layer}.mask{count.get(call.layer, 0)}")
            count[call.layer] = count.get(call.layer, 0) + 1
        for layer, calls_of_layer in count.items():
            given = GivenMask(calls_of_layer)
            template.set_submodule(layer, given)
            self.layers.append(given)

    def begin(self) -> None:
        """Say that a forward pass begins."""
        for layer in self.layers:
            layer.called = 0

    def draw(self, chosen: range, width: int, sizes: Sequence[int]) -> dict[str, Tensor]:
        """Return masks (k, width, ...) for some modules, of which `sizes` rows count each."""
        return {
            name: self._mask(shape, rates, chosen, width, sizes)
            for name, shape, rates in zip(self.names, self.shapes, self.rates, strict=True)
        }

    def keep(self, positions: list[int]) -> None:
        """Let the other modules go."""
        self.generators = [self.generators[k] for k in positions]
        self.rates = [[rates[k] for k in positions] for rates in self.rates]

    def _mask(
        self,
        shape: tuple[int, ...],
        rates: list[float],
        chosen: range,
        width: int,
        sizes: Sequence[int],
    ) -> Tensor:
        device = self.generators[0].device
        mask = torch.ones((len(chosen), width, *shape), device=device)
        for row, k, size in zip(mask, chosen, sizes, strict=True):
            rate = rates[k]
            if rate >= 1:
                row.zero_()
            elif rate > 0:
                part = row if size == width else row[:size]
                part.bernoulli_(1 - rate, generator=self.generators[k]).div_(1 - rate)
        return mask


def _rate(module: nn.Module, layer: str) -> float:
    return float(module.get_submodule(layer).p)  # type: ignore[arg-type]  # of a dropout layer
