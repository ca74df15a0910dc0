"""Attributions by removal: occlusion as captum's, Shapley values as enumerated by hand."""

import warnings
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.attribution.parts import MOST_WINDOWS, Parts, windows
from roadworthy.attribution.removal import (
    KernelShap,
    Occlusion,
    coalitions,
    removed_scores,
    shapley_fit,
)
from roadworthy.attribution.score import scores
from roadworthy.errors import NotApplicable


def test_occlusion_as_captum(explained, reference_of, centred, seeded, built) -> None:
    captum = pytest.importorskip("captum.attr")
    network = built(
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    )
    inputs, reference = seeded((5, 2, 8, 8)), reference_of(seeded((9, 2, 8, 8), 1))
    with explained(network, inputs) as (model, points), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = Occlusion(share=2 / 8)(model, points, reference)
        theirs = captum.Occlusion(centred(network)).attribute(
            inputs, (2, 2, 2), strides=1, baselines=reference.point, target=points.labels
        )
    assert torch.allclose(ours.values, theirs.float(), atol=1e-5)


def test_a_table_loses_one_column_at_a_time() -> None:
    assert windows((3,), 1 / 7).tolist() == torch.eye(3, dtype=torch.bool).tolist()


@pytest.mark.parametrize(
    "shape", [(16_000,), (1, 16_000), (2, 4_000), (1, 16, 16, 16), (3, 2_000, 3), (3, 224, 224)]
)
def test_long_inputs_have_no_more_windows_than_are_worth_their_passes(shape) -> None:
    found = windows(shape, 1 / 7)
    assert len(found) <= MOST_WINDOWS
    assert bool(found.any(0).all())  # every value is covered
    assert found.sum(1).max() <= 4 * found.sum(1).float().mean()


@pytest.mark.parametrize("shape", [(1_024,), (1, 1_024), (3, 64, 64)])
def test_inputs_that_are_not_long_lose_what_they_did(shape) -> None:
    found = windows(shape, 1 / 7)
    if shape == (3, 64, 64):
        assert len(found) == 15 * 15  # sides of 9, 4 apart: 0, 4, ..., 52 and the last at 55
        return
    assert torch.equal(found, torch.eye(1_024, dtype=torch.bool))


def test_an_image_of_one_pixel_is_one_window_and_has_nothing_to_share(
    explained, reference_of, built
) -> None:
    assert windows((3, 1, 1), 1 / 7).tolist() == [[True, True, True]]
    network = built(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)))
    rows = torch.ones(2, 3, 1, 1)
    with explained(network, rows) as (model, points):
        found = Occlusion()(model, points, reference_of(torch.zeros(1, 3, 1, 1)))
        assert found.values.shape == (2, 3, 1, 1)
        with pytest.raises(NotApplicable, match="one part"):
            KernelShap()(model, points, reference_of(torch.zeros(1, 3, 1, 1)))


class Game(nn.Module):
    """A number with products of two and of three values."""

    def forward(self, inputs: Tensor) -> Tensor:
        a, b, c, d = inputs.T
        return (3 * a + 2 * a * b - b * c * d + d)[:, None]


def enumerated(row: Tensor, reference: Tensor) -> np.ndarray:
    """Shapley values from their definition: the mean gain over all orders of joining."""
    gains = np.zeros(len(row))
    orders = list(permutations(range(len(row))))
    for order in orders:
        here = reference.clone()
        for i in order:
            before = float(Game()(here[None]))
            here[i] = row[i]
            gains[i] += float(Game()(here[None])) - before
    return gains / len(orders)


def test_all_coalitions_of_few_parts_give_the_shapley_values_themselves(
    explained, reference_of, seeded
) -> None:
    inputs, reference = seeded((5, 4)), reference_of(seeded((3, 4), 1))
    with explained(Game(), inputs) as (model, points):
        found = KernelShap()(model, points, reference)
    expected = [enumerated(row, reference.point[0]) for row in inputs]
    assert np.allclose(found.values.numpy(), expected, atol=1e-4)
    assert found.incompleteness().max() < 1e-4


def test_drawn_coalitions_are_exact_on_a_line_and_near_beyond(
    explained, reference_of, seeded, built
) -> None:
    line = built(nn.Linear(20, 2))
    inputs, reference = seeded((5, 20)), reference_of(seeded((3, 20), 1))
    with explained(line, inputs) as (model, points):
        found = KernelShap(draws=200)(model, points, reference)
    weights = line.weight - line.weight.mean(0)
    assert torch.allclose(
        found.values, weights[points.labels] * (inputs - reference.point), atol=1e-4
    )


def test_more_coalitions_come_nearer_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(12, 12))

    def worth(stay: np.ndarray) -> np.ndarray:
        return np.einsum("si,ij,sj->s", stay, pairs, stay)

    everyone = np.ones((1, 12))
    truth = shapley_fit(*_game(coalitions(12, 4096, rng), worth), worth(everyone))
    errors = []
    for draws in (64, 1024):
        found = shapley_fit(*_game(coalitions(12, draws, rng), worth), worth(everyone))
        errors.append(np.abs(found - truth).mean())
    # By hand: with v(S) = sum of a_ij over pairs in S, a value is half of its pairs with others, and its own.
    assert np.allclose(truth[0], (pairs.sum(0) + pairs.sum(1)) / 2)
    assert errors[1] < errors[0] / 2 or errors[0] < 1e-9


def _game(drawn, worth):
    stay, weights = drawn
    return stay, weights, worth(stay.astype(float))[None]


def test_parts_of_images_keep_channels_together() -> None:
    # Two channels of 2 x 2: pixel 0 is values 0 and 4.
    parts = Parts.positions((2, 2, 2))
    assert parts.of_value.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert parts.summed(torch.arange(8.0).view(1, 2, 2, 2)).tolist() == [[4.0, 6.0, 8.0, 10.0]]
    # Channels last, (8, 8, 3): the first three values are one pixel.
    assert Parts.positions((8, 8, 3)).of_value[:4].tolist() == [0, 0, 0, 1]
    blocks = Parts.blocks((1, 4, 4), 4)
    assert blocks.of_value.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]
    assert blocks.spread(torch.tensor([[4.0, 0.0, 0.0, 8.0]]), (1, 4, 4)).sum() == 12.0


def test_no_more_blocks_than_asked_for() -> None:
    for shape in ((3, 32, 32), (28, 28), (1, 7, 3), (100,), (2, 2, 2, 2, 5)):
        for most in (2, 16, 64):
            assert 1 <= Parts.blocks(shape, most).count <= most


@pytest.mark.parametrize("width", [12, 80])  # of more than 62 values none are compared
def test_scores_without_parts_are_those_of_each_version_by_itself(
    explained, reference_of, seeded, width
) -> None:
    class Filling(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            worth = inputs.nan_to_num(nan=7.0) @ torch.linspace(-1, 1, width)
            return torch.stack([worth.sin(), worth.cos(), worth / 9], 1)

    inputs = seeded((6, width)).round()  # many are 0, as the reference is
    inputs[0], inputs[1, 3], inputs[2] = 0.0, torch.nan, inputs[3]
    zero = torch.zeros(1, width)
    gone = seeded((40, width), 1) > 0
    gone[5], gone[6], gone[7] = False, True, gone[8]
    with explained(Filling(), inputs) as (model, points):
        found = removed_scores(model, points, zero, gone)
        for k, each in enumerate(gone):
            expected = scores(model, torch.where(each, zero, inputs), points.labels)
            assert torch.allclose(found[:, k], expected, atol=1e-6)
        assert removed_scores(model, points.take(torch.arange(0)), zero, gone).shape == (0, 40)


def test_versions_of_a_row_that_are_the_same_are_asked_for_once(
    explained, reference_of, seeded, built
) -> None:
    inputs = torch.zeros(5, 12)
    inputs[:, 2:5] = 1.0
    inputs[0, 2] = inputs[0, 3] = 0.0
    reference = reference_of(torch.zeros(1, 12))
    with explained(built(nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))), inputs) as (
        model,
        points,
    ):
        before = model.passes.forward
        found = KernelShap()(model, points, reference).values
        passed = model.passes.forward - before
    # Three of the values differ from the reference, in the first row one: 4 times 8 versions and 2. And the rows, and the reference.
    assert 4 * 8 + 2 <= passed <= 4 * 8 + 2 + 5 + 5
    assert found[:, [0, 1, *range(5, 12)]].abs().max() < 0.05 * found.abs().max()
