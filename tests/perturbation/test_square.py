"""Square attack: against worst cases known in closed form, hidden gradients, and any cut into shards."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import NotApplicable
from roadworthy.perturbation import square
from roadworthy.perturbation.attack import Points, verified
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.square import Square, bump
from roadworthy.perturbation.threat import Ball


def points(inputs: Tensor, labels: Tensor) -> Points:
    return Points(inputs, labels, RowNoise(np.arange(len(inputs), dtype=np.uint64) * 977 + 5))


def linear_rows(shape: tuple[int, ...], n: int = 40) -> tuple[nn.Module, Points, Tensor]:
    """A linear network of two classes, rows well inside 0 to 1, and its weights' difference."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2))
    inputs = torch.rand(n, *shape) * 0.2 + 0.4
    labels = module(inputs).argmax(1)
    return module, points(inputs, labels), (module[1].weight[0] - module[1].weight[1]).detach()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 5), (7, 7), (40,)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_square_comes_near_to_the_worst_margin_of_a_linear_network(
    shape: tuple[int, ...], norm: str
) -> None:
    module, rows, weight = linear_rows(shape)
    # the worst change of a linear margin is eps times the dual norm of the weights (Hoelder)
    dual = weight.abs().sum() if norm == "linf" else weight.norm()
    logits = module(rows.inputs).detach()
    clean = (logits[:, 0] - logits[:, 1]).abs()
    eps = float(clean.max() / dual * 0.8)
    found = Square(600)(AttackedModel(module, 2), rows, Ball(norm, eps, 0.0, 1.0))
    truly = clean < eps * dual
    assert ((found.margin < 0) <= truly).all()
    reached = (clean - found.margin) / (eps * dual)
    survivors = found.margin >= 0
    # weights without any order in space are the hardest for squares of one sign and one size
    assert reached[survivors].min() > (0.9 if norm == "linf" else 0.5)
    if norm == "linf":
        assert (found.margin < 0).sum() >= 0.85 * truly.sum()
    assert reached.max() <= 1.0001


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_point_is_allowed_and_what_is_called_wrong_is_wrong_in_a_fresh_pass(
    norm: str,
) -> None:
    module, rows, _ = linear_rows((1, 8, 8))
    for eps in (0.02, 0.1, 0.6):
        ball = Ball(norm, eps, 0.0, 1.0)
        model = AttackedModel(module, 2)
        found = Square(60)(model, rows, ball)
        assert ball.allows(rows.inputs, found.inputs).all()
        assert torch.equal(verified(model, rows, ball, found), found.margin < 0)


class _Rounded(nn.Module):
    """Hard rounding of the inputs: the gradient is zero everywhere."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        return self.inner((inputs * 16).round() / 16)


def test_square_breaks_what_rounding_hides_from_gradients() -> None:
    module, rows, weight = linear_rows((1, 8, 8))
    masked = _Rounded(module)
    rows = points(rows.inputs, masked(rows.inputs).argmax(1))
    at = rows.inputs.clone().requires_grad_()
    (slope,) = torch.autograd.grad(masked(at).sum(), at)
    assert (slope == 0).all()
    ball = Ball("linf", 0.2, 0.0, 1.0)
    found = Square(500)(AttackedModel(masked, 2), rows, ball)
    # rounding to 1/16 leaves at least .2 - 1/32 of every element's change
    logits = masked(rows.inputs).detach()
    breakable = (logits[:, 0] - logits[:, 1]).abs() < (0.2 - 1 / 32) * weight.abs().sum()
    assert breakable.sum() > 20
    assert ((found.margin < 0) >= breakable).float().mean() > 0.9


def _small_network() -> tuple[nn.Module, Points]:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
    )
    inputs = torch.rand(30, 1, 8, 8)
    return module, points(inputs, module(inputs).argmax(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_cut_into_shards_and_the_order_of_rows_change_nothing(norm: str) -> None:
    module, rows = _small_network()
    ball = Ball(norm, 0.03 if norm == "linf" else 0.2, 0.0, 1.0)
    model = AttackedModel(module, 10)
    whole = Square(150)(model, rows, ball)
    assert 3 < (whole.margin < 0).sum() < 27
    for cut in (torch.arange(0, 7), torch.tensor([29, 3, 11]), torch.arange(7, 30)):
        part = Square(150)(model, rows.take(cut), ball)
        assert torch.equal(part.margin < 0, whole.margin[cut] < 0)
        torch.testing.assert_close(part.inputs, whole.inputs[cut])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_squares_laid_out_ahead_are_those_of_one_step_at_a_time(
    norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, rows = _small_network()
    ball = Ball(norm, 0.03 if norm == "linf" else 0.2, 0.0, 1.0)
    ahead = Square(150)(AttackedModel(module, 10), rows, ball)
    monkeypatch.setattr(square, "LAID_OUT", 1)
    one = Square(150)(AttackedModel(module, 10), rows, ball)
    # rows leave on the way and windows shrink, and what was laid out for them is drawn anew
    assert 3 < (one.margin < 0).sum() < 27
    assert torch.equal(ahead.inputs, one.inputs)
    assert torch.equal(ahead.margin, one.margin)


def test_rows_are_left_alone_and_queries_are_counted() -> None:
    module, rows, _ = linear_rows((1, 8, 8))
    before = rows.inputs.clone()
    model = AttackedModel(module, 2)
    found = Square(50)(model, rows, Ball("linf", 1e-4, 0.0, 1.0))
    assert torch.equal(rows.inputs, before)
    assert found.forward is not None
    assert found.forward.sum() == model.passes.forward
    assert (found.forward[found.margin >= 0] == 50).all()
    assert model.passes.backward == 0


def test_eps_zero_is_the_clean_answer() -> None:
    module, rows = _small_network()
    wrong = points(rows.inputs, (rows.labels + torch.arange(30) % 2) % 10)
    model = AttackedModel(module, 10)
    found = Square(100)(model, wrong, Ball("linf", 0.0, 0.0, 1.0))
    assert torch.equal(found.inputs, rows.inputs)
    assert torch.equal(found.margin < 0, torch.arange(30) % 2 == 1)
    assert model.passes.forward == 30


def test_what_the_network_raises_goes_up() -> None:
    class Breaks(nn.Module):
        calls = 0

        def forward(self, inputs: Tensor) -> Tensor:
            self.calls += 1
            if self.calls > 5:
                raise RuntimeError("half-way")
            return torch.stack([inputs.flatten(1).sum(1), torch.zeros(len(inputs))], 1)

    rows = points(torch.rand(4, 1, 4, 4), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="half-way"):
        Square(100)(AttackedModel(Breaks(), 2), rows, Ball("linf", 0.01, 0.0, 1.0))


def test_an_answer_that_is_not_a_number_is_a_break() -> None:
    class Undefined(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            total = inputs.flatten(1).sum(1)
            clean = torch.stack([10 - total, torch.zeros(len(inputs))], 1)
            return torch.where((total > 8.5)[:, None], torch.nan, clean)

    rows = points(torch.full((3, 1, 4, 4), 0.5), torch.zeros(3, dtype=torch.int64))
    model = AttackedModel(Undefined(), 2)
    ball = Ball("linf", 0.1, 0.0, 1.0)
    found = Square(200)(model, rows, ball)
    assert (found.margin < 0).all()
    assert verified(model, rows, ball, found).all()


def test_l1_is_refused() -> None:
    module, rows, _ = linear_rows((4,), n=3)
    with pytest.raises(NotApplicable, match="Linf or L2"):
        Square(10)(AttackedModel(module, 2), rows, Ball("l1", 1.0, 0.0, 1.0))


def test_a_bump_has_length_one_and_halves_of_opposite_sign() -> None:
    whole = bump(4, 3)
    assert whole.norm() == pytest.approx(1.0)
    assert (whole[:2] >= 0).all()
    assert torch.equal(whole[2:], -whole[:2])
    # frames 1 and 1/4 around the middle of a 2 x 3 half: column 1 of row 1 gets both
    assert (whole[1, 1] / whole[0, 0]).item() == pytest.approx(1.25 / 0.25)
