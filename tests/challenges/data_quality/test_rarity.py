"""Rare classes."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.faults.rarity import expected_average_precision
from roadworthy.challenges.data_quality.rarity import (
    average_precision,
    precision_lost_to_rarity,
    rarest_class_missed,
)
from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson
from roadworthy.subject import Task

TASK = Task("multiclass", ("common", "rare", "other"))


def test_only_the_rarest_class_of_training_is_judged() -> None:
    train = np.repeat([0, 1, 2], [70, 5, 25])
    test = np.repeat([0, 1, 2], [60, 20, 20])
    correct = np.ones(100, bool)
    correct[60:66] = False  # six rare ones
    correct[:30] = False  # thirty common ones, which are not asked for
    found = rarest_class_missed(correct, test, TASK, train)
    assert (found.value, found.n) == (0.3, 20)
    assert (found.low, found.high) == pytest.approx(tuple(clopper_pearson(6, 20)))
    assert "Class rare is 5 of 100 training rows" in found.details


def test_a_rarest_class_without_test_rows_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="none of class rare"):
        rarest_class_missed(np.ones(3, bool), np.array([0, 2, 0]), TASK, np.array([0, 0, 1, 2, 2]))
    with pytest.raises(NotApplicable, match="one class"):
        rarest_class_missed(np.ones(3, bool), np.zeros(3, int), TASK, np.zeros(9, int))


def test_average_precision_agrees_with_scikit_learn_at_the_prevalence_of_the_sample() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    positive = rng.random(500) < 0.1
    scores = np.round(rng.normal(size=500) + positive, 1)  # with ties
    ours = average_precision(scores, positive, float(positive.mean()))
    assert ours == pytest.approx(average_precision_score(positive, scores))


def test_a_lower_prevalence_weighs_false_alarms_more() -> None:
    # scores + - + -: precision at both positives by hand, prevalence 1/3 in place of 1/2
    scores, positive = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    # first: 1; second: recall 1, false alarm rate 1/2: (1/3) / (1/3 + 2/3 x 1/2) = 1/2
    assert average_precision(scores, positive, 1 / 3) == pytest.approx(0.5 * 1 + 0.5 * 0.5)


def test_expected_average_precision_is_that_of_many_rows() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(200_000) < 20_000
    scores = rng.random(200_000) + (positive & (rng.random(200_000) < 0.3))
    assert expected_average_precision(0.3, 0.1) == pytest.approx(
        average_precision(scores, positive, 0.1), abs=0.01
    )


def test_perfect_ranking_is_zero_with_the_doubt_of_its_few_cases() -> None:
    labels = np.repeat([0, 1], [80, 20])
    p = np.stack([1.0 - labels, labels], axis=1)
    task = Task("binary", ("no", "yes"), positive=1)
    found = precision_lost_to_rarity(labels, task, np.random.default_rng(0), p)
    assert (found.value, found.n) == (0.0, 20)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_a_guess_is_near_one_at_any_prevalence() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(3000) < 0.2).astype(int)
    score = rng.random(3000)
    task = Task("binary", ("no", "yes"), positive=1)
    probabilities = np.stack([1 - score, score], axis=1)
    found = precision_lost_to_rarity(labels, task, rng, probabilities, prevalence=0.01)
    assert found.value == pytest.approx(1.0, abs=0.02)


def test_predictions_alone_are_judged_by_the_test_rows_and_their_scores() -> None:
    labels = np.array([0] * 30 + [1] * 10)
    score = labels + np.linspace(0, 0.5, 40)
    task = Task("binary", ("no", "yes"), positive=1)
    rng = np.random.default_rng(0)
    assert precision_lost_to_rarity(labels, task, rng, test_scores=score).value == 0.0
    missed = rarest_class_missed(np.arange(40) != 35, labels, task)
    assert missed.value == 0.1
    assert "10 of 40 test rows" in missed.details
    with pytest.raises(NotApplicable, match="--score"):
        precision_lost_to_rarity(labels, task, rng)
