"""Narrower, wider and shallower networks: sizes worked by hand, and refusals that say why."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.engine.identity import Identifier
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, builtin_subject
from roadworthy.subject.capacity import scaled, shallower
from roadworthy.training.arrays import ArrayShape, DenseNetwork, ImageNetwork
from roadworthy.training.tables import TableNetwork, TableShape

TABLE = TableShape(numeric=(0, 1), category=(2,), sizes=(3,), classes=2)


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in network.build().named_parameters()}


def test_the_network_of_digits_at_half_the_width_keeps_its_inputs_and_outputs() -> None:
    network = builtin_subject("digits").network
    assert network is not None
    half = scaled(network, 0.5)
    assert half.source == "a small convolutional network, built in, half as wide"
    assert shapes(half) == {
        "features.0.weight": (8, 1, 3, 3),
        "features.0.bias": (8,),
        "features.3.weight": (16, 8, 3, 3),
        "features.3.bias": (16,),
        "head.weight": (10, 64),  # 16 channels of 2 x 2
        "head.bias": (10,),
    }
    assert half.build()(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    assert shapes(scaled(half, 2.0)) == shapes(network)


@pytest.mark.parametrize(
    ("factory", "inputs"),
    [
        (partial(TableNetwork, TABLE), torch.zeros(4, 3)),
        (partial(ImageNetwork, ArrayShape((8, 8), 10)), torch.zeros(4, 8, 8)),
        (partial(DenseNetwork, ArrayShape((7,), 0)), torch.zeros(4, 7)),
    ],
)
@pytest.mark.parametrize("share", [0.25, 2.0])
def test_the_default_networks_take_another_width(
    factory: Callable[[], nn.Module], inputs: Tensor, share: float
) -> None:
    network = Network(factory, "default network")
    changed = scaled(network, share)
    before, after = network.build().eval(), changed.build().eval()
    assert after(inputs).shape == before(inputs).shape

    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    assert (count(after) < count(before)) == (share < 1.0)
    assert "wide" in changed.source


class Residual(nn.Module):
    """Two ways that meet again, a normalisation, a view and a function."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.last = nn.Linear(8 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = x + self.depth(self.inner(x))
        x = functional.max_pool2d(x, 2)
        return self.last(x.view(x.size(0), -1))


def test_ways_that_meet_again_stay_equally_wide() -> None:
    narrow = scaled(Network(Residual), 0.25).build()
    assert narrow.get_submodule("inner").out_channels == 2
    assert narrow.get_submodule("depth").groups == 2
    assert narrow.get_submodule("norm").num_features == 2
    assert narrow(torch.zeros(2, 3, 4, 4)).shape == (2, 5)


def test_the_same_seed_gives_the_same_narrow_weights_and_identity_tells_widths_apart() -> None:
    one, two = scaled(Network(Residual), 0.5), scaled(Network(Residual), 0.5)
    wide = scaled(Network(Residual), 2.0)
    identity = Identifier()
    assert identity.of(one).digest == identity.of(two).digest != identity.of(wide).digest
    assert one.build().get_submodule("last").weight.shape == (5, 16)


def test_no_change_is_the_network_itself() -> None:
    network = Network(Residual)
    assert scaled(network, 1.0) is network
    assert shallower(network, 0) is network


class Branching(nn.Module):
    """What it does depends on its values."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) if x.sum() > 0 else self.layers(-x)


class FromInputs(nn.Module):
    """Adds its inputs to a hidden layer of the same width."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(x + self.one(x))


class FixedView(nn.Module):
    """Writes the number of hidden values into its forward method."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(1, 4, 1), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).view(-1, 8))


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (Branching, "cannot be followed"),
        (FromInputs, "different width"),
        (FixedView, "cannot be followed"),
        (lambda: nn.Linear(3, 2), "no hidden layer"),
        (lambda: nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2)), "LSTM"),
        (lambda: nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2)), "Embedding"),
    ],
)
def test_what_cannot_be_narrowed_says_why(factory: Callable[[], nn.Module], reason: str) -> None:
    with pytest.raises(NotApplicable, match=reason) as raised:
        scaled(Network(factory), 0.5)
    assert "width" in str(raised.value)


def test_a_layer_that_gives_back_its_shape_can_go() -> None:
    network = Network(partial(DenseNetwork, ArrayShape((7,), 3)), "dense")
    fewer = shallower(network)
    kinds = [type(layer).__name__ for layer in fewer.build().get_submodule("layers").children()]
    assert kinds == ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    assert fewer.build().eval()(torch.zeros(2, 7)).shape == (2, 3)
    assert fewer.source == "dense, without 1 of its hidden layers"
    with pytest.raises(NotApplicable, match="cannot be taken out"):
        shallower(network, 2)


def test_the_network_for_tables_has_a_depth() -> None:
    network = Network(partial(TableNetwork, TABLE))
    assert len(list(shallower(network).build().get_submodule("hidden").children())) == 1
    with pytest.raises(NotApplicable, match="2 hidden layer"):
        shallower(network, 2)


def test_the_layer_that_gives_the_answer_stays() -> None:
    square = Network(
        lambda: nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.Softmax(1))
    )
    with pytest.raises(NotApplicable):
        shallower(square)
