"""The centre of a plateau is chosen before a peak that is better and narrow."""

import numpy as np
import pytest

from roadworthy.challenges.hyperparameters.plateau import plateau_centre, smoothed


def plateau_and_pit(points: np.ndarray) -> np.ndarray:
    """.10 on a broad plateau around .7, .05 in a pit of width .03 at .15, .4 elsewhere."""
    errors = np.where(np.abs(points - 0.7) < 0.2, 0.1, 0.4)
    return np.where(np.abs(points - 0.15) < 0.015, 0.05, errors)


def test_a_broad_plateau_is_chosen_before_a_narrow_pit() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        points = np.append(rng.random(24), 0.15)
        errors = plateau_and_pit(points)
        assert errors.argmin() == 24 or points[errors.argmin()] < 0.2
        assert abs(points[plateau_centre(points[:, None], errors)] - 0.7) < 0.2


def test_the_middle_of_a_plateau_is_chosen_before_its_rim() -> None:
    points = np.linspace(0, 1, 41)[:, None]
    errors = np.where(np.abs(points[:, 0] - 0.5) < 0.2, 0.1, 0.5)
    assert abs(float(points[plateau_centre(points, errors), 0]) - 0.5) < 0.06


def test_a_trial_without_neighbours_proves_less_than_one_with_good_ones() -> None:
    near = np.full((5, 2), 0.8) + np.linspace(-0.03, 0.03, 5)[:, None]
    points = np.vstack([[[0.05, 0.05]], near, [[0.5, 0.1], [0.1, 0.6], [0.4, 0.4]]])
    errors = np.array([0.09, *[0.1] * 5, 0.4, 0.4, 0.4])
    assert plateau_centre(points, errors) in range(1, 6)


def test_one_trial_is_its_own_plateau() -> None:
    assert plateau_centre(np.array([[0.3, 0.4]]), np.array([0.2])) == 0
    assert smoothed(np.array([[0.3]]), np.array([0.2])).tolist() == pytest.approx([0.2])
