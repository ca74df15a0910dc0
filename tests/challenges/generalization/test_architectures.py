"""Architectures trained alike: the best of the others, paired on test rows, none without rivals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from roadworthy.challenges.generalization.architectures import architectures_compared
from roadworthy.challenges.generalization.retraining import architecture_answers
from roadworthy.errors import NotApplicable
from roadworthy.results import Intervals
from roadworthy.subject import Network

NO_MODULE: Any = None


def answers_of(d: Any, **others: Any) -> dict[str, np.ndarray]:
    rows, compared = np.arange(len(d.train_target)), np.arange(len(d.test_target))
    return architecture_answers(
        d.trainer("0.8"), rows, d.train_inputs, d.test_inputs, compared, seeds=1, **others
    )


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_a_steadier_architecture_is_found_better(kind: str, data: Callable[..., Any]) -> None:
    d = data(kind)
    widths = {"0.5": Network(NO_MODULE, "1.5"), "2": Network(NO_MODULE, "0")}
    answers = answers_of(d, other_widths=widths)
    assert {name: a.shape for name, a in answers.items()} == {
        "model under audit": (3, 200),
        "half as wide": (3, 200),
        "twice as wide": (3, 200),
    }
    truth = (d.test_target, None) if kind == "multiclass" else (None, d.test_target)
    rows, compared = np.arange(300), np.arange(200)
    found = architectures_compared(answers, rows, d.train_inputs, compared, *truth, 1.0)
    beside = found.evidence[1]
    assert isinstance(beside, Intervals)
    assert beside.labels == ("half as wide", "twice as wide")
    assert found.value == pytest.approx(max(beside.values)) == pytest.approx(beside.values[1])
    assert found.seeds == 3


def test_simple_models_stand_beside_where_they_had_the_same_rows(data: Callable[..., Any]) -> None:
    d = data("multiclass")
    answers = answers_of(d, default_network=Network(NO_MODULE, "0.1"))
    simple = {"linear": np.ones(200, bool)}
    compared = np.arange(200)
    arguments = (answers, np.arange(300))
    found = architectures_compared(
        *arguments, d.train_inputs, compared, d.test_target, simple_test_merits=simple
    )
    assert "linear 100.0 %" in found.details
    fewer = architectures_compared(
        *arguments, np.zeros((900, 1)), compared, d.test_target, simple_test_merits=simple
    )
    assert "linear" not in fewer.details


def test_alone_there_is_nothing_to_compare(data: Callable[..., Any]) -> None:
    d = data("multiclass")
    with pytest.raises(NotApplicable, match="no other architecture"):
        architectures_compared(
            answers_of(d), np.arange(300), d.train_inputs, np.arange(200), d.test_target
        )
