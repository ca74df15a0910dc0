"""Conditions of rows: parts of numbers, values of categories, clusters, halves by content."""

import numpy as np
import pytest

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


def test_a_value_that_training_never_had_is_no_condition() -> None:
    cuts = column_values(table(), COLUMNS)
    found = conditions(COLUMNS, np.array([[10.0, 0.0, 7.0]]), cuts)
    assert found.codes[0].tolist() == [0, 0, -1]


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
