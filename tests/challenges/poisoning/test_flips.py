"""Flips of one class to one other are measured beyond noise without an aim, and their verdicts are right."""

import numpy as np
import pytest

from roadworthy.challenges.poisoning.flips import (
    apparent_classes,
    flips_between_two_classes,
    labels_as_rows_look,
    targeted_flips,
)
from roadworthy.challenges.poisoning.training_faults import (
    targeted_label_flips,
    uniform_label_flips,
)
from roadworthy.engine import CheckMark, mark_of
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Split, Subject, Task, builtin_subject

TASK = Task("multiclass", ("a", "b", "c", "d"))


def subject_of(n: int) -> Subject:
    rng = np.random.default_rng(0)
    splits = {s: Split(rng.normal(size=(n, 2)), rng.integers(0, 4, n)) for s in ("train", "test")}
    splits["validation"] = Split(rng.normal(size=(n, 2)), rng.integers(0, 4, n))
    return Subject("made up", TASK, "array", splits)


def measured(severity: float, seed: int, noise: float = 0.0, n: int = 1_600) -> Measurement:
    subject = subject_of(n)
    rng = np.random.default_rng(seed)
    looks = {"train": rng.integers(0, 4, n), "clean": rng.integers(0, 4, 2 * n)}
    clean = labels_as_rows_look(subject, rng, looks)
    broken = flips_between_two_classes(clean, severity, rng, looks)
    labels = {s: broken.splits[s].target for s in ("train", "validation", "test")}
    train = labels["train"]
    assert train is not None
    wrong = rng.random(n) < noise
    train = np.where(wrong, (train + rng.integers(1, 4, n)) % 4, train)
    assert labels["validation"] is not None
    assert labels["test"] is not None
    return targeted_flips(looks, train, labels["validation"], labels["test"], TASK)


@pytest.mark.parametrize("severity", [0.125, 0.25, 0.5])
def test_what_is_planted_is_measured(severity: float) -> None:
    values = [measured(severity, seed).value for seed in range(12)]
    assert np.mean(values) == pytest.approx(severity, abs=0.015)


def test_the_verdict_follows_what_is_planted() -> None:
    mark = mark_of(targeted_flips)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    said = [judge(measured(s, 3), mark.requires, mark.least).verdict for s in (0.0, 0.04, 0.5)]
    assert said == ["pass", "pass", "fail"]


def test_noise_without_an_aim_is_not_counted() -> None:
    assert measured(0.0, 1, noise=0.3).value < 0.05


def test_rows_look_like_the_class_of_their_neighbours_and_not_like_themselves() -> None:
    features = np.concatenate([np.zeros((12, 2)), np.ones((12, 2))]).astype(np.float32)
    labels = np.repeat([0, 1], 12)
    labels[0] = 1
    found = apparent_classes(features, labels, features[:1], features[-1:])
    assert found["train"].tolist() == [0] * 12 + [1] * 12
    assert found["clean"].tolist() == [0, 1]


@pytest.mark.parametrize("attack", [uniform_label_flips, targeted_label_flips])
def test_an_attack_of_no_rows_is_none_and_a_small_one_changes_as_many_as_said(attack) -> None:  # type: ignore[no-untyped-def]
    subject = builtin_subject("digits")
    rng = np.random.default_rng(0)
    assert attack(subject, 0.0, rng) is subject
    broken, before = attack(subject, 0.05, rng).splits["train"], subject.splits["train"]
    assert 0.025 * before.n <= (broken.target != before.target).sum() <= 0.075 * before.n
