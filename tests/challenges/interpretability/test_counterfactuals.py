"""What would have to be different: few changes, verified by the model, never of what a person cannot change."""

import numpy as np
import pytest

from roadworthy.challenges.interpretability.counterfactuals import (
    answers_within_reach,
    counterfactuals,
)
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Column, Predictor, Roles, Task

TASK = Task("binary", ("refused", "granted"), positive=1)
COLUMNS = (
    Column("income", "numeric"),
    Column("job", "category", ("none", "part", "full")),
    Column("sex", "category", ("f", "m")),
    Column("debts", "numeric"),
)
SCALES = {"numeric": np.array([0, 3]), "scale": np.array([29.0, 3.0])}
ROLES = Roles(target="granted", sensitive=("sex",))
RNG = np.random.default_rng(0)
ROWS = np.stack(
    [
        RNG.integers(10, 90, 400),
        RNG.integers(0, 3, 400),
        RNG.integers(0, 2, 400),
        RNG.integers(0, 9, 400),
    ],
    axis=1,
).astype(float)


def score(rows: np.ndarray) -> np.ndarray:
    """Granted from 60 on: income, 20 for a full job, 30 for being m, 2 less for each debt."""
    return rows[:, 0] + 20 * (rows[:, 1] == 2) + 30 * (rows[:, 2] == 1) - 2 * rows[:, 3] - 60


MODEL = Predictor(lambda rows: np.stack([0 * score(rows), score(rows)], axis=1), "logits", None)


def asked(**options: str) -> tuple:
    predicted = (score(ROWS) > 0).astype(np.int64)
    rng = np.random.default_rng(1)
    given = MODEL, TASK, "logits", ROWS, ROWS, predicted, SCALES, ROLES, rng, COLUMNS
    return counterfactuals(*given, **options)


def test_every_change_turns_the_answer_and_uses_values_that_exist() -> None:
    found = asked()
    assert len(found) == 60
    for each in found:
        row = ROWS[each.row].copy()
        assert score(row[None])[0] <= 0  # those who were refused
        for column, value in each.changes:
            assert value in ROWS[:, column]
            row[column] = value
        assert bool(each.changes) == (score(row[None])[0] > 0)
        assert len(each.changes) <= 3


def test_sensitive_and_fixed_columns_stay_as_they_are() -> None:
    assert all(column != 2 for each in asked() for column, _ in each.changes)
    fixed = asked(fixed="income, debts")
    assert all(column == 1 for each in fixed for column, _ in each.changes)
    with pytest.raises(UserError, match="no column") as caught:
        asked(fixed="salary")
    assert "income, job" in str(caught.value)


def test_one_change_is_preferred_to_two_and_the_smaller_to_the_larger() -> None:
    row = np.array([[55.0, 2.0, 0.0, 8.0]])  # 55 + 20 - 16 - 60 = -1: one debt less, or more income
    rng = np.random.default_rng(2)
    given = MODEL, TASK, "logits", ROWS, row, np.array([0]), SCALES, ROLES, rng, COLUMNS
    change = counterfactuals(*given)[0]
    assert len(change.changes) == 1
    (column, value) = change.changes[0]
    assert (column, value < 8.0) == (3, True) or column == 0


def test_the_check_counts_whom_changes_help_and_says_them_in_sentences() -> None:
    found = answers_within_reach(asked(), ROWS, TASK, COLUMNS)
    assert found.n == 60
    assert found.value > 0.9
    table = found.evidence[0]
    sentence = table.rows[0][-1]  # type: ignore[union-attr]
    assert " were " in sentence
    assert " instead of " in sentence
    private = answers_within_reach(asked(), ROWS, TASK, COLUMNS, people=True).evidence[0]
    assert " instead of " not in private.rows[0][-1]  # type: ignore[union-attr]
    assert table.rows[0][1:3] == ("refused", "granted")  # type: ignore[union-attr]


def test_without_columns_that_may_change_nothing_is_sought() -> None:
    with pytest.raises(NotApplicable, match="no column may change"):
        asked(fixed="income,job,debts")
    with pytest.raises(NotApplicable, match="classes of a table"):
        counterfactuals(MODEL, TASK, "logits", ROWS, ROWS, np.zeros(400), SCALES, ROLES, RNG, None)
