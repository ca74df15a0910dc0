"""Remedies for misplaced confidence: rescaled logits, abstaining, sets of classes. None touches the weights."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.uncertainty.faults import drawn
from roadworthy.challenges.uncertainty.scaling import Scaling, fitted_temperature, fitted_vector
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson, percent
from roadworthy.subject import DecisionRule, Network, Predictor
from roadworthy.subject.rescaled import rescaled

if TYPE_CHECKING:
    from roadworthy.subject import Subject

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
LEAST_ROWS = 20  # below, a temperature follows luck
SHARES, LOOKS, DOUBT = 32, 5, 0.1  # of the search for a threshold

Weights = Mapping[str, np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray], Scaling]


@mitigation(
    targets=("calibration_error", "classwise_calibration_error", "relative_log_loss"),
    strengths=STRENGTHS,
    sham="temperature_of_drawn_labels",
    repairs="sharpened_logits",
)
def temperature_scaling(
    subject: "Subject",
    strength: float,
    validation_logits: np.ndarray,
    validation_labels: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Divide the model's logits by one number, so that it is as sure as it is right.

    The temperature with the least loss on validation rows (Guo et al. 2017, ICML, "On calibration of modern
    neural networks", section 4.2), to the power of the strength. Decisions, weights and data stay as they are.
    """
    return _scaled(
        subject,
        strength,
        fitted_temperature,
        validation_logits,
        validation_labels,
        output_kind,
        (predictor, network, weights),
    )


@mitigation(
    targets="classwise_calibration_error",
    strengths=STRENGTHS,
    sham="vector_of_drawn_labels",
    repairs="sharpened_logits_of_some_classes",
)
def vector_scaling(
    subject: "Subject",
    strength: float,
    validation_logits: np.ndarray,
    validation_labels: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Rescale the logits of each class by two numbers of its own, so that no class is claimed too often.

    Scale and shift with the least loss on validation rows (Guo et al. 2017, section 4.2), drawn towards one
    temperature for all. Decisions may change where two classes are close; weights and data stay as they are.
    """
    return _scaled(
        subject,
        strength,
        fitted_vector,
        validation_logits,
        validation_labels,
        output_kind,
        (predictor, network, weights),
    )


@sham()
def temperature_of_drawn_labels(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_logits: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Fit the temperature to labels drawn from the model's own probabilities: it follows luck alone."""
    labels = _drawn_from(validation_logits, rng)
    model = (predictor, network, weights)
    return _scaled(
        subject, strength, fitted_temperature, validation_logits, labels, output_kind, model
    )


@sham()
def vector_of_drawn_labels(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_logits: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    network: Network | None = None,
    weights: Weights | None = None,
) -> "Subject":
    """Fit scales and shifts to labels drawn from the model's own probabilities: they follow luck alone."""
    labels = _drawn_from(validation_logits, rng)
    model = (predictor, network, weights)
    return _scaled(subject, strength, fitted_vector, validation_logits, labels, output_kind, model)


@mitigation(
    targets="wrong_decisions",
    strengths=(0.5, 1.0),
    sham="abstaining_at_random",
    repairs="wrong_where_unsure",
    at=0.4,
)
def abstention(
    subject: "Subject",
    strength: float,
    validation_probabilities: np.ndarray,
    validation_labels: np.ndarray,
    accuracy: float | None = None,
) -> "Subject":
    """Give no answer where the model is too unsure for the accuracy that is needed.

    A low threshold of the top probability at which the Clopper-Pearson upper bound of mistakes among
    answered validation rows keeps to the wanted risk with 90 % confidence, found by halving (Geifman & El-Yaniv
    2017, NeurIPS, "Selective classification for deep neural networks", algorithm 1). The wanted risk is 1 - accuracy of [purpose], or half of today's mistakes; a strength below 1 goes that share
    of the way. The model itself stays as it is.
    """
    if strength == 0.0:
        return subject
    correct = validation_probabilities.argmax(axis=1) == validation_labels
    confidence = validation_probabilities.max(axis=1)
    wanted = _wanted(correct, strength, accuracy)
    threshold = _threshold(confidence, correct, wanted)
    aim = f"at most {percent(wanted)} wrong among answered rows"
    return replace(subject, decision_rule=DecisionRule("abstain", threshold, aim))


@sham()
def abstaining_at_random(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_probabilities: np.ndarray,
    validation_labels: np.ndarray,
    accuracy: float | None = None,
) -> "Subject":
    """Choose the threshold on shuffled confidences: rows that are left out are no worse than others."""
    correct = validation_probabilities.argmax(axis=1) == validation_labels
    confidence = rng.permutation(validation_probabilities.max(axis=1))
    wanted = _wanted(correct, strength, accuracy)
    try:
        threshold = _threshold(confidence, correct, wanted)
    except NotApplicable:  # no threshold keeps to it: what luck gives
        return subject
    return replace(subject, decision_rule=DecisionRule("abstain", threshold, "a sham"))


@mitigation(
    targets="wrong_decisions",
    strengths=(0.5, 1.0),
    repairs="wrong_where_unsure",
    at=0.4,
)
def conformal_sets(
    subject: "Subject",
    strength: float,
    validation_nonconformity: np.ndarray,
    validation_labels: np.ndarray,
    validation_probabilities: np.ndarray,
    accuracy: float | None = None,
) -> "Subject":
    """Answer with every class that cannot be ruled out, so that the truth is among them as often as promised.

    Split-conformal sets (Vovk, Gammerman & Shafer 2005; Sadinle, Lei & Wasserman 2019, JASA 114): all classes of at
    least the probability that admits ceil((n + 1)(1 - risk)) of the validation rows, and always the top class.
    The wanted risk is 1 - accuracy of [purpose], or half of today's mistakes; a strength below 1 goes that share of
    the way. The model itself stays as it is.
    """
    if strength == 0.0:
        return subject
    correct = validation_probabilities.argmax(axis=1) == validation_labels
    wanted = _wanted(correct, strength, accuracy)
    n = len(validation_nonconformity)
    rank = ceil((1.0 - wanted) * (n + 1) - 1e-9)
    if rank > n:
        raise NotApplicable(
            f"{n} validation rows cannot set a threshold for {percent(wanted)} wrong sets; at least "
            f"{ceil(1.0 / wanted) - 1} are needed"
        )
    worst = float(np.partition(validation_nonconformity, rank - 1)[rank - 1])
    rule = DecisionRule("set", max(1.0 - worst, 0.0), f"at most {percent(wanted)} wrong sets")
    return replace(subject, decision_rule=rule)


def _scaled(
    subject: "Subject",
    strength: float,
    fit: Fit,
    logits: np.ndarray,
    labels: np.ndarray,
    output_kind: str,
    model: tuple[Predictor, Network | None, Weights | None],
) -> "Subject":
    """Return the subject with rescaled logits: around its network, or around the black box."""
    if strength == 0.0:
        return subject
    if len(labels) < LEAST_ROWS:
        raise NotApplicable(
            f"{len(labels)} validation rows; rescaling needs {LEAST_ROWS} to be more than luck"
        )
    predictor, network, weights = model
    scaling = fit(logits.astype(np.float64), labels).weakened(strength)
    if network is None or weights is None:
        return replace(subject, predictor=_around(predictor, scaling, output_kind))
    kind = cast(Literal["logits", "probabilities"], output_kind)
    shared = len(set(scaling.scale)) == 1 and not scaling.shift.any()
    said = f"logits divided by {1 / scaling.scale[0]:.3g}" if shared else "logits rescaled by class"
    built, all_weights = rescaled(
        network, dict(weights), scaling.scale, scaling.shift, kind=kind, said=said
    )
    return replace(subject, network=built, weights=all_weights, predictor=None)


def _around(predictor: Predictor, scaling: Scaling, output_kind: str) -> Predictor:
    def call(inputs: np.ndarray) -> np.ndarray:
        outputs = np.asarray(predictor(inputs), np.float64)
        outputs = outputs.reshape(len(outputs), -1)
        is_probability = output_kind == "probabilities"
        if outputs.shape[1] == 1:
            other = 1.0 - outputs if is_probability else np.zeros_like(outputs)
            outputs = np.concatenate([other, outputs], axis=1)
        if is_probability:
            outputs = np.log(np.maximum(outputs, np.finfo(np.float32).tiny))
        return scaling.applied(outputs)

    identity = (predictor.identity, output_kind, scaling.scale, scaling.shift)
    return Predictor(call, "logits", identity)


def _drawn_from(logits: np.ndarray, rng: Generator) -> np.ndarray:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return drawn(shifted / shifted.sum(axis=1, keepdims=True), rng)


def _wanted(correct: np.ndarray, strength: float, accuracy: float | None) -> float:
    """Return the wanted risk: so far on the way from today's to that of the purpose."""
    today = float(np.mean(~correct)) if len(correct) else 0.0
    aim = today / 2.0 if accuracy is None else 1.0 - accuracy
    if today <= aim:
        raise NotApplicable(
            f"{percent(today)} of validation rows are wrong already, which keeps to the wanted {percent(aim)}"
        )
    return today + strength * (aim - today)


def _threshold(confidence: np.ndarray, correct: np.ndarray, wanted: float) -> float:
    """Return a low confidence down to which the risk is shown to be at most `wanted`, with 90 % confidence.

    Halving over 32 shares of answered rows; each of the five looks has a fifth of the doubt.
    """
    n = len(confidence)
    ordered = np.sort(confidence)[::-1]
    cuts = np.unique(ordered[np.ceil(np.arange(1, SHARES + 1) / SHARES * n).astype(int) - 1])[::-1]
    found, low, high = None, 0, len(cuts)
    for _ in range(LOOKS):
        if low >= high:
            break
        middle = (low + high) // 2
        answered = confidence >= cuts[middle]
        wrong, rows = int(np.sum(~correct & answered)), int(answered.sum())
        if clopper_pearson(wrong, rows, level=1 - 2 * DOUBT / LOOKS).high <= wanted:
            found, low = float(cuts[middle]), middle + 1
        else:
            high = middle
    if found is None:
        raise NotApplicable(
            f"even the surest validation rows do not show a risk of {percent(wanted)} or less; more "
            "validation rows, or a better model, are needed"
        )
    return found
