"""Explanations for people: sentences of wrong answers first, pictures of images."""

import numpy as np
import pytest

from roadworthy.challenges.interpretability.telling import told_in_three_parts
from roadworthy.errors import NotApplicable
from roadworthy.results import Matrix, Table
from roadworthy.statistics import mean
from roadworthy.subject import Column, Task

TASK = Task("binary", ("no", "yes"), positive=1)


def test_of_a_table_the_three_largest_parts_are_told_in_a_sentence_wrong_answers_first() -> None:
    columns = (
        *(Column(name, "numeric") for name in "abc"),
        Column("job", "category", ("none", "full")),
    )
    inputs = np.array([[1.0, 2, 3, 0], [4, 5, 6, 1], [7, np.nan, 9, 1]])
    attributions = np.array([[0.1, 0.2, -0.3, 0.4], [0, 0, 0, 2.0], [1, -2, 0.5, 0.5]], np.float32)
    rows, answers, labels = np.array([0, 1, 2]), np.array([0, 1, 1]), np.array([0, 1, 0])
    found = told_in_three_parts(
        attributions, rows, answers, inputs, TASK, "kernel_shap", columns, labels
    )
    # .9 of 1.0, all of 2, 3.5 of 4
    assert found.value == pytest.approx(mean(np.array([0.9, 1.0, 0.875]), unit="x").value, abs=1e-6)
    table = found.evidence[0]
    assert isinstance(table, Table)
    assert table.header[-2:] == ("speaks for it", "speaks against it")
    assert table.rows[0] == (
        *(2, "yes", "no"),
        "a is 7 (+1); c is 9 (+0.5); job is full (+0.5)",
        "b is missing (-2)",
    )
    assert table.rows[2] == (1, "yes", "yes", "job is full (+2)", "nothing")
    private = told_in_three_parts(
        attributions, rows, answers, inputs, TASK, "kernel_shap", columns, labels, people=True
    )
    assert private.evidence[0].rows[0][-2:] == ("a (+1); c (+0.5); job (+0.5)", "b (-2)")  # type: ignore[union-attr]


def test_numbers_are_told_as_they_are_and_the_farthest_off_first() -> None:
    columns = tuple(Column(name, "numeric") for name in "ab")
    answers, truths = np.array([5.0, 5.25, 7.0, 0.0]), np.array([5.5, 9.0, 7.0, 0.0])
    rows = np.array([0, 1, 2])  # of four test rows
    found = told_in_three_parts(
        np.array([[1.0, 0.5], [2.0, -1.0], [0.5, 0.5]]),
        rows,
        np.zeros(3, np.int64),
        np.array([[1.0, 2.0]] * 4),
        Task("regression", ()),
        "kernel_shap",
        columns,
        test_predicted=answers,
        test_targets=truths,
    )
    (table,) = found.evidence
    assert isinstance(table, Table)
    assert table.header[-2:] == ("makes it larger", "makes it smaller")
    assert [row[:3] for row in table.rows] == [
        (1, "5.25", "9"),
        (0, "5", "5.5"),
        (2, "7", "7"),
    ]


def test_of_images_pictures_show_it_and_large_ones_are_added_up() -> None:
    attributions = np.random.default_rng(0).normal(size=(5, 64 * 64)).astype(np.float32)
    found = told_in_three_parts(
        attributions,
        np.arange(5),
        np.zeros(5, np.int64),
        np.zeros((5, 3, 64, 64)),
        TASK,
        "deeplift",
    )
    pictures = [e for e in found.evidence if isinstance(e, Matrix)]
    assert len(pictures) == 3
    assert len(pictures[0].values) == 32
    assert np.sum(pictures[0].values) == pytest.approx(
        attributions[0].sum(), abs=3.0
    )  # rounded to .1
    assert pictures[0].title == 'What the answer "no" to test row 0 rests on'


def test_the_title_of_a_picture_says_what_a_wrong_answer_should_be() -> None:
    found = told_in_three_parts(
        np.ones((2, 16)), np.arange(2), np.zeros(2, np.int64), np.zeros((2, 1, 4, 4)), TASK, "x",
        test_labels=np.array([0, 1]),
    )  # fmt: skip
    titles = [e.title for e in found.evidence[1:]]
    assert titles[0] == 'What the answer "no" (should be "yes") to test row 1 rests on'
    assert titles[1] == 'What the answer "no" to test row 0 rests on'


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((1, 64), (1, 32)), ((2, 187), (2, 31)), ((64, 2), (32, 2)), ((40, 40, 3), (20, 20))],
)
def test_long_and_narrow_inputs_are_drawn_too(shape, drawn) -> None:
    height, width = shape[:2]
    attributions = np.random.default_rng(0).normal(size=(2, height * width))
    found = told_in_three_parts(
        attributions, np.arange(2), np.zeros(2, np.int64), np.zeros((2, *shape)), TASK, "deeplift"
    )
    picture = found.evidence[1]
    assert isinstance(picture, Matrix)
    assert np.shape(picture.values) == drawn


def test_nothing_attributed_is_nothing_told() -> None:
    with pytest.raises(NotApplicable, match="not 0"):
        told_in_three_parts(
            np.zeros((2, 3)), np.arange(2), np.zeros(2, int), np.zeros((2, 3)), TASK, "x"
        )
