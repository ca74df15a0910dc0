"""Proxies: a stand-in is found and named, nothing is found in noise, sensitive columns are not asked."""

import numpy as np
import pytest

from roadworthy.challenges.fairness.proxies import (
    attributes_told,
    distance_from_chance,
    proxy_strength,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import Table
from roadworthy.subject import Column, Grouping, Roles

ROLES = Roles(sensitive=("sex",))


def people(n: int = 1_500) -> tuple[np.ndarray, dict[str, Grouping], tuple[Column, ...]]:
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, n)
    husband = np.where(rng.random(n) < 0.1, 1 - sex, sex)
    inputs = np.column_stack([rng.normal(size=n), husband, sex]).astype(float)
    columns = (
        Column("income", "numeric"),
        Column("relationship", "category", ("wife", "husband")),
        Column("sex", "category", ("f", "m")),
    )
    return inputs, {"sex": Grouping(sex, ("f", "m"))}, columns


def test_the_stand_in_is_found_and_named_and_the_attribute_itself_is_not_asked() -> None:
    inputs, groups, columns = people()
    told = attributes_told(
        groups, np.zeros((len(inputs), 1)), ROLES, np.random.default_rng(0), inputs, columns
    )
    found = proxy_strength(told)
    assert found.value == pytest.approx(0.8, abs=0.06)  # right in 90 %: .9 - .1
    assert "Alone tell most: relationship (0." in found.details
    named = [
        r[1] for e in found.evidence if isinstance(e, Table) and "single" in e.title for r in e.rows
    ]
    assert named == ["relationship", "income"]


def test_of_an_image_the_features_are_asked() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 3))
    groups = {"sex": Grouping((features[:, 1] > 0).astype(np.int64), ("f", "m"))}
    told = attributes_told(groups, features, ROLES, rng)
    assert proxy_strength(told).value > 0.9
    noise = {"sex": Grouping(rng.integers(0, 2, 600), ("f", "m"))}
    assert proxy_strength(attributes_told(noise, features, ROLES, rng)).low < 0.05


def test_groups_too_small_are_left_out_and_one_group_is_nothing_to_tell() -> None:
    inputs, _, columns = people(300)
    rng = np.random.default_rng(0)
    rare = {"sex": Grouping(np.repeat([0, 1], [290, 10]), ("f", "m"))}
    with pytest.raises(NotApplicable, match="two groups of at least 30"):
        attributes_told(rare, np.zeros((300, 1)), ROLES, rng, inputs, columns)
    alone = Roles(sensitive=tuple(c.name for c in columns))
    half = {"sex": Grouping(np.repeat([0, 1], 150), ("f", "m"))}
    with pytest.raises(NotApplicable, match="all columns are sensitive"):
        attributes_told(half, np.zeros((300, 1)), alone, rng, inputs, columns)


def test_balanced_accuracy_counts_groups_alike_and_chance_is_0() -> None:
    # 90 of 100 and 30 of 50 told rightly: balanced (.9 + .6) / 2 = .75, half of the way from chance.
    assert distance_from_chance(np.array([90, 30]), np.array([100, 50])).value == pytest.approx(0.5)
    three = distance_from_chance(np.array([100, 100, 100]), np.array([300, 300, 300]))
    assert three.value == pytest.approx(0.0)
    assert three.low < 0.0 < three.high


def test_the_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(1)
    sizes, rates = np.array([400, 60]), np.array([0.8, 0.6])
    missed = 0
    for _ in range(200):
        found = distance_from_chance(rng.binomial(sizes, rates), sizes)
        missed += not found.low <= 0.4 <= found.high
    assert missed <= 11
