"""Rows within and without the reach of few pixels, of a patch, or of who sees answers alone: known exactly."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.evasion.faults import FAR, NEAR, SEVERITIES
from roadworthy.challenges.evasion.few_pixels import pixels_of
from roadworthy.challenges.evasion.patches import patch_of
from roadworthy.challenges.evasion.prototypes import Prototypes, reach_of
from roadworthy.challenges.evasion.searching import limits
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Subject

Threat = Mapping[str, object]


@control(clears="few_pixels_error")
def rows_out_of_reach_of_pixels(
    subject: "Subject", rng: Generator, pixel_threat: Threat, test_labels: np.ndarray
) -> "Subject":
    """Put a linear network in place of the model, and test rows that no few pixels can turn.

    A row of class y is the middle of the range plus t times the signs of the weights of y. What k positions can take
    from its lead over another class are the k largest contributions, so the t up to which it turns is known.
    """
    return _on_signs(subject, rng, pixel_threat, test_labels, 0.0, _of_pixels(pixel_threat))


@fault(breaks="few_pixels_error", severities=SEVERITIES, starts_from="rows_out_of_reach_of_pixels")
def rows_within_reach_of_pixels(
    subject: "Subject",
    severity: float,
    rng: Generator,
    pixel_threat: Threat,
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that a few pixels turn it, with probability s."""
    if severity == 0.0:
        return subject
    return _on_signs(subject, rng, pixel_threat, test_labels, severity, _of_pixels(pixel_threat))


@control(clears="patch_error")
def rows_out_of_reach_of_patches(
    subject: "Subject", rng: Generator, patch_threat: Threat, test_labels: np.ndarray
) -> "Subject":
    """Put a linear network in place of the model, and test rows that no patch can turn.

    As for `few_pixels_error`: what a patch can take from a lead is the largest sum of contributions in one window.
    """
    return _on_signs(subject, rng, patch_threat, test_labels, 0.0, _of_patch(patch_threat))


@fault(breaks="patch_error", severities=SEVERITIES, starts_from="rows_out_of_reach_of_patches")
def rows_within_reach_of_patches(
    subject: "Subject",
    severity: float,
    rng: Generator,
    patch_threat: Threat,
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that a patch turns it, with probability s."""
    if severity == 0.0:
        return subject
    return _on_signs(subject, rng, patch_threat, test_labels, severity, _of_patch(patch_threat))


@control(clears="label_only_error")
def rows_out_of_reach_of_answers(
    subject: "Subject", rng: Generator, attack_threat: Threat, test_labels: np.ndarray
) -> "Subject":
    """Put a linear black box in place of the model, and test rows that no change within the threat can turn.

    As for `adversarial_error`, without the network: what is left is a function from inputs to outputs.
    """
    return _black_box(subject, rng, attack_threat, test_labels, 0.0)


@fault(breaks="label_only_error", severities=SEVERITIES, starts_from="rows_out_of_reach_of_answers")
def rows_within_reach_of_answers(
    subject: "Subject",
    severity: float,
    rng: Generator,
    attack_threat: Threat,
    test_labels: np.ndarray,
) -> "Subject":
    """Move each test row so near to another class that a change within the threat turns it, with probability s."""
    if severity == 0.0:
        return subject
    return _black_box(subject, rng, attack_threat, test_labels, severity)


Removable = Callable[[np.ndarray], float]
"""Where two classes differ, (...) bool like an input, to how many of these elements the threat holds at once."""


def _of_pixels(threat: Threat) -> Removable:
    k = pixels_of(threat).k

    def most(differ: np.ndarray) -> float:
        by_position = differ.sum(axis=0) if differ.ndim == 3 else differ
        return float(np.sort(by_position.ravel())[::-1][:k].sum())

    return most


def _of_patch(threat: Threat) -> Removable:
    def most(differ: np.ndarray) -> float:
        import torch

        from roadworthy.perturbation.patches import window_sums
        from roadworthy.perturbation.planes import Planes

        rows = torch.from_numpy(differ.astype(np.float32))[None]
        return float(window_sums(rows, *patch_of(threat).window(Planes.of(rows))).max().round())

    return most


def _reach(
    prototypes: Prototypes, threat: Threat, labels: np.ndarray, most: Removable
) -> np.ndarray:
    """Return the t up to which a row of each label turns: (n,).

    A lead of 2 t m over a class that differs in m signs loses 2 (t + w / 2) for each differing element that goes to the
    other end of a range of width w. With s of them it is gone where t (m - s) < s w / 2.
    """
    low, high = limits(threat)
    classes = len(prototypes.signs)
    signs = prototypes.signs.reshape(classes, *prototypes.shape)
    reach = np.zeros(classes)
    for y in np.unique(labels):
        for other in range(classes):
            differ = signs[y] != signs[other]
            removable, m = most(differ), float(differ.sum())
            if other == y:
                continue
            if m <= removable:
                raise NotApplicable(
                    "the threat covers all values in which two classes of signs differ, so no row is out of its reach"
                )
            reach[y] = max(reach[y], removable * (high - low) / 2 / (m - removable))
    return reach[labels]


def _rows(
    rng: Generator,
    prototypes: Prototypes,
    threat: Threat,
    labels: np.ndarray,
    reach: np.ndarray,
    share: float,
) -> np.ndarray:
    is_near = rng.random(len(labels)) < share
    factor = np.where(is_near, rng.uniform(*NEAR, len(labels)), rng.uniform(*FAR, len(labels)))
    low, high = limits(threat)
    sizes = reach * factor
    if sizes.max(initial=0.0) > (high - low) / 2:
        raise NotApplicable(
            "rows out of reach of this threat would leave the range of the inputs; state a smaller one"
        )
    moved = (low + high) / 2 + sizes[:, None] * prototypes.signs[labels]
    return moved.astype(np.float32).reshape(len(labels), *prototypes.shape)


def _drawn(subject: "Subject", rng: Generator) -> Prototypes:
    inputs = subject.splits["test"].inputs
    if inputs is None:
        raise NotApplicable("there are no test inputs to move")
    return Prototypes.drawn(rng, len(subject.task.classes), inputs.shape[1:])


def _on_signs(
    subject: "Subject",
    rng: Generator,
    threat: Threat,
    labels: np.ndarray,
    share: float,
    most: Removable,
) -> "Subject":
    prototypes = _drawn(subject, rng)
    reach = _reach(prototypes, threat, labels, most)
    moved = _rows(rng, prototypes, threat, labels, reach, share)
    found = replace(
        subject.with_inputs("test", moved),
        network=prototypes.network(threat),
        weights=prototypes.weights(),
        predictor=None,
    )
    return replace(
        found, given={k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    )


def _black_box(
    subject: "Subject", rng: Generator, threat: Threat, labels: np.ndarray, share: float
) -> "Subject":
    from roadworthy.subject import Predictor

    prototypes = _drawn(subject, rng)
    moved = _rows(rng, prototypes, threat, labels, reach_of(prototypes, threat, labels), share)
    signs, middle = prototypes.signs, sum(limits(threat)) / 2

    def call(inputs: np.ndarray) -> np.ndarray:
        return (inputs.reshape(len(inputs), -1) - middle) @ signs.T

    predictor = Predictor(call, "logits", ("linear black box", signs, middle))
    return subject.with_inputs("test", moved).with_given(predictor=predictor)
