"""Identical rows: within and across splits, with other labels, and by coincidence."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.coincidence import coincidental_share
from roadworthy.challenges.data_quality.duplicates import (
    conflicting_labels,
    exact_duplicates_across_splits,
    exact_duplicates_within_train,
    first_identical,
    leaked_test_rows,
)
from roadworthy.challenges.data_quality.entities import entities_across_splits
from roadworthy.quantities.identity import content_hashes
from roadworthy.results import Examples
from roadworthy.subject import Task

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(40, 6))
TEST = np.concatenate([RNG.normal(size=(8, 6)), TRAIN[[5, 7]]])
TASK = Task("multiclass", ("a", "b", "c"))


def across(train, test, validation=None):
    hashes = [None if x is None else content_hashes(x) for x in (train, test, validation)]
    leaked = leaked_test_rows(*hashes)
    return exact_duplicates_across_splits(leaked, hashes[0], train, test, hashes[2], validation)


def test_two_of_ten_test_rows_copied_from_training_are_found_and_named() -> None:
    found = across(TRAIN, TEST)
    assert (found.value, found.low, found.high, found.n) == (0.2, 0.2, 0.2, 10)
    assert found.distribution.kind == "fact"
    assert isinstance(found.evidence[0], Examples)
    assert [(e.row, e.note) for e in found.evidence[0].examples] == [
        (8, "identical to train row 5"),
        (9, "identical to train row 7"),
    ]


def test_copies_of_validation_rows_count_and_are_named_as_such() -> None:
    found = across(TRAIN, TEST[:8], TEST[3:4])
    assert found.value == 1 / 8
    assert found.evidence[0].examples[0].note == "identical to validation row 0"


def test_order_of_rows_changes_nothing() -> None:
    shuffled = across(TRAIN[::-1], TEST[RNG.permutation(10)])
    assert shuffled.value == across(TRAIN, TEST).value


def test_minus_zero_equals_zero_and_missing_equals_missing() -> None:
    train = np.array([[0.0, np.nan, 1.0], [4.0, 4.0, 4.0]])
    assert leaked_test_rows(
        content_hashes(train), content_hashes(np.array([[-0.0, np.nan, 1.0]]))
    ).tolist() == [0]


def test_three_coarse_columns_do_not_fail_by_coincidence() -> None:
    rng = np.random.default_rng(1)
    table = rng.integers(0, 5, (3000, 3)).astype(float)
    found = across(table[:2000], table[2000:])
    assert found.value < 0.001  # every row has identical ones, and every one is a coincidence
    assert found.low == 0.0


def test_copies_among_many_columns_are_no_coincidence() -> None:
    rng = np.random.default_rng(2)
    table = rng.integers(0, 6, (3000, 12)).astype(float)
    table[2000:2100] = table[:100]
    found = across(table[:2000], table[2000:])
    assert found.low > 0.095


def test_coincidences_of_two_independent_columns_explain_all_identical_pairs() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4, (2000, 2)).astype(float)
    assert coincidental_share(table[:1000], table[1000:]) == pytest.approx(1.0, abs=0.1)
    assert coincidental_share(table[:, :1]) == 1.0  # of one column nothing else is known


def test_rows_wider_than_the_limit_have_no_coincidences() -> None:
    assert coincidental_share(np.zeros((5, 65))) == 0.0


def test_repeats_are_counted_beyond_the_first() -> None:
    train = np.concatenate([TRAIN, TRAIN[[0, 0, 3]]])
    found = exact_duplicates_within_train(content_hashes(train), train)
    assert found.value == 3 / 43
    assert [e.row for e in found.evidence[0].examples] == [40, 41, 42]


def test_the_minority_of_identical_rows_conflicts() -> None:
    # rows 0, 1, 2 are identical: a, a, b -> one conflicts; rows 3, 4: b, c -> one; the rest agree
    train = np.array([[1.0], [1.0], [1.0], [2.0], [2.0], [3.0]])
    labels = np.array([0, 0, 1, 1, 2, 0])
    test, test_labels = np.array([[3.0], [9.0]]), np.array([0, 1])
    found = conflicting_labels(
        content_hashes(train), labels, content_hashes(test), test_labels, TASK
    )
    assert found.value == 2 / 8
    assert found.evidence[0].examples[0].note == "labelled b; an identical row is a"
    renamed = conflicting_labels(
        content_hashes(train), 2 - labels, content_hashes(test), 2 - test_labels, TASK
    )
    assert renamed.value == found.value


def test_first_identical_of_nothing_is_nothing() -> None:
    assert first_identical(np.empty((0, 2), np.uint64), np.ones((2, 2), np.uint64)).tolist() == [
        -1,
        -1,
    ]


def test_rows_of_known_entities_are_counted_not_entities() -> None:
    found = entities_across_splits(np.array([1, 1, 2]), np.array([1, 1, 3, 4]), np.array([4]))
    assert found.value == 3 / 4
    assert "belong to 2 entities" in found.details
    assert found.evidence[0].examples[0].note == "its entity has 2 rows in training"
