"""The room on whole subjects: what is measured of a small one, and what is said where something lacks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import CheckMark, Registry, Store, compute
from roadworthy.results import Measurement
from roadworthy.subject import (
    Network,
    Predictor,
    Recipe,
    Split,
    Subject,
    Task,
    fields_of,
)

REGISTRY = Registry.discover()
CHECKS = [
    name
    for name, marked in REGISTRY.checks.items()
    if isinstance(marked.mark, CheckMark) and marked.mark.challenge == "hyperparameters"
]
OPTIONS = {
    "neighbouring_answers": {"seeds": 1},
    "seed_answers": {"seeds": 1},
    "searched_settings": {"repetitions": 20},
    "tuned_setting": {"repetitions": 20},
    "nested_errors": {"draws": 2},
    "folds": {"folds": 3},
}


def linear() -> nn.Module:
    return nn.Linear(2, 2)


def small() -> Subject:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        inputs = rng.normal(size=(n, 2)).astype(np.float32)
        noise = rng.normal(scale=0.3, size=n)
        return Split(inputs, (inputs[:, 0] + noise > 0).astype(np.int64))

    return Subject(
        "small",
        Task("binary", ("no", "yes"), 1),
        "array",
        {"train": split(160), "validation": split(160), "test": split(200)},
        network=Network(linear, "linear"),
        recipe=Recipe(epochs=4, batch_size=32, learning_rate=3e-2),
    )


def outcomes(subject: Subject, names: Sequence[str], store: Store | None = None) -> Any:
    return compute(REGISTRY, fields_of(subject), names, store=store or Store(), options=OPTIONS)


def test_every_check_measures_a_small_subject_and_a_search_finds_it_settings(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    found = outcomes(small(), [*CHECKS, "luckiest_setting", "tuned_setting"], store)
    for name in CHECKS:
        assert found[name].state == "done", found[name].traceback or found[name].reason
        assert isinstance(found[name].value, Measurement)
    assert found["tuned_setting"].value.keys() == found["luckiest_setting"].value.keys()
    again = outcomes(small(), CHECKS, store)
    assert all(again[name].value == found[name].value for name in CHECKS)
    assert all(again[name].from_store for name in CHECKS)


def test_a_learning_rate_that_is_far_too_small_is_found() -> None:
    slow = replace(small(), recipe=Recipe(epochs=25, batch_size=32, learning_rate=1e-7))
    found = outcomes(slow, ["untuned_loss"])["untuned_loss"].value
    assert found.low > 0.02, found.details


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "validation_optimism"])
def test_a_black_box_cannot_be_trained_again(name: str) -> None:
    box = replace(
        small(),
        network=None,
        recipe=None,
        predictor=Predictor(lambda x: x[:, :2], "logits", "black box"),
    )
    found = outcomes(box, [name])[name]
    assert found.state in ("missing", "not_applicable", "dependency_failed"), found
    assert found.traceback is None
    assert found.reason


@pytest.mark.parametrize("name", ["untuned_loss", "validation_optimism"])
def test_without_validation_rows_nothing_is_chosen(name: str) -> None:
    whole = small()
    splits = {n: split for n, split in whole.splits.items() if n != "validation"}
    found = outcomes(replace(whole, splits=splits), [name])[name]
    assert found.state in ("missing", "not_applicable"), found
    assert "validation" in found.reason
