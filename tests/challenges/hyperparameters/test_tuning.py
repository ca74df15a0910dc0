"""Loss against a search and optimism of validation, on trainings whose errors are known."""

from dataclasses import replace
from math import log10

import numpy as np
import pytest
from known_trainer import KnownTrainer

from roadworthy.challenges.hyperparameters.search import (
    chosen_of,
    luckiest_setting,
    searched_settings,
    searched_test_errors,
    searched_validation_errors,
    trials_of,
)
from roadworthy.challenges.hyperparameters.tuning import (
    untuned_loss,
    validation_optimism,
)
from roadworthy.results import AtMost, Scatter
from roadworthy.statistics import judge
from roadworthy.subject import Recipe, Task

TASK = Task("multiclass", ("a", "b", "c"))
Rows = dict[str, np.ndarray]


def valley(recipe: Recipe) -> float:
    """.05 at a learning rate of 1e-2, and .1 more for each power of ten."""
    return 0.05 + 0.1 * abs(log10(recipe.learning_rate) + 2)


def searched(trainer: KnownTrainer, rows: Rows, repetitions: int = 100):
    settings = searched_settings(
        trainer.recipe, rows["tuning_rows"], TASK, np.random.default_rng(0), repetitions=repetitions
    )
    both = [
        f(trainer, settings, rows["tuning_rows"], rows[f"{s}_inputs"], rows[f"{s}_labels"])
        for s, f in (("validation", searched_validation_errors), ("test", searched_test_errors))
    ]
    return settings, *both


def test_a_rate_that_is_a_hundred_times_too_small_loses_what_the_valley_says(rows: Rows) -> None:
    trainer = KnownTrainer(valley, Recipe(learning_rate=1e-4))
    found = untuned_loss(*searched(trainer, rows))
    assert found.value == pytest.approx(0.2, abs=0.02)  # .25 - .05, the best of 28 being near
    assert judge(found, AtMost(0.02, ""), 100).verdict == "fail"
    assert isinstance(found.evidence[0], Scatter)


def test_the_best_rate_loses_nothing(rows: Rows) -> None:
    trainer = KnownTrainer(valley, Recipe(learning_rate=1e-2))
    found = untuned_loss(*searched(trainer, rows))
    assert -0.02 < found.value <= 0.005
    assert judge(found, AtMost(0.02, ""), 100).verdict == "pass"


def test_the_family_is_one_call_with_the_subject_first_at_equal_epochs(rows: Rows) -> None:
    trainer = KnownTrainer(valley, Recipe(learning_rate=1e-4, epochs=7))
    searched(trainer, rows, repetitions=20)
    validation, test = trainer.calls
    assert validation == test
    assert len(validation) == 1 + trials_of(20) == 9
    assert validation[0] == trainer.recipe
    assert {recipe.epochs for recipe in validation} == {7}


def test_the_drawn_settings_are_the_same_for_another_recipe(rows: Rows) -> None:
    one = searched_settings(Recipe(), rows["tuning_rows"], TASK, np.random.default_rng(0))
    far_off = Recipe(learning_rate=3.0)
    other = searched_settings(far_off, rows["tuning_rows"], TASK, np.random.default_rng(0))
    for name in one:
        np.testing.assert_array_equal(one[name][1:], other[name][1:])
    assert other["learning_rate"][0] == 3.0


def test_one_that_diverges_is_never_chosen(rows: Rows) -> None:
    trainer = KnownTrainer(
        lambda r: np.inf if r.learning_rate > 1e-3 else 0.3, Recipe(learning_rate=1e-4)
    )
    settings, validation, test = searched(trainer, rows)
    assert settings["learning_rate"][chosen_of(validation)] <= 1e-3
    assert untuned_loss(settings, validation, test).value == pytest.approx(0.0, abs=0.01)


def test_the_luckiest_setting_may_be_the_own_one() -> None:
    settings = {"learning_rate": np.array([0.1, 0.2, 0.3])}
    errors = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], bool)
    assert luckiest_setting(settings, errors) == {"learning_rate": 0.1}
    assert chosen_of(errors) == 1


def test_the_own_model_on_validation_and_test_rows() -> None:
    validation, test = np.arange(1_000) >= 100, np.arange(500) >= 100
    assert validation_optimism(test, validation).value == pytest.approx(0.1)
    found = validation_optimism(np.linspace(0.3, 0.8, 300), np.linspace(0.5, 1.0, 300))
    assert found.value == pytest.approx(0.2)
    assert found.unit == "share of the error of answering the median"


def test_more_repetitions_try_more_settings_up_to_a_limit() -> None:
    assert [trials_of(n) for n in (20, 100, 400)] == [8, 28, 48]


def test_a_recipe_with_other_epochs_is_searched_with_those(rows: Rows) -> None:
    trainer = KnownTrainer(valley, replace(Recipe(), epochs=3))
    searched(trainer, rows, repetitions=1)
    assert {recipe.epochs for recipe in trainer.calls[0]} == {3}
