"""Scores, decisions, losses and residuals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from roadworthy.errors import NotApplicable, UserError
from roadworthy.quantities.outputs import probabilities
from roadworthy.quantities.predictions import (
    correct,
    losses,
    predicted,
    regression_outputs,
    residuals,
    scores,
)
from roadworthy.subject import Task


def some_probabilities(n: int, c: int) -> np.ndarray:
    return np.random.default_rng(n).dirichlet(np.ones(c), n)


def test_scores_are_the_log_odds_of_the_positive_class() -> None:
    of_classes = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert scores(of_classes, Task("binary", ("no", "yes"), 1)) == pytest.approx([np.log(4), 0])
    assert scores(of_classes, Task("binary", ("ill", "well"), 0)) == pytest.approx([-np.log(4), 0])
    assert scores(of_classes, Task("binary", ("no", "yes"))) == pytest.approx([np.log(4), 0])
    with pytest.raises(NotApplicable):
        scores(of_classes, Task("multiclass", ("a", "b")))


def test_scores_of_saturated_probabilities_do_not_tie() -> None:
    logits = np.array([[0.0, 40.0], [0.0, 60.0], [0.0, 80.0]], np.float32)
    of_classes = probabilities(logits)
    assert (of_classes[:, 1] == 1).all()
    assert (np.diff(scores(of_classes, Task("binary", ("no", "yes"), 1))) > 0).all()


def test_scores_rank_as_the_probabilities_do() -> None:
    of_classes = some_probabilities(200, 2)
    labels = np.random.default_rng(1).integers(0, 2, 200)
    found = roc_auc_score(labels, scores(of_classes, Task("binary", ("no", "yes"), 1)))
    assert found == roc_auc_score(labels, of_classes[:, 1])


def test_a_tie_goes_to_the_lower_code() -> None:
    assert predicted(np.array([[0.2, 0.4, 0.4], [0.5, 0.5, 0.0]])).tolist() == [1, 0]


def test_a_number_is_predicted_by_the_output_itself() -> None:
    values = regression_outputs(np.array([[1.5], [-2.0]], np.float32), np.zeros(2))
    assert values.dtype == np.float64
    assert predicted(None, values).tolist() == [1.5, -2.0]
    assert residuals(predicted(None, values), np.array([1.0, 1.0])).tolist() == [0.5, -3.0]
    with pytest.raises(UserError, match=r"shape \(2, 3\) .* each of 2 rows"):
        regression_outputs(np.zeros((2, 3), np.float32), np.zeros(2))


def test_nothing_to_decide_by_is_said() -> None:
    with pytest.raises(NotApplicable, match="neither a model nor probabilities"):
        predicted()


def test_correct_compares_decision_and_label() -> None:
    assert correct(np.array([0, 1, 2]), np.array([0, 2, 2])).tolist() == [True, False, True]


@pytest.mark.parametrize("c", [2, 5])
def test_losses_average_to_the_log_loss_of_scikit_learn(c: int) -> None:
    of_classes = some_probabilities(100, c)
    labels = np.random.default_rng(2).integers(0, c, 100)
    expected = log_loss(labels, of_classes, labels=np.arange(c))
    assert losses(of_classes, labels).mean() == pytest.approx(expected, rel=1e-9)


def test_a_certain_error_costs_36_nats_and_a_certain_hit_nothing() -> None:
    found = losses(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    assert found == pytest.approx([0, 36.0437], abs=1e-4)  # -ln(2 ** -52)


def test_labels_outside_the_range_of_the_model_are_refused() -> None:
    with pytest.raises(UserError, match=r"Labels run from 0 to 3, .* classes 0 to 1"):
        losses(some_probabilities(2, 2), np.array([0, 3]))
    with pytest.raises(UserError, match="Labels run from -1 to 1"):
        losses(some_probabilities(2, 2), np.array([-1, 1]))
    assert losses(some_probabilities(2, 2)[:0], np.zeros(0, np.int64)).shape == (0,)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 2**16))
def test_renaming_classes_changes_no_loss_and_no_hit(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    of_classes, labels = rng.dirichlet(np.ones(4), 20), rng.integers(0, 4, 20)
    code_of = np.argsort(order)
    assert (losses(of_classes[:, order], code_of[labels]) == losses(of_classes, labels)).all()
    renamed = correct(predicted(of_classes[:, order]), code_of[labels])
    assert (renamed == correct(predicted(of_classes), labels)).all()
