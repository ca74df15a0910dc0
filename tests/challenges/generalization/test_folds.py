"""Which rows are held out when: classes evenly, entities and copies together, time in order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.generalization import folds as room
from roadworthy.challenges.generalization.folds import (
    LEFT_OUT,
    fold_answers,
    fold_test_merit,
    folds,
    held_out_merit,
    held_out_share,
    training_rows,
)
from roadworthy.errors import NotApplicable


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def hashes(rows: np.ndarray) -> np.ndarray:
    return np.stack([rows, rows], axis=1).astype(np.uint64)


def test_classes_are_spread_evenly() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    found = folds(hashes(np.arange(100)), rng(), labels, folds=5)
    for fold in range(5):
        assert np.bincount(labels[found == fold]).tolist() == [12, 6, 2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 10), st.integers(5, 60))
def test_an_entity_is_in_one_fold_and_none_is_empty(seed: int, k: int, entities: int) -> None:
    of_row = rng(seed).integers(0, entities, 200)
    found = folds(hashes(np.arange(200)), rng(seed), None, of_row, folds=k)
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    for entity in np.unique(of_row):
        assert len(set(found[of_row == entity].tolist())) == 1
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= np.bincount(of_row).max()


def test_copies_of_a_row_share_a_fold() -> None:
    copies = np.repeat(np.arange(30), 2)
    found = folds(hashes(copies), rng(), folds=5)
    assert (found[::2] == found[1::2]).all()


def test_in_time_only_the_past_is_trained_on_and_a_moment_is_not_cut() -> None:
    times = np.repeat(np.arange(12.0), 5)
    shuffled = rng().permutation(60)
    found = folds(hashes(np.arange(60)), rng(), None, None, times[shuffled], folds=5)
    assert np.bincount(found + 1).tolist() == [10] * 6
    for fold in range(5):
        kept = training_rows(found, fold, None, in_time=True)
        held = found == fold
        assert times[shuffled][kept].max() < times[shuffled][held].min()
        assert len(kept) == 10 * (fold + 1)
    # 10 rows held out of 10, 20, ... 50 trained on: (1 + 1/2 + 1/3 + 1/4 + 1/5) / 5
    assert held_out_share(found, None, times) == pytest.approx(137 / 300)


def test_in_time_no_entity_is_on_both_sides() -> None:
    entities = np.arange(60) % 7
    found = folds(hashes(np.arange(60)), rng(), None, entities, np.arange(60.0), folds=3)
    kept = training_rows(found, 1, entities, in_time=True)
    assert not set(entities[kept]) & set(entities[found == 1])


def test_of_many_rows_some_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_ROWS", 50)
    found = folds(hashes(np.arange(80)), rng(), folds=5)
    assert int(np.sum(found == LEFT_OUT)) == 30
    assert len(training_rows(found, 0, None, in_time=False)) == 40


@pytest.mark.parametrize(
    "given_rows",
    [
        {"train_content_hashes": hashes(np.zeros(20))},
        {"train_content_hashes": hashes(np.arange(20)), "train_entities": np.zeros(20, int)},
        {"train_content_hashes": hashes(np.arange(20)), "train_times": np.zeros(20)},
        {"train_content_hashes": hashes(np.arange(20)), "train_times": np.full(20, np.nan)},
        {"train_content_hashes": hashes(np.arange(1))},
        {"train_content_hashes": hashes(np.arange(0))},
    ],
)
def test_what_cannot_be_divided_says_so(given_rows: dict[str, Any]) -> None:
    with pytest.raises(NotApplicable, match="at least two"):
        folds(rng=rng(), **given_rows)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_no_model_has_seen_the_rows_that_it_answers(kind: str, data: Callable[..., Any]) -> None:
    d = data(kind)
    labels = d.train_target if kind == "multiclass" else None
    found = folds(hashes(np.arange(300)), rng(), labels, folds=5)
    trainer = d.trainer()
    answers = fold_answers(trainer, found, d.train_inputs, d.test_inputs)
    assert len(trainer.asked) == 1, "one family, one call"
    for fold in range(5):
        rows = np.flatnonzero(found != fold)
        (alone,) = d.trainer().predictions(
            [type(trainer.asked[0][0])(rows=rows)], d.train_inputs[found == fold]
        )
        np.testing.assert_array_equal(answers["held_out"][found == fold], alone)
    assert answers["test"].shape == (5, 200)


def test_merit_is_whether_right_or_the_share_of_the_yardstick_that_is_saved() -> None:
    found = np.array([0, LEFT_OUT, 1, 1])
    answers = {"held_out": np.array([1, 0, 2]), "test": np.array([[0, 1], [1, 1]])}
    labels = np.array([1, 9, 1, 2])
    assert held_out_merit(answers, found, labels).tolist() == [True, False, True]
    assert fold_test_merit(answers, np.array([0, 1])).tolist() == [0.5, 1.0]
    numbers = {"held_out": np.array([1.0, 2.0, 3.0])}
    merit = held_out_merit(numbers, found, None, np.array([1.0, 9.0, 4.0, 3.0]), 2.0)
    assert merit.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(NotApplicable):
        fold_test_merit(numbers, np.array([0, 1]))
