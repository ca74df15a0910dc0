"""Each fault plants what its severity says, is the identity where nothing is planted, and is found; coins are fair."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.engine import FaultMark, Marked, Registry, Store
from roadworthy.engine.marks import CheckMark
from roadworthy.procedures.selftest.bench import Bench, Computing
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Measurement
from roadworthy.statistics import judged
from roadworthy.subject import Column, Predictor, Split, Subject, Task

from .conftest import REGISTRY, YES_NO

N = 20_000
MODULES = {
    f"roadworthy.challenges.fairness.{m}" for m in ("faults", "amount_faults", "input_faults")
}
AT_RISK = [m for m in REGISTRY.faults.values() if m.function.__module__ in MODULES]


def model(inputs: np.ndarray) -> np.ndarray:
    """Return a chance that follows from the first two columns."""
    chance = 1 / (1 + np.exp(-1.5 * inputs[:, 0] - 0.5 * inputs[:, 1] + 0.4))
    return np.stack([1 - chance, chance], axis=1)


def number(inputs: np.ndarray) -> np.ndarray:
    """Return a number that follows from the first two columns."""
    return 2.0 * inputs[:, 0] + inputs[:, 1]


def table(task: Task) -> Subject:
    """Return a table with a model that knows half of the truth."""
    rng = np.random.default_rng(3)
    splits = {}
    for name in ("train", "test"):
        inputs = rng.normal(size=(N, 4))
        if task.is_classification:
            target = (rng.random(N) < model(inputs)[:, 1]).astype(np.int64)
        else:
            target = number(inputs) + rng.normal(size=N)
        splits[name] = Split(inputs, target)
    gives, call = ("probabilities", model) if task.is_classification else ("values", number)
    return Subject(
        name="made up",
        task=task,
        modality="table",
        splits=splits,
        columns=tuple(Column(f"x{j}", "numeric") for j in range(4)),
        predictor=Predictor(call, gives, ("known", task.kind)),  # type: ignore[arg-type]
    )


SUBJECTS = {"class": table(YES_NO), "number": table(Task("regression"))}


def bench_of(marked: Marked) -> Bench:
    of_numbers = str(marked.mark.breaks) in ("mean_error_gap", "absolute_error_gap")  # type: ignore[union-attr]
    subject = SUBJECTS["number" if of_numbers else "class"]
    return Bench(subject, Computing(REGISTRY, Store(), 0, {}, {}))


def planted(bench: Bench, marked: Marked, severity: float, seed: int) -> Subject:
    mark = marked.mark
    assert isinstance(mark, FaultMark)
    assert mark.starts_from is not None
    rng = np.random.default_rng(seed)
    clean = bench.applied(REGISTRY.controls[mark.starts_from], bench.subject, rng)
    return bench.applied(marked, clean, rng, severity)


def measured(bench: Bench, subject: Subject, check: str) -> Measurement:
    found = bench.outcomes(subject, [check], 0)[check]
    assert found.state == "done", f"{check}: {found.state} {found.reason} {found.traceback}"
    return found.value


def judged_by(name: str, found: Measurement) -> str:
    mark = REGISTRY.checks[name].mark
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    return judged(found, mark.requires, mark.least).verdict


@pytest.mark.parametrize("marked", AT_RISK, ids=lambda m: m.name)
def test_the_severity_is_the_value_that_is_measured(marked: Marked) -> None:
    bench, check = bench_of(marked), marked.mark.breaks  # type: ignore[union-attr]
    done = 0
    curve = marked.mark.severities  # type: ignore[union-attr]
    for severity in curve if check != "proxy_strength" else curve[1::3]:  # trees take seconds
        try:
            broken = planted(bench, marked, severity, 1)
        except CannotApply:
            continue
        found = measured(bench, broken, check)
        done += 1
        # Luck: a rate among 4,000 has a standard error of .008, a gap of two .011, an intersection's .016.
        assert found.value == pytest.approx(severity, abs=0.045), severity
        # A learner may miss a weak proxy: what it finds is a lower bound.
        assert found.low <= severity
        assert severity <= found.high or check == "proxy_strength"
    assert done >= 2


@pytest.mark.parametrize("marked", AT_RISK, ids=lambda m: m.name)
def test_a_coin_is_fair_and_twice_the_bound_is_not(marked: Marked) -> None:
    bench, check = bench_of(marked), marked.mark.breaks  # type: ignore[union-attr]
    requirement = REGISTRY.checks[check].mark.requires  # type: ignore[union-attr]
    if requirement is None:
        pytest.skip("a description")
    ideal = 0.0 if requirement.direction == "at_most" else 1.0
    clean = planted(bench, marked, ideal, 2)
    assert judged_by(check, measured(bench, clean, check)) == "pass"
    harm = ideal + 2 * (requirement.bound - ideal)
    try:
        broken = planted(bench, marked, harm, 2)
    except CannotApply:
        broken = planted(bench, marked, max(marked.mark.severities), 2)  # type: ignore[union-attr]
        assert judged_by(check, measured(bench, broken, check)) != "pass"
        return
    assert judged_by(check, measured(bench, broken, check)) == "fail"


@pytest.mark.parametrize("marked", AT_RISK, ids=lambda m: m.name)
def test_without_severity_nothing_changes(marked: Marked) -> None:
    bench = bench_of(marked)
    mark = marked.mark
    assert isinstance(mark, FaultMark)
    assert mark.starts_from is not None
    ideal = 1.0 if mark.breaks == "selection_ratio" else 0.0
    rng = np.random.default_rng(0)
    clean = bench.applied(REGISTRY.controls[mark.starts_from], bench.subject, rng)
    broken = bench.applied(marked, clean, rng, ideal)
    for name in ("test_predicted", "test_labels", "test_targets", "test_inputs", "train_inputs"):
        one, other = (bench.fields(s).get(name) for s in (clean, broken))
        if isinstance(one, np.ndarray):
            assert isinstance(other, np.ndarray), name
            assert np.array_equal(one, other), name
    if mark.breaks == "counterfactual_flip":
        assert measured(bench, broken, "counterfactual_flip").value == 0.0


def test_coins_leave_a_subject_of_arrays_as_it_is_and_need_no_attribute() -> None:
    marked = REGISTRY.faults["more_mistakes_on_one_group"]
    task = Task("multiclass", ("x", "y", "z"))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 6_000)
    said = np.where(rng.random(6_000) < 0.8, labels, rng.integers(0, 3, 6_000))
    split = Split(rng.normal(size=(6_000, 2, 2)), labels, recorded={"predicted": said})
    subject = replace(
        SUBJECTS["class"], task=task, modality="array", columns=(), splits={"test": split}
    )
    bench = Bench(subject, Computing(Registry.discover(), Store(), 0, {}, {}))
    found = measured(bench, planted(bench, marked, 0.2, 5), "error_rate_gap")
    assert found.value == pytest.approx(0.2, abs=0.04)
    assert set(planted(bench, marked, 0.2, 5).splits["test"].attributes) == {"coin"}


@pytest.mark.parametrize("marked", AT_RISK, ids=lambda m: m.name)
def test_what_does_not_apply_says_why_and_does_not_break(marked: Marked) -> None:
    mark = marked.mark
    assert isinstance(mark, FaultMark)
    assert mark.starts_from is not None
    of_numbers = mark.breaks in ("mean_error_gap", "absolute_error_gap")
    other = SUBJECTS["class" if of_numbers else "number"]
    if mark.breaks in ("proxy_strength", "counterfactual_flip"):
        other = replace(other, modality="array", columns=(), splits=_images(other))
    bench = Bench(other, Computing(REGISTRY, Store(), 0, {}, {}))
    with pytest.raises(CannotApply) as why:
        planted(bench, marked, 0.1, 0)
    assert not why.value.traceback
    assert "does not vary" not in why.value.reason


def _images(subject: Subject) -> dict[str, Split]:
    """Return the rows of a table as images of two by two."""
    found = {}
    for name, split in subject.splits.items():
        assert split.inputs is not None
        found[name] = replace(split, inputs=split.inputs.reshape(-1, 2, 2))
    return found
