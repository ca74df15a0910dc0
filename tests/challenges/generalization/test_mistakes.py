"""The share of wrong test rows, and what is said of the classes that are confused."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from roadworthy.challenges.generalization.mistakes import error_rate
from roadworthy.errors import NotApplicable
from roadworthy.results import Matrix, Measurement
from roadworthy.statistics import clopper_pearson
from roadworthy.subject import Task

THREE = Task("multiclass", ("a", "b", "c"))


def measured(predicted: np.ndarray, labels: np.ndarray, task: Task = THREE) -> Measurement:
    return error_rate(predicted == labels, predicted, labels, task)


def test_it_is_the_share_of_wrong_rows_with_the_confusion_matrix_and_the_worst_pairs_in_words() -> (
    None
):
    labels = np.repeat([0, 1, 2], [40, 30, 30])
    predicted = labels.copy()
    predicted[:5], predicted[40:42] = 2, 0
    measurement = measured(predicted, labels)
    assert measurement.value == pytest.approx(0.07)
    assert (measurement.low, measurement.high) == pytest.approx(tuple(clopper_pearson(7, 100)))
    matrix = measurement.evidence[0]
    assert isinstance(matrix, Matrix)
    assert np.array(matrix.values).tolist() == confusion_matrix(labels, predicted).tolist()
    assert measurement.details == (
        '7 of 100 test rows are wrong. Confused most: "a" taken for "c" in 5 of 40 rows (12.5 %); '
        '"b" taken for "a" in 2 of 30 rows (6.7 %).'
    )


def test_a_model_without_mistakes_confuses_nothing() -> None:
    labels = np.repeat([0, 1, 2], 10)
    measurement = measured(labels, labels)
    assert measurement.value == 0.0
    assert measurement.high > 0.0
    assert measurement.details == "0 of 30 test rows are wrong."


def test_of_many_classes_the_twenty_that_are_confused_most_are_shown() -> None:
    labels = np.repeat(np.arange(30), 5)
    predicted = np.where(labels >= 25, 0, labels)
    matrix = measured(predicted, labels, Task("multiclass", tuple(map(str, range(30))))).evidence[0]
    assert isinstance(matrix, Matrix)
    assert len(matrix.rows) == 20
    assert {"0", "25", "29"} <= set(matrix.rows)


def test_no_rows_have_no_rate() -> None:
    with pytest.raises(NotApplicable, match="no test rows"):
        measured(np.array([], int), np.array([], int))
