"""Bias and variance add up exactly, by hand and by simulation; another width is told apart from luck."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.generalization.capacity import (
    capacity_curve,
    decomposed,
    guess_squared_error,
    jackknife_error,
    one_hot,
    training_variance,
)
from roadworthy.challenges.generalization.retraining import (
    architecture_rows,
    bootstrap_rows,
    bootstrap_share,
    compared_rows,
    retrained_answers,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Curve
from roadworthy.statistics import judge


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_parts_of_the_error_worked_by_hand() -> None:
    # One row, truth 1; draws answer 0 and 2 (seeds alike), then 1 and 3.
    answers = np.array([[[[0.0]], [[2.0]]], [[[1.0]], [[3.0]]]])
    found = decomposed(answers, np.array([[1.0]]))
    assert found.error == pytest.approx((1 + 1 + 0 + 4) / 4)
    # Means of draws 1 and 2: B = 0.5. Within: variances 2 and 2: W = 2. B + W / 2 = 1.5.
    assert found.variance == pytest.approx(1.5)
    assert found.of_seed == pytest.approx(2.0)
    # |1.5 - 1|^2 - B / 2 = 0: all of the error is variance
    assert found.bias == pytest.approx(0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 999))
def test_bias_and_variance_add_up_to_the_error_of_every_row(
    d: int, s: int, n: int, seed: int
) -> None:
    answers = rng(seed).dirichlet(np.ones(3), (d, s, n))
    truth = np.eye(3)[rng(seed).integers(0, 3, n)]
    found = decomposed(answers, truth)
    np.testing.assert_allclose(found.bias + found.variance, found.error, atol=1e-12)
    mean = answers.mean(axis=(0, 1))
    between = answers.mean(axis=1).var(axis=0, ddof=1).sum(axis=1)
    np.testing.assert_allclose(found.bias, ((mean - truth) ** 2).sum(axis=1) - between / d)


def test_the_noise_of_the_labels_is_in_the_bias() -> None:
    # Ten rows alike, 7 of class 1 and 3 of class 0: noise 1 - .49 - .09 = .42 whatever is answered.
    answers = np.broadcast_to([0.3, 0.7], (3, 2, 10, 2))
    truth = np.eye(2)[[1] * 7 + [0] * 3]
    found = decomposed(answers, truth)
    assert found.bias.mean() == pytest.approx(0.42)
    assert found.variance.mean() == pytest.approx(0.0)


def test_the_variance_is_unbiased_and_its_jackknife_error_honest() -> None:
    estimates, errors = [], []
    for seed in range(300):
        of_draws = rng(seed).normal(size=(4, 1, 1, 1)) * rng(seed + 1).normal(size=(1, 1, 20, 1))
        of_seeds = 0.5 * rng(seed + 2).normal(size=(4, 3, 20, 1))
        answers = of_draws + of_seeds
        estimates.append(decomposed(answers, np.zeros((20, 1))).variance.mean())
        errors.append(jackknife_error(answers))
    assert np.mean(estimates) == pytest.approx(1.25, abs=4 * np.std(estimates) / np.sqrt(300))
    assert np.mean(np.square(errors)) > 0.5 * np.var(estimates)


def test_the_yardstick_is_the_error_of_the_shares_or_of_the_mean() -> None:
    assert guess_squared_error(train_labels=np.array([0, 0, 1, 1])) == 0.5
    assert guess_squared_error(train_targets=np.array([-1.0, 1.0, -1.0, 1.0])) == 1.0
    for nothing in (np.zeros(4, int), None):
        with pytest.raises(NotApplicable):
            guess_squared_error(train_labels=nothing)


def test_of_fewer_rows_than_there_are_nothing_can_fail() -> None:
    answers = rng().normal(size=(4, 2, 400, 1))
    targets = np.zeros(400)
    whole = training_variance(answers, 1.0, 1.0, None, targets)
    part = training_variance(answers, 1.0, 0.1, None, targets)
    assert judge(whole, AtMost(0.1, "test")).verdict == "fail"
    assert (part.value, part.high, part.low) == (whole.value, whole.high, 0.0)
    assert "With all training rows the variance is smaller" in part.details
    assert whole.seeds == 8


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_a_model_shaken_by_its_seed_varies_more(kind: str, data: Callable[..., Any]) -> None:
    d = data(kind)
    labels = d.train_target if kind == "multiclass" else None
    rows = bootstrap_rows(d.train_inputs, rng(), draws=4)
    compared = compared_rows(d.test_inputs, rng())
    truth = (d.test_target, None) if kind == "multiclass" else (None, d.test_target)
    found = []
    for shake in ("0", "0.5"):
        trainer = d.trainer(shake)
        answers = retrained_answers(trainer, rows, d.test_inputs, compared, labels, seeds=2)
        assert answers.shape == (4, 2, 200, 3 if kind == "multiclass" else 1)
        seeds = [variant.recipe.seed for variant in trainer.asked[0]]
        assert len(set(seeds)) == 8, "no seed is used for two draws"
        found.append(training_variance(answers, 1.0, bootstrap_share(rows, d.train_inputs), *truth))
    steady, shaken = found
    assert steady.value < 0.1 < shaken.value
    assert "The seed alone explains 0 % of the variance" in steady.details


def test_the_gain_of_twice_the_width_is_paired(data: Callable[..., Any]) -> None:
    truth = np.eye(3)[data("multiclass").test_target]
    d, s, n, c = 3, 2, *truth.shape
    noise = 0.1 * rng().normal(size=(d, s, n, c))
    wide, own, narrow = truth + noise, truth * 0.8 + noise, truth * 0.5 + noise
    found = capacity_curve(own, {"0.5": narrow, "2": wide}, 0.5, data("multiclass").test_target)
    errors = [((a - truth) ** 2).sum(axis=-1).mean() / 0.5 for a in (narrow, own, wide)]
    assert found.value == pytest.approx(errors[1] - errors[2])
    assert found.low > 0.0
    curve = found.evidence[0]
    assert isinstance(curve, Curve)
    assert curve.series[0].x == (0.5, 1.0, 2.0)
    assert curve.series[0].y == pytest.approx(errors)
    parts = np.add(curve.series[1].y, curve.series[2].y)
    np.testing.assert_allclose(parts, errors)


def test_drawn_rows_are_whole_entities_where_there_are_some() -> None:
    inputs, entities = np.zeros((60, 1)), np.repeat(np.arange(6), 10)
    drawn = bootstrap_rows(inputs, rng(), entities, draws=2)
    assert drawn.shape == (3, 60), "two draws say nothing of how far their spread could be off"
    assert len({len(set(entities[rows])) for rows in drawn} | {6}) > 1


def test_the_truth_is_of_the_rows_asked_for() -> None:
    assert one_hot(np.array([1, 0]), None, np.array([0]), 2).tolist() == [[0.0, 1.0]]
    assert one_hot(None, np.array([3.0]), None, 1).tolist() == [[3.0]]
    with pytest.raises(NotApplicable):
        one_hot(None, None, None, 2)
    assert architecture_rows(np.zeros((5, 1)), rng()).tolist() == [0, 1, 2, 3, 4]
