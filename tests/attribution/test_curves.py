"""Curves of deletion and insertion: by hand on a line, flat gains for chance, and fillers that are what they say."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.attribution.curves import (
    Worth,
    area,
    faithfulness_curves,
    order_of,
    removal_curve,
    steps_of,
)
from roadworthy.attribution.fillers import fillers, names_of_fillers
from roadworthy.attribution.library import METHODS, Chance, unfit


def sum_of(weights: list[float]) -> nn.Module:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights])
    return layer


def test_by_hand_on_a_line(explained) -> None:
    with explained(sum_of([3.0, 1.0]), torch.ones(1, 2)) as (model, points):
        worth = Worth(torch.ones(1), 2.0)
        found = faithfulness_curves(
            model, points, torch.tensor([[3.0, 1.0]]), {"zero": torch.zeros(1, 2)}, worth, orders=0
        )
    # In units of 2: deletion 4, 1, 0; insertion 0, 3, 4.
    assert found[0, 0, 0].tolist() == [2.0, 0.5, 0.0]
    assert found[0, 0, 1].tolist() == [0.0, 1.5, 2.0]
    # Trapezoids over two steps: (1 + .5 + 0) / 2 and (0 + 1.5 + 1) / 2.
    assert area(found)[0, 0, :2].tolist() == [0.75, 1.25]


def test_a_low_number_is_explained_by_what_lowers_it(explained) -> None:
    inputs, zero = torch.tensor([[-2.0, 1.0]]), torch.zeros(1, 2)
    with explained(sum_of([1.0, 1.0]), inputs) as (model, points):
        worth = Worth.of(model, points, zero, 1.0)
        found = faithfulness_curves(model, points, inputs, {"zero": zero}, worth, orders=0)
        sizes = faithfulness_curves(model, points, inputs.abs(), {"zero": zero}, worth, orders=0)
    # -1 lies below 0: seen from there it is 1. The -2 goes first, and leaves -1 in that view.
    assert found[0, 0, 0].tolist() == [1.0, -1.0, 0.0]
    assert sizes[0, 0, 0].tolist() == [1.0, -1.0, 0.0]  # the largest size is not turned round


@pytest.mark.parametrize("shared_filler", [True, False])
def test_versions_that_are_the_same_are_asked_once_and_count_as_often(
    explained, built, seeded, shared_filler
) -> None:
    network = built(nn.Sequential(nn.Flatten(), nn.Linear(2 * 36, 5), nn.Tanh(), nn.Linear(5, 3)))
    inputs = seeded((30, 2, 6, 6)).clamp_min(0.3) - 0.3  # more than half is background
    inputs[:, :, :2] = 0.0
    filler = torch.zeros(1, 2, 6, 6) if shared_filler else inputs.flip(0)
    ranks = order_of(seeded((30, 36), 2))
    with explained(network, inputs) as (model, points):
        worth = Worth(torch.where(torch.arange(30) % 2 == 0, 1.0, -1.0), 2.0)
        model.passes.forward = 0
        found = removal_curve(model, points, filler, ranks, worth, most=12)
        asked = model.passes.forward
        for k, gone in enumerate(steps_of(36, 12)):
            kept = (ranks >= gone).view(-1, 1, 6, 6)
            logits = model.logits(torch.where(kept, inputs, filler))
            expected = worth(logits, points.labels, torch.arange(30))
            assert found[:, k].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert asked < 30 * 13
    assert found.shape == (30, 13)


def test_order_is_of_signed_values_and_ties_go_to_the_first() -> None:
    assert order_of(torch.tensor([[0.5, -2.0, 0.5, 3.0]])).tolist() == [[1, 3, 2, 0]]


@pytest.mark.parametrize("parts", [1, 2, 7, 20, 21, 784])
def test_steps_go_from_nothing_to_everything(parts) -> None:
    steps = steps_of(parts)
    assert steps[0] == 0
    assert steps[-1] == parts
    assert len(steps) == min(parts, 20) + 1
    assert bool((steps.diff() > 0).all())


def test_chance_gains_nothing_and_an_explanation_much(
    explained, reference_of, seeded, built
) -> None:
    network = built(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3)))
    inputs, reference = 2 * seeded((150, 1, 8, 8)), reference_of(seeded((20, 1, 8, 8), 1))
    gains = {}
    with explained(network, inputs) as (model, points):
        worth = Worth.of(model, points, reference.point, 1.0)
        for method in (Chance(), METHODS["deeplift"]):
            values = method(model, points, reference).values.flatten(1)
            areas = area(
                faithfulness_curves(model, points, values, fillers(points, reference), worth)
            )
            gains[method.name] = (areas[..., 2] - areas[..., 0]).mean(0)
    assert gains["chance"].abs().max() < 0.02
    assert gains["DeepLift"].min() > 0.1


def test_a_pixel_goes_with_all_its_channels(explained, built) -> None:
    network = built(nn.Sequential(nn.Flatten(), nn.Linear(8, 1, bias=False)))
    inputs = torch.ones(1, 2, 2, 2)
    with explained(network, inputs) as (model, points):
        first = order_of(torch.tensor([[9.0, 0.0, 0.0, 0.0]]))
        left = removal_curve(
            model, points, torch.zeros(1, 2, 2, 2), first, Worth(torch.ones(1), 1.0)
        )
    weights = network[1].weight[0].detach()
    assert float(left[0, 1]) == pytest.approx(float(weights.sum() - weights[0] - weights[4]))


def test_fillers_are_the_usual_row_and_a_blur_or_another_row(
    explained, reference_of, seeded
) -> None:
    flat, rows = torch.full((3, 1, 8, 8), 0.5), seeded((5, 1, 8, 8), 1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with explained(network, flat) as (_, points):
        found = fillers(points, reference_of(rows))
    assert torch.allclose(found["the blurred image"], flat, atol=1e-6)
    assert torch.equal(found["the usual row"], rows.mean(0, keepdim=True))
    table = seeded((9, 4), 2)
    with explained(nn.Linear(4, 2), seeded((3, 4))) as (_, points):
        other = fillers(points, reference_of(table))["another row"]
    assert all(any(torch.equal(row, known) for known in table) for row in other)


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ((3, 32, 32), "blurred"),
        ((28, 28), "blurred"),
        ((3, 1, 1), "row"),
        ((7,), "row"),
        ((8, 8, 3), "blurred"),
    ],
)
def test_what_cannot_be_blurred_is_replaced_by_another_row(shape, other) -> None:
    assert other in names_of_fillers(shape)[1]


def test_blurring_keeps_channels_last_where_they_are(explained, reference_of, seeded) -> None:
    inputs = torch.zeros(1, 8, 8, 3)
    inputs[..., 1] = 1.0
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with explained(network, inputs) as (_, points):
        found = fillers(points, reference_of(seeded((2, 8, 8, 3))))["the blurred image"]
    assert torch.allclose(
        found, inputs, atol=1e-6
    )  # each colour is even: no colour bleeds into another


def test_a_method_that_does_not_fit_says_why(explained, reference_of, seeded) -> None:
    class Stepped(nn.Module):
        """A code that is looked up: no slope passes, and a sum is missed."""

        def forward(self, inputs):
            worth = torch.tensor([0.0, 5.0, -3.0])[inputs[:, 0].long().clamp(0, 2)]
            return torch.stack([worth + inputs[:, 1], -worth], dim=1)

    inputs = torch.rand(8, 2, generator=torch.Generator().manual_seed(0)) * 3
    with explained(Stepped(), inputs) as (model, points):
        reference = reference_of(inputs + 0.3)
        assert "chooses otherwise" in unfit("deeplift", model, points, reference)
        assert unfit("occlusion", model, points, reference) == ""
        holed = points.inputs.clone()
        holed[0, 1] = np.nan
        points = type(points)(holed, points.labels, points.noise)
        assert "missing" in unfit("input_gradient", model, points, reference)
