"""The whole way from a table to cross-validation, bias and variance, and architectures, with real training."""

from functools import partial

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import Registry, Store, compute
from roadworthy.results import Measurement
from roadworthy.subject import Column, Network, Recipe, Split, Subject, Task
from roadworthy.subject.fields import fields_of

CHECKS = (
    "split_luck",
    "cross_validated_error",
    "training_variance",
    "capacity_curve",
    "architectures_compared",
)
OPTIONS: dict[str, dict[str, object]] = {
    "folds": {"folds": 2},
    "bootstrap_rows": {"draws": 2},
    "retrained_answers": {"seeds": 1},
    "other_width_answers": {"seeds": 1},
    "architecture_answers": {"seeds": 1},
}


def small(outputs: int, width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, outputs))


def table(kind: str, n: int = 300) -> Subject:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    y = x @ [1.0, 1.0, 0.0] + 0.3 * rng.normal(size=n)
    task = Task("regression") if kind == "regression" else Task("binary", ("no", "yes"), 1)
    target = y if kind == "regression" else (y > 0).astype(np.int64)
    ends = (("train", 0, 180), ("validation", 180, 220), ("test", 220, n))
    return Subject(
        "made up",
        task,
        "table",
        {name: Split(x[a:b], target[a:b]) for name, a, b in ends},  # type: ignore[misc]
        tuple(Column(name, "numeric") for name in "abc"),
        network=Network(partial(small, 1 if kind == "regression" else 2), "small"),
        recipe=Recipe(epochs=1, learning_rate=1e-2, batch_size=64),
    )


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_every_check_that_trains_measures_a_table(kind: str) -> None:
    outcomes = compute(
        Registry.discover(), fields_of(table(kind)), CHECKS, store=Store(), options=OPTIONS
    )
    for name in CHECKS:
        outcome = outcomes[name]
        assert outcome.state == "done", (name, outcome.reason, outcome.traceback)
        found = outcome.value
        assert isinstance(found, Measurement)
        assert found.low <= found.value <= found.high
        assert found.details
    assert outcomes["capacity_curve"].value.seeds == 9
    assert "half as wide" in outcomes["architectures_compared"].value.details


def test_a_black_box_cannot_be_cross_validated() -> None:
    from dataclasses import replace

    from roadworthy.subject import Predictor

    box = Predictor(lambda inputs: np.full((len(inputs), 2), 0.5), "probabilities", "coin")
    subject = replace(table("binary"), recipe=None, predictor=box)
    outcomes = compute(Registry.discover(), fields_of(subject), CHECKS, store=Store())
    assert {outcomes[name].state for name in CHECKS} == {"missing"}
