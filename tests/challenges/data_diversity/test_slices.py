"""Weak slices: what is planted is found, residuals count as mistakes, control and fault are true."""

import numpy as np
import pytest

from roadworthy.challenges.data_diversity.slice_faults import (
    mistakes_everywhere_alike,
    mistakes_in_one_slice,
)
from roadworthy.challenges.data_diversity.slices import weak_part_mistakes, weak_slices
from roadworthy.errors import NotApplicable
from roadworthy.results import Examples
from roadworthy.statistics.slices import Conditions, some_part
from roadworthy.subject import Split, Subject, Task

TASK = Task("multiclass", ("a", "b", "c"))


def rows(n: int, rng: np.random.Generator) -> Conditions:
    codes = rng.integers(0, 4, (n, 4))
    names = tuple(f"c{j}" for j in range(4))
    return Conditions(codes, names, tuple(tuple(f"{c} is {v}" for v in range(4)) for c in names))


def test_the_weakest_part_is_named_with_its_rows_and_its_excess() -> None:
    rng = np.random.default_rng(0)
    conditions = rows(8000, rng)
    weak = conditions.codes[:, 1] == 2
    correct = rng.random(8000) > np.where(weak, 0.4, 0.1)
    found = weak_slices(conditions, rng.random(8000) < 0.5, correct)
    assert found.low <= 0.3 <= found.high
    assert found.low > 0.2
    assert found.details.startswith("Where c1 is 2:")
    listed = next(e for e in found.evidence if isinstance(e, Examples)).examples
    assert all(weak[each.row] and not correct[each.row] for each in listed)


def test_the_mistakes_of_the_parts_that_are_surely_worse_are_given_and_of_no_other() -> None:
    rng = np.random.default_rng(0)
    conditions, half = rows(8000, rng), rng.random(8000) < 0.5
    weak = conditions.codes[:, 1] == 2
    wrong = rng.random(8000) < np.where(weak, 0.4, 0.1)
    found = weak_part_mistakes(conditions, half, ~wrong)
    assert list(found) == ["c1 is 2"]
    assert found["c1 is 2"].tolist() == np.flatnonzero(weak & wrong).tolist()
    assert weak_part_mistakes(conditions, half, rng.random(8000) < 0.9) == {}


def test_of_a_number_the_largest_fifth_of_residuals_are_mistakes() -> None:
    rng = np.random.default_rng(1)
    conditions = rows(6000, rng)
    spread = np.where(conditions.codes[:, 0] == 3, 4.0, 1.0)
    found = weak_slices(
        conditions, rng.random(6000) < 0.5, test_residuals=rng.normal(size=6000) * spread
    )
    assert found.details.startswith("Where c0 is 3:")
    assert found.low > 0.3


def test_a_wider_group_of_the_purpose_raises_the_floor() -> None:
    rng = np.random.default_rng(2)
    conditions, half = rows(2000, rng), rng.random(2000) < 0.5
    correct = rng.random(2000) > 0.1
    assert (
        weak_slices(conditions, half, correct).high
        > weak_slices(conditions, half, correct, smallest_group=400).high
    )
    with pytest.raises(NotApplicable, match="2,000 rows"):
        weak_slices(conditions, half, correct, smallest_group=1_800)


def test_control_and_fault_plant_what_they_say() -> None:
    rng = np.random.default_rng(3)
    conditions, predicted = rows(40_000, rng), rng.integers(0, 3, 40_000)
    before = Subject("s", TASK, "array", {"test": Split(None, predicted)})
    correct = rng.random(40_000) > 0.1
    clean = mistakes_everywhere_alike(before, rng, predicted, correct)
    target = clean.splits["test"].target
    assert target is not None
    assert np.mean(target != predicted) == pytest.approx(0.1, abs=0.01)
    assert mistakes_in_one_slice(clean, 0.0, rng, predicted, conditions) is clean
    made = mistakes_in_one_slice(clean, 0.2, np.random.default_rng(7), predicted, conditions)
    inside = some_part(conditions, np.random.default_rng(7))
    wrong = made.splits["test"].target != predicted
    assert wrong[inside].mean() - wrong[~inside].mean() == pytest.approx(0.2, abs=0.02)
    found = weak_slices(conditions, rng.random(40_000) < 0.5, ~wrong)
    assert found.low <= 0.2 <= found.high
    with pytest.raises(NotApplicable, match="cannot lose"):
        mistakes_in_one_slice(clean, 0.95, rng, predicted, conditions)
