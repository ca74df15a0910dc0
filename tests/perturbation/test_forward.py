"""Passes through onnxruntime: the same answers as torch, or torch itself."""

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.perturbation import forward
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.forward import (
    OnRunner,
    Runner,
    fastest_runner,
    reverse_of,
    trace_of,
)
from roadworthy.perturbation.gradient_attacks import Apgd
from roadworthy.perturbation.losses import cross_entropy
from roadworthy.perturbation.model import AttackedModel, attacked
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.square import Square
from roadworthy.perturbation.threat import Ball


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 5),
    )


def test_onnxruntime_answers_as_torch_and_passes_are_counted_once() -> None:
    inputs = torch.rand(40, 1, 8, 8)
    with attacked(_network()) as module:
        model = AttackedModel(module, 5)
        found = fastest_runner(model, inputs)
        assert (found.name, found.reason) == ("onnxruntime", "")
        assert model.passes.forward == 0
        fast = found.of(model)
        torch.testing.assert_close(fast.logits(inputs), model.logits(inputs), rtol=1e-4, atol=1e-4)
        assert model.passes.forward == 80
        rows = Points(inputs, model.logits(inputs).argmax(1), RowNoise(np.arange(40).astype("u8")))
        ball = Ball("linf", 0.05, 0.0, 1.0)
        through = Square(80)(fast, rows, ball).margin < 0
        assert torch.equal(through, Square(80)(model, rows, ball).margin < 0)


def test_a_runner_keeps_how_gradients_are_taken() -> None:
    model = AttackedModel(_network().eval(), 5, straight_through=True, scale=4.0)
    for found in (Runner("torch").of(model), model.exact()):
        assert found.straight_through
        assert found.scale == 4.0
        assert found.passes is model.passes


class _Draws(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.flatten(1)[:, :5] + torch.randn(len(inputs), 5)


class _Looks(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        if float(inputs.sum()) > 3:
            inputs = -inputs
        return inputs.flatten(1)[:, :5]


@pytest.mark.parametrize("module", [_Draws(), _Looks()])
def test_a_network_that_draws_or_branches_stays_in_torch(module: nn.Module) -> None:
    model = AttackedModel(module, 5)
    found = fastest_runner(model, torch.rand(6, 1, 8, 8))
    assert found.name == "torch"
    assert found.call is None
    assert found.reason


def test_torch_where_the_extra_is_absent_or_few_passes_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = AttackedModel(_network().eval(), 5)
    assert fastest_runner(model, torch.rand(6, 1, 8, 8), passes=10).name == "torch"
    monkeypatch.setattr(forward, "NEEDED", ("a_package_that_is_not_there",))
    found = fastest_runner(model, torch.rand(6, 1, 8, 8))
    assert found.name == "torch"
    assert "a_package_that_is_not_there" in found.reason


def test_an_attack_on_a_runner_searches_there() -> None:
    module = _network().eval()
    inputs = torch.rand(12, 1, 8, 8)
    model = AttackedModel(module, 5)
    rows = Points(inputs, model.logits(inputs).argmax(1), RowNoise(np.arange(12).astype("u8")))
    calls = [0]

    def call(given: Tensor) -> Tensor:
        calls[0] += 1
        return module(given)

    attack = OnRunner(Square(20), Runner("onnxruntime", call))
    found = attack(model, rows, Ball("linf", 0.02, 0.0, 1.0))
    assert attack.name == "Square, 20 queries (onnxruntime)"
    assert torch.equal(found.margin, Square(20)(model, rows, Ball("linf", 0.02, 0.0, 1.0)).margin)
    assert calls[0] > 3


def test_the_warnings_filter_is_as_before() -> None:
    before = list(warnings.filters)
    fastest_runner(AttackedModel(_network().eval(), 5), torch.rand(6, 1, 8, 8))
    assert warnings.filters == before


def test_gradients_through_onnxruntime_are_those_of_torch() -> None:
    inputs = torch.rand(20, 1, 8, 8)
    inputs[:, :, :4] = 0.0  # ties in the windows of the pooling
    with attacked(_network()) as module:
        model = AttackedModel(module, 5)
        reverse = reverse_of(model, inputs)
        assert not isinstance(reverse, str)
        fast = AttackedModel(module, 5, reverse=reverse)
        assert fast.is_coarse
        labels = torch.arange(20) % 5
        for there, here in zip(
            model.gradient(inputs, labels, cross_entropy),
            fast.gradient(inputs, labels, cross_entropy),
            strict=True,
        ):
            torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-5)
        assert fast.passes.backward == 20
        rows = Points(inputs, model.logits(inputs).argmax(1), RowNoise(np.arange(20).astype("u8")))
        ball = Ball("linf", 0.05, 0.0, 1.0)
        assert torch.equal(
            Apgd(10)(fast, rows, ball).margin < 0, Apgd(10)(model, rows, ball).margin < 0
        )


def test_an_activation_is_on_however_small_it_is() -> None:
    module = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)).eval()
    smallest = torch.finfo(torch.float32).tiny
    inputs = torch.tensor([[0.0, smallest, 1e-30, 2.0], [-1.0, 0.5, 0.0, 9.0]])
    with attacked(module):
        model = AttackedModel(module, 2)
        trace = trace_of(model, inputs)
        assert isinstance(trace, bytes)
        reverse = reverse_of(model, inputs, trace)
        assert not isinstance(reverse, str)
        fast = AttackedModel(module, 2, reverse=reverse)
        labels = torch.tensor([0, 1])
        here, there = (m.gradient(inputs, labels, cross_entropy)[1] for m in (fast, model))
    torch.testing.assert_close(here, there)
    assert ((here != 0) == (inputs > 0)).all()


class _Steps(nn.Module):
    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step
        self.head = nn.Linear(64, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        flat = inputs.flatten(1)
        return self.head(
            flat.mul(8).round() / 8 if self.step == "round" else flat.detach() + flat.sin()
        )


def test_gradients_stay_in_torch_where_a_step_is_unknown_or_cut() -> None:
    inputs = torch.rand(6, 1, 8, 8)
    assert isinstance(reverse_of(AttackedModel(_Steps("sin").eval(), 5), inputs), str)
    rounded = _Steps("round").eval()
    assert isinstance(reverse_of(AttackedModel(rounded, 5), inputs), str)
    assert not isinstance(reverse_of(AttackedModel(rounded, 5, straight_through=True), inputs), str)


def test_a_network_that_cannot_be_traced_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    class Median(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            windows = inputs.unfold(1, 3, 1)
            return windows.median(dim=-1).values

    model = AttackedModel(Median(), 4)
    runner = fastest_runner(model, torch.rand(8, 6))
    assert runner.name in ("torch", "onnxruntime")
    said = capfd.readouterr()
    assert said.out == ""
    assert "graph" not in said.err
