"""Faults of the model itself, known because it is the model that is changed: what remedies are proven on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.uncertainty.faults import drawn, other_classes
from roadworthy.engine import control, fault
from roadworthy.subject import Network
from roadworthy.subject.rescaled import rescaled

if TYPE_CHECKING:
    from roadworthy.subject import Subject

Weights = Mapping[str, np.ndarray]


@fault(breaks="calibration_error", severities=(1.5, 2.0, 3.0), truth=False)
def sharpened_logits(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: Network,
    weights: Weights,
    output_kind: str,
    validation_probabilities: np.ndarray,
    test_probabilities: np.ndarray,
) -> "Subject":
    """Multiply the logits of a calibrated model, so that it is surer than it is right.

    Labels of validation and test rows are drawn from the model's own probabilities first, which makes it
    calibrated by construction. The severity is the factor; 1 changes the labels alone, and 0 nothing.

    Also alarms: classwise_calibration_error (the same), relative_log_loss (sure mistakes), relative_brier_score (the same).
    """
    if severity == 0.0:
        return subject
    c = validation_probabilities.shape[1]
    return _sharpened(
        subject, np.full(c, severity), rng, network, weights, output_kind,
        (validation_probabilities, test_probabilities),
    )  # fmt: skip


@fault(breaks="classwise_calibration_error", severities=(1.5, 2.0, 3.0), truth=False)
def sharpened_logits_of_some_classes(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: Network,
    weights: Weights,
    output_kind: str,
    validation_probabilities: np.ndarray,
    test_probabilities: np.ndarray,
) -> "Subject":
    """Multiply the logits of every other class of a calibrated model; labels are drawn as for `sharpened_logits`.

    Also alarms: calibration_error (surer than right), relative_log_loss (sure mistakes), relative_brier_score (the same).
    """
    if severity == 0.0:
        return subject
    c = validation_probabilities.shape[1]
    scale = np.where(np.arange(c) % 2 == 0, severity, 1.0)
    return _sharpened(
        subject, scale, rng, network, weights, output_kind,
        (validation_probabilities, test_probabilities),
    )  # fmt: skip


@control(clears="wrong_decisions")
def labels_as_told(
    subject: "Subject",
    rng: Generator,
    validation_probabilities: np.ndarray,
    test_probabilities: np.ndarray,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Give validation and test rows the label that the model predicts: nothing that it says is wrong."""
    del rng
    subject = _kept(subject, network, weights)
    for split, p in (("validation", validation_probabilities), ("test", test_probabilities)):
        subject = subject.with_target(split, p.argmax(axis=1).astype(np.int64))
    return subject


@fault(
    breaks="wrong_decisions",
    severities=(0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0),
    starts_from="labels_as_told",
)
def wrong_where_unsure(
    subject: "Subject",
    severity: float,
    rng: Generator,
    validation_probabilities: np.ndarray,
    test_probabilities: np.ndarray,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Give validation and test rows a wrong label, the unsurest rows most often, s of all on average.

    The chance falls with the rank of the confidence. Inputs and the model stay as they are.

    Also alarms: calibration_error (right less often), classwise_calibration_error (the same), shortfall_to_simple_models (fewer are right), conformal_shortfall (labels leave their sets), label_errors_in_test (the labels are wrong).
    """
    if severity == 0.0:
        return subject
    subject = _kept(subject, network, weights)
    for split, p in (("validation", validation_probabilities), ("test", test_probabilities)):
        labels = subject.splits[split].target
        assert labels is not None
        n = len(labels)
        rank = np.argsort(np.argsort(p.max(axis=1), kind="stable"), kind="stable")
        unsure = 1.0 - (rank + 0.5) / max(n, 1)  # mean 1/2
        chance = (
            2.0 * severity * unsure if severity <= 0.5 else 1 - 2 * (1 - severity) * (1 - unsure)
        )
        wrong = rng.random(n) < chance
        other = other_classes(labels, p.shape[1], rng)
        subject = subject.with_target(split, np.where(wrong, other, labels))
    return subject


def _kept(subject: "Subject", network: Network | None, weights: Weights | None) -> "Subject":
    """Return the subject with the weights that it has: a training that looks at validation labels would end elsewhere."""
    from dataclasses import replace

    if network is None or weights is None:
        return subject
    return replace(subject, network=network, weights=dict(weights))


def _sharpened(
    subject: "Subject",
    scale: np.ndarray,
    rng: Generator,
    network: Network,
    weights: Weights,
    output_kind: str,
    probabilities: tuple[np.ndarray, np.ndarray],
) -> "Subject":
    from dataclasses import replace

    for split, p in zip(("validation", "test"), probabilities, strict=True):
        subject = subject.with_target(split, drawn(p, rng))
    kind = cast(Literal["logits", "probabilities"], output_kind)
    built, all_weights = rescaled(
        network, dict(weights), scale, np.zeros(len(scale)), kind=kind, said="logits sharpened"
    )
    return replace(subject, network=built, weights=all_weights, predictor=None)
