"""Errors, guesses and merit on cases worked by hand."""

import numpy as np
import pytest

from roadworthy.challenges.generalization.artifacts import (
    errors,
    guess_error,
    guess_errors,
    merit,
    pooled_merit,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Task

THREE = Task("multiclass", ("a", "b", "c"))
NUMBER = Task("regression")


def test_errors_of_classes_and_of_numbers() -> None:
    assert errors(correct=np.array([True, False])).tolist() == [0.0, 1.0]
    assert errors(residuals=np.array([-2.0, 0.5])).tolist() == [2.0, 0.5]
    with pytest.raises(NotApplicable):
        errors()


def test_the_guess_is_the_commonest_class_of_training() -> None:
    found = guess_errors(THREE, np.array([0, 1, 2]), train_labels=np.array([2, 2, 1]))
    assert found.tolist() == [1.0, 1.0, 0.0]


def test_without_training_rows_the_guess_is_the_commonest_class_of_the_rows_and_a_tie_the_lower() -> (
    None
):
    assert guess_errors(THREE, np.array([1, 0, 1, 0])).tolist() == [1.0, 0.0, 1.0, 0.0]


def test_the_guess_of_a_number_is_the_median_of_training() -> None:
    found = guess_errors(
        NUMBER, targets=np.array([1.0, 6.0]), train_targets=np.array([0.0, 2.0, 9.0])
    )
    assert found.tolist() == [1.0, 4.0]
    assert guess_error(found) == 2.5


def test_a_target_that_never_varies_has_no_yardstick() -> None:
    with pytest.raises(NotApplicable, match="nothing to learn"):
        guess_error(np.zeros(5))


def test_merit_is_right_or_wrong_or_the_share_of_the_guess_saved() -> None:
    right = np.array([True, False])
    assert merit(correct=right) is right
    assert merit(residuals=np.array([0.0, -2.0, 4.0]), guess_error=2.0).tolist() == [1.0, 0.0, -1.0]


def test_pooled_merit_is_the_mean_over_all_rows_not_of_means() -> None:
    assert pooled_merit(np.array([True, True, True]), np.array([False])) == 0.75
