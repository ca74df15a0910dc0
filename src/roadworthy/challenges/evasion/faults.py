"""Rows within and without an adversary's reach, on a network for which both are known exactly."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.evasion.prototypes import Prototypes, reach_of
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadworthy.subject import Subject

    Threat = Mapping[str, object]

SEVERITIES = (0.075, 0.15, 0.225, 0.3, 0.4, 0.5, 0.6, 0.8)
NEAR, FAR = (0.3, 0.9), (1.1, 2.0)  # of the reach


@control(clears="adversarial_error")
def rows_out_of_reach(
    subject: "Subject", rng: Generator, attack_threat: "Threat", test_labels: np.ndarray
) -> "Subject":
    """Put a linear network in place of the model, and test rows that no change within the threat can turn.

    A row of class y is the middle of the range plus t times the signs of the weights of y. Its worst case is known:
    the answer turns at an Linf change of t and not before. Labels stay; inputs of other splits do too.
    """
    return _planted(subject, rng, attack_threat, test_labels, 0.0)


@fault(breaks="adversarial_error", severities=SEVERITIES, starts_from="rows_out_of_reach")
def rows_within_reach(
    subject: "Subject",
    severity: float,
    rng: Generator,
    attack_threat: "Threat",
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that the adversary reaches it, with probability s.

    On the linear network of the control, so that s is the share of rows that can be turned, exactly. What is turned are the rows with the
    smaller lead: at a half, the network is robust on the easy half alone.
    """
    if severity == 0.0:
        return subject
    return _planted(subject, rng, attack_threat, test_labels, severity)


@control(clears="adversarial_l2_error")
def rows_out_of_l2_reach(
    subject: "Subject", rng: Generator, l2_attack_threat: "Threat", test_labels: np.ndarray
) -> "Subject":
    """As for `adversarial_error`: a linear network, and test rows that no change of this length can turn."""
    return _planted(subject, rng, l2_attack_threat, test_labels, 0.0)


@fault(breaks="adversarial_l2_error", severities=SEVERITIES, starts_from="rows_out_of_l2_reach")
def rows_within_l2_reach(
    subject: "Subject",
    severity: float,
    rng: Generator,
    l2_attack_threat: "Threat",
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that a change of this length reaches it, with probability s."""
    if severity == 0.0:
        return subject
    return _planted(subject, rng, l2_attack_threat, test_labels, severity)


def _planted(
    subject: "Subject", rng: Generator, threat: "Threat", labels: np.ndarray, share: float
) -> "Subject":
    from dataclasses import replace

    inputs = subject.splits["test"].inputs
    if inputs is None:
        raise NotApplicable("there are no test inputs to move")
    prototypes = Prototypes.drawn(rng, len(subject.task.classes), inputs.shape[1:])
    reach = reach_of(prototypes, threat, labels)  # (n,)
    is_near = rng.random(len(labels)) < share
    factor = np.where(is_near, rng.uniform(*NEAR, len(labels)), rng.uniform(*FAR, len(labels)))
    moved = prototypes.inputs(labels, reach * factor, threat)
    found = replace(
        subject.with_inputs("test", moved),
        network=prototypes.network(threat),
        weights=prototypes.weights(),
        predictor=None,
    )
    return replace(
        found, given={k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    )
