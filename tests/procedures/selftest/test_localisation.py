from dataclasses import replace

import numpy as np

from roadworthy.procedures.selftest.localisation import footprint, share_named, without_telling
from roadworthy.results import Bars, Example, Examples, Measurement, Table
from roadworthy.results.evidence import Axis
from roadworthy.statistics import rate
from roadworthy.subject import Column, Split, Subject, Task


def subject() -> Subject:
    inputs = np.arange(40.0).reshape(10, 4)
    inputs[3, 2] = np.nan
    split = Split(inputs, np.zeros(10, np.int64))
    columns = tuple(Column(name, "numeric") for name in "abcd")
    return Subject("toy", Task("binary", ("n", "y")), "table", {"test": split}, columns)


def measurement(*evidence) -> Measurement:
    return replace(rate(1, 10), evidence=evidence)


def listed(*rows: int, split: str = "test") -> Examples:
    return Examples("rows", tuple(Example(split, row, "") for row in rows))


def test_rows_that_were_changed_or_appended_are_seen() -> None:
    before = subject()
    target = before.splits["test"].target.copy()
    target[[2, 5]] = 1
    assert footprint(before, before.with_target("test", target)).rows == {"test": {2, 5}}
    longer = before.splits["test"].take(np.array([*range(10), 0, 1]))
    assert footprint(before, before.with_split("test", longer)).rows == {"test": {10, 11}}


def test_a_missing_value_that_stays_missing_is_no_change() -> None:
    before = subject()
    inputs = before.splits["test"].inputs.copy()
    inputs[0, 0] = -1
    touched = footprint(before, before.with_inputs("test", inputs))
    assert touched.rows == {"test": {0}}
    assert touched.columns == {"a"}


def test_a_change_of_most_rows_is_nowhere_in_particular() -> None:
    before = subject()
    shuffled = before.with_target("test", np.ones(10, np.int64))
    assert footprint(before, shuffled).rows == {}
    assert footprint(before, before).rows == {}


def test_a_fault_may_say_what_it_planted_and_no_check_sees_it() -> None:
    before = subject()
    after = before.with_given(planted={"rows": {"test": np.array([1])}, "truth": 0.1})
    touched = footprint(before, after)
    assert (touched.rows, touched.truth) == ({"test": {1}}, 0.1)
    assert "planted" not in without_telling(after).given


def test_the_share_of_planted_rows_that_the_evidence_names() -> None:
    before = subject()
    target = before.splits["test"].target.copy()
    target[[2, 5, 7, 8]] = 1
    touched = footprint(before, before.with_target("test", target))
    assert share_named(touched, measurement(listed(2, 5, 7, 8, 1))) == 1.0
    assert share_named(touched, measurement(listed(2, 0))) == 0.5  # a list of two
    assert share_named(touched, measurement(listed(2, split="train"))) is None
    assert share_named(touched, measurement()) is None


def test_the_share_of_planted_columns_that_the_evidence_names() -> None:
    before = subject()
    inputs = before.splits["test"].inputs.copy()
    inputs[:, 1] = 0
    touched = footprint(before, before.with_inputs("test", inputs))
    assert touched.columns == {"b"}
    bars = Bars("columns", Axis("column"), Axis("share"), ("b", "c"), (0.5, 0.1))
    assert share_named(touched, measurement(bars)) == 1.0
    assert share_named(touched, measurement(Table("t", ("column",), (("c",),)))) == 0.0
