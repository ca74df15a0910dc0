"""What a model cost to train is known to every later run, and never less because another node trained it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import Registry, Store, artifact, compute
from roadworthy.procedures.fix.costs import TIMING, cost_of
from roadworthy.procedures.paired import How, Side
from roadworthy.procedures.stored import STORED
from roadworthy.subject import Network, Recipe, Split, Subject, Task, Trainer, Variant, fields_of
from roadworthy.training import artifacts, together

EPOCHS = 100
RECIPE = Recipe(epochs=EPOCHS, batch_size=8, learning_rate=1e-3, patience=None)
SOME = {"epochs": (EPOCHS // 10, EPOCHS // 5, EPOCHS)}


@artifact(cost="training")
def search(trainer: Trainer, *, epochs: Sequence[int] = SOME["epochs"]) -> list[object]:
    """Weights by recipes that differ in their length; the last is the subject's own."""
    recipes = [replace(trainer.recipe, epochs=number) for number in epochs]
    return [dict(each) for each in trainer.weights([Variant(recipe=r) for r in recipes])]


REGISTRY = Registry.of(
    *(artifacts.network, artifacts.recipe, artifacts.trainer, artifacts.weights),
    *(artifacts.predictor, TIMING, search),
)


def tiny() -> nn.Module:
    return nn.Linear(3, 2)


def subject() -> Subject:
    rng = np.random.default_rng(0)
    rows = Split(rng.normal(size=(64, 3)), rng.integers(0, 2, 64))
    return Subject(
        "toy",
        Task("binary", ("a", "b"), 1),
        "array",
        {"train": rows, "test": rows},
        network=Network(tiny, "toy"),
        recipe=RECIPE,
    )


def side(folder: Path) -> Side:
    store = Store(folder, records=STORED)
    return Side(fields_of(subject()), How(REGISTRY, store))


def after_a_search(folder: Path) -> tuple[float, Mapping[str, float | None]]:
    """Search, then look at the model whose recipe was the last; return the seconds of both."""
    store = Store(folder, records=STORED)
    searched = compute(REGISTRY, fields_of(subject()), ["search"], store=store)["search"].took
    assert searched is not None
    found = side(folder).outcomes(["weights"])["weights"]
    return searched, {"cost": cost_of(side(folder)).training_seconds, "node": found.seconds}


def test_a_model_that_a_search_trained_costs_what_its_training_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "fleet_is_faster", lambda _: False)
    searched, found = after_a_search(tmp_path)
    assert found["cost"] is not None
    # 100 of 130 epochs; to be quite sure on any machine: more than a third, and not all.
    assert searched / 3 < found["cost"] < searched


def test_what_a_model_of_a_fleet_would_have_cost_alone_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "fleet_is_faster", lambda _: True)
    assert after_a_search(tmp_path)[1]["cost"] is None


def test_a_model_that_was_trained_by_itself_costs_the_same_in_every_run(tmp_path: Path) -> None:
    first = cost_of(side(tmp_path)).training_seconds
    assert first is not None
    assert first > 0
    assert cost_of(side(tmp_path)).training_seconds == first
