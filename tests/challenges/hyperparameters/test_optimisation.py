"""The search by Optuna: finds the broad valley, at the price of the random search, on validation rows alone."""

import sys
from math import log10

import numpy as np
import pytest
from known_trainer import KnownTrainer

from roadworthy.challenges.hyperparameters.optimisation import tuned_setting
from roadworthy.challenges.hyperparameters.search import trials_of
from roadworthy.errors import NotApplicable
from roadworthy.subject import Recipe, Task

pytest.importorskip("optuna")
TASK = Task("multiclass", ("a", "b", "c"))
Rows = dict[str, np.ndarray]


def tuned(trainer: KnownTrainer, rows: Rows, repetitions: int = 100) -> dict[str, float]:
    return tuned_setting(
        trainer,
        rows["tuning_rows"],
        TASK,
        np.random.default_rng(0),
        rows["validation_inputs"],
        rows["validation_labels"],
        repetitions=repetitions,
    )


def valley_and_pit(recipe: Recipe) -> float:
    """A broad valley around a learning rate of 1e-2; a pit around 3e-4, deeper and a twentieth as wide."""
    exponent = log10(recipe.learning_rate)
    if abs(exponent + 3.5) < 0.02:
        return 0.04
    return 0.06 + 0.2 * max(abs(exponent + 2) - 0.3, 0.0)


@pytest.mark.parametrize("repetitions", [20, 100])
def test_the_broad_valley_is_found(rows: Rows, repetitions: int) -> None:
    found = tuned(KnownTrainer(valley_and_pit, Recipe(learning_rate=1e-4)), rows, repetitions)
    assert abs(log10(found["learning_rate"]) + 2) < 0.5


def test_it_costs_no_more_epochs_than_the_random_search(rows: Rows) -> None:
    recipe = Recipe(learning_rate=1e-4, epochs=20)
    for repetitions in (20, 100, 400):
        trainer = KnownTrainer(valley_and_pit, recipe)
        tuned(trainer, rows, repetitions)
        own, *batches = trainer.calls
        assert own == [recipe]
        spent = sum(each.epochs for batch in batches for each in batch)
        assert 0.7 <= spent / (trials_of(repetitions) * recipe.epochs) <= 1.1


def test_settings_train_in_batches_first_short_and_the_better_half_long(rows: Rows) -> None:
    trainer = KnownTrainer(valley_and_pit, Recipe(learning_rate=1e-4, epochs=20))
    tuned(trainer, rows, 20)
    _, short, long = trainer.calls
    assert [each.epochs for each in short] == [5] * 8
    assert [each.epochs for each in long] == [20] * 4
    looks = sorted(valley_and_pit(each) for each in short)
    assert max(valley_and_pit(each) for each in long) <= looks[4]


def test_the_own_setting_is_kept_exactly_where_nothing_is_better(rows: Rows) -> None:
    recipe = Recipe(learning_rate=5.0, weight_decay=0.0, batch_size=77)  # outside of the range
    trainer = KnownTrainer(lambda r: 0.01 if r.learning_rate == 5.0 else 0.9, recipe)
    found = tuned(trainer, rows, 20)
    assert (found["learning_rate"], found["weight_decay"], found["batch_size"]) == (5.0, 0.0, 77.0)


def test_the_same_search_finds_the_same(rows: Rows) -> None:
    one, other = (tuned(KnownTrainer(valley_and_pit), rows, 20) for _ in range(2))
    assert one == other


def test_settings_that_diverge_are_passed_over(rows: Rows) -> None:
    trainer = KnownTrainer(
        lambda r: np.inf if r.learning_rate > 2e-3 else 0.2, Recipe(learning_rate=1e-4)
    )
    assert tuned(trainer, rows)["learning_rate"] <= 2e-3


def test_without_optuna_it_says_what_to_install(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NotApplicable, match=r"pip install 'roadworthy\[tune\]'"):
        tuned(KnownTrainer(valley_and_pit), rows)
