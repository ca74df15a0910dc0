"""Conditions of rows: parts of numbers, values of categories, clusters, halves by content."""

import numpy as np
import pytest

from roadworthy.challenges.data_diversity.coverage import group_coverage
from roadworthy.challenges.data_diversity.slices import weak_slices
from roadworthy.errors import NotApplicable
from roadworthy.quantities.conditions import (
    cluster_centres,
    clusters,
    column_values,
    conditions,
    second_half,
)
from roadworthy.subject import Column

COLUMNS = (
    Column("age", "numeric"),
    Column("sex", "category", ("f", "m")),
    Column("rooms", "numeric"),
)


def table(n: int = 100) -> np.ndarray:
    rng = np.random.default_rng(0)
    age = np.arange(n, dtype=float)
    return np.stack([age, rng.integers(0, 2, n), rng.integers(1, 4, n)], axis=1).astype(float)


def test_numbers_are_cut_at_the_quartiles_of_training_rows_and_few_values_taken_one_by_one() -> (
    None
):
    train = table()
    cuts = column_values(train, COLUMNS)
    # 0 to 99: a quarter of the rows are at most 24 (positions 24, 49, 74 by the lower rule).
    assert cuts["0 edges"].tolist() == [24.0, 49.0, 74.0]
    found = conditions(COLUMNS, np.array([[24, 0, 1], [25, 1, 3], [80, np.nan, 2]]), cuts)
    said = [
        [found.values[j][code] if code >= 0 else None for j, code in enumerate(row)]
        for row in found.codes
    ]
    assert said == [
        ["age at most 24", "sex is f", "rooms is 1"],
        ["age above 24 to 49", "sex is m", "rooms is 3"],
        ["age above 74", "sex is missing", "rooms is 2"],
    ]


def test_values_that_training_never_had_are_one_condition() -> None:
    cuts = column_values(table(), COLUMNS)
    found = conditions(COLUMNS, np.array([[10.0, 0.0, 7.0], [10.0, np.nan, 8.0]]), cuts)
    rooms = found.values[2]
    assert [rooms[code] for code in found.codes[:, 2]] == [
        "rooms is none of the training values"
    ] * 2
    assert found.values[1][found.codes[1, 1]] == "sex is missing"


def test_categories_beyond_the_most_frequent_are_one_condition() -> None:
    names = tuple(f"town {i}" for i in range(80))
    rows = np.repeat(np.arange(70.0), np.where(np.arange(70) < 64, 3, 1))[:, None]
    town = (Column("town", "category", names),)
    found = conditions(town, np.array([[0.0], [66.0], [79.0]]), column_values(rows, town))
    said = [found.values[0][code] for code in found.codes[:, 0]]
    rest = "town is none of the 64 most frequent training values"
    assert said == ["town is town 0", rest, rest]


def test_a_category_that_only_test_rows_have_is_a_weak_part_and_lacks_its_training_rows() -> None:
    rng = np.random.default_rng(3)
    region = (Column("region", "category", ("a", "b", "c")),)
    train = rng.integers(0, 2, (4_000, 1)).astype(float)
    test = rng.choice(3, (4_000, 1), p=[0.4, 0.4, 0.2]).astype(float)
    cuts = column_values(train, region)
    of = conditions(region, test, cuts)
    right = rng.random(4_000) < np.where(test[:, 0] == 2, 0.1, 0.9)
    weak = weak_slices(of, rng.random(4_000) < 0.5, right)
    assert weak.low > 0.7
    assert "region is none of the training values" in weak.details
    coverage = group_coverage(train_conditions=conditions(region, train, cuts), test_conditions=of)
    assert coverage.value == 1.0


def test_arrays_are_described_by_the_nearest_cluster_the_largest_first() -> None:
    rng = np.random.default_rng(1)
    places = np.array([[0, 0], [20, 0], [0, 20], [20, 20]])
    of = np.repeat([0, 1, 2, 3], [400, 200, 150, 50])
    features = (places[of] + rng.normal(size=(800, 2))).astype(np.float32)
    centres = cluster_centres(features, rng)
    assert np.abs(centres - places).max() < 0.5  # the places in the order of their sizes
    assert (clusters(features, centres) == of).all()
    found = conditions(clusters=clusters(features, centres))
    assert found.values[0][:2] == ("the cluster is 0", "the cluster is 1")


def test_tables_have_no_clusters_and_rows_of_which_nothing_is_known_no_conditions() -> None:
    with pytest.raises(NotApplicable, match="columns"):
        cluster_centres(np.zeros((100, 2), np.float32), np.random.default_rng(0), COLUMNS)
    with pytest.raises(NotApplicable, match="--sensitive"):
        conditions()


def test_copies_of_a_row_lie_in_the_same_half_and_halves_are_about_equal() -> None:
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 2**63, (4000, 2)).astype(np.uint64)
    rows = np.arange(4000)
    half = second_half(rows, hashes)
    twice = second_half(rows + 5, hashes[::-1])[::-1]
    assert (half == twice).all()
    for found in (half, second_half(rows)):
        assert abs(found.mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
