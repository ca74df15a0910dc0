"""A remedy for answers to rows that the model was never trained for: less sure far away, and no answer there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.uncertainty import novelty
from roadworthy.challenges.uncertainty.out_of_distribution import LEAST_ROWS
from roadworthy.engine import fault, mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent
from roadworthy.subject import DecisionRule, Network, Predictor
from roadworthy.subject.guarded import Guard, guarded

if TYPE_CHECKING:
    from roadworthy.subject import Subject

SLOPE = 10.0  # of the guard: at 1.1 times the reach logits are e^-1 of what they were

Weights = Mapping[str, np.ndarray]
Fitted = Mapping[str, Any]  # Any: arrays, names and numbers


@mitigation(
    targets="unseen_inputs_trusted",
    strengths=(0.01, 0.02, 0.05, 0.1),
    sham="abstention_at_random_places",
    repairs="surer_of_unseen_inputs",
)
def abstention_far_away(
    subject: "Subject",
    strength: float,
    validation_inputs: np.ndarray,
    validation_logits: np.ndarray,
    novelty_reference: Fitted,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Be less sure the further a row lies from the training rows, and give no answer where that is far.

    Logits shrink beyond a distance to the tenth nearest training row (Sun et al. 2022, ICML) that the strength, the
    stated rate of false alarms, of validation rows exceeds; embeddings are compared, of a black box its inputs. A rule of
    abstaining then holds back this share of ordinary rows. The most probable class, weights and data stay as they are.
    """
    if strength == 0.0:
        return subject
    space = _space(predictor, validation_inputs, novelty_reference, output_kind)
    neighbours = novelty_reference["spaces"][space]["neighbours"]
    rows = _rows(predictor, validation_inputs, novelty_reference, output_kind, space)
    model = (predictor, network, weights, output_kind)
    said = f"less sure far from its training rows ({percent(strength)} false alarms)"
    return _guarded(
        subject, strength, rows, neighbours, validation_logits, model, novelty_reference, said
    )


@sham()
def abstention_at_random_places(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_inputs: np.ndarray,
    validation_logits: np.ndarray,
    novelty_reference: Fitted,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Keep the distance from random places instead of training rows: as many rows are held back, whichever they are."""
    if strength == 0.0:
        return subject
    space = _space(predictor, validation_inputs, novelty_reference, output_kind)
    true = novelty_reference["spaces"][space]["neighbours"]
    places = rng.normal(size=true.shape).astype(np.float32)
    if space == "embeddings":
        places /= np.linalg.norm(places, axis=1, keepdims=True)
    rows = _rows(predictor, validation_inputs, novelty_reference, output_kind, space)
    model = (predictor, network, weights, output_kind)
    return _guarded(
        subject, strength, rows, places, validation_logits, model, novelty_reference, "a sham"
    )


@fault(breaks="unseen_inputs_trusted", severities=(0.5, 1.0, 2.0), truth=False)
def surer_of_unseen_inputs(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: Network,
    weights: Weights,
    output_kind: str,
    predictor: Predictor,
    validation_inputs: np.ndarray,
    novelty_reference: Fitted,
) -> "Subject":
    """Make the model the surer the further a row lies from the training rows.

    Logits grow by exp(s x (distance / reach - 1)) beyond the median distance of validation rows, by at most e^5. The most
    probable class stays. Networks extrapolate like that by nature (Hein, Andriushchenko & Bitterwolf 2019, CVPR).

    Also alarms: calibration_error, classwise_calibration_error, relative_log_loss (unusual rows are answered too surely).
    """
    del rng
    if severity == 0.0:
        return subject
    if "embeddings" not in novelty_reference["spaces"]:
        raise NotApplicable("the network has no linear layer whose inputs could be compared")
    space = novelty_reference["spaces"]["embeddings"]["neighbours"]
    rows = _rows(predictor, validation_inputs, novelty_reference, output_kind, "embeddings")
    reach = float(np.median(novelty.nearest_distance(rows, space)))
    guard = Guard(space, max(reach, 1e-6), -severity)
    kind = cast(Literal["logits", "probabilities"], output_kind)
    classes = len(subject.task.classes)
    built, all_weights = guarded(
        network, dict(weights), guard, kind=kind, classes=classes, said="surer far away"
    )
    return replace(subject, network=built, weights=all_weights, predictor=None)


def _space(predictor: Predictor, inputs: np.ndarray, fitted: Fitted, output_kind: str) -> str:
    if output_kind == "values":
        raise NotApplicable("the target is a number; there is no confidence to lower")
    if len(inputs) < LEAST_ROWS:
        raise NotApplicable(
            f"{len(inputs)} validation rows cannot set a rate of false alarms; {LEAST_ROWS} are needed"
        )
    del predictor
    return "embeddings" if "embeddings" in fitted["spaces"] else "inputs"


def _rows(
    predictor: Predictor, inputs: np.ndarray, fitted: Fitted, output_kind: str, space: str
) -> np.ndarray:
    seen = novelty.seen_by(predictor, inputs, output_kind)
    return novelty.spaces_of(inputs, seen, fitted)[space]


def _guarded(
    subject: "Subject",
    strength: float,
    rows: np.ndarray,
    neighbours: np.ndarray,
    logits: np.ndarray,
    model: tuple[Predictor, Network | None, Weights | None, str],
    fitted: Fitted,
    said: str,
) -> "Subject":
    predictor, network, weights, output_kind = model
    distances = novelty.nearest_distance(rows, neighbours)
    n = len(distances)
    rank = min(int(np.ceil((1 - strength) * (n + 1))), n)
    reach = float(np.partition(distances, rank - 1)[rank - 1])
    guard = Guard(neighbours, max(reach, 1e-6), SLOPE)
    confidence = 1 - novelty.doubt(logits.astype(np.float64) * guard.factors(distances)[:, None])
    held = max(int(strength * n), 1)
    # Rows below the (held + 1)-th smallest confidence are held back.
    threshold = float(np.partition(confidence, held)[held])
    rule = DecisionRule("abstain", threshold, f"no answer for {percent(strength)} of ordinary rows")
    if network is None or weights is None:
        around = _around(predictor, guard, fitted, output_kind)
        return replace(subject, predictor=around, decision_rule=rule)
    kind = cast(Literal["logits", "probabilities"], output_kind)
    built, all_weights = guarded(
        network, dict(weights), guard, kind=kind, classes=logits.shape[1], said=said
    )
    return replace(subject, network=built, weights=all_weights, predictor=None, decision_rule=rule)


def _around(predictor: Predictor, guard: Guard, fitted: Fitted, output_kind: str) -> Predictor:
    def call(inputs: np.ndarray) -> np.ndarray:
        seen = novelty.seen_by(predictor, inputs, output_kind)
        assert seen.logits is not None
        rows = novelty.spaces_of(inputs, seen, fitted)["inputs"]
        distances = novelty.nearest_distance(rows, guard.neighbours)
        return seen.logits * guard.factors(distances)[:, None]

    known = {name: value for name, value in fitted.items() if name != "spaces"}
    identity = (predictor.identity, output_kind, guard.neighbours, guard.reach, guard.slope, known)
    return Predictor(call, "logits", identity)
