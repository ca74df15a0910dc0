"""A threat allows what it says: projections are nearest points, starts lie inside, steps are steepest."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from roadworthy.errors import UserError
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball

NORMS = ("linf", "l2", "l1")
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def rows(n: int = 40, d: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((n, d)).astype(np.float32))


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_projected_is_allowed_and_what_is_allowed_stays(norm: str) -> None:
    ball = Ball(norm, 0.7, 0.0, 1.0)
    origin = rows()
    moved = origin + 3 * (rows(seed=1) - 0.5)
    there = ball.project(origin, moved)
    assert bool(ball.allows(origin, there).all())
    torch.testing.assert_close(ball.project(origin, there), there, atol=2e-6, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_distance_is_numpys_norm(norm: str) -> None:
    origin, moved = rows(), rows(seed=1)
    expected = np.linalg.norm((moved - origin).numpy(), ORDER[norm], axis=1)
    found = Ball(norm, 1.0, 0.0, 1.0).distance(origin, moved)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_a_projection_onto_the_ball_is_the_nearest_point_of_it(norm: str) -> None:
    ball = Ball(norm, 0.8, -100.0, 100.0)  # the range cuts nothing off
    origin, moved = rows(6, 5), rows(6, 5) + 2 * (rows(6, 5, 1) - 0.5)
    found = ball.project(origin, moved).numpy().astype(float)
    for x0, x, at in zip(origin.numpy(), moved.numpy(), found, strict=True):
        if norm == "l2":
            limits = [{"type": "ineq", "fun": lambda z, x0=x0: 0.8**2 - ((z - x0) ** 2).sum()}]
            start = x0.astype(float)
            nearest = optimize.minimize(
                lambda z, x=x: ((z - x) ** 2).sum(), start, constraints=limits, tol=1e-12
            ).x
        else:  # z = x0 + u - v with u, v >= 0: smooth
            size = len(x0)
            split = optimize.minimize(
                lambda w, x=x, x0=x0, k=size: ((x0 + w[:k] - w[k:] - x) ** 2).sum(),
                np.zeros(2 * size),
                bounds=[(0, None)] * (2 * size),
                constraints=[{"type": "ineq", "fun": lambda w: 0.8 - w.sum()}],
                tol=1e-12,
            ).x
            nearest = x0 + split[:size] - split[size:]
        np.testing.assert_allclose(at, nearest, atol=2e-3)


def test_a_projection_in_linf_is_two_clips() -> None:
    origin, moved = rows(), rows() + 2 * (rows(seed=1) - 0.5)
    found = Ball("linf", 0.1, 0.0, 1.0).project(origin, moved)
    x, z, eps = origin.numpy(), moved.numpy(), np.float32(0.1)
    np.testing.assert_array_equal(found.numpy(), np.clip(np.clip(z, x - eps, x + eps), 0, 1))


@pytest.mark.parametrize("norm", NORMS)
def test_starts_are_allowed_differ_between_rows_and_are_the_rows_own(norm: str) -> None:
    ball, origin = Ball(norm, 0.5, 0.0, 1.0), rows()
    noise = RowNoise(np.arange(40, dtype=np.uint64))
    start = ball.start(origin, noise, "a")
    assert bool(ball.allows(origin, start).all())
    assert bool((ball.distance(origin, start) > 0).all())
    part = ball.start(origin[7:9], noise.take(np.array([7, 8])), "a")
    torch.testing.assert_close(start[7:9], part)


@pytest.mark.parametrize("norm", NORMS)
def test_no_step_of_length_1_follows_the_gradient_further(norm: str) -> None:
    gradient = rows() - 0.5
    step = Ball(norm, 1.0, 0.0, 1.0).ascend(gradient)
    assert np.linalg.norm(step.numpy(), ORDER[norm], axis=1) == pytest.approx(1.0, abs=1e-5)
    dual = {"linf": 1, "l2": 2, "l1": np.inf}[norm]  # Hoelder: the most that a step can gain
    expected = np.linalg.norm(gradient.numpy(), dual, axis=1)
    assert (step * gradient).sum(1).numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_too_far_outside_or_no_number_is_not_allowed(norm: str) -> None:
    ball, origin = Ball(norm, 0.1, 0.0, 1.0), torch.full((4, 3), 0.95)
    moved = origin.clone()
    moved[0, 0] += 0.0501  # outside of the range
    moved[1, 1] -= 0.101  # too far
    moved[2, 2] = float("nan")
    assert ball.allows(origin, moved).tolist() == [False, False, False, True]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1000.0, 3.0), (0.0, 255.0)])
@given(
    share=st.floats(-7, -0.5).map(lambda power: 10.0**power),
    seed=st.integers(0, 2**31),
    d=st.sampled_from([1, 3, 64, 3072]),
)
def test_what_is_projected_is_allowed_down_to_a_ten_millionth_of_the_range(
    norm: str, low: float, high: float, share: float, seed: int, d: int
) -> None:
    rng, width = np.random.default_rng(seed), high - low
    # L2 and L1 sizes as they are stated: a mean change of each element, from a hundred-thousandth of it to itself.
    ball = Ball(norm, share * width * float(rng.choice([1.0, d**0.5])), low, high)
    origin = torch.from_numpy(rng.uniform(low, high, (5, d)).astype(np.float32)).clamp(low, high)
    far = origin + torch.from_numpy(rng.normal(size=(5, d)).astype(np.float32)) * (3 * ball.eps)
    there = ball.project(origin, far)
    assert bool(ball.allows(origin, there).all())
    assert bool(ball.allows(origin, ball.project(origin, there)).all())
    step = ball.project(origin, there + ball.ascend(far - origin) * (2 * ball.eps))
    assert bool(ball.allows(origin, step).all())
    assert bool(ball.allows(origin, origin).all())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [1e-7, 1e-6, 1e-4, 0.1])
def test_no_more_is_allowed_than_rounding_explains(norm: str, eps: float) -> None:
    # Around 0 float32 is fine: 1e-7 is no rounding of 0.
    ball, origin = Ball(norm, eps, -1.0, 1.0), torch.zeros(1, 64)
    beyond = origin.clone()
    beyond[0, 5] = 1.001 * eps
    assert not bool(ball.allows(origin, beyond).any())
    # At 0.75 float32 has steps of 2^-24, and rounding explains half of one: two are too many in every norm.
    origin = torch.full((1, 64), 0.75)
    assert not bool(Ball(norm, 1e-9, 0.0, 1.0).allows(origin, origin + 2.0**-23).any())


def test_a_ball_of_no_size_holds_its_centre_alone() -> None:
    origin = rows()
    for norm in NORMS:
        ball = Ball(norm, 0.0, 0.0, 1.0)
        assert torch.equal(ball.project(origin, rows(seed=1)), origin)
        assert not bool(ball.allows(origin, origin + 1e-4).any())
        assert bool(ball.allows(origin, origin).all())
        next_to_it = torch.nextafter(origin, torch.tensor(2.0))
        assert not bool(ball.allows(origin, next_to_it).any())


@pytest.mark.parametrize(("eps", "low", "high"), [(-0.1, 0, 1), (float("nan"), 0, 1), (0.1, 1, 1)])
def test_a_threat_that_means_nothing_is_refused(eps: float, low: float, high: float) -> None:
    with pytest.raises(UserError):
        Ball("linf", eps, low, high)
