"""Unfair slices: missed positives and false alarms are searched apart, and nothing is found where labels alone decide."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.fairness.slice_faults import errors_by_class_alone, misses_in_one_slice
from roadworthy.challenges.fairness.slices import unfair_slices
from roadworthy.errors import NotApplicable
from roadworthy.results import DoubtedMeasurement
from roadworthy.statistics.slices import Conditions
from roadworthy.subject import Split, Subject, Task

TASK = Task("binary", ("no", "yes"), positive=1)


def people(n: int, seed: int) -> tuple[Conditions, np.ndarray, np.ndarray, np.ndarray]:
    """Return conditions, halves, labels and answers that miss a fifth and accuse a tenth, everywhere alike."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, 4))
    names = tuple(f"c{j}" for j in range(4))
    conditions = Conditions(
        codes, names, tuple(tuple(f"{c} is {v}" for v in range(4)) for c in names)
    )
    labels = (rng.random(n) < 0.4).astype(np.int64)
    answers = np.where(rng.random(n) < np.where(labels == 1, 0.8, 0.1), 1, 0)
    return conditions, rng.random(n) < 0.5, labels, answers


def test_a_part_whose_positives_are_missed_is_named_and_measured() -> None:
    conditions, half, labels, answers = people(12_000, 0)
    lost = (conditions.codes[:, 2] == 1) & (np.random.default_rng(1).random(12_000) < 0.5)
    found = unfair_slices(conditions, half, labels, np.where(lost, 0, answers), TASK)
    assert found.low <= 0.4 <= found.high  # half of the .8 that are found are lost
    assert "Missed positives: where c2 is 1" in found.details
    assert "False alarms: no part" in found.details


def test_false_alarms_in_a_part_are_found_as_well() -> None:
    conditions, half, labels, answers = people(12_000, 2)
    accused = (conditions.codes[:, 0] == 3) & (np.random.default_rng(3).random(12_000) < 0.3)
    found = unfair_slices(conditions, half, labels, np.where(accused, 1, answers), TASK)
    assert found.low <= 0.27 <= found.high  # .3 of the .9 that are not accused
    assert "False alarms: where c0 is 3" in found.details


def test_answers_that_depend_on_the_label_alone_confirm_no_part_in_most_runs() -> None:
    above = 0
    for seed in range(100):
        conditions, half, labels, answers = people(3000, 100 + seed)
        above += unfair_slices(conditions, half, labels, answers, TASK).low > 0
    assert above <= 5


def test_a_class_with_too_few_rows_does_not_hide_the_other() -> None:
    conditions, half, labels, answers = people(20_000, 6)
    labels[:] = 0
    labels[:55] = 1
    accused = (conditions.codes[:, 1] == 2) & (np.random.default_rng(7).random(20_000) < 0.6)
    found = unfair_slices(conditions, half, labels, np.where(accused, 1, 0 * answers), TASK)
    assert found.low > 0.5
    assert "False alarms: where c1 is 2" in found.details
    assert isinstance(found, DoubtedMeasurement)
    assert found.doubts[0].startswith("missed positives: no part of the 55 rows")
    fair = unfair_slices(conditions, half, labels, 0 * answers, TASK)
    assert fair.high < 0.1
    assert isinstance(fair, DoubtedMeasurement)
    few, both = conditions.take(np.arange(25, 85)), slice(25, 85)
    with pytest.raises(NotApplicable, match="missed positives: no part of the 30 rows"):
        unfair_slices(few, half[both], labels[both], answers[both], TASK)


def subject(labels: np.ndarray) -> Subject:
    rows = Split(None, labels)
    return Subject("people", TASK, "predictions", {"test": rows})


def test_control_and_fault_plant_what_they_say() -> None:
    conditions, _, labels, answers = people(40_000, 4)
    before = subject(labels)
    clean = errors_by_class_alone(before, np.random.default_rng(0), answers, labels)
    drawn = clean.given["test_predicted"]
    assert np.mean(drawn[labels == 1]) == pytest.approx(np.mean(answers[labels == 1]), abs=0.02)
    again = misses_in_one_slice(clean, 0.0, np.random.default_rng(1), drawn, labels, conditions)
    assert again is clean
    made = misses_in_one_slice(clean, 0.2, np.random.default_rng(1), drawn, labels, conditions)
    lost = drawn != made.given["test_predicted"]
    assert (labels[lost] == 1).all()
    # One part of a quarter of the positives loses .2 of them.
    assert np.sum(lost) / np.sum(labels == 1) == pytest.approx(0.25 * 0.2, abs=0.01)


def test_more_than_two_classes_have_no_positives_to_miss() -> None:
    conditions, half, labels, answers = people(400, 5)
    task = replace(TASK, kind="multiclass", classes=("a", "b", "c"), positive=None)
    with pytest.raises(NotApplicable, match="two classes"):
        unfair_slices(conditions, half, labels, answers, task)
