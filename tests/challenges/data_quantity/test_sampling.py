"""Growing training sets keep classes, hold entities together, and are trained as long as the whole."""

import numpy as np
import pytest

from roadworthy.challenges.data_quantity.sampling import curve_sizes, growing_order, recipe_for
from roadworthy.errors import NotApplicable
from roadworthy.subject import Recipe


def test_sizes_double_up_to_all_rows() -> None:
    assert curve_sizes(3200, 2).tolist() == [100, 200, 400, 800, 1600, 3200]


def test_large_sets_are_cut_and_many_classes_start_higher() -> None:
    assert curve_sizes(50_000, 2)[-1] == 10_000
    assert curve_sizes(1000, 50)[0] == 100


def test_too_few_rows_are_refused_with_what_is_needed() -> None:
    with pytest.raises(NotApplicable, match="59 training rows; a learning curve needs at least 60"):
        curve_sizes(59, 2)
    with pytest.raises(NotApplicable, match="at least 8 for each class"):
        curve_sizes(100, 50)


def test_every_beginning_has_all_classes_in_their_shares() -> None:
    labels = np.repeat([0, 1, 2], [700, 250, 50])
    order = growing_order(1000, np.random.default_rng(0), labels)
    assert sorted(order) == list(range(1000))
    assert set(labels[order[:3]]) == {0, 1, 2}
    for size in (50, 100, 400):
        counts = np.bincount(labels[order[:size]], minlength=3)
        assert np.abs(counts - size * np.array([0.7, 0.25, 0.05])).max() <= 2.0


def test_a_class_of_one_row_is_in_every_beginning() -> None:
    labels = np.array([0] * 99 + [1])
    assert 99 in growing_order(100, np.random.default_rng(0), labels)[:2]


def test_entities_come_whole() -> None:
    entities = np.arange(300) // 3
    order = growing_order(300, np.random.default_rng(0), None, entities)
    assert (entities[order].reshape(100, 3) == entities[order[::3]][:, None]).all()


def test_fewer_rows_are_trained_for_as_many_steps() -> None:
    recipe = Recipe(epochs=10, batch_size=128, patience=3)
    assert recipe_for(recipe, 1000, 1000) == recipe
    eighth = recipe_for(recipe, 1000, 8000)
    assert (eighth.batch_size, eighth.epochs) == (16, 10)
    tiny = recipe_for(recipe, 250, 8000)
    assert (tiny.batch_size, tiny.epochs, tiny.patience) == (16, 40, 12)
