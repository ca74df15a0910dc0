"""FAB: distances of linear networks in closed form, projections against scipy, and any cut into shards."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor, nn

from roadworthy.perturbation.attack import Points, verified
from roadworthy.perturbation.fab import Fab, onto_plane
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball

ORDER = {"linf": 1.0, "l2": 2.0, "l1": float("inf")}  # of the dual norm


def points(inputs: Tensor, labels: Tensor) -> Points:
    return Points(inputs, labels, RowNoise(np.arange(len(inputs), dtype=np.uint64)))


def linear_rows(classes: int) -> tuple[nn.Linear, Points]:
    torch.manual_seed(1)
    module = nn.Linear(20, classes)
    inputs = torch.rand(50, 20) * 0.1 + 0.45
    return module, points(inputs, module(inputs).argmax(1))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("classes", [2, 6])
def test_distance_of_a_linear_network_is_the_margin_over_the_dual_norm(
    norm: str, classes: int
) -> None:
    module, rows = linear_rows(classes)
    found = Fab(30).nearest(AttackedModel(module, classes), rows, Ball(norm, 1.0, -50.0, 50.0))
    logits = module(rows.inputs).detach()
    lead = logits.gather(1, rows.labels[:, None]) - logits
    slopes = module.weight.detach()[rows.labels][:, None] - module.weight.detach()[None]
    dual = torch.linalg.vector_norm(slopes, ord=ORDER[norm], dim=2)
    true = (lead / dual).nan_to_num(nan=torch.inf).amin(1)
    np.testing.assert_allclose(found.distance.numpy(), true.numpy(), rtol=0.01)


def test_a_share_of_broken_rows_for_every_eps_from_one_search() -> None:
    module, rows = linear_rows(2)
    found = Fab(20).nearest(AttackedModel(module, 2), rows, Ball("l2", 1.0, -50.0, 50.0))
    nearest = np.sort(found.distance.numpy())
    np.testing.assert_allclose(found.broken(np.array([nearest[9], nearest[-1]])), [0.2, 1.0])


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_stops_within_the_threat_and_what_is_called_wrong_is_wrong_in_a_fresh_pass(
    norm: str,
) -> None:
    module, rows = linear_rows(4)
    model = AttackedModel(module, 4)
    far = Fab(20).nearest(model, rows, Ball(norm, 1.0, 0.0, 1.0)).distance
    ball = Ball(norm, float(far.median()) * 1.02, 0.0, 1.0)
    found = Fab(60)(model, rows, ball)
    assert ball.allows(rows.inputs, found.inputs).all()
    hits = verified(model, rows, ball, found)
    assert torch.equal(hits, found.margin < 0)
    assert 0.45 < hits.float().mean() < 0.6


def test_eps_zero_and_rows_that_are_wrong_already() -> None:
    module, rows = linear_rows(3)
    labels = torch.where(torch.arange(50) < 20, (rows.labels + 1) % 3, rows.labels)
    model = AttackedModel(module, 3)
    found = Fab(5)(model, points(rows.inputs, labels), Ball("l2", 0.0, 0.0, 1.0))
    assert torch.equal(found.inputs, rows.inputs)
    assert torch.equal(found.margin < 0, torch.arange(50) < 20)
    near = Fab(5).nearest(model, points(rows.inputs, labels), Ball("l2", 0.0, 0.0, 1.0))
    assert torch.equal(near.distance == 0, torch.arange(50) < 20)


def test_without_any_gradient_nothing_is_found() -> None:
    class Flat(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            total = (inputs * 0).sum(1)
            return torch.stack([total + 1, total], 1)

    rows = points(torch.rand(3, 5), torch.zeros(3, dtype=torch.int64))
    found = Fab(5).nearest(AttackedModel(Flat(), 2), rows, Ball("linf", 1.0, 0.0, 1.0))
    assert torch.isinf(found.distance).all()
    assert torch.equal(found.inputs, rows.inputs)


def test_the_cut_into_shards_changes_nothing() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 8))
    inputs = torch.rand(24, 30)
    rows = points(inputs, module(inputs).argmax(1))
    model, ball = AttackedModel(module, 8), Ball("l2", 0.3, 0.0, 1.0)
    whole = Fab(20).nearest(model, rows, ball)
    for cut in (torch.arange(5), torch.tensor([20, 3])):
        part = Fab(20).nearest(model, rows.take(cut), ball)
        np.testing.assert_allclose(part.distance, whole.distance[cut], rtol=1e-4)


def test_linf_projection_is_that_of_a_linear_program() -> None:
    normal, inputs, value = _planes(seed=0)
    ball = Ball("linf", 1.0, 0.0, 1.0)
    change = onto_plane(inputs, normal, value, ball)
    for w, x, b, found in zip(normal, inputs, value, change, strict=True):
        d = len(w)
        # minimise t subject to w.(x + c) = b, |c| <= t, 0 <= x + c <= 1
        bound = np.block([[np.eye(d), -np.ones((d, 1))], [-np.eye(d), -np.ones((d, 1))]])
        solved = linprog(
            np.append(np.zeros(d), 1.0),
            A_ub=bound,
            b_ub=np.zeros(2 * d),
            A_eq=np.append(w.numpy(), 0.0)[None],
            b_eq=[float(b - w @ x)],
            bounds=[*((-float(v), 1.0 - float(v)) for v in x), (0, None)],
        )
        assert float(w @ (x + found)) == pytest.approx(float(b), abs=1e-4)
        assert float(found.abs().max()) == pytest.approx(solved.fun, abs=1e-4)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_l2_and_l1_projections_are_the_shortest_within_the_range(norm: str) -> None:
    normal, inputs, value = _planes(seed=1)
    change = onto_plane(inputs, normal, value, Ball(norm, 1.0, 0.0, 1.0))
    assert ((inputs + change >= -1e-5) & (inputs + change <= 1 + 1e-5)).all()
    for w, x, b, found in zip(normal, inputs, value, change, strict=True):
        assert float(w @ (x + found)) == pytest.approx(float(b), abs=1e-4)
        if norm == "l2":
            solved = minimize(
                lambda c: c @ c,
                found.numpy() * 0.9,
                jac=lambda c: 2 * c,
                constraints={
                    "type": "eq",
                    "fun": lambda c, w=w, x=x, b=b: float(w.numpy() @ (x.numpy() + c) - b),
                    "jac": lambda c, w=w: w.numpy(),
                },
                bounds=[(-float(v), 1.0 - float(v)) for v in x],
                options={"ftol": 1e-10, "maxiter": 300},
            )
            assert float(found.norm()) == pytest.approx(float(np.sqrt(solved.fun)), rel=5e-3)
        else:
            # c = p - q with p, q >= 0
            d, both = len(w), np.concatenate([w.numpy(), -w.numpy()])
            solved = linprog(
                np.ones(2 * d),
                A_eq=both[None],
                b_eq=[float(b - w @ x)],
                bounds=[*((0, 1 - float(v)) for v in x), *((0, float(v)) for v in x)],
            )
            assert float(found.abs().sum()) == pytest.approx(solved.fun, abs=1e-4)


def test_an_unreachable_plane_is_approached_to_the_ends_of_the_range() -> None:
    inputs = torch.full((1, 3), 0.5)
    normal = torch.tensor([[1.0, -2.0, 0.0]])
    change = onto_plane(inputs, normal, torch.tensor([9.0]), Ball("l2", 1.0, 0.0, 1.0))
    torch.testing.assert_close(change, torch.tensor([[0.5, -0.5, 0.0]]))


def _planes(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Planes that cut the box, so that the range binds for many elements."""
    rng = np.random.default_rng(seed)
    normal = torch.tensor(rng.normal(size=(25, 6)), dtype=torch.float32)
    inputs = torch.tensor(rng.uniform(size=(25, 6)), dtype=torch.float32)
    reached = torch.tensor(rng.uniform(size=(25, 6)), dtype=torch.float32)
    return normal, inputs, (normal * reached).sum(1)
