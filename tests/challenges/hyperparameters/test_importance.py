"""Shares of the variance are those of functions whose shares are known."""

import numpy as np
import pytest

from roadworthy.challenges.hyperparameters.importance import hyperparameter_importance, shares_of
from roadworthy.challenges.hyperparameters.settings import space_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Intervals
from roadworthy.subject import Recipe, Task

TASK = Task("multiclass", ("a", "b", "c"))


def test_an_additive_function_is_divided_by_its_variances() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((300, 3))
    values = 3.0 * points[:, 0] + points[:, 1]  # variances 9/12 and 1/12: shares .9, .1, 0
    shares, redrawn = shares_of(points, values, rng, 2)
    assert shares == pytest.approx([0.9, 0.1, 0.0, 0.0], abs=0.06)  # a forest makes steps
    assert shares.sum() == pytest.approx(1.0)
    assert redrawn.shape == (2, 4)


def test_what_two_do_together_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    points = rng.random((600, 2))
    # (x - 1/2)(y - 1/2): constant along either axis once the other is averaged out
    shares, _ = shares_of(points, (points[:, 0] - 0.5) * (points[:, 1] - 0.5), rng, 1)
    assert shares[2] > 0.8


def test_the_note_names_the_setting_that_matters_and_warns_of_few() -> None:
    rng = np.random.default_rng(2)
    recipe, rows = Recipe(), np.arange(900)
    space = space_of(recipe, len(rows), is_class=True)
    settings = {d.name: np.array([d.at(p) for p in rng.random(29)]) for d in space}
    position = np.array([space[0].position(v) for v in settings["learning_rate"]])
    errors = rng.random((29, 500)) < (0.05 + 0.6 * position)[:, None]
    found = hyperparameter_importance(settings, errors, rows, recipe, TASK, rng)
    assert found.value > 0.7
    assert "learning rate" in found.details
    assert "unstable" in found.details
    (intervals,) = found.evidence
    assert isinstance(intervals, Intervals)
    assert intervals.labels[-1] == "several together"
    assert all(
        low <= value <= high
        for low, value, high in zip(intervals.lows, intervals.values, intervals.highs, strict=True)
    )


def test_settings_that_are_all_alike_have_nothing_to_divide() -> None:
    recipe, rows = Recipe(), np.arange(900)
    settings = {d.name: np.full(9, d.low) for d in space_of(recipe, 900, is_class=True)}
    with pytest.raises(NotApplicable, match="equally well"):
        hyperparameter_importance(
            settings, np.zeros((9, 50), bool), rows, recipe, TASK, np.random.default_rng(0)
        )
