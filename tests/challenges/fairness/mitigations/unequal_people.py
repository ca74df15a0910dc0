"""People among whom the group is a hint: who uses it well is right more often, and unequal in both odds."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from roadworthy.engine import Missing, Registry, compute
from roadworthy.subject import (
    Attribute,
    Column,
    Network,
    Recipe,
    Roles,
    Split,
    Subject,
    Task,
    fields_of,
)
from roadworthy.training.tables import TableNetwork, TableShape

REGISTRY = Registry.discover()
COLUMNS = (
    Column("skill", "numeric"),
    Column("sex", "category", ("f", "m")),
    Column("age", "numeric"),
)


def people(n: int, seed: int) -> Split:
    """Skill tells the class as well in both groups, but four fifths of the men and a fifth of the women are chosen."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    labels = (rng.random(n) < np.where(sex == 1, 0.8, 0.2)).astype(np.int64)
    inputs = np.stack([labels + rng.normal(0, 0.7, n), sex, rng.integers(20, 60, n)], axis=1)
    return Split(inputs.astype(float), labels, {"sex": Attribute(sex.astype(np.int64), ("f", "m"))})


def subject(**more: Any) -> Subject:
    shape = TableShape.of(COLUMNS, 2)
    made = Subject(
        "people",
        Task("binary", ("no", "yes"), 1),
        "table",
        {"train": people(900, 0), "validation": people(600, 1), "test": people(3000, 2)},
        columns=COLUMNS,
        roles=Roles(target="chosen", sensitive=("sex",)),
        network=Network(partial(TableNetwork, shape, members=2, width=16, dropout=0.0, bins=16)),
        recipe=Recipe(epochs=8, learning_rate=0.02, batch_size=64, patience=None),
    )
    return replace(made, **more)


def asked_of(given: Subject, names: list[str]) -> dict[str, Any]:
    fields = fields_of(given)
    found = compute(REGISTRY, fields, [n for n in names if n not in fields])
    values = {n: fields[n] if n in fields else found[n].value for n in names}
    return {n: None if isinstance(v, Missing) else v for n, v in values.items()}


def gap(given: Subject) -> float:
    """The larger gap in true and false positive rates on test rows."""
    found = asked_of(given, ["test_probabilities", "test_labels", "test_groups"])
    chosen = found["test_probabilities"].argmax(axis=1) == 1
    sex, labels = found["test_groups"]["sex"].codes, found["test_labels"]
    rate = [[chosen[(labels == y) & (sex == g)].mean() for g in (0, 1)] for y in (0, 1)]
    return max(abs(a - b) for a, b in rate)
