"""What a small change and the seed alone do, on trainings whose errors are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from known_trainer import KnownTrainer, labels_of

from roadworthy.challenges.hyperparameters.answers import tuning_rows
from roadworthy.challenges.hyperparameters.sensitivity import (
    butterfly_effect,
    neighbouring_answers,
    neighbouring_errors,
    seed_answers,
    seed_sensitivity,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Curve, Intervals, Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Recipe, Task

TASK = Task("multiclass", ("a", "b", "c"))
BOUND = AtMost(0.05, "house default")
RECIPE = Recipe(learning_rate=1e-3, epochs=10)
Rows = dict[str, np.ndarray]
Surface = Callable[[Recipe], float]


def butterfly(surface: Surface, rows: Rows, seeds: int = 1) -> Measurement:
    trainer = KnownTrainer(surface, RECIPE)
    given = trainer, rows["tuning_rows"], rows["test_inputs"], TASK
    own, changed = seed_answers(*given, seeds=seeds), neighbouring_answers(*given, seeds=seeds)
    assert len(trainer.calls) == 2  # a family of seeds and one of changes
    return butterfly_effect(neighbouring_errors(own, changed, rows["test_labels"]))


def test_a_recipe_on_level_ground_passes(rows: Rows) -> None:
    found = butterfly(lambda recipe: 0.1, rows)
    assert found.value < 0.01
    assert judge(found, BOUND, 100).verdict == "pass"


def test_a_cliff_beside_the_learning_rate_is_measured(rows: Rows) -> None:
    found = butterfly(lambda recipe: 0.1 + 0.3 * (recipe.learning_rate > 1.5e-3), rows)
    assert found.value == pytest.approx(0.3, abs=0.02)
    assert found.low < 0.3 < found.high
    assert judge(found, BOUND, 100).verdict == "fail"
    assert "learning rate × 2 (0.002)" in found.details


def test_a_change_for_the_better_counts_as_much(rows: Rows) -> None:
    found = butterfly(lambda recipe: 0.4 - 0.3 * (recipe.epochs > 15), rows)
    assert found.value == pytest.approx(0.3, abs=0.02)
    assert "epochs × 2" in found.details


def test_a_training_that_diverges_is_wrong_everywhere(rows: Rows) -> None:
    found = butterfly(lambda r: np.inf if r.learning_rate > 1.5e-3 else 0.1, rows)
    assert found.value == pytest.approx(0.9, abs=0.01)


def test_a_fourfold_change_is_shown_and_not_judged(rows: Rows) -> None:
    found = butterfly(lambda recipe: 0.1 + 0.5 * (recipe.learning_rate > 3e-3), rows, seeds=3)
    assert found.value < 0.01
    curve, changes = found.evidence
    assert isinstance(curve, Curve)
    assert isinstance(changes, Intervals)
    rate = next(series for series in curve.series if series.name == "learning rate")
    assert rate.x == (-2, -1, 0, 1, 2)
    assert rate.y == pytest.approx((0.1, 0.1, 0.1, 0.1, 0.6), abs=0.02)
    assert changes.values[changes.labels.index("learning rate × 4 (0.004)")] == pytest.approx(
        0.5, abs=0.02
    )


def test_the_seed_alone_changes_as_many_answers_as_it_should(rows: Rows) -> None:
    trainer = KnownTrainer(lambda recipe: 0.05, RECIPE)
    answers = seed_answers(trainer, rows["tuning_rows"], rows["test_inputs"], TASK, seeds=1)
    found = seed_sensitivity(answers, TASK)
    assert found.value == pytest.approx(2 * 0.05 * 0.95, abs=0.003)  # one of two is wrong
    assert found.low < 0.095 < found.high
    assert found.seeds == 5


def test_a_seed_that_diverges_disagrees_with_the_others(rows: Rows) -> None:
    trainer = KnownTrainer(lambda recipe: np.inf if recipe.seed == 2 else 0.0, RECIPE)
    answers = seed_answers(trainer, rows["tuning_rows"], rows["test_inputs"], TASK, seeds=1)
    found = seed_sensitivity(answers, TASK)
    assert found.value == pytest.approx(0.4)  # 4 of 10 pairs, in every row


def test_five_seeds_are_the_recipe_and_nothing_else(rows: Rows) -> None:
    trainer = KnownTrainer(lambda recipe: 0.1, RECIPE)
    seed_answers(trainer, rows["tuning_rows"], rows["test_inputs"], TASK, seeds=3)
    assert trainer.calls[0] == [replace(RECIPE, seed=i) for i in range(5)]


def test_numbers_are_measured_in_errors_of_the_median() -> None:
    truth = np.linspace(-1.0, 1.0, 1_000)
    own = np.stack([truth + 0.1] * 5)
    stored = {
        "changed": np.stack([truth + 0.6, np.full(1_000, np.nan)])[:, None],
        "name": ("learning_rate", "epochs"),
        "label": ("learning rate × 2", "epochs ÷ 2"),
        "step": (1, -1),
        "rows": 1_000,
    }
    errors = neighbouring_errors(own, stored, None, truth, 0.5)
    found = butterfly_effect(errors)
    # errors of .1 / .5 before, 1.0 for the one that diverged, .6 / .5 = 1.2 for the other
    assert found.value == pytest.approx(1.0)
    assert found.unit == "share of the error of answering the median"
    assert seed_sensitivity(
        np.stack([truth, truth, truth + 0.15]), Task("regression", ()), 0.5
    ).value == (  # .3 in two pairs of three
        pytest.approx(0.2)
    )


def test_settings_are_compared_on_twenty_five_hundred_rows_at_most() -> None:
    rng = np.random.default_rng(0)
    assert tuning_rows(np.zeros((12, 2)), rng).tolist() == list(range(12))
    chosen = tuning_rows(np.zeros((20_000, 2)), rng)
    assert len(np.unique(chosen)) == 2_500
    assert (np.diff(chosen) > 0).all()


def test_labels_are_what_rows_say() -> None:
    assert labels_of(np.array([0.0, 4.0])).tolist() == [0, 1]


@pytest.mark.parametrize("task", [TASK, Task("regression")])
def test_trainings_that_all_diverge_do_not_agree_with_each_other(rows: Rows, task: Task) -> None:
    trainer = KnownTrainer(lambda recipe: np.inf, RECIPE)
    with pytest.raises(NotApplicable, match="all of 5 trainings with other seeds diverged"):
        seed_answers(trainer, rows["tuning_rows"], rows["test_inputs"], task)
