"""Rows from which an adversary gets a wrong answer, none, or one that is held back: known exactly on a linear network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.evasion.faults import FAR, NEAR, SEVERITIES
from roadworthy.challenges.evasion.prototypes import Prototypes
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import DecisionRule

if TYPE_CHECKING:
    from roadworthy.subject import Subject

Threat = Mapping[str, object]

THRESHOLD = 0.9  # given from here on: the most probable class leads by log(.9 / .1) = 2.197 or more
BELOW = 2.0  # the most that a row between can be made to lead by: .881 at most, and held back
ABOVE = (
    12.0  # the least that a row within reach can be made to lead by: .9999 with a hundred classes
)


@control(clears="accepted_adversarial_error")
def rows_out_of_accepted_reach(
    subject: "Subject", rng: Generator, attack_threat: Threat, test_labels: np.ndarray
) -> "Subject":
    """Put a linear network that abstains below .9 in place of the model, and rows that give no wrong answer.

    As for `adversarial_error` the worst case is known. Half of the rows cannot be turned at all, half of them only so far
    that the wrong class leads by 2 nats and is held back: who counts every wrong class finds one row in two.
    """
    return _planted(subject, rng, attack_threat, test_labels, 0.0)


@fault(
    breaks="accepted_adversarial_error",
    severities=SEVERITIES,
    starts_from="rows_out_of_accepted_reach",
)
def rows_within_accepted_reach(
    subject: "Subject",
    severity: float,
    rng: Generator,
    attack_threat: Threat,
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that a sure wrong answer is within reach, with probability s."""
    if severity == 0.0:
        return subject
    return _planted(subject, rng, attack_threat, test_labels, severity)


def _planted(
    subject: "Subject", rng: Generator, threat: Threat, labels: np.ndarray, share: float
) -> "Subject":
    inputs, eps = subject.splits["test"].inputs, float(cast(float, threat["eps"]))
    if inputs is None:
        raise NotApplicable("there are no test inputs to move")
    if eps == 0.0:
        raise NotApplicable("a change of no size reaches nothing; state an eps above 0")
    prototypes = Prototypes.drawn(rng, len(subject.task.classes), inputs.shape[1:])
    values = prototypes.signs.shape[1]
    nearest = float(prototypes.apart(labels).min())
    # A row at t times its signs can be made to follow class k by 2 (eps - t) x scale x the signs in which they differ.
    scale = ABOVE / (2 * (1 - max(NEAR)) * eps * nearest)
    between = 1 - BELOW / (2 * scale * eps * values)
    is_near = rng.random(len(labels)) < share
    far = np.where(rng.random(len(labels)) < 0.5, between, rng.uniform(*FAR, len(labels)))
    factor = np.where(is_near, rng.uniform(*NEAR, len(labels)), far)
    moved = prototypes.inputs(labels, eps * factor, threat)
    weights = {name: scale * value for name, value in prototypes.weights().items()}
    kept = {k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    return replace(
        subject.with_inputs("test", moved),
        network=prototypes.network(threat),
        weights={name: value.astype(np.float32) for name, value in weights.items()},
        predictor=None,
        decision_rule=DecisionRule("abstain", THRESHOLD, "planted"),
        given=kept,
    )
