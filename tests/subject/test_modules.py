import functools

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.subject.modules import (
    identity_of_module,
    identity_of_value,
    load_weights,
    network_of,
    weights_of,
)


class Net(nn.Module):
    def __init__(self, width=3, activation=torch.relu) -> None:
        super().__init__()
        self.first = nn.Linear(2, width)
        self.activation = activation
        self.scale = 2.0
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("table", torch.arange(3.0), persistent=False)

    def forward(self, x):
        return self.activation(self.first(x - self.mean)) * self.scale


def same(a, b) -> bool:
    """Compare identities as the engine does: by values of arrays and by the objects' own equality."""
    if isinstance(a, dict):
        return isinstance(b, dict) and same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


def test_two_modules_of_one_make_have_one_identity_whatever_their_weights() -> None:
    assert same(identity_of_module(Net()), identity_of_module(Net()))


@pytest.mark.parametrize(
    "change",
    [
        lambda net: setattr(net, "scale", 3.0),
        lambda net: setattr(net, "scale", 2),
        lambda net: setattr(net, "activation", torch.tanh),
        lambda net: setattr(net, "first", nn.Linear(2, 3, bias=False)),
        lambda net: setattr(net, "first", nn.Linear(2, 3).double()),
        lambda net: net.first.weight.requires_grad_(False),
        lambda net: net.table.add_(1),
        lambda net: net.register_forward_hook(lambda m, x, y: y * 2),
        lambda net: setattr(net, "extra", nn.Dropout(0.5)),
    ],
    ids=["value", "type", "function", "shape", "dtype", "frozen", "buffer", "hook", "child"],
)
def test_any_change_of_structure_or_setting_changes_the_identity(change) -> None:
    net = Net()
    before = identity_of_module(net)
    change(net)
    assert not same(before, identity_of_module(net))


def test_dropout_rate_is_part_of_the_identity_and_training_mode_is_not() -> None:
    assert not same(identity_of_module(nn.Dropout(0.1)), identity_of_module(nn.Dropout(0.2)))
    assert same(identity_of_module(nn.Dropout(0.1)), identity_of_module(nn.Dropout(0.1).eval()))


def test_tied_weights_differ_from_weights_of_their_own() -> None:
    loose = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)])
    tied = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)])
    tied[1].weight = tied[0].weight
    assert not same(identity_of_module(loose), identity_of_module(tied))


def test_settings_that_cannot_be_read_count_as_new_each_time() -> None:
    net = Net()
    net.stream = open(__file__)  # noqa: SIM115 (an object without readable state)
    try:
        assert not same(identity_of_module(net), identity_of_module(net))
    finally:
        net.stream.close()


def test_plain_objects_partials_and_nested_settings_are_read() -> None:
    class Config:
        def __init__(self, depth) -> None:
            self.depth = depth
            self.me = self  # a circle

    def with_config(depth):
        net = Net(activation=functools.partial(torch.softmax, dim=depth))
        net.config = {"sizes": [1, (2, depth)], "of": Config(depth)}
        return identity_of_module(net)

    first, other = with_config(1), with_config(2)
    assert not same(first, other)
    assert (
        first["module"]["settings"]["config"][1][1][1]
        != other["module"]["settings"]["config"][1][1][1]
    )


def test_fitted_estimators_are_told_apart_by_what_they_learned() -> None:
    from sklearn.ensemble import RandomForestClassifier

    x = np.random.default_rng(0).normal(size=(60, 3))
    y = (x[:, 0] > 0).astype(int)

    def fit(target):
        return RandomForestClassifier(5, random_state=0).fit(x, target)

    assert same(identity_of_value(fit(y)), identity_of_value(fit(y)))
    assert not same(identity_of_value(fit(y)), identity_of_value(fit(1 - y)))


def test_weights_come_back_exactly_whatever_their_type() -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        net = Net().to(dtype)
        again = load_weights(Net().to(dtype), weights_of(net))
        for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True):
            assert a.dtype == b.dtype
            assert torch.equal(a, b)


def test_weights_are_copies() -> None:
    net = Net()
    before = weights_of(net)["first.weight"].copy()
    held = weights_of(net)
    with torch.no_grad():
        net.first.weight.zero_()
    assert np.array_equal(held["first.weight"], before)


def test_weights_without_values_are_refused() -> None:
    with torch.device("meta"):
        net = nn.Linear(2, 2)
    with pytest.raises(UserError, match="no values"):
        weights_of(net)


def test_a_network_of_a_live_module_starts_from_fresh_weights_and_leaves_the_module_alone() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.MultiheadAttention(8, 2))
    net.shift = nn.Parameter(torch.randn(5))
    with torch.no_grad():
        net[0].weight.fill_(7.0)
        net[1].running_mean.fill_(7.0)
    fresh = network_of(net).build()
    assert fresh.training
    assert (fresh[0].weight != 7).all()
    assert (fresh[1].running_mean == 0).all()
    assert not torch.equal(fresh.shift, net.shift)
    assert (net[0].weight == 7).all()


def test_the_identity_of_a_network_knows_how_its_weights_are_drawn() -> None:
    from roadworthy.subject import Network

    def plain():
        return nn.Linear(3, 3)

    def zeroed():
        net = nn.Linear(3, 3)
        nn.init.zeros_(net.weight)
        return net

    state = torch.random.get_rng_state()
    one = Network(plain).__roadworthy_identity__()
    assert same(one, Network(plain).__roadworthy_identity__())
    assert not same(one, Network(zeroed).__roadworthy_identity__())
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_engine_knows_a_network_again_and_tells_it_from_another() -> None:
    from roadworthy.engine.identity import Identifier
    from roadworthy.subject import builtin_subject

    digits = builtin_subject("digits").network
    first = Identifier().of(digits)
    assert first.unknown is None
    assert first == Identifier().of(builtin_subject("digits").network)
    assert first == Identifier().of(network_of(digits.build()))  # the same net, drawn alike
    wider = network_of(nn.Sequential(digits.build(), nn.ReLU()))
    assert first.digest != Identifier().of(wider).digest
    live = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert Identifier().of(network_of(live)) == Identifier().of(network_of(live))
