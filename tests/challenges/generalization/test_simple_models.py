"""Simple models: unseen rows stay unseen, entities together, every task and modality served."""

import numpy as np
import pytest

from roadworthy.challenges.generalization.simple_models import (
    FOLDS,
    _folds,
    simple_choice,
    simple_rows,
    simple_test_merits,
    simple_test_predicted,
    simple_train_merits,
    simple_train_predicted,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def rows_that_a_line_divides(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    r = np.random.default_rng(seed)
    x = r.normal(size=(n, 4))
    return x, (x @ [2.0, -1.0, 0.5, 0.0] + 0.3 * r.normal(size=n) > 0).astype(np.int64)


def test_both_models_learn_what_a_line_divides_and_the_line_is_chosen() -> None:
    x, y = rows_that_a_line_divides(600, 0)
    rows = simple_rows(x, rng())
    unseen = simple_train_predicted(rows, x.astype(np.float32), x, rng(), train_labels=y)
    merits = simple_train_merits(unseen, rows, train_labels=y)
    assert merits["linear"].mean() > 0.9
    assert merits["boosting"].mean() > 0.85
    assert simple_choice(merits) == "linear"
    new_x, new_y = rows_that_a_line_divides(300, 1)
    on_test = simple_test_predicted(rows, x, x, new_x, new_x, train_labels=y)
    assert simple_test_merits(on_test, test_labels=new_y)["linear"].mean() > 0.9


def test_random_labels_are_not_learned_from_the_rows_themselves() -> None:
    x = np.random.default_rng(1).normal(size=(600, 20))
    y = np.random.default_rng(2).integers(0, 2, 600)
    rows = simple_rows(x, rng())
    merits = simple_train_merits(
        simple_train_predicted(rows, x, x, rng(), train_labels=y), rows, train_labels=y
    )
    for m in merits.values():
        assert abs(m.mean() - 0.5) < 0.09  # 4 standard errors: 0.08


def test_a_number_is_predicted_and_its_merit_uses_the_yardstick() -> None:
    x, _ = rows_that_a_line_divides(400, 3)
    y = 10 * x[:, 0]
    rows = simple_rows(x, rng())
    predicted = simple_train_predicted(rows, x, x, rng(), train_targets=y)
    assert predicted["linear"].dtype == np.float64
    merits = simple_train_merits(predicted, rows, train_targets=y, guess_error=8.0)
    assert merits["linear"].mean() > 0.98
    by_hand = 1 - np.abs(predicted["boosting"] - y[rows]) / 8.0
    assert merits["boosting"] == pytest.approx(by_hand)


def test_missing_values_and_categories_with_more_codes_than_boosting_can_split_are_taken() -> None:
    r = np.random.default_rng(4)
    many = r.integers(0, 300, 400).astype(float)
    few = r.integers(0, 3, 400).astype(float)
    number = np.where(r.random(400) < 0.2, np.nan, r.normal(size=400))
    x = np.stack([many, few, number], axis=1)
    columns = (
        Column("many", "category", tuple(map(str, range(300)))),
        Column("few", "category", ("a", "b", "c")),
        Column("number", "numeric"),
    )
    features = np.nan_to_num(x).astype(np.float32)
    y = (few == 1).astype(np.int64)
    found = simple_train_predicted(
        simple_rows(x, rng()), features, x, rng(), train_labels=y, columns=columns
    )
    assert np.mean(found["boosting"] == y) > 0.99


def test_rows_of_one_entity_share_a_fold() -> None:
    entities = np.repeat(np.arange(30), 5)
    fold = _folds(np.zeros(150, np.int64), entities, 150, rng())
    assert all(len(set(fold[entities == e])) == 1 for e in range(30))
    assert set(fold) == set(range(FOLDS))


def test_folds_hold_as_many_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [90, 30, 6])
    fold = _folds(labels, None, 126, rng())
    table = np.stack([np.bincount(labels[fold == k], minlength=3) for k in range(FOLDS)])
    assert (table.max(axis=0) - table.min(axis=0) <= 1).all()


def test_more_rows_than_needed_are_drawn_once_each() -> None:
    rows = simple_rows(np.zeros((10_500, 1)), rng())
    assert len(rows) == len(np.unique(rows)) == 10_000


def test_one_class_gives_nothing_to_learn() -> None:
    x = np.zeros((30, 2))
    with pytest.raises(NotApplicable, match="same class"):
        simple_train_predicted(simple_rows(x, rng()), x, x, rng(), train_labels=np.zeros(30, int))
