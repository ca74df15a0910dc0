"""Remedies edit the recipe and train nothing; faults of recipes do as they say."""

from dataclasses import replace

import numpy as np
import pytest
from known_trainer import KnownTrainer

from roadworthy.challenges.hyperparameters import (
    faults,
    mitigations,
    optimisation,
    recipe_faults,
    search,
    sensitivity,
    tuning,
)
from roadworthy.challenges.hyperparameters.mitigations import (
    random_search_twin,
    smaller_steps,
    tuned_settings,
)
from roadworthy.challenges.hyperparameters.recipe_faults import (
    edge_of_learning,
    fickle_rate,
    fickle_recipe,
    knife_edge_recipe,
    untuned_recipe,
)
from roadworthy.engine import MitigationMark, Registry
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, Predictor, Recipe, Split, Subject, Task

REGISTRY = Registry.of(
    faults, mitigations, optimisation, recipe_faults, search, sensitivity, tuning
)
RNG = np.random.default_rng(0)
RECIPE = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=64)
THERE = {"learning_rate": 1e-1, "weight_decay": 1e-4, "batch_size": 256.0}


def subject(recipe: Recipe | None = RECIPE) -> Subject:
    split = Split(np.zeros((4, 2)), np.array([0, 1, 0, 1]))
    return Subject(
        "made up",
        Task("binary", ("no", "yes"), 1),
        "array",
        {"train": split, "validation": split, "test": split},
        network=Network(lambda: None),  # type: ignore[arg-type,return-value]
        weights={"w": np.zeros(1)},
        recipe=recipe,
    )


def recipe_of(changed: Subject) -> Recipe:
    assert changed.weights is None  # trained anew
    assert changed.recipe is not None
    return changed.recipe


def test_strength_and_severity_zero_change_nothing() -> None:
    one = subject()
    assert tuned_settings(one, 0.0, THERE) is one
    assert random_search_twin(one, 0.0, RNG, THERE) is one
    assert smaller_steps(one, 0.0) is one
    assert untuned_recipe(one, 0.0, RNG, RECIPE) is one
    assert knife_edge_recipe(one, 0.0, RNG, {"learning_rate": 1.0, "rise": 0.5}, RECIPE) is one
    assert fickle_recipe(one, 0.0, RNG, {"learning_rate": 1.0, "spread": 0.5}, RECIPE) is one


@pytest.mark.parametrize("move", [tuned_settings, lambda s, x, t: random_search_twin(s, x, RNG, t)])
def test_the_way_to_the_found_setting_is_logarithmic(move) -> None:
    half = recipe_of(move(subject(), 0.5, THERE))
    assert (half.learning_rate, half.batch_size) == (pytest.approx(1e-2), 128)
    assert recipe_of(move(subject(), 1.0, THERE)) == replace(
        RECIPE, learning_rate=1e-1, batch_size=256
    )


def test_smaller_steps_are_smaller_by_powers_of_ten_and_clipped() -> None:
    found = recipe_of(smaller_steps(subject(), 1.0))
    assert (found.learning_rate, found.clip_norm) == (pytest.approx(1e-4), 1.0)
    kept = recipe_of(smaller_steps(subject(replace(RECIPE, clip_norm=0.3)), 0.5))
    assert kept.clip_norm == 0.3


def test_a_subject_that_cannot_be_trained_again_is_told_why() -> None:
    black_box = replace(
        subject(), predictor=Predictor(lambda x: x[:, 0], "values", "black box"), network=None
    )
    for one in (subject(None), black_box):
        with pytest.raises(NotApplicable, match="give its network and recipe"):
            smaller_steps(one, 1.0)
        with pytest.raises(NotApplicable, match="give its network and recipe"):
            tuned_settings(one, 1.0, THERE)


def test_what_is_named_exists() -> None:
    for marked in REGISTRY.mitigations.values():
        assert isinstance(marked.mark, MitigationMark)
        assert set(marked.mark.targets) <= REGISTRY.checks.keys()
        assert marked.mark.repairs in REGISTRY.faults
        assert marked.mark.sham is None or marked.mark.sham in REGISTRY.shams


def test_an_untuned_recipe_learns_too_slowly() -> None:
    assert recipe_of(untuned_recipe(subject(), 2.0, RNG, RECIPE)).learning_rate == pytest.approx(
        1e-5
    )


def test_the_edge_is_the_doubling_that_breaks_training(rows: dict[str, np.ndarray]) -> None:
    trainer = KnownTrainer(
        lambda r: np.inf if r.learning_rate > 0.05 else 0.1 + r.learning_rate, RECIPE
    )
    found = edge_of_learning(
        trainer, rows["tuning_rows"], rows["validation_inputs"], rows["validation_labels"]
    )
    # 1e-3 x 2^5 = .032 trains, .064 does not; the rise is from .132 to all wrong
    assert found["learning_rate"] == pytest.approx(0.032)
    assert found["rise"] == pytest.approx(1 - 0.132, abs=0.01)
    on_edge = recipe_of(knife_edge_recipe(subject(), 1.0, RNG, found, RECIPE))
    assert on_edge.learning_rate == pytest.approx(0.032)
    half = recipe_of(knife_edge_recipe(subject(), 0.5, RNG, found, RECIPE))
    assert half.learning_rate == pytest.approx(1e-3 * 32**0.5)


def test_a_training_without_an_edge_cannot_be_put_on_it() -> None:
    with pytest.raises(NotApplicable, match="no edge"):
        knife_edge_recipe(subject(), 1.0, RNG, {"learning_rate": 0.1, "rise": 0.05}, RECIPE)


def test_the_rate_that_fails_some_seeds_is_found_and_planted(rows: dict[str, np.ndarray]) -> None:
    def surface(recipe: Recipe) -> float:
        if recipe.learning_rate > 0.1:
            return np.inf
        return 0.9 if recipe.learning_rate > 0.03 and recipe.seed % 2 else 0.1

    found = fickle_rate(
        KnownTrainer(surface, RECIPE),
        rows["tuning_rows"],
        rows["validation_inputs"],
        rows["validation_labels"],
    )
    # With an even seed .064 trains and .256 does not; from .064 / sqrt(2) on, odd ones fail, from .128 on all.
    assert found["learning_rate"] == pytest.approx(0.064 / 2**0.5)
    assert found["spread"] == pytest.approx(np.std([0.1, 0.9, 0.1], ddof=1), abs=0.01)
    planted = recipe_of(fickle_recipe(subject(), 1.0, RNG, found, RECIPE))
    assert planted == replace(RECIPE, learning_rate=planted.learning_rate)
    assert planted.learning_rate == pytest.approx(0.064 / 2**0.5)
    with pytest.raises(NotApplicable, match="for none or for all"):
        fickle_recipe(subject(), 1.0, RNG, {"learning_rate": 0.1, "spread": 0.05}, RECIPE)
