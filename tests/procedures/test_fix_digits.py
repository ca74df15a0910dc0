"""A whole fix of a real model: digits, and a temperature that makes it as sure as it is right."""

from dataclasses import replace

import numpy as np

from roadworthy.engine import Registry, Store, check, mitigation
from roadworthy.procedures.fix import Means, fix
from roadworthy.procedures.stored import STORED
from roadworthy.quantities import identity, outputs, predictions
from roadworthy.results import AtMost, Estimate, Measurement
from roadworthy.statistics import measured, rate
from roadworthy.subject import Predictor, Subject, builtin_subject
from roadworthy.training import artifacts

MEANS = Means(resamples=100, seconds=1.0, seeds=1, most_training=None, dear_checks=True)


@check(challenge="toy", requires=AtMost(0.1, "test"))
def misplaced_confidence(test_probabilities: np.ndarray, test_correct: np.ndarray) -> Measurement:
    """Between how sure the model is and how often it is right."""
    gap = test_probabilities.max(axis=1) - test_correct
    found, error = abs(float(gap.mean())), float(gap.std() / np.sqrt(len(gap)))
    return measured(
        found, len(gap), Estimate(found, error, len(gap) - 1), unit="share of rows", method="t"
    )


@check(challenge="toy", requires=AtMost(0.2, "test"))
def share_wrong(test_correct: np.ndarray) -> Measurement:
    """Share of wrong answers."""
    return rate(int((~test_correct).sum()), len(test_correct), unit="share of rows")


@mitigation(targets="misplaced_confidence", strengths=(0.5, 1.0))
def temperature(
    subject: Subject,
    strength: float,
    validation_logits: np.ndarray,
    validation_labels: np.ndarray,
    predictor: Predictor,
) -> Subject:
    """Multiply logits by what loses least on validation rows."""

    def loss(scale: float) -> float:
        logits = scale * validation_logits.astype(np.float64)
        top = logits.max(axis=1)
        total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
        return float((total - logits[np.arange(len(logits)), validation_labels]).mean())

    scale = min(np.geomspace(0.2, 20, 60), key=loss) ** strength
    wrapped = Predictor(
        lambda inputs: predictor(inputs) * scale, "logits", (predictor.identity, scale)
    )
    return replace(subject, predictor=wrapped)


def test_digits_becomes_as_sure_as_it_is_right_and_answers_the_same() -> None:
    rooms = (identity, outputs, predictions, artifacts)
    found = fix(
        builtin_subject("digits"),
        Registry.of(*rooms, misplaced_confidence, share_wrong, temperature),
        store=Store(None, records=STORED),
        means=MEANS,
        seeds=1,
    )
    (candidate,) = found.fix.candidates
    assert candidate.accepted, candidate.reason
    assert candidate.strength == 1.0
    assert candidate.sham == "doing nothing"
    assert found.fix.exit_code == 0
    effects = {effect.check: effect for effect in found.fix.effects}
    assert effects["misplaced_confidence"].effect == "helped"
    difference = effects["share_wrong"].difference
    assert difference is not None
    assert difference.value == 0.0
    # 451 test rows with the same answers could hide 1 - .025^(1/451)
    assert round(difference.high, 4) == 0.0081
    assert candidate.before.parameters == 6090
    assert "test, cross-fitted" in {claim.rows for claim in candidate.claims}
    assert found.subjects["temperature"].predictor is not None
