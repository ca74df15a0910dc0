"""Subjects of recorded decisions, and a way to measure any check of them through the graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from roadworthy.engine import Registry, compute
from roadworthy.results import Measurement
from roadworthy.subject import Attribute, Roles, Split, Subject, Task, fields_of

REGISTRY = Registry.discover()
YES_NO = Task("binary", ("no", "yes"), 1)

Of = Callable[..., Subject]
Measure = Callable[..., Measurement]


def recorded_subject(
    labels: np.ndarray,
    groups: Mapping[str, Sequence[str]],
    task: Task = YES_NO,
    **recorded: np.ndarray,
) -> Subject:
    """Return a subject of recorded predictions; an empty name of a group is a missing one."""
    attributes: dict[str, Attribute] = {}
    for name, values in groups.items():
        names = tuple(sorted({v for v in values if v}))
        codes = np.array([names.index(v) if v else -1 for v in values], np.int64)
        attributes[name] = Attribute(codes, names)
    split = Split(None, labels, attributes, recorded=recorded)
    return Subject(
        name="made up",
        task=task,
        modality="predictions",
        splits={"test": split},
        roles=Roles(sensitive=tuple(groups)),
    )


def outcome_of(subject: Subject, name: str, **options: Any) -> Any:
    """Return the outcome of a check or artifact; keywords are options by node, or fields."""
    chosen = {n: v for n, v in options.items() if isinstance(v, dict)}
    fields = {n: v for n, v in options.items() if not isinstance(v, dict)}
    given = {**fields_of(subject), **fields}
    return compute(REGISTRY, given, [name], options=chosen)[name]


@pytest.fixture
def measure() -> Measure:
    """Measure a check of a subject; fails with the reason where there is no measurement."""

    def measured(subject: Subject, name: str, **options: Any) -> Measurement:
        found = outcome_of(subject, name, **options)
        assert found.state == "done", f"{name}: {found.state}, {found.reason}\n{found.traceback}"
        return found.value

    return measured


@pytest.fixture
def of() -> Of:
    """Return a subject from counts: rows of (group, label, decision, how many)."""

    def counted(*rows: tuple[str, int, int, int], attribute: str = "group") -> Subject:
        groups = [g for g, _, _, n in rows for _ in range(n)]
        labels = np.array([y for _, y, _, n in rows for _ in range(n)], np.int64)
        said = np.array([d for _, _, d, n in rows for _ in range(n)], np.int64)
        return recorded_subject(labels, {attribute: groups}, predicted=said)

    return counted
