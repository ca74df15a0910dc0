"""Holding answers back where a row lies far from what the model was trained on: measured against who knows of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent
from roadworthy.subject import DecisionRule, Network
from roadworthy.subject.guarded import Guard, distances_to, guarded, threshold_at

if TYPE_CHECKING:
    from roadworthy.subject import Subject

Weights = Mapping[str, np.ndarray]

SLOPE = 10.0  # of the guard: at 1.1 times the reach logits are e^-1 of what they were
MOST_NEIGHBOURS = 4_000
LEAST_ROWS = 50  # of validation, to set a rate of false alarms
TINY = 1e-12


@mitigation(
    targets="accepted_adversarial_error",
    strengths=(0.01, 0.02, 0.04),
    sham="rejection_at_random_places",
    repairs="brittle_feature",
)
def rejection(
    subject: "Subject",
    strength: float,
    train_embeddings: np.ndarray,
    validation_embeddings: np.ndarray,
    validation_logits: np.ndarray,
    output_kind: str,
    network: Network,
    weights: Weights,
) -> "Subject":
    """Hold back answers where the row lies far from the training rows, or the model is unsure.

    A detector of anomalies as a defence: logits shrink beyond a distance to the tenth nearest training row (Sun et al. 2022, ICML; by what the
    last layer is given), and a rule holds unsure answers back. Such defences fell to attacks that know of them (Carlini & Wagner 2017), and it is
    measured by one. The strength is the stated rate of false alarms on validation rows. Weights and data stay.
    """
    if strength == 0.0:
        return subject
    places = _unit(_some(train_embeddings)).astype(np.float32)
    seen = (validation_embeddings, validation_logits)
    return _guarded(subject, strength, places, seen, output_kind, network, weights)


@sham()
def rejection_at_random_places(
    subject: "Subject",
    strength: float,
    rng: Generator,
    train_embeddings: np.ndarray,
    validation_embeddings: np.ndarray,
    validation_logits: np.ndarray,
    output_kind: str,
    network: Network,
    weights: Weights,
) -> "Subject":
    """Keep the distance from random places instead of training rows: as many clean rows are held back."""
    if strength == 0.0:
        return subject
    places = _unit(rng.normal(size=_some(train_embeddings).shape)).astype(np.float32)
    seen = (validation_embeddings, validation_logits)
    return _guarded(subject, strength, places, seen, output_kind, network, weights)


def _guarded(
    subject: "Subject",
    rate: float,
    places: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    output_kind: str,
    network: Network,
    weights: Weights,
) -> "Subject":
    if output_kind == "values":
        raise NotApplicable("the target is a number; there is no answer to hold back")
    embeddings, logits = seen
    if len(embeddings) < LEAST_ROWS:
        raise NotApplicable(
            f"{len(embeddings)} validation rows cannot set a rate of false alarms; {LEAST_ROWS} are needed"
        )
    distances = distances_to(places, embeddings)
    guard = Guard(places, max(threshold_at(distances, 1 - rate), 1e-6), SLOPE)
    lowered = logits.astype(np.float64) * guard.factors(distances)[:, None]
    # Of n rows the floor(rate x n) least sure are held back: the threshold lies midway, so that rounding moves no row.
    sure = np.concatenate([[0.0], np.sort(_largest_probability(lowered))])
    at = int(rate * len(lowered))
    threshold = float(sure[at : at + 2].mean())
    kind = cast(Literal["logits", "probabilities"], output_kind)
    said = f"answers held back far from its training rows ({percent(rate)} false alarms)"
    built, inner = guarded(
        network, dict(weights), guard, kind=kind, classes=logits.shape[1], said=said
    )
    rule = DecisionRule("abstain", threshold, f"no answer for {percent(rate)} of ordinary rows")
    return replace(subject, network=built, weights=inner, predictor=None, decision_rule=rule)


def _some(rows: np.ndarray) -> np.ndarray:
    """Return rows evenly spread over all of them, as many as are compared with."""
    if len(rows) <= MOST_NEIGHBOURS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_NEIGHBOURS).astype(int)]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)


def _largest_probability(logits: np.ndarray) -> np.ndarray:
    return 1.0 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
