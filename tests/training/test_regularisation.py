"""Dropout that a recipe asks for, and which weights a penalty counts."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.training.arrays import ArrayShape, ImageNetwork
from roadworthy.training.regularisation import absolute_sum, penalised, set_dropout


def test_every_dropout_layer_gets_the_rate_and_none_is_added() -> None:
    module = nn.Sequential(nn.Dropout(0.1), nn.Dropout2d(0.5), nn.Linear(2, 2), nn.AlphaDropout(0))
    set_dropout(module, 0.3)
    assert [part.p for part in (module[0], module[1], module[3])] == [0.3, 0.3, 0.3]
    assert sum(isinstance(part, nn.Dropout) for part in module.modules()) == 1
    network = ImageNetwork(ArrayShape((8, 8), 3))
    set_dropout(network, 0.0)
    assert {m.p for m in network.modules() if isinstance(m, nn.Dropout)} == {0.0}


def test_none_changes_nothing() -> None:
    module = nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 2))
    set_dropout(module, None)
    assert module[0].p == 0.1


def test_one_is_put_before_the_last_linear_layer_and_changes_no_name() -> None:
    module = nn.Sequential(nn.Linear(4, 400), nn.ReLU(), nn.Linear(400, 2))
    names = list(module.state_dict())
    set_dropout(module, 0.25)
    assert list(module.state_dict()) == names
    inputs = torch.ones(1, 4)
    for copy in (module, deepcopy(module)):
        seen: list[torch.Tensor] = []
        last = copy[2]
        last.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        hidden = copy[1](copy[0](inputs))
        copy.train()(inputs)
        active = hidden > 0
        dropped = (seen[0] == 0) & active
        assert float(dropped.sum() / active.sum()) == pytest.approx(0.25, abs=0.08)
        kept = active & ~dropped
        assert torch.allclose(seen[0][kept], hidden[kept] / 0.75)
        copy.eval()(inputs)
        assert torch.equal(seen[1], hidden)


def test_rates_inside_attention_and_recurrent_layers_are_set() -> None:
    encoder = nn.TransformerEncoderLayer(8, 2, dropout=0.1)
    set_dropout(encoder, 0.4)
    assert encoder.self_attn.dropout == encoder.dropout1.p == 0.4
    recurrent = nn.LSTM(4, 4, num_layers=2, dropout=0.1)
    set_dropout(recurrent, 0.4)
    assert recurrent.dropout == 0.4


def test_what_cannot_be_done_is_told() -> None:
    with pytest.raises(UserError, match=r"\(Conv2d\) has neither a dropout layer .* nor a linear"):
        set_dropout(nn.Conv2d(1, 1, 3), 0.5)
    set_dropout(nn.Conv2d(1, 1, 3), 0.0)
    for rate in (1.0, -0.1, float("nan")):
        with pytest.raises(UserError, match="at least 0 and below 1 was expected"):
            set_dropout(nn.Linear(2, 2), rate)


def test_penalty_leaves_out_biases_and_normalisation() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm(4), nn.Linear(4, 3), nn.LSTM(3, 2)
    )
    names = [name for name, _ in penalised(module)]
    assert names == ["0.weight", "3.weight", "4.weight_ih_l0", "4.weight_hh_l0"]
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-1.0, 3.0]]))
    assert absolute_sum([p for _, p in penalised(linear)]).item() == 4
