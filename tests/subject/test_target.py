import numpy as np
import pyarrow as pa
import pytest

from roadworthy.errors import UserError
from roadworthy.subject.problems import Problems
from roadworthy.subject.table import table_from_arrow
from roadworthy.subject.target import target_of


def target(values, **options):
    problems = Problems("t.csv")
    column = table_from_arrow(pa.table({"y": values}), "t.csv").columns["y"]
    found = target_of(column, problems, **options)
    problems.raise_if_any()
    return found


@pytest.mark.parametrize(
    ("values", "kind", "classes", "positive"),
    [
        ([0, 1, 1, 0], "binary", ("0", "1"), 1),
        ([0.0, 1.0, 1.0], "binary", ("0", "1"), 1),
        ([True, False], "binary", ("False", "True"), 1),
        (["yes", "no", "no"], "binary", ("no", "yes"), 1),
        (["benign", "malignant"], "binary", ("benign", "malignant"), 1),
        ([3, 10, 9, 3], "multiclass", ("3", "9", "10"), None),
        (["a", "b", "c"], "multiclass", ("a", "b", "c"), None),
    ],
)
def test_few_values_are_classes_in_their_natural_order(values, kind, classes, positive) -> None:
    task = target(values).task
    assert (task.kind, task.classes, task.positive) == (kind, classes, positive)


def test_many_numbers_are_a_regression_target_and_the_task_can_be_forced() -> None:
    values = np.linspace(0, 1, 50)
    assert target(values).task.kind == "regression"
    assert target(np.arange(50)).task.kind == "regression"
    assert target([0, 1, 2], kind="regression").values.tolist() == [0.0, 1.0, 2.0]
    ranks = np.repeat(np.arange(25), 4)
    assert len(target(ranks, kind="classification").task.classes) == 25


def test_where_names_do_not_tell_the_rarer_class_is_positive_and_said() -> None:
    found = target(["a", "b", "a"])
    assert found.task.positive == 1
    assert '"b", the rarer class, was taken as the positive one' in found.notes[0]
    assert target(["a", "b", "a"], positive="a").task.positive == 0


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ([1, 1, 1], {}, 'is "1" in all 3 rows'),
        ([0.5, None, 1.0, None], {}, "no value in 2 of 4 rows (rows 2, 4)"),
        ([0.5, float("inf"), 1.0], {}, "an infinite value in 1 of 3 rows (row 2)"),
        (["a", None, "b"], {}, "no value in 1 of 3 rows"),
        (["a", "b"], {"positive": "B"}, 'no class is called "B"'),
        (["a", "b"], {"kind": "regression"}, "is not a number in every row"),
        ([1.5, 2.5], {"positive": "1"}, "has no positive class"),
        ([0, 1, 2], {"kind": "binary"}, "is multiclass, not binary"),
        ([str(i) + "x" for i in range(60)], {}, "too many for classes"),
        ([2.5, 2.5], {}, "in all 2 rows"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_one_says_why_and_what_to_do(values, options, said) -> None:
    with pytest.raises(UserError) as caught:
        target(values, **options)
    assert "t.csv" in str(caught.value)
    assert said in str(caught.value)
