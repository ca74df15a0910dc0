"""Rows that join the training with the class that the model is sure of."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from roadworthy.errors import UserError
from roadworthy.subject import Network, Pretraining, Recipe
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.semi_supervised import (
    joined,
    sure_rows,
    temperature_of,
    tempered,
    with_pseudo_labels,
)
from roadworthy.training.single import is_plain, trained

RECIPE = Recipe(epochs=4, batch_size=8, patience=None, pseudo_labels=0.8)
NETWORK = Network(lambda: nn.Linear(1, 2))
# log odds of code 1 are 2 x: at least .8 where |x| >= log(4) / 2 = .693
WEIGHTS = {
    "weight": np.array([[0.0], [2.0]], np.float32),
    "bias": np.zeros(2, np.float32),
}


def job(recipe: Recipe = RECIPE) -> Job:
    inputs = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    unlabelled = np.array([[-3.0], [-0.6], [0.8], [5.0], [0.0], [0.6], [0.9]])
    return Job(NETWORK, recipe, Examples(inputs, np.array([0, 0, 1, 1])), unlabelled=unlabelled)


def test_the_surest_rows_are_taken_and_no_class_beyond_its_share() -> None:
    p = np.array([[0.9, 0.1], [0.05, 0.95], [0.4, 0.6], [0.2, 0.8], [0.01, 0.99], [0.1, 0.9]])
    # five reach .8: of class 1 there may be ceil(.5 * 5) = 3, the surest of four
    assert sure_rows(p, 0.8, np.array([0.5, 0.5])).tolist() == [0, 1, 4, 5]
    assert sure_rows(p, 0.8, np.array([1.0, 0.0])).tolist() == [0]
    assert sure_rows(p, 0.995, np.array([0.5, 0.5])).tolist() == []


def test_rows_join_with_the_class_that_the_model_gives_them() -> None:
    more = with_pseudo_labels(job(), WEIGHTS)
    assert more is not None
    # sure: -3 (0), .8, 5, .9 (1); of class 1 at most ceil(.5 * 4) = 2
    assert more.inputs[4:, 0].tolist() == [-3.0, 5.0, 0.9]
    assert more.target.tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert more.row_weights is None


def test_the_sham_adds_as_many_copies_of_each_class() -> None:
    more = with_pseudo_labels(job(replace(RECIPE, sham=True)), WEIGHTS)
    assert more is not None
    assert more.target.tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert np.isin(more.inputs[4:5], [-1.0, -2.0]).all()
    assert np.isin(more.inputs[5:], [1.0, 2.0]).all()


def test_where_the_model_is_sure_of_nothing_it_stays_as_it_is() -> None:
    assert with_pseudo_labels(job(replace(RECIPE, pseudo_labels=1.0 - 1e-9)), WEIGHTS) is None
    recipe = replace(RECIPE, pseudo_labels=1.0)
    plain = train(NETWORK, replace(RECIPE, pseudo_labels=None), job().training)
    found = trained(job(recipe))
    assert all((found[name] == plain[name]).all() for name in plain)


@pytest.mark.parametrize("said", [0.4, 3.0])
def test_a_temperature_undoes_what_a_model_says_too_loudly_or_too_softly(said: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    truth = tempered(np.exp(logits), 1.0)
    labels = (rng.random((4000, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    loud = tempered(truth, 1 / said)
    assert temperature_of(loud, labels) == pytest.approx(said, rel=0.08)
    assert tempered(loud, said) == pytest.approx(truth)


def test_sure_is_what_is_right_on_validation_rows_not_what_the_model_says() -> None:
    # Right in 9 of 10 where it says .98: an odds of 9 where it claims 55.
    validation = Examples(np.full((200, 1), 2.0), (np.arange(200) % 10 > 0).astype(np.int64))
    asked = replace(job(), validation=validation)
    more = with_pseudo_labels(asked, WEIGHTS)
    assert more is not None
    # log odds of x are now 2.2 x / 2: at least .8 where |x| >= 1.26
    assert more.inputs[4:, 0].tolist() == [-3.0, 5.0]
    few = replace(asked, validation=validation.take(np.arange(19)))
    uncorrected = with_pseudo_labels(few, WEIGHTS)
    assert uncorrected is not None
    assert len(uncorrected.target) == 7


def test_further_rows_weigh_as_their_class_does_and_the_mean_stays_1() -> None:
    training = Examples(np.zeros((3, 1)), np.array([0, 0, 1]), np.array([0.5, 0.7, 1.8]))
    weights = joined(training, np.zeros((2, 1)), np.array([0, 1])).row_weights
    assert weights is not None
    # .5 .7 1.8 and .6 1.8, of mean 1.08
    assert weights == pytest.approx(np.array([0.5, 0.7, 1.8, 0.6, 1.8]) / 1.08)


def test_training_twice_is_training_on_the_joined_rows() -> None:
    asked = replace(job(), recipe=replace(RECIPE, pseudo_labels=0.5))
    plain = replace(RECIPE, pseudo_labels=None)
    first = train(NETWORK, plain, asked.training)
    more = with_pseudo_labels(asked, first)
    assert more is not None
    expected = train(NETWORK, plain, more)
    seen: list[tuple[int, int]] = []
    found = trained(asked, lambda epoch, of, _: seen.append((epoch, of)))
    assert all((found[name] == expected[name]).all() for name in expected)
    assert seen == [(epoch, 8) for epoch in range(1, 9)]


def test_a_plain_recipe_is_the_loop_alone() -> None:
    plain = replace(RECIPE, pseudo_labels=None)
    assert is_plain(plain)
    assert is_plain(replace(plain, sham=True, pretraining=Pretraining("masked", 0)))
    for extra in (
        {"pseudo_labels": 0.9},
        {"synthetic": 0.5},
        {"pretraining": Pretraining("masked", 1)},
    ):
        assert not is_plain(replace(plain, **extra))  # type: ignore[arg-type]
    rows = np.array([0, 2, 3])
    expected = train(NETWORK, plain, job().training.take(rows))
    found = trained(replace(job(plain), rows=rows))
    assert all((found[name] == expected[name]).all() for name in expected)


def test_numbers_and_a_lack_of_rows_are_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match="the target is a number"):
        with_pseudo_labels(replace(job(), training=Examples(np.ones((2, 1)), np.ones(2))), WEIGHTS)
    with pytest.raises(UserError, match="as the split `unlabelled`"):
        with_pseudo_labels(replace(job(), unlabelled=None), WEIGHTS)
