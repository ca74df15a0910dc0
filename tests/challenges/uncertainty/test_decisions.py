"""What the user is told: right, wrong, several classes or nothing."""

import numpy as np
import pytest

from roadworthy.challenges.uncertainty.decisions import unanswered, wrong_decisions
from roadworthy.errors import NotApplicable
from roadworthy.quantities.predictions import decisions
from roadworthy.subject import DecisionRule

P = np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.34, 0.33, 0.33], [0.2, 0.2, 0.6]])


def test_without_a_rule_the_most_probable_class_is_told() -> None:
    told = decisions(P)
    assert told.argmax(axis=1).tolist() == [0, 0, 0, 2]
    assert told.sum() == 4
    assert wrong_decisions(told, np.array([0, 1, 0, 2])).value == 1 / 4
    assert unanswered(told).value == 0


def test_abstaining_leaves_unsure_rows_without_an_answer() -> None:
    rule = DecisionRule("abstain", 0.55, "a wish")
    told = decisions(P, rule)
    assert told.any(axis=1).tolist() == [False, True, False, True]
    found = wrong_decisions(told, np.array([0, 1, 0, 2]), rule)
    assert (found.value, found.n) == (1 / 2, 2)
    assert "50.0 % of rows get no answer" in found.details
    assert "a wish" in found.details
    assert unanswered(told).value == 1 / 2
    with pytest.raises(NotApplicable, match="no test row"):
        wrong_decisions(decisions(P, DecisionRule("abstain", 0.99)), np.array([0, 1, 0, 2]))


def test_a_set_is_right_when_it_holds_the_label_and_is_never_empty() -> None:
    told = decisions(P, DecisionRule("set", 0.3))
    assert told.sum(axis=1).tolist() == [2, 1, 3, 1]
    assert wrong_decisions(told, np.array([1, 1, 2, 2])).value == 1 / 4
    assert decisions(P, DecisionRule("set", 1.0)).sum(axis=1).tolist() == [1, 1, 1, 1]
