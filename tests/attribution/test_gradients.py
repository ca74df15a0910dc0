"""Attributions along gradients: right by hand on a line, as captum's on a network, each row by itself."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.attribution.gradients import (
    GradientShap,
    InputGradient,
    IntegratedGradients,
    Saliency,
    SmoothGradient,
    gap_to,
)
from roadworthy.attribution.method import Attributed, Gap

EVERY = (Saliency(), InputGradient(), SmoothGradient(), IntegratedGradients(), GradientShap())


@pytest.fixture
def network(built):
    return built(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * 16, 8),
            nn.Tanh(),
            nn.Linear(8, 3),
        )
    )


def linear(weights: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return layer


def test_on_a_line_every_difference_is_weight_times_distance(explained, reference_of) -> None:
    # Scores are logits less their mean: the weights of class 0 become (2, -1) - (1, 0) = (1, -1).
    layer = linear([[2.0, -1.0], [0.0, 1.0]])
    inputs, reference = torch.tensor([[3.0, 1.0]]), reference_of(torch.tensor([[1.0, 0.0]]))
    with explained(layer, inputs) as (model, points):
        assert points.labels.tolist() == [0]
        found = {m.name: m(model, points, reference).values[0].tolist() for m in EVERY}
    # Distance (2, 1) times weights (1, -1): 2 and -1, whatever the path, the noise or the only reference row.
    differences = {name: values for name, values in found.items() if name != "saliency"}
    assert all(values == pytest.approx([2.0, -1.0], abs=1e-5) for values in differences.values())
    assert found["saliency"] == [1.0, 1.0]


def test_as_captum_on_a_network(explained, reference_of, centred, seeded, network) -> None:
    captum = pytest.importorskip("captum.attr")
    inputs, reference = seeded((6, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = centred(network)
        slopes = captum.Saliency(theirs).attribute(inputs.clone(), target=points.labels)
        times = captum.InputXGradient(theirs).attribute(
            (inputs - reference.point).requires_grad_(), target=points.labels
        )
        path = captum.IntegratedGradients(theirs).attribute(
            inputs, reference.point, target=points.labels, n_steps=256, method="riemann_trapezoid"
        )
        ours = [
            Saliency()(model, points, reference).values,
            IntegratedGradients(steps=255, most=255)(model, points, reference).values,
        ]
        there = centred(network)(inputs)
    del times, there
    assert torch.allclose(ours[0], slopes, atol=1e-6)
    # captum's trapezoid gives its 256 points the width 1/256 each, where 255 lie between them.
    assert torch.allclose(ours[1], path.float() * 256 / 255, atol=1e-5)


def test_steps_are_halved_until_sums_are_what_they_promise(
    explained, reference_of, seeded, network
) -> None:
    inputs, reference = 4 * seeded((20, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points):
        few = IntegratedGradients(steps=4, most=4)(model, points, reference).incompleteness()
        many = IntegratedGradients(steps=4, most=1024, tolerance=0.01)
        enough = many(model, points, reference).incompleteness()
    assert few.max() > 0.05
    assert enough.max() <= 0.01


def test_a_row_that_is_settled_takes_no_more_steps(explained, reference_of, seeded) -> None:
    line = linear([[2.0, -1.0], [0.0, 1.0]])
    inputs, reference = seeded((5, 2)), reference_of(seeded((5, 2), 1))
    with explained(line, inputs) as (model, points):
        before = model.passes.backward
        IntegratedGradients(steps=8)(model, points, reference)
        assert model.passes.backward - before == 5 * 9  # two ends and seven points between


@pytest.mark.parametrize("method", EVERY, ids=lambda m: m.name)
def test_no_row_depends_on_the_rows_beside_it(
    explained, reference_of, seeded, network, method
) -> None:
    inputs, reference = seeded((6, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points):
        whole = method(model, points, reference)
        alone = method(model, points.take(torch.tensor([4, 1])), reference)
    assert torch.allclose(alone.values, whole.values[[4, 1]], atol=1e-5)
    assert not np.allclose(whole.values[0], whole.values[1])


def test_more_draws_bring_gradient_shap_nearer_to_the_sum(
    explained, reference_of, seeded, network
) -> None:
    inputs, reference = seeded((30, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points):
        few, many = (
            gap_to(model, points, reference.sample)
            .missed(GradientShap(draws=n)(model, points, reference).values)
            .median()
            for n in (4, 256)
        )
    assert many < few / 3  # a mean over 64 times as many draws: about 8 times nearer


def test_gradient_shap_promises_no_sum_of_a_row(explained, reference_of, seeded, network) -> None:
    inputs, reference = seeded((30, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points):
        found = GradientShap()(model, points, reference)
    assert bool(found.incompleteness().isnan().all())


def test_less_memory_takes_smaller_chunks_and_gives_the_same(
    explained, reference_of, seeded, built
) -> None:
    class Narrow(nn.Module):
        """A network that has memory for three rows at a time."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.rows: list[int] = []

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if len(inputs) > 3:
                raise RuntimeError("not enough memory: you tried to allocate 9 bytes")
            self.rows.append(len(inputs))
            return self.layer(inputs).sigmoid()

    inputs, reference = seeded((7, 4)), reference_of(seeded((3, 4), 1))
    narrow = built(Narrow)
    with explained(narrow, inputs) as (model, points):
        found = IntegratedGradients()(model, points, reference)
    assert max(narrow.rows) == 3
    with explained(nn.Sequential(narrow.layer, nn.Sigmoid()), inputs) as (model, points):
        expected = IntegratedGradients()(model, points, reference)
    assert torch.allclose(found.values, expected.values, atol=1e-6)


def test_incompleteness_is_a_share_of_the_gap_and_unknown_without_a_promise() -> None:
    gap = Gap(torch.tensor([3.0, 100.0]), torch.tensor([1.0, 100.0]))
    found = Attributed(torch.tensor([[1.0, 0.5], [0.5, 0.0]]), gap)
    # 1.5 of a gap of 2: a quarter is missing. A gap of 0 at scores of 100 counts as 1: half of it is off.
    assert found.incompleteness().tolist() == [0.25, 0.5]
    assert bool(Attributed(torch.zeros(2, 2)).incompleteness().isnan().all())
