"""Missing values by label and group."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.gaps import (
    missing_by_group,
    missing_by_label,
    train_missing,
)
from roadworthy.errors import NotApplicable
from roadworthy.statistics import largest_gap
from roadworthy.subject import Attribute, Column, Task

TASK = Task("binary", ("well", "ill"), positive=1)
COLUMNS = (Column("a", "numeric"), Column("b", "numeric"))


def table() -> tuple[np.ndarray, np.ndarray]:
    inputs = np.ones((200, 2))
    labels = np.repeat([0, 1], 100)
    inputs[:10, 0] = np.nan  # 10 of 100 well
    inputs[100:140, 0] = np.nan  # 40 of 100 ill
    inputs[[3, 150], 1] = np.nan
    return inputs, labels


def test_the_largest_difference_over_columns_is_corrected_for_their_number() -> None:
    inputs, labels = table()
    found = missing_by_label(train_missing(inputs, COLUMNS), TASK, labels, columns=COLUMNS)
    alone = largest_gap([10, 40], [100, 100])
    assert found.value == pytest.approx(0.3)
    assert found.high == alone.high
    assert found.low < alone.low  # Bonferroni over the two columns that miss values
    assert "a is missing in 40.0% of the rows of ill and in 10.0% of those of well" in found.details


def test_names_of_labels_and_order_of_rows_do_not_matter() -> None:
    inputs, labels = table()
    order = np.random.default_rng(0).permutation(200)
    one = missing_by_label(train_missing(inputs, COLUMNS), TASK, labels, columns=COLUMNS)
    other = missing_by_label(
        train_missing(inputs[order], COLUMNS), TASK, 1 - labels[order], columns=COLUMNS
    )
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_groups_are_compared_like_labels_and_numbers_are_cut_at_the_median() -> None:
    inputs, labels = table()
    missing = train_missing(inputs, COLUMNS)
    named = {"sex": Attribute(labels, ("f", "m"))}
    numeric = {"age": Attribute(labels * 40.0 + 20)}
    assert missing_by_group(missing, named, COLUMNS).value == pytest.approx(0.3)
    assert missing_by_group(missing, numeric, COLUMNS).value == pytest.approx(0.3)


def test_nothing_missing_is_a_fact_and_small_labels_are_not_compared() -> None:
    whole = train_missing(np.ones((80, 2)), COLUMNS)
    assert missing_by_label(whole, TASK, np.repeat([0, 1], 40), columns=COLUMNS).value == 0
    with pytest.raises(NotApplicable, match="30 training rows"):
        missing_by_label(whole, TASK, np.r_[np.zeros(70, int), np.ones(10, int)], columns=COLUMNS)


def test_an_array_misses_a_row_where_any_value_is_missing() -> None:
    series = np.ones((4, 3, 2))
    series[1, 2, 0] = np.nan
    assert train_missing(series).tolist() == [[False], [True], [False], [False]]
