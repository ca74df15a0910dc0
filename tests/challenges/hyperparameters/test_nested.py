"""The optimism of a choice, estimated inside of the training rows."""

from collections.abc import Mapping
from dataclasses import replace
from math import log10
from typing import Any

import numpy as np
import pytest
from known_trainer import C, KnownTrainer, labels_of

from roadworthy.challenges.hyperparameters.nested import nested_errors, setting_optimism
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Scatter
from roadworthy.statistics import judge
from roadworthy.subject import Recipe

N = 3_000
INPUTS = np.arange(float(N))[:, None]
LABELS = labels_of(INPUTS[:, 0])
FOLDS = np.arange(N) // C % 5
BOUND = AtMost(0.05, "")


class Recording(KnownTrainer):
    """Keeps which rows it was to train on, and answers for other rows in each variant."""

    def predictions(self, variants: Any, inputs: Any, *, diverged: str = "raise") -> Any:
        self.rows = [variant.rows for variant in variants]
        self.calls.append([variant.recipe for variant in variants])
        pairs = zip(self.calls[-1], inputs, strict=True)
        return [self._answer(recipe, rows[:, 0]) for recipe, rows in pairs]


def settings(*rates: float) -> dict[str, np.ndarray]:
    return {"learning_rate": np.array([0.5, *rates])}


def nested(trainer: Recording, rates: Mapping[str, np.ndarray], **more: Any) -> dict[str, Any]:
    given = {"folds": FOLDS, "tuning_rows": np.arange(N), "draws": 4, **more}
    return nested_errors(
        trainer, rates, train_inputs=INPUTS, train_labels=LABELS, guess_error=None, **given
    )


def of_seeds(t: int, error: float = 0.2) -> Recording:
    """Settings that are all as good, each wrong in rows of its own."""

    class Seeded(Recording):
        def _answer(self, recipe: Recipe, rows: np.ndarray) -> np.ndarray | None:
            return super()._answer(replace(recipe, seed=round(1e6 * recipe.learning_rate)), rows)

    return Seeded(lambda recipe: error)


def test_neighbouring_folds_are_held_out_together_and_all_is_one_family() -> None:
    trainer = Recording(lambda recipe: 0.1)
    found = nested(trainer, settings(0.1, 0.2, 0.3))
    assert len(trainer.calls) == 1
    assert len(trainer.calls[0]) == 5 * 3  # five pairs in a circle; the own setting is not searched
    assert {recipe.learning_rate for recipe in trainer.calls[0]} == {0.1, 0.2, 0.3}
    assert found["share"] == pytest.approx(1 / 3)
    for i in range(5):
        held = np.isin(FOLDS, (i, (i + 1) % 5))
        np.testing.assert_array_equal(trainer.rows[3 * i], np.flatnonzero(~held))
        np.testing.assert_array_equal(found["rows"][i], np.flatnonzero(held))
        np.testing.assert_array_equal(found["is_second"][i], FOLDS[held] == (i + 1) % 5)
        assert found["errors"][i].shape == (3, held.sum())


def test_in_time_only_what_came_before_both_folds_is_trained_on() -> None:
    trainer = Recording(lambda recipe: 0.1)
    folds = np.sort(FOLDS) - 1  # the earliest are only trained on
    nested(trainer, settings(0.1), folds=folds, train_times=INPUTS[:, 0])
    kept = [int(rows.max()) for rows in trainer.rows]
    assert kept == [int(np.flatnonzero(folds < k).max()) for k in range(3)]


def test_rows_of_an_entity_that_is_held_out_are_not_trained_on() -> None:
    trainer = Recording(lambda recipe: 0.1)
    entities = np.arange(N) // 30  # each in all folds
    with pytest.raises(NotApplicable, match="two are needed"):
        nested(trainer, settings(0.1), train_entities=entities)


def test_as_many_settings_as_the_draws_allow_on_the_rows_that_settings_are_compared_on() -> None:
    trainer = Recording(lambda recipe: 0.1)
    found = nested(trainer, settings(*np.linspace(0.1, 0.4, 20)), tuning_rows=np.arange(0, N, 2))
    assert found["errors"][0].shape[0] == 8
    assert all((rows % 2 == 0).all() for rows in (*found["rows"], *trainer.rows))


def test_a_setting_that_is_far_the_best_promises_what_it_keeps() -> None:
    trainer = Recording(lambda recipe: 0.05 + 0.2 * abs(log10(recipe.learning_rate) + 2))
    found = setting_optimism(nested(trainer, settings(1e-4, 1e-3, 1e-2, 1e-1)))
    assert found.value == 0.0
    assert found.n == N
    assert 0.0 < found.high < 0.005
    assert judge(found, BOUND, 100).verdict == "pass"
    assert "in 5 of them both folds chose the same" in found.details
    assert isinstance(found.evidence[0], Scatter)


def test_the_luck_of_choosing_among_equals_is_that_of_the_least_of_as_many() -> None:
    # Mean of the largest of eight normal numbers, of the spread of an error over 600 rows.
    expected = 1.4236 * (0.2 * 0.8 / 600) ** 0.5
    found = []
    for k in range(20):
        rates = settings(*(np.arange(1, 9) / 100 + k / 1e4))
        found.append(setting_optimism(nested(of_seeds(8), rates)))
    assert np.mean([m.value for m in found]) == pytest.approx(expected, rel=0.12)
    assert sum(m.low <= expected <= m.high for m in found) >= 19


def test_a_setting_that_diverges_is_never_chosen() -> None:
    trainer = Recording(lambda recipe: np.inf if recipe.learning_rate > 0.2 else 0.1)
    found = setting_optimism(nested(trainer, settings(0.1, 0.3)))
    assert found.value == pytest.approx(0.0, abs=1e-9)


def test_two_folds_leave_nothing_to_train_on() -> None:
    with pytest.raises(NotApplicable, match="two are needed"):
        nested(Recording(lambda recipe: 0.1), settings(0.1), folds=np.arange(N) % 2)


def test_numbers_are_measured_in_errors_of_the_median() -> None:
    target = np.linspace(0.0, 1.0, N)

    class Numbers(Recording):
        def _answer(self, recipe: Recipe, rows: np.ndarray) -> np.ndarray | None:
            off = 0.1 if recipe.learning_rate < 0.15 else 0.1 + 0.05 * np.sin(rows)
            return rows / (N - 1) + off

    found = setting_optimism(
        nested_errors(
            Numbers(lambda recipe: 0.0),
            settings(0.1, 0.2),
            FOLDS,
            np.arange(N),
            INPUTS,
            None,
            target,
            guess_error=0.25,
        )
    )
    assert found.unit == "share of the error of answering the median"
    assert abs(found.value) < 0.01
