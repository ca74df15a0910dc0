"""Small networks and rows that tests of attributions share."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.attribution.method import Reference
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel, attacked
from roadworthy.perturbation.noise import RowNoise

Explained = Callable[[nn.Module, Tensor], AbstractContextManager[tuple[AttackedModel, Points]]]


class Centred(nn.Module):
    """The score of every class, for a library that explains outputs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.module(inputs)
        return outputs - outputs.mean(1, keepdim=True) if outputs.shape[1] > 1 else outputs


def _reference_of(rows: Tensor) -> Reference:
    return Reference(rows.mean(0, keepdim=True), rows)


@contextmanager
def _explained(module: nn.Module, inputs: Tensor) -> Generator[tuple[AttackedModel, Points]]:
    """A network in evaluation mode, and rows with the classes that it answers."""
    with attacked(module) as frozen:
        with torch.no_grad():
            classes = frozen(inputs[:1]).reshape(1, -1).shape[1]
        model = AttackedModel(frozen, classes)
        answers = model.logits(inputs).argmax(1)
        yield model, Points(inputs, answers, RowNoise(np.arange(len(inputs), dtype=np.uint64)))


def _seeded(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _built(make: type[nn.Module] | nn.Module, *, seed: int = 0) -> nn.Module:
    """A network with weights that are the same in every run."""
    module = make() if isinstance(make, type) else make
    for number, parameter in enumerate(module.parameters()):
        drawn = _seeded(tuple(parameter.shape), 100 * seed + number)
        scale = max(1, parameter[0].numel()) ** -0.5 if parameter.ndim > 1 else 0.1
        parameter.data = drawn * scale
    return module


@pytest.fixture
def seeded() -> Callable[..., Tensor]:
    """Normal numbers of this shape, the same in every run."""
    return _seeded


@pytest.fixture
def built() -> Callable[..., nn.Module]:
    return _built


@pytest.fixture
def explained() -> Explained:
    return _explained


@pytest.fixture
def reference_of() -> Callable[[Tensor], Reference]:
    return _reference_of


@pytest.fixture
def centred() -> type[Centred]:
    return Centred
