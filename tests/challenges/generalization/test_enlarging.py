"""Hidden layers too many: before the last linear layer, or by the arguments of the factory."""

import pytest
import torch
from torch import nn

from roadworthy.challenges.generalization.enlarging import enlarged
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network
from roadworthy.subject.networks import SmallConvNet


class Chain(nn.Sequential):
    def __init__(self, *, depth: int = 2, width: int = 8) -> None:
        hidden = [nn.Linear(width, width) for _ in range(depth - 1)]
        super().__init__(nn.Linear(4, width), *hidden, nn.Linear(width, 3))


def sizes(network: Network) -> list[int]:
    layers = [m for m in network.build().modules() if isinstance(m, nn.Linear)]
    return [layer.out_features for layer in layers]


def test_layers_are_put_before_the_last_linear_one() -> None:
    large = enlarged(Network(SmallConvNet, "a network"), 3)
    assert sizes(large) == [256, 256, 256, 10]  # 128 units go into the last layer
    assert large.build()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert "3 wide hidden layers more" in large.source


def test_a_network_that_is_one_linear_layer_gets_them_too() -> None:
    assert sizes(enlarged(Network(lambda: nn.Linear(4, 3)), 1)) == [8, 3]


def test_arguments_of_the_factory_go_first() -> None:
    assert sizes(enlarged(Network(Chain), 2)) == [16, 16, 16, 16, 3]
    twice = enlarged(enlarged(Network(Chain), 1), 1)
    assert sizes(twice) == [32, 32, 32, 32, 3]


def test_no_layer_more_is_the_network_itself() -> None:
    network = Network(Chain)
    assert enlarged(network, 0) is network


def test_without_a_linear_layer_nothing_can_be_added() -> None:
    with pytest.raises(NotApplicable, match="depth"):
        enlarged(Network(lambda: nn.Sequential(nn.Conv2d(1, 3, 1), nn.Flatten())), 1)
