"""Columns, corners and origins that tell the label."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.leakage import single_column_leakage, telling_columns
from roadworthy.challenges.data_quality.one_column import (
    classes_of,
    column_model,
    quick_separation,
    separation,
)
from roadworthy.challenges.data_quality.shortcuts import (
    corner_shortcut,
    corner_values,
    label_from_origin,
    picture_statistics,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def leakage(inputs, labels, half, columns=None, targets=False):
    kind = "targets" if targets else "labels"
    telling = telling_columns(
        inputs[:half], rng(), **{f"train_{kind}": labels[:half]}, columns=columns
    )
    return single_column_leakage(
        telling,
        inputs[:half],
        inputs[half:],
        **{f"train_{kind}": labels[:half], f"test_{kind}": labels[half:]},
        columns=columns,
    )


def test_separation_of_two_classes_is_somers_d() -> None:
    # positives .9 and .4, negatives .5 and .1: 3 of 4 pairs in order, 2 x 0.75 - 1
    p = np.array([0.9, 0.4, 0.5, 0.1])
    found = separation(np.stack([1 - p, p], axis=1), np.array([1, 1, 0, 0]))
    assert found.value == 0.5
    assert quick_separation(np.stack([1 - p, p], axis=1), np.array([1, 1, 0, 0])) == 0.5


def test_separation_does_not_depend_on_names_of_classes_or_order_of_rows() -> None:
    labels = rng().integers(0, 4, 200)
    p = rng(1).dirichlet(np.ones(4), 200) + 0.5 * np.eye(4)[labels]
    order, names = rng(2).permutation(200), np.array([2, 0, 3, 1])
    renamed = np.empty_like(p)
    renamed[:, names] = p
    one, other = separation(p, labels), separation(renamed[order], names[labels[order]])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_interval_of_many_classes_covers_a_known_truth() -> None:
    # the class is shown in a share a of rows, else a random one: D = a for every class
    hits = 0
    for seed in range(100):
        labels = rng(seed).integers(0, 5, 400)
        shown = np.where(
            rng(seed + 1000).random(400) < 0.6, labels, rng(seed + 500).integers(0, 5, 400)
        )
        found = separation(np.eye(5)[shown], labels)
        hits += found.low <= 0.6 <= found.high
    assert hits >= 89  # 95 of 100 expected; fewer than 89 happen once in 300 times


@pytest.mark.parametrize("kind", ["numeric", "category"])
def test_a_renamed_label_among_the_columns_is_found_and_named(kind: str) -> None:
    labels = rng().integers(0, 2, 600)
    inputs = np.stack([rng(1).normal(size=600), 1.0 - labels, rng(2).normal(size=600)], axis=1)
    columns = (Column("a", "numeric"), Column("income", kind, ("x", "y")), Column("c", "numeric"))
    found = leakage(inputs, labels, 400, columns)
    assert found.value == 1.0
    assert found.low > 0.8
    assert "income tells the label best" in found.details


def test_a_column_that_is_unique_to_each_row_tells_nothing() -> None:
    labels = rng().integers(0, 2, 600)
    inputs = np.arange(600.0)[rng(3).permutation(600), None]
    columns = (Column("name", "category", tuple(map(str, range(600)))),)
    assert leakage(inputs, labels, 400, columns).high < 0.5


def test_a_regression_is_asked_above_or_below_its_median() -> None:
    targets = rng().normal(size=600)
    inputs = np.stack([rng(1).normal(size=600), np.exp(targets)], axis=1)
    assert leakage(inputs, targets, 400, targets=True).value > 0.97
    assert classes_of(None, np.array([1.0, 2.0, 3.0])).tolist() == [0, 0, 1]


def test_of_many_columns_the_telling_one_is_still_found() -> None:
    labels = rng().integers(0, 3, 900)
    images = rng(1).normal(size=(900, 20, 20))
    images[:, 4, 5] = labels
    found = leakage(images, labels, 600)
    assert found.value > 0.95
    assert "input [4, 5]" in found.details


def test_unknown_categories_and_missing_values_get_an_answer() -> None:
    model = column_model(np.array([0.0, 0, 1, np.nan]), np.array([0, 0, 1, 1]), 2, is_category=True)
    shares = model(np.array([0.0, np.nan, 7.0]))
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert shares[2] == pytest.approx([0.5, 0.5])  # of an unknown category the prior is left


@pytest.mark.parametrize("inputs", [np.zeros((30, 2)), np.full((30, 2), np.nan)])
def test_constant_or_empty_columns_are_not_applicable(inputs: np.ndarray) -> None:
    with pytest.raises(NotApplicable, match="constant"):
        leakage(inputs, rng().integers(0, 2, 30), 25)


def test_one_class_or_ten_rows_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="class"):
        telling_columns(np.zeros((30, 2)), rng(), np.zeros(30, int))
    with pytest.raises(NotApplicable, match="20 rows"):
        telling_columns(np.zeros((10, 2)), rng(), np.arange(10) % 2)
    with pytest.raises(NotApplicable, match="40 rows"):
        label_from_origin(np.arange(10), rng(), np.arange(10) % 2)


def pictures_with_mark(share: float) -> tuple[np.ndarray, np.ndarray]:
    labels = rng().integers(0, 3, 900)
    images = rng(1).random((900, 1, 16, 16))
    shown = np.where(rng(2).random(900) < share, labels, rng(4).integers(0, 3, 900))
    images[:, 0, :2, :2] = (shown / 2)[:, None, None]
    return images, labels


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_mark_in_the_corner_tells_the_share_of_rows_that_bear_it(share: float) -> None:
    images, labels = pictures_with_mark(share)
    corners, statistics = corner_values(images), picture_statistics(images)
    found = corner_shortcut(
        corners[:600], corners[600:], statistics[:600], statistics[600:], rng(), labels[:600],
        test_labels=labels[600:],
    )  # fmt: skip
    assert found.low <= share + 0.02
    assert found.high >= share - 0.02
    assert [row[0] for row in found.evidence[0].rows][:2] == ["corners", "brightness"]


def test_corners_are_an_eighth_of_each_side_in_any_layout() -> None:
    image = np.zeros((1, 16, 24, 3))
    image[0, :2, :3] = 1  # the whole upper left corner
    values = corner_values(image)
    assert values.shape == (1, 4 * 2 * 3 * 3)
    assert values.sum() == 2 * 3 * 3
    with pytest.raises(NotApplicable, match="no pictures"):
        corner_values(np.zeros((2, 5)))


def test_a_file_sorted_by_label_tells_it_and_a_shuffled_one_does_not() -> None:
    labels = np.repeat([0, 1, 2], 200)
    place = np.arange(600)
    assert label_from_origin(place, rng(), labels).value > 0.95
    assert label_from_origin(rng(1).permutation(600), rng(), labels).high < 0.3


def test_a_source_with_only_one_label_tells_it() -> None:
    labels = rng().integers(0, 2, 400)
    found = label_from_origin(rng(1).permutation(400), rng(), labels, train_sources=labels * 3)
    assert found.value == 1.0
    assert "source" in found.details
