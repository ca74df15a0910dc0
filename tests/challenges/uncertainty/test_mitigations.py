"""Remedies of misplaced confidence: nothing at strength 0, what was planted is repaired, shams repair nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from roadworthy.challenges.uncertainty import mitigations, model_faults
from roadworthy.challenges.uncertainty.mitigations import _threshold
from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson
from roadworthy.subject import Network, Predictor, Split, Subject, Task, fields_of

REGISTRY = Registry.discover()


def linear() -> nn.Module:
    return nn.Linear(6, 3)


def subject_of(n: int = 1_500) -> Subject:
    rng = np.random.default_rng(0)
    splits = {
        name: Split(rng.normal(size=(rows, 6)), rng.integers(0, 3, rows))
        for name, rows in (("train", 50), ("validation", n), ("test", n))
    }
    weights = {
        "weight": rng.normal(size=(3, 6)).astype(np.float32),
        "bias": np.zeros(3, np.float32),
    }
    return Subject(
        "made up",
        Task("multiclass", ("a", "b", "c")),
        "array",
        splits,
        network=Network(linear, "linear"),
        weights=weights,
    )


def values(subject: Subject, *names: str) -> dict[str, object]:
    fields = fields_of(subject) | {"accuracy": None}
    found = compute(REGISTRY, fields, names)
    assert all(o.state == "done" for o in found.values()), found
    return {name: outcome.value for name, outcome in found.items()}


def applied(function: Callable[..., Subject], subject: Subject, strength: float) -> Subject:
    asked = list(Registry.of(function).find(function.__name__).parameters)[2:]
    rng = np.random.default_rng(3)
    names = [p.name for p in asked if p.name not in ("rng", "accuracy")]
    arguments = values(subject, *names)
    arguments |= {"rng": rng} if "rng" in {p.name for p in asked} else {}
    return function(subject, strength, **arguments)


def planted(fault: Callable[..., Subject], severity: float) -> Subject:
    subject = subject_of()
    if fault is model_faults.wrong_where_unsure:
        told = values(subject, "validation_probabilities", "test_probabilities")
        subject = model_faults.labels_as_told(subject, np.random.default_rng(0), **told)
    asked = [p.name for p in Registry.of(fault).find(fault.__name__).parameters[3:]]
    return fault(subject, severity, np.random.default_rng(1), **values(subject, *asked))


@pytest.mark.parametrize(
    ("remedy", "control", "fault", "check"),
    [
        (
            mitigations.temperature_scaling,
            mitigations.temperature_of_drawn_labels,
            model_faults.sharpened_logits,
            "calibration_error",
        ),
        (
            mitigations.vector_scaling,
            mitigations.vector_of_drawn_labels,
            model_faults.sharpened_logits_of_some_classes,
            "classwise_calibration_error",
        ),
        (
            mitigations.abstention,
            mitigations.abstaining_at_random,
            model_faults.wrong_where_unsure,
            "wrong_decisions",
        ),
        (mitigations.conformal_sets, None, model_faults.wrong_where_unsure, "wrong_decisions"),
    ],
)
def test_what_was_planted_is_repaired_and_the_sham_repairs_nothing(
    remedy: Callable[..., Subject],
    control: Callable[..., Subject] | None,
    fault: Callable[..., Subject],
    check: str,
) -> None:
    broken = planted(fault, 3.0 if "sharpened" in fault.__name__ else 0.3)
    assert applied(remedy, broken, 0.0) is broken
    before = values(broken, check)[check].value  # type: ignore[attr-defined]
    after = values(applied(remedy, broken, 1.0), check)[check].value  # type: ignore[attr-defined]
    assert after < 0.62 * before
    half = values(applied(remedy, broken, 0.5), check)[check].value  # type: ignore[attr-defined]
    assert after < half < before
    if control is not None:
        luck = values(applied(control, broken, 1.0), check)[check].value  # type: ignore[attr-defined]
        assert luck > 0.9 * before


def test_a_black_box_is_rescaled_around() -> None:
    broken = planted(model_faults.sharpened_logits, 3.0)
    module = values(broken, "predictor")["predictor"]
    black_box = replace(
        broken,
        network=None,
        weights=None,
        predictor=Predictor(module.call, "logits", "box"),  # type: ignore[attr-defined]
    )
    mended = mitigations.temperature_scaling(
        black_box,
        1.0,
        **values(black_box, "validation_logits", "validation_labels", "output_kind", "predictor"),
    )
    white = applied(mitigations.temperature_scaling, broken, 1.0)
    assert values(mended, "test_probabilities")["test_probabilities"] == pytest.approx(
        values(white, "test_probabilities")["test_probabilities"], abs=1e-5
    )
    assert fields_of(mended)["predictor"].identity != "box"


def test_the_threshold_keeps_to_the_risk_and_leaves_few_rows_out() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(4_000)
    correct = rng.random(4_000) < confidence
    found = _threshold(confidence, correct, 0.2)
    answered = confidence >= found
    assert (
        clopper_pearson(int((~correct[answered]).sum()), int(answered.sum()), level=0.8).high <= 0.2
    )
    assert 0.6 < found < 0.75  # at 0.6 the risk of the rows above is 0.2
    with pytest.raises(NotApplicable, match="even the surest"):
        _threshold(confidence[:30], np.zeros(30, bool), 0.1)


def test_the_wanted_risk_is_kept_in_new_rows_nine_times_of_ten() -> None:
    rng = np.random.default_rng(5)
    kept = 0
    for _ in range(200):
        confidence = rng.uniform(0.4, 1.0, 600)
        try:
            threshold = _threshold(confidence, rng.random(600) < confidence, 0.15)
        except NotApplicable:  # nothing is promised then
            threshold = 1.0
        kept += 1 - (1 + threshold) / 2 <= 0.15  # confidence is uniform and the chance to be right
    assert kept >= 174  # 90 % of 200 less two standard errors


def test_what_cannot_be_helped_says_why() -> None:
    subject = subject_of(40)
    p = np.full((40, 3), 1 / 3)
    labels = np.zeros(40, np.int64)
    with pytest.raises(NotApplicable, match="keeps to the wanted 10"):
        mitigations.abstention(subject, 1.0, p, labels, accuracy=0.9)
    with pytest.raises(NotApplicable, match="validation rows cannot set"):
        mitigations.conformal_sets(subject, 1.0, np.ones(40), labels + 1, p, accuracy=0.999)
    few = subject_of(10)
    with pytest.raises(NotApplicable, match="10 validation rows"):
        applied(mitigations.temperature_scaling, few, 1.0)
