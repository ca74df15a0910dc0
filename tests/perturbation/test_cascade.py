"""One attack after another: each on those that stand, every claim confirmed, no failure taken for robustness."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.budgets import budget
from roadworthy.perturbation.cascade import (
    COLUMNS,
    OnNearlyBroken,
    Outcomes,
    cascade,
    continued,
    remade,
)
from roadworthy.perturbation.gradient_attacks import Apgd, Fgsm, TargetedApgd
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball

BALL = Ball("linf", 0.1, -10.0, 10.0)


class Curved(nn.Module):
    """A network with bends, so that attacks differ in what they find."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(3)
        self.first = nn.Parameter(torch.from_numpy(rng.normal(size=(64, 16)).astype(np.float32)))
        self.last = nn.Parameter(torch.from_numpy(rng.normal(size=(6, 64)).astype(np.float32)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.sin(inputs.flatten(1) @ self.first.T) @ self.last.T


@dataclass(frozen=True)
class Planted:
    """An attack that gives back what it is told to, and notes how many rows it was given."""

    name: str = "planted"
    shift: float = 0.0
    margin: float = 1.0
    given: list[int] = field(default_factory=list)

    def __call__(self, model: AttackedModel, points: Points, threat: Ball) -> Found:
        self.given.append(len(points))
        return Found(points.inputs + self.shift, torch.full((len(points),), self.margin))


def curved(n: int = 60, wrong: int = 5, seed: int = 0) -> tuple[AttackedModel, Points]:
    net = Curved().requires_grad_(False)
    inputs = torch.from_numpy(np.random.default_rng(5).normal(size=(n, 4, 4)).astype(np.float32))
    labels = net(inputs).argmax(1)
    labels[:wrong] = (labels[:wrong] + 1) % 6
    ids = np.random.default_rng(7).integers(0, 2**63, n).astype(np.uint64)
    return AttackedModel(net, 6), Points(inputs, labels, RowNoise(ids, seed))


ATTACKS = (Fgsm(), Apgd(10), TargetedApgd(), OnNearlyBroken(Apgd(30), 0.3))


def test_every_row_is_wrong_before_broken_or_standing_and_broken_inputs_can_be_made_again() -> None:
    model, points = curved()
    table = cascade(model, points, BALL, ATTACKS)
    found = Outcomes(table)
    assert table.shape == (60, len(COLUMNS))
    assert found.attacked.all()
    assert (~found.correct).sum() == 5
    assert 10 < found.broken.sum() < 55
    assert (found.standing | found.broken | ~found.correct).all()
    again = remade(model, points, BALL, ATTACKS, table)
    off = (model.logits(again).argmax(1) != points.labels).numpy()
    assert np.array_equal(off, ~found.standing)
    assert bool(BALL.allows(points.inputs, again).all())
    assert torch.equal(
        again[~torch.from_numpy(found.broken)], points.inputs[~torch.from_numpy(found.broken)]
    )


def test_distances_lie_within_the_threat_and_are_0_for_what_was_wrong() -> None:
    model, points = curved()
    found = Outcomes(cascade(model, points, BALL, ATTACKS))
    assert (found.distance[~found.correct] == 0).all()
    assert (found.distance[found.broken] > 0).all()
    assert (found.distance[found.broken] <= 0.1 * (1 + 1e-5)).all()
    assert np.isinf(found.distance[found.standing]).all()


def test_shards_give_what_the_whole_gives() -> None:
    model, points = curved()
    whole = cascade(model, points, BALL, ATTACKS)
    parts = [
        cascade(model, points.take(torch.arange(first, min(first + 7, 60))), BALL, ATTACKS)
        for first in range(0, 60, 7)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-3, atol=1e-3)


def test_passes_of_rows_add_up_to_those_of_the_model() -> None:
    model, points = curved()
    found = Outcomes(cascade(model, points, BALL, ATTACKS))
    assert found.column("forward").sum() == pytest.approx(model.passes.forward)
    assert found.column("backward").sum() == pytest.approx(model.passes.backward)


def test_an_attack_is_given_only_those_that_stand() -> None:
    model, points = curved()
    planted = Planted()
    found = Outcomes(cascade(model, points, BALL, (Apgd(10), planted)))
    assert planted.given == [int(found.standing.sum())]


def test_at_eps_0_rows_stand_exactly_where_the_answer_is_right() -> None:
    model, points = curved()
    planted = Planted()
    for norm in ("linf", "l2", "l1"):
        ball = Ball(norm, 0.0, -10.0, 10.0)
        found = Outcomes(cascade(model, points, ball, (planted, TargetedApgd())))
        right = (model.logits(points.inputs).argmax(1) == points.labels).numpy()
        assert np.array_equal(found.standing, right)
    assert planted.given == []


def test_a_claim_that_a_fresh_pass_does_not_confirm_is_no_break() -> None:
    model, points = curved()
    found = Outcomes(cascade(model, points, BALL, (Planted(margin=-1.0),)))
    assert not found.broken.any()


def test_what_lies_outside_of_the_threat_is_refused() -> None:
    model, points = curved()
    with pytest.raises(UserError, match="planted left the threat"):
        cascade(model, points, BALL, (Planted(shift=0.2),))


def test_an_attack_that_raises_half_way_is_no_robust_row() -> None:
    class Failing(Curved):
        calls = 0

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 12:
                raise RuntimeError("lost the connection")
            return super().forward(inputs)

    _, points = curved()
    with pytest.raises(RuntimeError, match="connection"):
        cascade(AttackedModel(Failing(), 6), points, BALL, ATTACKS)


def test_an_answer_that_is_not_a_number_is_wrong() -> None:
    class Hole(Curved):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            logits = super().forward(inputs)
            return torch.where(inputs.flatten(1)[:, :1] > 0.05, torch.nan, logits)

    _, points = curved(wrong=0)
    inputs = points.inputs.clone()
    inputs[:, 0, 0] = 0.0
    net = Hole().requires_grad_(False)
    points = Points(inputs, net(inputs).argmax(1), points.noise)
    found = Outcomes(cascade(AttackedModel(net, 6), points, BALL, (Apgd(20), TargetedApgd())))
    assert found.broken.any()
    assert np.isfinite(found.column("margin")).all()


def test_a_second_cascade_goes_on_where_the_first_ended() -> None:
    model, points = curved()
    first = cascade(model, points, BALL, ATTACKS[:1])
    both = continued(first, model, points, BALL, ATTACKS[1:], first=1)
    whole = cascade(model, points, BALL, ATTACKS)
    kept = [COLUMNS.index(name) for name in ("correct", "broken", "attack", "distance", "margin")]
    np.testing.assert_allclose(both[:, kept], whole[:, kept], atol=1e-4)
    assert np.array_equal(first, continued(first, model, points, BALL, (), first=1), equal_nan=True)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_more_budget_has_more_attacks_and_none_needs_gradients_without(norm: str) -> None:
    ball = Ball(norm, 0.1, 0.0, 1.0)
    quick, adaptive, standard = (budget(name, ball) for name in ("quick", "adaptive", "standard"))
    assert set(quick.gradient[:2]) <= set(adaptive.gradient)
    assert {a.name for a in adaptive.escalated} == {a.name for a in standard.first[2:]}
    if norm != "l1":
        for name in ("quick", "adaptive", "standard"):
            blind = budget(name, ball, has_gradients=False)
            assert blind.gradient == ()
            assert all("Square" in attack.name for attack in blind.every)
            assert blind.every


def test_two_and_three_classes_are_attacked_too() -> None:
    for classes in (2, 3):
        net = nn.Sequential(nn.Flatten(), nn.Linear(16, classes)).requires_grad_(False)
        inputs = torch.from_numpy(np.random.default_rng(5).normal(size=(30, 16)).astype(np.float32))
        points = Points(inputs, net(inputs).argmax(1), RowNoise(np.arange(30, dtype=np.uint64)))
        ball = Ball("linf", 0.1, -10.0, 10.0)
        found = Outcomes(
            cascade(AttackedModel(net, classes), points, ball, budget("quick", ball).first)
        )
        weight = net[1].weight.numpy().astype(float)
        logits = net(inputs).numpy()
        y = points.labels.numpy()
        lead = logits[np.arange(30), y][:, None] - logits
        size = np.abs(weight[y][:, None] - weight[None]).sum(2)
        nearest = np.where(size > 0, lead / np.maximum(size, 1e-9), np.inf).min(1)
        clear = np.abs(nearest / 0.1 - 1) > 0.02
        assert np.array_equal(found.broken[clear], (nearest < 0.1)[clear])
