"""Rows of a table within and without an adversary's reach, on a network for which both are known exactly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.evasion.faults import FAR, NEAR, SEVERITIES
from roadworthy.challenges.evasion.prototypes import Prototypes
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Subject

Threat = Mapping[str, Any]  # Any: see `perturbation.cells.as_facts`


@control(clears="adversarial_table_error")
def table_rows_out_of_reach(
    subject: "Subject", rng: Generator, table_threat: Threat, test_labels: np.ndarray
) -> "Subject":
    """Put a linear network on the numbers in place of the model, and test rows that no allowed change can turn.

    A row of class y lies t budgets off the centre of every column, to the side of the weight of y. What an adversary
    can take from its lead over another class is 2 budgets for each column in which their weights differ, so the answer
    turns where t is below 1, by hand. Categories and columns that may not go both ways stay as they are; so do labels.
    """
    return _planted(subject, rng, table_threat, test_labels, 0.0)


@fault(
    breaks="adversarial_table_error", severities=SEVERITIES, starts_from="table_rows_out_of_reach"
)
def table_rows_within_reach(
    subject: "Subject",
    severity: float,
    rng: Generator,
    table_threat: Threat,
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that the adversary reaches it, with probability s."""
    if severity == 0.0:
        return subject
    return _planted(subject, rng, table_threat, test_labels, severity)


def _planted(
    subject: "Subject", rng: Generator, threat: Threat, labels: np.ndarray, share: float
) -> "Subject":
    inputs = subject.splits["test"].inputs
    if inputs is None:
        raise NotApplicable("there are no test inputs to move")
    columns, centre, unit = _usable(threat)
    prototypes = Prototypes.drawn(rng, len(subject.task.classes), (len(columns),))
    is_near = rng.random(len(labels)) < share
    factor = np.where(is_near, rng.uniform(*NEAR, len(labels)), rng.uniform(*FAR, len(labels)))
    off = factor[:, None] * unit
    # Of a whole number the nearest one on the same side of the reach.
    whole = np.where(is_near[:, None], np.floor(off), np.maximum(np.ceil(off), unit + 1))
    off = np.where(threat["whole"][columns], whole, off)
    moved = inputs.copy()
    moved[:, columns] = centre + off * prototypes.signs[labels]
    network = Network(
        _OnColumns(tuple(columns.tolist()), len(subject.task.classes)), "a linear network of signs"
    )
    weights = {
        "head.weight": prototypes.signs,
        "columns": columns.astype(np.int64),
        "centre": centre.astype(np.float32),
        "unit": unit.astype(np.float32),
    }
    found = replace(
        subject.with_inputs("test", moved), network=network, weights=weights, predictor=None
    )
    kept = {k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    return replace(found, given=kept)


def _usable(threat: Threat) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns that may go both ways as far, the middle of their range, and their budget."""
    down, up = threat["down"], threat["up"]
    middle = (threat["low"] + threat["high"]) / 2
    middle = np.where(threat["whole"], np.round(middle), middle)
    has_room = np.minimum(middle - threat["low"], threat["high"] - middle) >= 2 * up
    columns = np.flatnonzero((down == up) & (up > 0) & has_room)
    if len(columns) == 0:
        raise NotApplicable(
            "no column of numbers may move both ways within its range, so nothing of known reach can be planted"
        )
    return columns, middle[columns], up[columns]


@dataclass(frozen=True)
class _OnColumns:
    """The factory of the module."""

    columns: tuple[int, ...]
    classes: int

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.evasion.table_module import LinearOnColumns

        return LinearOnColumns(self.columns, self.classes)
