"""Each fault plants what its severity says, is the identity at 0, and is found; controls do not fail."""

from collections.abc import Callable

import numpy as np
import pytest

from roadworthy.challenges.uncertainty import faults
from roadworthy.challenges.uncertainty.abstention import conformal_shortfall, selective_risk
from roadworthy.challenges.uncertainty.artifacts import conformal_threshold
from roadworthy.challenges.uncertainty.calibration import (
    calibration_error,
    classwise_calibration_error,
)
from roadworthy.challenges.uncertainty.proper_scores import relative_brier_score, relative_log_loss
from roadworthy.engine.marks import CheckMark, FaultMark, mark_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Split, Subject, Task

Measured = Callable[[Subject, float, np.random.Generator], Measurement]
CLASSES = ("a", "b", "c", "d")


def subject_of(n: int = 3_000, c: int = 4) -> Subject:
    rng = np.random.default_rng(c)
    z = 3 * rng.normal(size=(n, c))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    task = Task("multiclass", CLASSES[:c]) if c > 2 else Task("binary", CLASSES[:2], 1)
    split = Split(None, rng.integers(0, c, n), recorded={"probabilities": p})
    return Subject("made up", task, "predictions", {"test": split})


def probabilities(subject: Subject) -> np.ndarray:
    given = subject.given.get("test_probabilities")
    return subject.splits["test"].recorded["probabilities"] if given is None else given


def labels(subject: Subject) -> np.ndarray:
    target = subject.splits["test"].target
    assert target is not None
    return target


def by_overconfidence(subject: Subject, s: float, rng: np.random.Generator) -> Measurement:
    p = probabilities(subject)
    clean = faults.labels_drawn_from_the_probabilities(subject, rng, p)
    return calibration_error(p, labels(faults.overconfidence(clean, s, rng, p)), subject.task)


def by_overconfidence_where_sure(
    subject: Subject, s: float, rng: np.random.Generator
) -> Measurement:
    p = probabilities(subject)
    clean = faults.labels_drawn_from_the_probabilities(subject, rng, p)
    broken = faults.overconfidence_where_sure(clean, s, rng, p)
    return calibration_error(p, labels(broken), subject.task)


def by_overconfidence_in_every_class(
    subject: Subject, s: float, rng: np.random.Generator
) -> Measurement:
    p = probabilities(subject)
    clean = faults.labels_drawn_from_all_probabilities(subject, rng, p)
    broken = faults.overconfidence_in_every_class(clean, s, rng, p)
    return classwise_calibration_error(p, labels(broken), subject.task)


def by_belief_in_a_wrong_class(subject: Subject, s: float, rng: np.random.Generator) -> Measurement:
    clean = faults.certain_and_right(subject, rng, labels(subject))
    broken = faults.belief_in_a_wrong_class(clean, s, rng, labels(clean))
    return relative_brier_score(probabilities(broken), labels(broken), subject.task)


def by_surprising_labels(subject: Subject, s: float, rng: np.random.Generator) -> Measurement:
    clean = faults.certain_of_the_label(subject, rng, labels(subject))
    broken = faults.surprising_labels(clean, s, rng, labels(clean))
    of_label = probabilities(broken)[np.arange(len(labels(broken))), labels(broken)]
    losses = -np.log(np.clip(of_label, np.finfo(float).eps, 1.0))
    return relative_log_loss(losses, labels(broken), subject.task)


def by_wrong_where_sure(subject: Subject, s: float, rng: np.random.Generator) -> Measurement:
    p = probabilities(subject)
    clean = faults.labels_as_predicted(subject, rng, p)
    # Without any mistake there is none to leave out; nearly 0 stands for 0.
    broken = faults.wrong_where_sure(clean, max(s, 1e-6), rng, labels(clean), p)
    return selective_risk(p, p.argmax(axis=1) == labels(broken))


def by_truth_outside_the_sets(subject: Subject, s: float, rng: np.random.Generator) -> Measurement:
    validation = rng.exponential(size=500)
    threshold = conformal_threshold(validation)
    n = subject.splits["test"].n
    clean = faults.sets_that_keep_their_promise(
        subject, rng, threshold, validation, rng.exponential(size=n)
    )
    missed = clean.given["test_nonconformity"]
    broken = faults.truth_outside_the_sets(clean, s, rng, missed, threshold)
    return conformal_shortfall(threshold, broken.given["test_nonconformity"], validation)


ALL: dict[str, tuple[Measured, Callable[..., Measurement]]] = {
    "overconfidence": (by_overconfidence, calibration_error),
    "overconfidence_where_sure": (by_overconfidence_where_sure, calibration_error),
    "overconfidence_in_every_class": (
        by_overconfidence_in_every_class,
        classwise_calibration_error,
    ),
    "belief_in_a_wrong_class": (by_belief_in_a_wrong_class, relative_brier_score),
    "surprising_labels": (by_surprising_labels, relative_log_loss),
    "wrong_where_sure": (by_wrong_where_sure, selective_risk),
    "truth_outside_the_sets": (by_truth_outside_the_sets, conformal_shortfall),
}


def check_mark(function: Callable[..., Measurement]) -> CheckMark:
    mark = mark_of(function)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    return mark


def test_every_fault_of_the_room_is_tested_here() -> None:
    marked = {n for n, f in vars(faults).items() if isinstance(mark_of(f), FaultMark)}
    assert marked == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_the_severity_is_the_true_value_on_average(name: str) -> None:
    measured_with, check = ALL[name]
    mark = check_mark(check)
    assert mark.requires is not None
    subject = subject_of(2_000)
    s = min(2 * mark.requires.bound, 1.0)
    found = [measured_with(subject, s, np.random.default_rng(i)).value for i in range(40)]
    assert np.mean(found) == pytest.approx(s, abs=0.03 * s + 3 * np.std(found) / np.sqrt(40))


@pytest.mark.parametrize("name", ALL)
def test_a_clean_subject_does_not_fail_and_a_grave_fault_does(name: str) -> None:
    measured_with, check = ALL[name]
    mark = check_mark(check)
    assert mark.requires is not None
    subject, rng = subject_of(8_000), np.random.default_rng(0)
    verdicts = [
        judge(measured_with(subject, s, rng), mark.requires, mark.least).verdict
        for s in (0.0, min(2 * mark.requires.bound, 1.0))
    ]
    assert verdicts[0] in ("pass", "inconclusive")
    assert verdicts[1] == "fail"


@pytest.mark.parametrize("c", [2, 4])
def test_at_severity_zero_nothing_changes(c: int) -> None:
    rng = np.random.default_rng(1)
    subject = subject_of(200, c)
    p, y = probabilities(subject), labels(subject)
    for fault in (
        faults.overconfidence,
        faults.overconfidence_where_sure,
        faults.overconfidence_in_every_class,
    ):
        assert (labels(fault(subject, 0.0, rng, p)) == y).all()
    assert faults.belief_in_a_wrong_class(subject, 0.0, rng, y) is subject
    assert faults.surprising_labels(subject, 0.0, rng, y) is subject
    assert (labels(faults.wrong_where_sure(subject, 0.0, rng, y, p)) == y).all()
    kept = faults.truth_outside_the_sets(subject, 0.0, rng, p[:, 0], 0.5)
    assert (kept.given["test_nonconformity"] == p[:, 0]).all()


def test_a_fault_leaves_the_subject_it_is_given_alone() -> None:
    rng = np.random.default_rng(2)
    subject = subject_of(300)
    before = labels(subject).copy()
    faults.overconfidence(subject, 0.2, rng, probabilities(subject))
    assert (labels(subject) == before).all()
    assert not subject.given


def test_more_overconfidence_than_there_is_confidence_cannot_be_planted() -> None:
    subject = subject_of(100, 2)
    with pytest.raises(NotApplicable, match="cannot be taken"):
        faults.overconfidence(subject, 0.99, np.random.default_rng(3), probabilities(subject))


def test_labels_are_drawn_at_the_rates_of_their_probabilities() -> None:
    p = np.tile([0.1, 0.2, 0.7], (20_000, 1))
    shares = np.bincount(faults.drawn(p, np.random.default_rng(4))) / 20_000
    assert shares == pytest.approx([0.1, 0.2, 0.7], abs=0.015)
