"""The effective number of different rows: by hand, by eigenvalues, and whatever the size of the sample."""

import numpy as np
import pytest

from roadworthy.challenges.data_diversity.distinct import (
    SCALE,
    effective_rows,
    mean_similarities,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement

FAR_APART = np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32)


def measure(features: np.ndarray, seed: int = 0) -> Measurement:
    similar = mean_similarities(features, np.random.default_rng(seed))
    return effective_rows(similar, np.arange(len(features)))


def test_rows_with_nothing_in_common_are_all_worth_something() -> None:
    found = measure(FAR_APART)
    assert found.value == pytest.approx(400, abs=0.5)
    assert found.low > 360


def test_two_hundred_rows_twice_are_worth_two_hundred() -> None:
    # Each of 400 rows has one copy among the 399 others: 1/400 + 399/400 x 1/399 = 1/200.
    found = measure(np.repeat(FAR_APART[:200], 2, axis=0))
    assert found.value == pytest.approx(200, abs=0.5)
    assert "400 training rows are as varied as 200" in found.details


def test_it_is_the_vendi_score_of_order_two_of_the_kernels_eigenvalues() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(120, 3)) * rng.choice([0.05, 1.0], size=(120, 1))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    h = SCALE * np.median(distance[np.triu_indices(120, 1)])
    kernel = np.exp(-0.5 * (distance / h) ** 2)
    eigenvalues = np.linalg.eigvalsh(kernel / 120)
    assert measure(points).value == pytest.approx(1 / np.sum(eigenvalues**2), rel=1e-6)


def test_the_chance_that_two_rows_say_the_same_does_not_depend_on_how_many_are_looked_at() -> None:
    rng = np.random.default_rng(2)
    kinds = rng.normal(size=(50, 32))
    few = [mean_similarities(kinds[rng.integers(50, size=100)], rng).mean() for _ in range(300)]
    assert np.mean(few) == pytest.approx(1 / 50, abs=3 * np.std(few) / np.sqrt(300))


def test_the_interval_errs_in_at_most_a_fortieth_on_each_side_of_what_is_true() -> None:
    rng = np.random.default_rng(3)
    low = high = 0
    for _ in range(400):
        # 400 rows drawn from 399 kinds: two are copies with the chance 1/399, so worth 1 / (1/400 + 1/400).
        kinds = rng.normal(size=(399, 32)).astype(np.float32)
        found = measure(kinds[rng.integers(399, size=400)])
        low, high = low + (found.low > 200), high + (found.high < 200)
    assert low <= 18  # 10 are expected at most, 18 or fewer then with probability .99
    assert high <= 18


def test_the_order_of_the_rows_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(2_000, 2)).astype(np.float32)
    points[:300] *= 50
    shuffled = points[rng.permutation(2_000)]
    assert measure(points).value == pytest.approx(measure(shuffled).value, rel=1e-6)


def test_copies_of_one_row_are_worth_one_row_and_a_single_row_cannot_be_compared() -> None:
    found = measure(np.ones((200, 3), np.float32))
    assert found.value == pytest.approx(1.0)
    with pytest.raises(NotApplicable, match="1 training row"):
        mean_similarities(np.ones((1, 3)), np.random.default_rng(0))
