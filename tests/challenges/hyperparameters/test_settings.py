"""Settings as numbers: ranges, ways between them, small changes."""

from dataclasses import replace

import pytest

from roadworthy.challenges.hyperparameters.settings import (
    between,
    changes_of,
    setting_of,
    space_of,
    with_setting,
)
from roadworthy.subject import Recipe

RECIPE = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=64, epochs=10)
SGD = Recipe(optimizer="sgd", learning_rate=0.1, momentum=0.9, dropout=0.2)


@pytest.mark.parametrize("recipe", [RECIPE, SGD])
def test_a_position_gives_a_value_that_lies_at_that_position(recipe: Recipe) -> None:
    for dimension in space_of(recipe, 5_000, is_class=True):
        for position in (0.0, 0.3, 0.7, 1.0):
            value = dimension.at(position)
            if dimension.scale == "doubling":
                assert value in (64, 128, 256)  # 5,000 / 100 = 50, nearest power of two 64
            else:
                assert dimension.position(value) == pytest.approx(position)


def test_the_space_is_the_same_however_far_off_the_own_settings_are() -> None:
    far_off = replace(RECIPE, learning_rate=7.0, weight_decay=0.0, batch_size=4)
    assert space_of(RECIPE, 900, is_class=True) == space_of(far_off, 900, is_class=True)
    assert space_of(far_off, 900, is_class=True)[0].position(7.0) == 1.0


def test_only_what_a_recipe_has_is_searched() -> None:
    names = [d.name for d in space_of(RECIPE, 900, is_class=False)]
    assert names == ["learning_rate", "weight_decay", "batch_size"]
    names = [d.name for d in space_of(SGD, 900, is_class=True)]
    assert names[3:] == ["momentum", "label_smoothing", "dropout"]


def test_half_way_is_the_geometric_mean_and_the_whole_way_the_setting_itself() -> None:
    there = {
        "learning_rate": 1e-1,
        "weight_decay": 1e-2,
        "batch_size": 256.0,
        "label_smoothing": 0.2,
    }
    assert between(RECIPE, there, 0.0) is RECIPE
    half = between(RECIPE, there, 0.5)
    assert half.learning_rate == pytest.approx(1e-2)
    assert (half.batch_size, half.label_smoothing) == (128, pytest.approx(0.1))
    assert between(RECIPE, there, 1.0) == replace(
        RECIPE, learning_rate=1e-1, weight_decay=1e-2, batch_size=256, label_smoothing=0.2
    )


def test_a_weight_decay_of_zero_has_a_way_too() -> None:
    half = between(replace(RECIPE, weight_decay=0.0), {"weight_decay": 1e-3}, 0.5)
    assert half.weight_decay == pytest.approx(1e-5)  # half way from 1e-7


def test_the_own_setting_put_back_changes_nothing() -> None:
    assert with_setting(RECIPE, setting_of(RECIPE, space_of(RECIPE, 900, is_class=True))) == RECIPE


def test_each_change_changes_one_field() -> None:
    changes = changes_of(RECIPE, 900, is_class=True)
    found = {(c.name, getattr(c.recipe, c.name)) for c in changes}
    assert found == {
        *(("learning_rate", 5e-4), ("learning_rate", 2e-3), ("epochs", 5), ("epochs", 20)),
        *(("batch_size", 32), ("batch_size", 128), ("label_smoothing", 0.05)),
        *(("weight_decay", 1e-5), ("weight_decay", 1e-3)),
    }
    for change in changes:
        assert replace(change.recipe, **{change.name: getattr(RECIPE, change.name)}) == RECIPE


def test_what_cannot_change_is_left_out() -> None:
    one = Recipe(epochs=1, batch_size=2, weight_decay=0.0)
    found = {(c.name, c.step) for c in changes_of(one, 2, is_class=False)}
    assert found == {("learning_rate", -1), ("learning_rate", 1), ("epochs", 1)}


def test_momentum_moves_by_its_distance_from_one_and_dropout_by_a_tenth() -> None:
    found = {
        (c.name, round(getattr(c.recipe, c.name), 6)) for c in changes_of(SGD, 900, is_class=False)
    }
    assert {("momentum", 0.8), ("momentum", 0.95), ("dropout", 0.1), ("dropout", 0.3)} <= found


def test_two_steps_change_the_learning_rate_fourfold_too() -> None:
    changes = changes_of(RECIPE, 900, is_class=True, steps=2)
    rates = sorted(c.recipe.learning_rate for c in changes if c.name == "learning_rate")
    assert rates == [2.5e-4, 5e-4, 2e-3, 4e-3]
