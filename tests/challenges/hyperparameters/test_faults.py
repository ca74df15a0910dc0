"""Each calibrated fault plants what its severity says, is the identity at 0, and is found."""

import inspect
from functools import cache
from typing import Any

import numpy as np
import pytest

from roadworthy.challenges.hyperparameters import faults, nested, sensitivity, tuning
from roadworthy.engine import CheckMark, FaultMark, Marked, Missing, Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.fields import fields_of

REGISTRY = Registry.of(faults, nested, sensitivity, tuning)
FAULTS = sorted(REGISTRY.faults)
N = 6_000
CASES = [(kind, name) for kind in ("binary", "multiclass", "regression") for name in FAULTS]


@cache
def subject_of(kind: str, n: int = N) -> Subject:
    """A subject whose trainings are frozen: five seeds, three changes, nine searched settings."""
    rng = np.random.default_rng(0)
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[kind]

    def errors(*shape: int) -> np.ndarray:
        hard = rng.beta(0.5, 4.5, shape[-1])
        if kind == "regression":
            return rng.exponential(2.0 * hard + 0.1, shape)
        return rng.random(shape) < hard

    frozen: dict[str, Any] = {
        "neighbouring_errors": {
            "seeds": errors(5, n),
            "changed": errors(3, 2, n),
            "name": ("learning_rate", "learning_rate", "epochs"),
            "label": ("learning rate × 4", "learning rate × 2", "epochs × 2"),
            "step": (2, 1, 1),
            "rows": 900,
        },
        "seed_answers": rng.normal(size=(5, n))
        if kind == "regression"
        else rng.integers(0, 2, (5, n)),
        "guess_error": 0.8 if kind == "regression" else Missing("not_applicable", "classes"),
        "searched_settings": {"learning_rate": np.linspace(0.1, 0.9, 9)},
        "searched_validation_errors": errors(9, n),
        "searched_test_errors": errors(9, n),
        "validation_merit": rng.normal(0.5, 0.3, n)
        if kind == "regression"
        else rng.random(n) < 0.9,
        "test_merit": rng.normal(0.5, 0.3, n) if kind == "regression" else rng.random(n) < 0.9,
        "nested_errors": {
            "errors": tuple(errors(4, 2 * n // 5) for _ in range(5)),
            "is_second": tuple(np.arange(2 * n // 5) % 2 == 1 for _ in range(5)),
            # each row is in two pairs
            "rows": tuple((np.arange(2 * n // 5) + i * n // 5) % n for i in range(5)),
            "share": 1 / 3,
        },
    }
    split = Split(np.zeros((3, 1)), np.zeros(3, float if kind == "regression" else np.int64))
    task = Task(kind, classes, 1 if kind == "binary" else None)  # type: ignore[arg-type]
    splits = {"train": split, "validation": split, "test": split}
    return Subject("made up", task, "array", splits).with_given(**frozen)  # type: ignore[arg-type]


def applied(transform: Marked, subject: Subject, **known: Any) -> Subject:
    fields = fields_of(subject)
    wanted = inspect.signature(transform.function).parameters
    values = {n: fields[n] for n in wanted if n in fields}
    values = {n: None if isinstance(v, Missing) else v for n, v in values.items()}
    known = {n: v for n, v in known.items() if n in wanted}
    return transform.function(**{**values, **known, "subject": subject})  # type: ignore[return-value]


def cleaned(kind: str, fault: Marked, rng: np.random.Generator) -> Subject:
    assert isinstance(fault.mark, FaultMark)
    control = REGISTRY.controls[str(fault.mark.starts_from)]
    return applied(control, subject_of(kind), rng=rng)


def planted(subject: Subject, fault: Marked, s: float, rng: np.random.Generator) -> Subject:
    return applied(fault, subject, severity=s, rng=rng)


def measured(subject: Subject, fault: Marked) -> Measurement:
    assert isinstance(fault.mark, FaultMark)
    outcome = compute(REGISTRY, fields_of(subject), [fault.mark.breaks])
    found = outcome[fault.mark.breaks]
    assert found.state == "done", found.traceback or found.reason
    return found.value


def check_of(fault: Marked) -> CheckMark:
    assert isinstance(fault.mark, FaultMark)
    mark = REGISTRY.checks[fault.mark.breaks].mark
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    return mark


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_severity_is_the_true_value_on_average(kind: str, name: str) -> None:
    fault = REGISTRY.faults[name]
    bound = check_of(fault).requires.bound  # type: ignore[union-attr]
    values = []
    for i in range(8):
        rng = np.random.default_rng(i)
        values.append(measured(planted(cleaned(kind, fault, rng), fault, bound, rng), fault).value)
    assert np.mean(values) == pytest.approx(
        bound, abs=0.04 * bound + 4 * np.std(values) / np.sqrt(8)
    )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_clean_subject_passes_and_a_grave_fault_fails(kind: str, name: str) -> None:
    fault = REGISTRY.faults[name]
    mark = check_of(fault)
    assert mark.requires is not None
    rng = np.random.default_rng(3)
    clean = cleaned(kind, fault, rng)
    assert judge(measured(clean, fault), mark.requires, mark.least).verdict == "pass"
    broken = planted(clean, fault, 2 * mark.requires.bound, rng)
    assert judge(measured(broken, fault), mark.requires, mark.least).verdict == "fail"


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_at_severity_zero_the_check_says_the_same(kind: str, name: str) -> None:
    fault, rng = REGISTRY.faults[name], np.random.default_rng(4)
    clean = cleaned(kind, fault, rng)
    before, after = measured(clean, fault), measured(planted(clean, fault, 0.0, rng), fault)
    assert (before.value, before.low, before.high) == (after.value, after.low, after.high)


def test_every_check_with_a_requirement_has_a_calibrated_fault() -> None:
    proven = {m.mark.breaks for m in REGISTRY.faults.values() if m.mark.truth}  # type: ignore[union-attr]
    required = {n for n, m in REGISTRY.checks.items() if m.mark.requires is not None}  # type: ignore[union-attr]
    assert proven == required


def test_more_than_all_cannot_be_lost() -> None:
    rng = np.random.default_rng(6)
    for name in ("a_change_that_matters", "flattering_choice", "flattering_validation"):
        with pytest.raises(NotApplicable, match="cannot be lost"):
            planted(cleaned("binary", REGISTRY.faults[name], rng), REGISTRY.faults[name], 0.99, rng)
    fault = REGISTRY.faults["answers_by_seed"]
    clean = cleaned("binary", fault, rng)
    with pytest.raises(NotApplicable, match="differ less often"):
        planted(clean, fault, 0.8, rng)
