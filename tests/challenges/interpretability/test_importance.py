"""Permutation importance, partial dependence and accumulated local effects against what is known of a sum."""

import numpy as np
import pytest

from roadworthy.challenges.interpretability.importance import (
    column_curves,
    column_importance,
    importance_losses,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column, Predictor, Task

COLUMNS = (Column("a", "numeric"), Column("b", "numeric"), Column("c", "numeric"))
TASK = Task("regression", ())
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(1000, 3))


def linear(rows: np.ndarray) -> np.ndarray:
    return 2.0 * rows[:, 0] + rows[:, 1]


MODEL = Predictor(linear, "values", None)


def test_of_a_sum_the_importance_is_twice_the_variance_of_each_term() -> None:
    # Truth is the answer itself: shuffling a term t makes the squared error 2 var(t); var(y) = 4 + 1.
    losses = importance_losses(MODEL, TASK, "values", ROWS, RNG, COLUMNS, test_targets=linear(ROWS))
    assert losses.mean(axis=0) == pytest.approx([2 * 4 / 5, 2 * 1 / 5, 0.0], abs=0.15)
    found = column_importance(losses, TASK, COLUMNS)
    assert found.details.startswith("Most important: a, b. 1 of 3 columns")
    figure = found.evidence[0]
    assert figure.labels == ("a", "b", "c")  # type: ignore[union-attr]
    assert found.value == pytest.approx(8 / 5, abs=0.15)


def test_of_a_sum_both_curves_are_the_line_of_the_term() -> None:
    losses = np.tile([3.0, 2.0, 0.0], (1000, 1))
    curves = column_curves(MODEL, TASK, "values", ROWS, losses, RNG, COLUMNS)
    at = curves["0 at"]
    rest = linear(ROWS).mean() - 2.0 * ROWS[:, 0].mean()
    assert curves["0 dependence"] == pytest.approx(2.0 * at + rest, abs=1e-9)
    steps = np.diff(curves["0 local"]) / np.diff(at)
    assert steps == pytest.approx(np.full(len(steps), 2.0), abs=1e-9)


def test_a_column_that_is_mostly_one_value_is_drawn_between_the_others_too() -> None:
    """As gains of capital: of 92 of 100 rows 0, of the others up to 99,999, and the answer turns at 5,000."""
    rng = np.random.default_rng(3)
    rows = np.zeros((1000, 3))
    rows[:80, 0] = np.append(rng.uniform(100, 20_000, 79), 99_999)
    model = Predictor(lambda x: (x[:, 0] > 5000).astype(float), "values", None)
    losses = np.tile([3.0, 0.0, 0.0], (1000, 1))
    curves = column_curves(model, TASK, "values", rows, losses, rng, COLUMNS)
    at, local = curves["0 at"], curves["0 local"]
    assert len(at) >= 10
    assert np.diff(at)[0] < 5000
    assert curves["0 dependence"].tolist() == (at > 5000).astype(float).tolist()
    # Steps between neighbours alone: nothing below the turn, all of it there.
    assert np.ptp(local[at <= 5000]) == pytest.approx(0.0)
    assert local[0] == pytest.approx(0.0, abs=0.1)


def test_a_column_of_which_nothing_is_known_has_no_curve() -> None:
    rows = ROWS.copy()
    rows[:, 0] = np.nan
    model = Predictor(lambda x: linear(np.nan_to_num(x)), "values", None)
    losses = np.tile([3.0, 2.0, 0.0], (1000, 1))
    curves = column_curves(model, TASK, "values", rows, losses, RNG, COLUMNS)
    assert {key.split()[0] for key in curves} == {"1", "2"}


def test_where_columns_go_together_local_effects_do_not_ask_for_rows_that_cannot_be() -> None:
    """The answer is odd only where a and b differ, which no row does: dependence sees it, local effects do not."""
    a = RNG.random(1000)
    rows = np.stack([a, a, RNG.random(1000)], axis=1)
    model = Predictor(lambda x: x[:, 0] + 10.0 * (np.abs(x[:, 0] - x[:, 1]) > 0.3), "values", None)
    losses = np.tile([3.0, 0.0, 0.0], (1000, 1))
    curves = column_curves(model, TASK, "values", rows, losses, RNG, COLUMNS)
    assert np.ptp(curves["0 dependence"]) > 3.0
    assert np.ptp(curves["0 local"]) == pytest.approx(1.0, abs=0.05)


def test_classes_are_charged_by_their_likelihood_and_arrays_have_no_columns() -> None:
    task = Task("binary", ("no", "yes"), positive=1)
    model = Predictor(lambda x: np.stack([0 * x[:, 0], 4.0 * x[:, 0]], axis=1), "logits", None)
    labels = (ROWS[:, 0] > 0).astype(np.int64)
    losses = importance_losses(model, task, "logits", ROWS, RNG, COLUMNS, test_labels=labels)
    assert losses[:, 0].mean() > 0.5
    assert np.abs(losses[:, 1:]).max() == 0.0
    with pytest.raises(NotApplicable, match="no table"):
        importance_losses(model, task, "logits", ROWS, RNG, None, test_labels=labels)
