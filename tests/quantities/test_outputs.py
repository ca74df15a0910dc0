"""Raw outputs, logits and probabilities of models of every kind."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from roadworthy.errors import NotApplicable, UserError
from roadworthy.quantities.outputs import (
    kind_of_outputs,
    logits,
    output_kind,
    outputs,
    probabilities,
)
from roadworthy.subject import Predictor, Task

BINARY = Task("binary", ("no", "yes"), 1)
THREE = Task("multiclass", ("a", "b", "c"))
NUMBER = Task("regression")


def predictor(given: object, gives: str = "unknown") -> Predictor:
    return Predictor(lambda x: np.asarray(given)[: len(x)], gives, "test")  # type: ignore[arg-type]


def test_outputs_become_float32_and_keep_their_shape() -> None:
    found = outputs(predictor([[1, 2], [3, 4]]), np.zeros((2, 5)))
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 2], [3, 4]]


def test_nan_outputs_are_refused_with_the_row_of_the_source() -> None:
    inputs = np.array([[0.0, 1.0], [np.nan, 2.0]])
    with pytest.raises(UserError, match=r"1 of 2 rows, the first at row 17 .* from 2 to 2 and 1"):
        outputs(predictor([0.5, np.nan]), inputs, np.array([4, 17]))
    with pytest.raises(UserError, match="where every input is missing"):
        outputs(predictor([np.inf]), np.array([[np.nan]]))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), ()])
def test_outputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="output of shape"):
        outputs(Predictor(lambda _: np.zeros(shape), "logits", "t"), np.zeros((2, 5)))


def test_logits_of_many_classes_are_the_outputs_and_probabilities_their_softmax() -> None:
    raw = np.random.default_rng(0).normal(0, 30, (50, 3)).astype(np.float32)
    found = logits(raw, "logits", THREE)
    assert (found == raw).all()
    of_classes = probabilities(found)
    assert of_classes.dtype == np.float64
    np.testing.assert_allclose(of_classes, softmax(raw.astype(np.float64), axis=1), rtol=1e-12)
    np.testing.assert_allclose(of_classes.sum(axis=1), 1, rtol=1e-12)


def test_a_single_logit_is_the_log_odds_of_class_one() -> None:
    raw = np.array([-800.0, -2.0, 0.0, 3.0, 800.0], np.float32)
    for shape in ((5,), (5, 1)):
        found = probabilities(logits(raw.reshape(shape), "logits", BINARY))
        np.testing.assert_allclose(found[:, 1], expit(raw.astype(np.float64)), atol=1e-300)


def test_probabilities_come_back_as_they_were() -> None:
    given = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)
    log = logits(given, "probabilities", THREE)
    assert np.isfinite(log).all()
    np.testing.assert_allclose(probabilities(log), given, atol=1e-7)
    single = logits(np.array([0.25, 1.0], np.float32), "probabilities", BINARY)
    np.testing.assert_allclose(probabilities(single), [[0.75, 0.25], [0, 1]], atol=1e-7)


def test_probabilities_that_do_not_sum_to_one_are_refused_with_their_sum() -> None:
    given = np.array([[0.2, 0.3, 0.5], [0.9, 0.9, 0.2]], np.float32)
    with pytest.raises(UserError, match=r"1 of 2 rows: the first such row sums to 2,"):
        logits(given, "probabilities", THREE)
    with pytest.raises(UserError, match=r"its least value is -0.5"):
        logits(np.array([1.5], np.float32), "probabilities", BINARY)


def test_a_wrong_number_of_outputs_is_refused_with_the_classes() -> None:
    with pytest.raises(UserError, match=r"2 outputs per row, but the target has 3 .*\(a, b, c\)"):
        logits(np.zeros((4, 2), np.float32), "logits", THREE)
    with pytest.raises(UserError, match="1 outputs per row"):
        logits(np.zeros(4, np.float32), "logits", THREE)
    many = Task("multiclass", tuple(f"c{i}" for i in range(9)))
    with pytest.raises(UserError, match=r"c0, c1, c2, c3, c4, c5, \.\.\. 3 more"):
        logits(np.zeros((4, 2), np.float32), "logits", many)


def test_a_numeric_target_has_no_logits() -> None:
    with pytest.raises(NotApplicable):
        logits(np.zeros(4, np.float32), "values", NUMBER)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([[0.1, 0.9], [0.5, 0.5]], "probabilities"),
        ([[0.1, 0.8], [0.5, 0.5]], "logits"),
        ([[-0.1, 1.1]], "logits"),
        ([0.0, 1.0, 0.4], "probabilities"),
        ([0.0, 1.2, 0.4], "logits"),
        ([[-2.3, -0.1]], "logits"),  # log probabilities are logits
        ([[np.nan, 1.0], [0.1, 0.9]], "probabilities"),
    ],
)
def test_what_outputs_are_is_told_by_their_values(given: list[object], kind: str) -> None:
    assert kind_of_outputs(np.array(given, float)) == kind
    inputs = np.zeros((len(given), 2))
    assert output_kind(predictor(given), BINARY, inputs) == kind
    assert output_kind(predictor(given), BINARY, None, inputs) == kind


def test_a_model_that_says_what_it_gives_is_believed() -> None:
    assert output_kind(predictor([0.5], "logits"), BINARY, np.zeros((1, 1))) == "logits"
    assert output_kind(predictor([0.5]), NUMBER, np.zeros((1, 1))) == "values"
    with pytest.raises(NotApplicable):
        output_kind(predictor([0.5]), BINARY)
