"""Planted curves save what they say, the check finds it, and fewer rows are really fewer."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.data_quantity import artifacts, checks, faults
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Predictor, Recipe, Split, Subject, Task

REQUIRES = checks.gain_from_doubling.__dict__["__roadworthy__"].requires
N = 1000


def subject_of(kind: str = "binary") -> Subject:
    classes = ("a", "b") if kind == "binary" else ()
    y = np.arange(N) % 2 if kind == "binary" else np.arange(N) / N
    split = Split(np.zeros((N, 3)), y)
    task = Task(kind, classes)  # type: ignore[arg-type]
    return Subject("made up", task, "array", {"train": split, "test": split})


def planted(kind: str, severity: float, seed: int, rows: int = 4000, draws: int = 4) -> Subject:
    rng = np.random.default_rng(seed)
    sizes = np.tile([31, 62, 125, 250, 500, 1000], draws)
    own = {"sizes": sizes, "errors": np.full((len(sizes), rows), 0.05, np.float32)}
    clean = faults.flat_curve(subject_of(kind), rng, own)
    return faults.curve_that_still_falls(clean, severity, rng, clean.given["curve_trainings"])


def measured(subject: Subject, seed: int = 0) -> Measurement:
    rng = np.random.default_rng(seed)
    curve = artifacts.fitted_curve(subject.given["curve_trainings"], rng, resamples=199)
    return checks.gain_from_doubling(curve, np.arange(N), subject.task)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_the_severity_is_found_on_average_and_covered(kind: str) -> None:
    for severity in (0.01, 0.02, 0.04):
        found = [measured(planted(kind, severity, seed)) for seed in range(20)]
        assert np.mean([m.value for m in found]) == pytest.approx(severity, abs=0.003)
        assert sum(m.low <= severity <= m.high for m in found) >= 18


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_half_the_bound_passes_and_twice_the_bound_fails(kind: str) -> None:
    for severity, wanted in ((0.0, "pass"), (0.01, "pass"), (0.04, "fail")):
        verdicts = [
            judge(measured(planted(kind, severity, seed)), REQUIRES, 100).verdict
            for seed in range(10)
        ]
        assert verdicts.count(wanted) >= 8, (severity, verdicts)


def test_on_the_bound_neither_verdict_is_given() -> None:
    verdicts = [
        judge(measured(planted("binary", 0.02, seed)), REQUIRES, 100).verdict for seed in range(40)
    ]
    assert verdicts.count("fail") + verdicts.count("pass") <= 4


def test_severity_zero_changes_nothing_and_too_much_is_refused() -> None:
    clean = planted("binary", 0.0, 0)
    rng = np.random.default_rng(0)
    trainings = clean.given["curve_trainings"]
    assert faults.curve_that_still_falls(clean, 0.0, rng, trainings) is clean
    with pytest.raises(NotApplicable, match="would have to be wrong"):
        faults.curve_that_still_falls(clean, 0.2, rng, trainings)


def test_a_share_of_the_training_rows_goes_from_each_class_and_the_weights_with_it() -> None:
    subject = subject_of()
    rng = np.random.default_rng(0)
    assert faults.subsampled_training_set(subject, 0.0, rng) is subject
    fewer = faults.subsampled_training_set(subject, 0.9, rng)
    assert fewer.splits["train"].n == 100
    assert np.bincount(fewer.splits["train"].target).tolist() == [50, 50]  # type: ignore[arg-type]
    assert fewer.splits["test"] is subject.splits["test"]
    assert subject.splits["train"].n == N


def test_fewer_rows_take_as_many_steps_by_a_known_recipe() -> None:
    recipe = Recipe(epochs=12, batch_size=64, patience=8)
    subject = replace(subject_of(), recipe=recipe)
    fewer = faults.subsampled_training_set(subject, 0.9, np.random.default_rng(0)).recipe
    assert fewer == replace(recipe, epochs=96, patience=64)  # 16 batches an epoch, then 2
    patient = faults.with_steps_of(replace(recipe, patience=None), N, 500)
    assert patient == replace(recipe, epochs=24, patience=None)
    assert faults.with_steps_of(recipe, N, N) == recipe


def test_a_black_box_cannot_lose_training_rows() -> None:
    subject = subject_of()
    black = Subject(
        "box",
        subject.task,
        "array",
        subject.splits,
        predictor=Predictor(lambda x: x, "values", "box"),  # type: ignore[arg-type,return-value]
    )
    with pytest.raises(NotApplicable, match="trained again"):
        faults.subsampled_training_set(black, 0.5, np.random.default_rng(0))
