"""Each fault plants what its severity says, through the graph, is the identity at 0, and is found."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from roadworthy.challenges.generalization import artifacts, checks, faults, simple_models
from roadworthy.engine import CheckMark, FaultMark, Marked, Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.quantities import features, identity, outputs, predictions
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Predictor, Split, Subject, Task
from roadworthy.subject.fields import fields_of

REGISTRY = Registry.of(
    artifacts, simple_models, checks, faults, features, identity, outputs, predictions
)
FAULTS = sorted(REGISTRY.faults)


@cache
def subject_of(kind: str, n: int = 3_000) -> Subject:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * n, 5))
    y: Any = x @ [2.0, 1.0, -1.0, 0.5, 0.0] + rng.normal(size=2 * n)
    if kind != "regression":
        y = np.digitize(y, [0.0] if kind == "binary" else [-1.0, 1.0])
    model: Any = LinearRegression() if kind == "regression" else LogisticRegression()
    model.fit(x[:n], y[:n])
    call = model.predict if kind == "regression" else model.predict_proba
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[kind]
    splits = {"train": Split(x[:n], y[:n]), "test": Split(x[n:], y[n:])}
    gives = "values" if kind == "regression" else "probabilities"
    task = Task(kind, classes, 1 if kind == "binary" else None)  # type: ignore[arg-type]
    return Subject(
        "made up",
        task,
        "array",
        splits,
        predictor=Predictor(call, gives, kind),  # type: ignore[arg-type]
    )


@cache
def needs_of(kind: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    return needed(subject_of(kind), names)


def needed(subject: Subject, names: tuple[str, ...]) -> Mapping[str, Any]:
    outcomes = compute(REGISTRY, fields_of(subject), names)
    return {name: o.value if o.state == "done" else None for name, o in outcomes.items()}


def parameters(marked: Marked) -> tuple[str, ...]:
    code = marked.function.__code__
    own = code.co_varnames[: code.co_argcount]
    return tuple(name for name in own if name not in ("subject", "severity", "rng"))


def cleaned(kind: str, fault: Marked, rng: np.random.Generator) -> Subject:
    assert isinstance(fault.mark, FaultMark)
    control = REGISTRY.controls[str(fault.mark.starts_from)]
    found = needs_of(kind, parameters(control))
    return control.function(subject=subject_of(kind), rng=rng, **found)  # type: ignore[return-value]


def planted(subject: Subject, fault: Marked, s: float, rng: np.random.Generator) -> Subject:
    found = needed(subject, parameters(fault))
    return fault.function(subject=subject, severity=s, rng=rng, **found)  # type: ignore[return-value]


def measured(subject: Subject, fault: Marked) -> Measurement:
    assert isinstance(fault.mark, FaultMark)
    outcome = compute(REGISTRY, fields_of(subject), [fault.mark.breaks])[fault.mark.breaks]
    assert outcome.state == "done", outcome.traceback or outcome.reason
    return outcome.value


def check_of(fault: Marked) -> CheckMark:
    assert isinstance(fault.mark, FaultMark)
    mark = REGISTRY.checks[fault.mark.breaks].mark
    assert isinstance(mark, CheckMark)
    return mark


def applies(kind: str, name: str) -> bool:
    return kind == "binary" or name != "scores_that_overlap"


CASES = [
    (kind, name)
    for kind in ("binary", "multiclass", "regression")
    for name in FAULTS
    if applies(kind, name)
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_severity_is_the_true_value_on_average(kind: str, name: str) -> None:
    fault = REGISTRY.faults[name]
    bound = check_of(fault).requires.bound  # type: ignore[union-attr]
    values = []
    for i in range(8):
        rng = np.random.default_rng(i)
        values.append(measured(planted(cleaned(kind, fault, rng), fault, bound, rng), fault).value)
    assert np.mean(values) == pytest.approx(
        bound, abs=0.02 * bound + 4 * np.std(values) / np.sqrt(8)
    )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_clean_subject_does_not_fail_and_a_grave_fault_does(kind: str, name: str) -> None:
    fault = REGISTRY.faults[name]
    mark = check_of(fault)
    assert mark.requires is not None
    rng = np.random.default_rng(3)
    clean = cleaned(kind, fault, rng)
    assert judge(measured(clean, fault), mark.requires, mark.least).verdict == "pass"
    # twice the bound, and for shares of one so grave that 3,000 rows show it
    grave = 2 * mark.requires.bound if mark.requires.bound < 0.5 else 1.05
    broken = planted(clean, fault, grave, rng)
    assert judge(measured(broken, fault), mark.requires, mark.least).verdict == "fail"


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_at_severity_zero_the_check_says_the_same(kind: str, name: str) -> None:
    fault, rng = REGISTRY.faults[name], np.random.default_rng(4)
    clean = cleaned(kind, fault, rng)
    before, after = measured(clean, fault), measured(planted(clean, fault, 0.0, rng), fault)
    assert (before.value, before.low, before.high) == (after.value, after.low, after.high)


def test_a_fault_leaves_the_subject_it_is_given_alone() -> None:
    fault, rng = REGISTRY.faults["missed_training_rows"], np.random.default_rng(5)
    clean = cleaned("binary", fault, rng)
    before = clean.given["train_merit"].copy()
    planted(clean, fault, 0.3, rng)
    assert (clean.given["train_merit"] == before).all()


def test_more_than_all_cannot_be_lost() -> None:
    fault, rng = REGISTRY.faults["harder_test_rows"], np.random.default_rng(6)
    with pytest.raises(NotApplicable, match="cannot lose"):
        planted(cleaned("binary", fault, rng), fault, 0.999, rng)
