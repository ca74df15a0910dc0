"""Which epoch of a hardened training is kept, and that epochs which lost what was learnt are told."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from torch import Tensor, nn

from roadworthy.engine import Registry, Store
from roadworthy.procedures.fix.course import JUDGED, STEPS, course_of, said_of
from roadworthy.procedures.paired import How, Side
from roadworthy.procedures.stored import STORED
from roadworthy.subject import (
    AdversarialTraining,
    Network,
    Recipe,
    Split,
    Subject,
    Task,
    fields_of,
)
from roadworthy.training import adversarial, artifacts

EPOCHS = 6
PLAN = AdversarialTraining("fast", 0.1, -4.0, 4.0)
RECIPE = Recipe(epochs=EPOCHS, batch_size=16, learning_rate=0.05, adversarial=PLAN)
REGISTRY = Registry.of(
    artifacts.network,
    artifacts.recipe,
    artifacts.trainer,
    artifacts.weights,
    artifacts.judged_epochs,
)


def subject(recipe: Recipe, weights: Mapping[str, np.ndarray] | None = None) -> Subject:
    rng = np.random.default_rng(0)

    def rows(n: int) -> Split:
        inputs = rng.normal(size=(n, 5)).clip(-4, 4).astype(np.float32)
        return Split(inputs, (inputs[:, 0] > 0).astype(np.int64))

    return Subject(
        "toy",
        Task("binary", ("a", "b"), 1),
        "array",
        {"train": rows(96), "validation": rows(64), "test": rows(64)},
        network=Network(partial(nn.Linear, 5, 2), "linear"),
        recipe=recipe,
        weights=weights,
    )


def side(of: Subject, folder: Path) -> Side:
    return Side(fields_of(of), How(REGISTRY, Store(folder, records=STORED)))


@pytest.mark.parametrize(
    ("method", "name"),
    [("fast", "catastrophic overfitting"), ("free", "catastrophic overfitting"), ("pgd", "over")],
)
def test_a_jump_of_the_loss_after_the_epoch_that_is_kept_is_told(
    method: Literal["fast", "free", "pgd"], name: str
) -> None:
    recipe = replace(RECIPE, adversarial=replace(PLAN, method=method))
    kept, lost = said_of(np.array([2.1, 1.2, 0.8, 0.9, 5.5, 4.0]), recipe)
    assert (
        kept
        == "training: epoch 3 of 6 is kept, the one that withstands most (loss 0.8 against 10 steps)"
    )
    assert lost.startswith(f"training: {name}")
    assert lost.endswith("after it, the loss is 5.5 in epoch 5")


def test_what_is_told_is_what_the_trainer_judges_by() -> None:
    assert STEPS == adversarial.WATCHED_STEPS
    assert artifacts.judged_epochs.__name__ == JUDGED


def test_a_loss_that_drifts_or_was_larger_before_is_no_jump() -> None:
    assert len(said_of(np.array([9.0, 1.2, 0.8, 0.9, 1.1, 1.5]), RECIPE)) == 1
    assert said_of(np.array([np.nan, np.nan]), RECIPE) == ()
    assert said_of(np.array([]), RECIPE) == ()


def test_a_hardened_training_is_told_with_the_epoch_of_its_weights(tmp_path: Path) -> None:
    made = side(subject(RECIPE), tmp_path)
    judged = made.values(["judged_epochs"])["judged_epochs"]
    assert judged.shape == (EPOCHS,)
    (said,) = course_of(made, RECIPE)
    assert f"epoch {int(judged.argmin()) + 1} of {EPOCHS}" in said


def test_it_is_known_to_a_later_run_without_training_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = course_of(side(subject(RECIPE), tmp_path), RECIPE)

    def train(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Tensor, "backward", train)
    assert course_of(side(subject(RECIPE), tmp_path), RECIPE) == before


def test_nothing_is_told_of_plain_training_and_of_given_weights(tmp_path: Path) -> None:
    plain = replace(RECIPE, adversarial=None)
    assert course_of(side(subject(plain), tmp_path), plain) == ()
    given = side(subject(RECIPE), tmp_path).values(["weights"])["weights"]
    assert course_of(side(subject(RECIPE, given), tmp_path), RECIPE) == ()
