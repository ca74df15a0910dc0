"""Patches: the best window of a linear network in closed form, and any cut into shards."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.attack import Attack, Points, verified
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.patches import Patch, PatchAscent, PatchSearch
from roadworthy.perturbation.threat import Ball


def points(inputs: Tensor, labels: Tensor) -> Points:
    return Points(inputs, labels, RowNoise(np.arange(len(inputs), dtype=np.uint64) + 3))


def linear_rows(shape: tuple[int, ...], n: int = 40) -> tuple[nn.Module, Points]:
    torch.manual_seed(5)
    module = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    inputs = torch.rand(n, *shape)
    return module, points(inputs, module(inputs).argmax(1))


def worst_margins(module: nn.Module, rows: Points, side: int) -> Tensor:
    """Every window can lower a linear margin by the sum of what its elements give; by loops, as an oracle."""
    weight = (module[1].weight[0] - module[1].weight[1]).detach()
    slope = torch.where(rows.labels[:, None] == 0, weight, -weight).view_as(rows.inputs)
    gain = torch.where(slope > 0, slope * rows.inputs, slope * (rows.inputs - 1))
    gain = gain.sum(1) if gain.ndim == 4 else gain
    gain = gain[:, None] if gain.ndim == 2 else gain
    tall, wide = min(side, gain.shape[1]), min(side, gain.shape[2])
    sums = [
        gain[:, i : i + tall, j : j + wide].sum((1, 2))
        for i in range(gain.shape[1] - tall + 1)
        for j in range(gain.shape[2] - wide + 1)
    ]
    logits = module(rows.inputs).detach()
    return (logits[:, 0] - logits[:, 1]).abs() - torch.stack(sums).amax(0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 5), (7, 7), (40,)])
@pytest.mark.parametrize("side", [2, 3])
def test_ascent_finds_the_best_window_of_a_linear_network_exactly(
    shape: tuple[int, ...], side: int
) -> None:
    module, rows = linear_rows(shape)
    threat = Patch(side, 0.0, 1.0)
    model = AttackedModel(module, 2)
    found = PatchAscent(steps=3)(model, rows, threat)
    worst = worst_margins(module, rows, side)
    assert torch.equal(found.margin < 0, worst < 0)
    stand = found.margin >= 0
    torch.testing.assert_close(found.margin[stand], worst[stand], rtol=1e-4, atol=1e-4)
    assert threat.allows(rows.inputs, found.inputs).all()
    assert torch.equal(verified(model, rows, threat, found), found.margin < 0)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 5), (7, 7), (40,)])
def test_random_search_comes_near_to_the_best_window(shape: tuple[int, ...]) -> None:
    module, rows = linear_rows(shape)
    threat = Patch(3, 0.0, 1.0)
    model = AttackedModel(module, 2)
    found = PatchSearch(1500)(model, rows, threat)
    worst = worst_margins(module, rows, 3)
    assert ((found.margin < 0) <= (worst < 1e-6)).all()
    assert (found.margin < 0).sum() >= 0.75 * (worst < 0).sum()
    assert threat.allows(rows.inputs, found.inputs).all()
    assert torch.equal(verified(model, rows, threat, found), found.margin < 0)
    assert model.passes.backward == 0


@pytest.mark.parametrize("attack", [PatchAscent(5), PatchSearch(80)])
def test_the_cut_into_shards_changes_nothing(attack: Attack) -> None:
    module, rows = linear_rows((3, 6, 6))
    model, threat = AttackedModel(module, 2), Patch(2, 0.0, 1.0)
    whole = attack(model, rows, threat)
    for cut in (torch.arange(9), torch.tensor([30, 2, 11])):
        part = attack(model, rows.take(cut), threat)
        torch.testing.assert_close(part.inputs, whole.inputs[cut])


@settings(max_examples=30, deadline=None)
@given(side=st.integers(0, 5), seed=st.integers(0, 1000))
def test_projection_and_starts_are_allowed_and_leave_what_is_allowed(side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    origin = torch.rand(4, 3, 4, 6, generator=generator)
    moved = origin + torch.randn(4, 3, 4, 6, generator=generator)
    threat = Patch(side, 0.0, 1.0)
    near = threat.project(origin, moved)
    assert threat.allows(origin, near).all()
    assert torch.equal(threat.project(origin, near), near)
    begun = threat.start(origin, RowNoise(np.arange(4, dtype=np.uint64), seed), "a")
    assert threat.allows(origin, begun).all()
    assert (threat.distance(origin, begun) == side).all()


def test_two_changes_far_apart_need_a_large_patch() -> None:
    origin = torch.zeros(1, 1, 8, 8)
    moved = origin.clone()
    moved[0, 0, 1, 2] = moved[0, 0, 3, 6] = 1.0
    assert Patch(1, 0.0, 1.0).distance(origin, moved).tolist() == [5.0]  # columns 2 to 6
    assert Patch(5, 0.0, 1.0).allows(origin, moved).all()
    assert not Patch(4, 0.0, 1.0).allows(origin, moved).any()


@pytest.mark.parametrize("attack", [PatchAscent(5), PatchSearch(80)])
def test_no_patch_is_the_clean_answer_and_other_threats_are_refused(attack: Attack) -> None:
    module, rows = linear_rows((1, 8, 8))
    model = AttackedModel(module, 2)
    assert torch.equal(attack(model, rows, Patch(0, 0.0, 1.0)).inputs, rows.inputs)
    with pytest.raises(NotApplicable, match="places patches"):
        attack(model, rows, Ball("linf", 0.1, 0.0, 1.0))
    with pytest.raises(UserError, match="at least 0"):
        Patch(-1, 0.0, 1.0)
