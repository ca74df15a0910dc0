"""The faults of split luck and training variance plant what their severity says, through the graph."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from roadworthy.challenges.generalization import (
    architectures,
    artifacts,
    capacity,
    cross_validation,
    folds,
    luck_faults,
    retraining,
    split_faults,
)
from roadworthy.engine import CheckMark, FaultMark, Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.fields import fields_of

REGISTRY = Registry.of(
    artifacts,
    folds,
    retraining,
    capacity,
    cross_validation,
    architectures,
    split_faults,
    luck_faults,
)
FAULTS = sorted(REGISTRY.faults)
KINDS = ("multiclass", "regression")
N = 4_000  # rows held out; half as many test rows


@cache
def subject_of(kind: str) -> Subject:
    rng = np.random.default_rng(0)
    y: Any = rng.integers(0, 3, N + N // 2)
    held: Any = rng.random(N) < 0.9
    test: Any = np.round(rng.random(N // 2) < 0.9, 0).astype(float)
    answers = np.eye(3)[y[N:]] * 0.7 + 0.1
    if kind == "regression":
        y = rng.normal(size=len(y))
        held, test = rng.normal(0.6, 0.3, N), rng.normal(0.6, 0.3, N // 2)
        answers = y[N:, None] + 0.3
    classes = ("a", "b", "c") if kind == "multiclass" else ()
    x = rng.normal(size=(len(y), 2))
    splits: dict[Any, Split] = {"train": Split(x[:N], y[:N]), "test": Split(x[N:], y[N:])}
    subject = Subject("made up", Task(kind, classes), "array", splits)  # type: ignore[arg-type]
    jitter = rng.normal(0.0, 0.01, (4, 2, *answers.shape))
    return subject.with_given(
        folds=np.arange(N) % 10,
        held_out_merit=held,
        fold_test_merit=test,
        held_out_share=1 / 9,
        retrained_answers=answers + jitter,
        bootstrap_share=0.5,
        compared_rows=np.arange(N // 2),
    )


def needed(subject: Subject, function: Any) -> dict[str, Any]:
    code = function.__code__
    own = code.co_varnames[: code.co_argcount]
    names = [name for name in own if name not in ("subject", "severity", "rng")]
    outcomes = compute(REGISTRY, fields_of(subject), names)
    return {name: outcome.value for name, outcome in outcomes.items()}


def cleaned(kind: str, name: str, rng: np.random.Generator) -> Subject:
    mark = REGISTRY.faults[name].mark
    assert isinstance(mark, FaultMark)
    function: Any = REGISTRY.controls[str(mark.starts_from)].function
    subject = subject_of(kind)
    return function(subject=subject, rng=rng, **needed(subject, function))


def planted(subject: Subject, name: str, severity: float, rng: np.random.Generator) -> Subject:
    function: Any = REGISTRY.faults[name].function
    return function(subject=subject, severity=severity, rng=rng, **needed(subject, function))


def measured(subject: Subject, name: str) -> Measurement:
    mark = REGISTRY.faults[name].mark
    assert isinstance(mark, FaultMark)
    outcome = compute(REGISTRY, fields_of(subject), [mark.breaks])[mark.breaks]
    assert outcome.state == "done", outcome.traceback or outcome.reason
    return outcome.value


def check_of(name: str) -> CheckMark:
    mark = REGISTRY.faults[name].mark
    assert isinstance(mark, FaultMark)
    found = REGISTRY.checks[mark.breaks].mark
    assert isinstance(found, CheckMark)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FAULTS)
def test_the_severity_is_the_true_value_on_average(kind: str, name: str) -> None:
    bound = check_of(name).requires.bound  # type: ignore[union-attr]
    values = []
    for i in range(8):
        rng = np.random.default_rng(i)
        values.append(measured(planted(cleaned(kind, name, rng), name, bound, rng), name).value)
    room = 0.02 * bound + 4 * np.std(values) / np.sqrt(8)
    assert np.mean(values) == pytest.approx(bound, abs=room)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_clean_subject_passes_and_a_grave_fault_fails(kind: str, name: str) -> None:
    mark, rng = check_of(name), np.random.default_rng(3)
    assert mark.requires is not None
    clean = cleaned(kind, name, rng)
    assert judge(measured(clean, name), mark.requires, mark.least).verdict == "pass"
    broken = planted(clean, name, 2 * mark.requires.bound, rng)
    assert judge(measured(broken, name), mark.requires, mark.least).verdict == "fail"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FAULTS)
def test_at_severity_zero_the_check_says_the_same(kind: str, name: str) -> None:
    rng = np.random.default_rng(4)
    clean = cleaned(kind, name, rng)
    before, after = measured(clean, name), measured(planted(clean, name, 0.0, rng), name)
    assert (before.value, before.low, before.high) == (after.value, after.low, after.high)


@pytest.mark.parametrize("name", FAULTS)
def test_more_than_there_is_cannot_be_lost(name: str) -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(NotApplicable):
        planted(cleaned("multiclass", name, rng), name, 0.99, rng)
