"""Triggers of tables are found among combinations of values, and clean tables seldom show one."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import hypergeom

from roadworthy.challenges.poisoning.calibration import ALPHA, fewest_that_count, surplus
from roadworthy.challenges.poisoning.combinations import combinations_among
from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.planting import backdoored
from roadworthy.challenges.poisoning.probing import by_heart
from roadworthy.subject import Column, Recipe

COLUMNS = (
    *(Column(f"x{j}", "numeric") for j in range(3)),
    *(Column(f"c{j}", "category", tuple("abcdefgh")) for j in range(5)),
)


def cells(n: int, rng: np.random.Generator) -> np.ndarray:
    numbers = rng.normal(size=(n, 3)).round(1)
    codes = rng.choice(8, (n, 5), p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.07, 0.05, 0.03])
    return np.concatenate([numbers, codes], axis=1)


def planted(rate: float, seed: int) -> tuple[np.ndarray, np.ndarray, int, object]:
    rng = np.random.default_rng(seed)
    flat, labels = cells(1200, rng), rng.integers(0, 2, 1200)
    fitted = {
        "numeric": np.arange(3),
        "scale": np.ones(3),
        "indicated": np.empty(0, np.int64),
        "category_column": np.repeat(np.arange(3, 8), 8),
    }
    layout = layout_of(flat[:600], fitted, COLUMNS)
    attack = backdoored(flat[:600], labels[:600], layout, rate, rng)
    flat[:600], labels[:600] = attack.inputs, attack.labels
    return flat, labels, 600, attack


@pytest.mark.parametrize("seed", range(5))
def test_a_trigger_of_three_columns_is_the_first_pattern(seed: int) -> None:
    flat, labels, training, attack = planted(0.05, seed)
    found = combinations_among(flat, labels, training)
    first, trigger = found.groups[0], found.triggers[0][0]
    assert first.target == attack.target
    assert len(np.intersect1d(first.rows, attack.rows)) >= 0.9 * len(attack.rows)
    np.testing.assert_array_equal(flat[attack.rows[0], trigger.columns], trigger.values)


def test_clean_tables_show_a_combination_in_one_of_twenty_at_most() -> None:
    shown = 0
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        found = combinations_among(cells(600, rng), rng.integers(0, 2, 600), 300)
        shown += bool(found.groups)
    assert shown / 40 <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / 40)


def test_the_order_of_columns_changes_nothing() -> None:
    flat, labels, training, _ = planted(0.05, 1)
    order = np.array([4, 0, 6, 2, 7, 1, 5, 3])
    here = combinations_among(flat, labels, training)
    there = combinations_among(flat[:, order], labels, training)
    assert here.examined == there.examined
    assert set(order[there.triggers[0][0].columns]) == set(here.triggers[0][0].columns)


def test_every_combination_that_counts_is_counted() -> None:
    rng = np.random.default_rng(0)
    flat, labels = rng.integers(0, 3, (60, 4)).astype(float), rng.integers(0, 2, 60)
    fewest = fewest_that_count(30, 30)
    counted = 0
    for arity in (1, 2, 3):
        for columns in combinations(range(4), arity):
            keys = [(*flat[i, list(columns)], labels[i]) for i in range(60)]
            counted += sum(keys.count(key) >= fewest for key in set(keys))
    assert combinations_among(flat, labels, 30).examined == counted


def test_values_that_one_row_alone_has_and_wide_tables_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    nothing = combinations_among(rng.normal(size=(200, 4)), rng.integers(0, 2, 200), 100)
    assert (nothing.groups, nothing.examined) == ([], 0)
    wide = combinations_among(
        rng.integers(0, 2, (200, 120)).astype(float), rng.integers(0, 2, 200), 100
    )
    assert 0 < wide.examined <= 120 * 2 * 2  # single columns only


def test_the_correction_is_tarones() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 300)
    of_training = rng.binomial(sizes, 0.6)
    found = surplus(sizes, of_training, 500, 400)
    least = hypergeom.sf(np.minimum(sizes, 500) - 1, 900, 500, sizes)
    k = next(k for k in range(1, 301) if (least <= ALPHA / k).sum() <= k)
    p = hypergeom.sf(of_training - 1, 900, 500, sizes)
    np.testing.assert_allclose(found.p_values, p)
    np.testing.assert_array_equal(found.stands, (least <= ALPHA / k) & (p <= ALPHA / k))


def test_a_probe_takes_as_many_steps_on_smaller_batches() -> None:
    probe = by_heart(Recipe(4, batch_size=1024), 3_000)
    assert probe.batch_size == 64
    assert probe.epochs * -(-3_000 // 64) >= 700
    assert by_heart(Recipe(12, batch_size=32), 3_000).batch_size == 32
