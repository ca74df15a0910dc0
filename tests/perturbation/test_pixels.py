"""Few pixels: the k largest contributions of a linear network, and any cut into shards."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.attack import Points, verified
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.pixels import Pixels, SparseRs, one_of_each
from roadworthy.perturbation.threat import Ball


def points(inputs: Tensor, labels: Tensor) -> Points:
    return Points(inputs, labels, RowNoise(np.arange(len(inputs), dtype=np.uint64) + 3))


def linear_rows(shape: tuple[int, ...], n: int = 60) -> tuple[nn.Module, Points]:
    torch.manual_seed(5)
    module = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    inputs = torch.rand(n, *shape)
    return module, points(inputs, module(inputs).argmax(1))


def worst_margins(module: nn.Module, rows: Points, k: int) -> Tensor:
    """Of a linear network: every position can lower the margin by what its channels give at the ends of 0 to 1."""
    weight = (module[1].weight[0] - module[1].weight[1]).detach()
    slope = torch.where(rows.labels[:, None] == 0, weight, -weight).view_as(rows.inputs)
    gain = torch.where(slope > 0, slope * rows.inputs, slope * (rows.inputs - 1))
    if rows.inputs.ndim == 4:
        gain = gain.sum(1)
    logits = module(rows.inputs).detach()
    clean = (logits[:, 0] - logits[:, 1]).abs()
    return clean - gain.flatten(1).topk(k, dim=1).values.sum(1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 5), (7, 7), (40,)])
@pytest.mark.parametrize("k", [1, 5])
def test_sparse_rs_comes_near_to_the_k_largest_contributions(
    shape: tuple[int, ...], k: int
) -> None:
    module, rows = linear_rows(shape)
    threat = Pixels(k, 0.0, 1.0)
    model = AttackedModel(module, 2)
    found = SparseRs(1500)(model, rows, threat)
    worst = worst_margins(module, rows, k)
    assert ((found.margin < 0) <= (worst < 1e-6)).all()
    assert threat.allows(rows.inputs, found.inputs).all()
    assert torch.equal(verified(model, rows, threat, found), found.margin < 0)
    # almost every row that can be broken is, and the others are brought to their worst
    assert ((found.margin < 0) == (worst < 0)).float().mean() >= 0.95
    stand = found.margin >= 0
    assert not stand.any() or (found.margin - worst)[stand].mean() < 0.05


def test_the_cut_into_shards_changes_nothing() -> None:
    module, rows = linear_rows((1, 8, 8))
    model, threat = AttackedModel(module, 2), Pixels(3, 0.0, 1.0)
    whole = SparseRs(100)(model, rows, threat)
    for cut in (torch.arange(9), torch.tensor([44, 2, 30])):
        part = SparseRs(100)(model, rows.take(cut), threat)
        torch.testing.assert_close(part.inputs, whole.inputs[cut])


@pytest.mark.parametrize("k", [1, 3, 16])
def test_every_proposal_is_allowed_also_where_all_pixels_may_change(k: int) -> None:
    torch.manual_seed(0)
    origin = torch.rand(20, 2, 4, 4)
    threat = Pixels(k, 0.0, 1.0)

    class Watched(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            if len(inputs) == 20:
                assert threat.allows(origin, inputs).all()
            total = inputs.flatten(1).sum(1)
            return torch.stack([total + 100, total * 0], 1)

    rows = points(origin, torch.zeros(20, dtype=torch.int64))
    found = SparseRs(200)(AttackedModel(Watched(), 2), rows, threat)
    # all-low pixels are the worst for a sum: the k largest go to 0
    largest = origin.sum(1).flatten(1).topk(k, dim=1).values.sum(1)
    reached = 100 + origin.flatten(1).sum(1) - found.margin
    assert (reached <= largest + 1e-3).all()
    assert (reached / largest).mean() > 0.9


@settings(max_examples=30, deadline=None)
@given(k=st.integers(0, 8), seed=st.integers(0, 1000))
def test_projection_and_starts_are_allowed_and_leave_what_is_allowed(k: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    origin = torch.rand(4, 3, 3, 3, generator=generator)
    moved = origin + torch.randn(4, 3, 3, 3, generator=generator)
    threat = Pixels(k, 0.0, 1.0)
    near = threat.project(origin, moved)
    assert threat.allows(origin, near).all()
    assert torch.equal(threat.project(origin, near), near)
    begun = threat.start(origin, RowNoise(np.arange(4, dtype=np.uint64), seed), "a")
    assert threat.allows(origin, begun).all()
    assert (threat.distance(origin, begun) == k).all()


def test_no_pixels_are_the_clean_answer() -> None:
    module, rows = linear_rows((1, 8, 8))
    model = AttackedModel(module, 2)
    found = SparseRs(100)(model, rows, Pixels(0, 0.0, 1.0))
    assert torch.equal(found.inputs, rows.inputs)
    assert model.passes.forward == len(rows)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UserError, match="at least 0"):
        Pixels(-1, 0.0, 1.0)
    with pytest.raises(UserError, match="must rise"):
        Pixels(1, 1.0, 1.0)
    module, rows = linear_rows((4,), n=2)
    with pytest.raises(NotApplicable, match="changes pixels"):
        SparseRs(9)(AttackedModel(module, 2), rows, Ball("linf", 0.1, 0.0, 1.0))


def test_one_of_each_stretch() -> None:
    places = one_of_each(torch.tensor([[0.0, 0.0, 0.0], [0.999, 0.999, 0.999]]), 10, 8)
    assert places.tolist() == [[10, 12, 15], [11, 14, 17]]  # stretches 10-11, 12-14, 15-17
