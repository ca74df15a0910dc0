"""Attacks on answers alone: distances of linear networks in closed form, budgets, and any cut into shards."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Attack, Points, verified
from roadworthy.perturbation.decision import HopSkipJump, RayS
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball


def points(inputs: Tensor, labels: Tensor) -> Points:
    return Points(inputs, labels, RowNoise(np.arange(len(inputs), dtype=np.uint64) + 11))


def linear_rows(size: int, n: int = 30) -> tuple[nn.Linear, Points, Tensor]:
    """A linear network of two classes, rows in the middle of 0 to 1, and how far a signed step in L2 must go."""
    torch.manual_seed(2)
    module = nn.Linear(size, 2)
    weight = (module.weight[0] - module.weight[1]).detach()
    with torch.no_grad():  # the plane passes through the middle, so every row can be broken
        module.bias.copy_(torch.tensor([-0.5 * float(weight.sum()), 0.0]) + module.bias[1])
        module.weight.copy_(torch.stack([weight, torch.zeros(size)]))
        module.bias[1] = module.bias[0] + 0.5 * weight.sum()
    inputs = torch.rand(n, size) * 0.1 + 0.45
    logits = module(inputs).detach()
    return module, points(inputs, logits.argmax(1)), (logits[:, 0] - logits[:, 1]).abs()


def test_rays_finds_the_margin_over_the_l1_norm_of_the_weights() -> None:
    module, rows, margins = linear_rows(16)
    weight = (module.weight[0] - module.weight[1]).detach()
    found = RayS(1500).nearest(lambda x: module(x).argmax(1), rows, Ball("linf", 1.0, 0.0, 1.0))
    true = margins / weight.abs().sum()
    assert (found.distance >= true - 1e-5).all()
    # signs are found exactly here; the radius is known to 1 in 128
    assert (found.distance / true).max() < 1.02


def test_hopskipjump_finds_the_margin_over_the_l2_norm_of_the_weights() -> None:
    module, rows, margins = linear_rows(16)
    weight = (module.weight[0] - module.weight[1]).detach()
    found = HopSkipJump(1500).nearest(
        lambda x: module(x).argmax(1), rows, Ball("l2", 1.0, 0.0, 1.0)
    )
    true = margins / weight.norm()
    assert (found.distance >= true - 1e-5).all()
    assert (found.distance / true).median() < 1.03


@pytest.mark.parametrize(
    ("attack", "ball"),
    [(RayS(300), Ball("linf", 0.02, 0.0, 1.0)), (HopSkipJump(400), Ball("l2", 0.06, 0.0, 1.0))],
)
class TestBoth:
    def test_a_row_stops_within_the_threat_and_is_wrong_in_a_fresh_pass(
        self, attack: Attack, ball: Ball
    ) -> None:
        module, rows, _ = linear_rows(16)
        model = AttackedModel(module, 2)
        found = attack(model, rows, ball)
        assert ball.allows(rows.inputs, found.inputs).all()
        hits = verified(model, rows, ball, found)
        assert torch.equal(hits, found.margin < 0)
        assert 5 <= hits.sum() <= 28
        assert found.forward is not None
        assert found.forward[hits].mean() < found.forward[~hits].mean()
        assert model.passes.backward == 0

    def test_the_cut_into_shards_changes_nothing(
        self, attack: RayS | HopSkipJump, ball: Ball
    ) -> None:
        module, rows, _ = linear_rows(16)

        def answers(inputs: Tensor) -> Tensor:
            return module(inputs.double().float()).argmax(1)

        whole = attack.nearest(answers, rows, ball)
        for cut in (torch.arange(8), torch.tensor([29, 4])):
            part = attack.nearest(answers, rows.take(cut), ball)
            torch.testing.assert_close(part.distance, whole.distance[cut], rtol=1e-3, atol=1e-4)

    def test_rows_that_are_wrong_and_eps_zero(self, attack: RayS | HopSkipJump, ball: Ball) -> None:
        module, rows, _ = linear_rows(16)
        wrong = torch.arange(30) < 10
        labels = torch.where(wrong, 1 - rows.labels, rows.labels)
        given = points(rows.inputs, labels)
        model = AttackedModel(module, 2)
        found = attack(model, given, Ball(ball.norm, 0.0, 0.0, 1.0))
        assert torch.equal(found.margin < 0, wrong)
        near = attack.nearest(lambda x: module(x).argmax(1), given, ball)
        assert torch.equal(near.distance == 0, wrong)
        assert (near.queries[wrong] == 1).all()

    def test_what_never_errs_is_never_broken(self, attack: RayS | HopSkipJump, ball: Ball) -> None:
        rows = points(torch.rand(3, 2, 2), torch.zeros(3, dtype=torch.int64))
        found = attack.nearest(lambda x: torch.zeros(len(x), dtype=torch.int64), rows, ball)
        assert torch.isinf(found.distance).all()
        assert torch.equal(found.inputs, rows.inputs)

    def test_what_the_model_raises_goes_up(self, attack: RayS | HopSkipJump, ball: Ball) -> None:
        calls = [0]

        def answers(inputs: Tensor) -> Tensor:
            calls[0] += 1
            if calls[0] > 20:
                raise RuntimeError("half-way")
            return (inputs.flatten(1).mean(1) > 0.5).long()

        rows = points(torch.full((3, 8), 0.4), torch.zeros(3, dtype=torch.int64))
        with pytest.raises(RuntimeError, match="half-way"):
            attack.nearest(answers, rows, ball)


def test_the_other_norm_is_refused() -> None:
    _, rows, _ = linear_rows(4)
    with pytest.raises(NotApplicable, match="HopSkipJump does"):
        RayS().nearest(lambda x: x, rows, Ball("l2", 1.0, 0.0, 1.0))
    with pytest.raises(NotApplicable, match="RayS does"):
        HopSkipJump().nearest(lambda x: x, rows, Ball("linf", 1.0, 0.0, 1.0))
