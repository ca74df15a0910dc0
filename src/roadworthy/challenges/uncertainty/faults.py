"""Known amounts of misplaced confidence: labels redrawn around the model's frozen probabilities."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.uncertainty.abstention import surest
from roadworthy.challenges.uncertainty.artifacts import TARGET_COVERAGE
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Subject

POWER_CURVE = (0.0125, 0.025, 0.0375, 0.05, 0.075, 0.1, 0.15)


@control(clears="calibration_error")
def labels_drawn_from_the_probabilities(
    subject: "Subject", rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Draw each test label from the model's own probabilities: perfectly calibrated by construction.

    Assumes nothing but that labels of different rows are independent. The probabilities are frozen.
    """
    labels = drawn(test_probabilities, rng)
    return subject.with_target("test", labels).with_given(test_probabilities=test_probabilities)


@control(clears="classwise_calibration_error")
def labels_drawn_from_all_probabilities(
    subject: "Subject", rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Draw each test label from the model's own probabilities, as for `calibration_error`."""
    return labels_drawn_from_the_probabilities(subject, rng, test_probabilities)


@fault(
    breaks="calibration_error",
    severities=POWER_CURVE,
    starts_from="labels_drawn_from_the_probabilities",
)
def overconfidence(
    subject: "Subject", severity: float, rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Let the top class be right less often than claimed, by the same amount in every row.

    With P(right) = c - s in each row of confidence c, claimed minus observed is s in every cell, so the
    calibration error is s exactly (rows with c < s give what they have and the others more; all
    errors then still point one way, and their mean is s). Inputs and probabilities stay as they are.

    Also alarms: classwise_calibration_error (the same labels), selective_risk (sure answers become wrong), conformal_shortfall (labels leave their sets), shortfall_to_simple_models (fewer are right), rarest_class_missed (rows newly labelled as of that class are predicted as of another).
    """
    return _less_often_right(subject, severity, rng, test_probabilities, slice(None))


@fault(
    breaks="calibration_error",
    severities=POWER_CURVE,
    starts_from="labels_drawn_from_the_probabilities",
)
def overconfidence_where_sure(
    subject: "Subject", severity: float, rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Let the top class be right less often than claimed in the surer half of rows only, by twice as much.

    The other half stays calibrated: half of the cells (and of one that straddles the median, a part) err, all
    in one direction, so the calibration error is the mean, s, exactly. Inputs stay as they are.

    Also alarms: classwise_calibration_error (the same labels), selective_risk (sure answers become wrong), conformal_shortfall (labels leave their sets), shortfall_to_simple_models (fewer are right).
    """
    confidence = test_probabilities.max(axis=1)
    return _less_often_right(
        subject, severity, rng, test_probabilities, confidence >= np.median(confidence)
    )


@fault(
    breaks="classwise_calibration_error",
    severities=POWER_CURVE,
    starts_from="labels_drawn_from_all_probabilities",
)
def overconfidence_in_every_class(
    subject: "Subject", severity: float, rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Let the top class be right less often than claimed; the lost share goes to the other classes.

    In cells of rows that predict a class its probability is too high, by s on average over rows; in the
    cells of the others too low, by s together. Half the sum of both is s exactly.

    Also alarms: calibration_error (the same labels), selective_risk (sure answers become wrong), conformal_shortfall (labels leave their sets), shortfall_to_simple_models (fewer are right), rarest_class_missed (rows newly labelled as of that class are predicted as of another).
    """
    return _less_often_right(subject, severity, rng, test_probabilities, slice(None))


@control(clears="relative_brier_score")
def certain_and_right(subject: "Subject", rng: Generator, test_labels: np.ndarray) -> "Subject":
    """Freeze probabilities of 1 for every test label: a model without any error."""
    del rng
    return subject.with_given(test_probabilities=one_hot(test_labels, _classes(subject)))


@fault(
    breaks="relative_brier_score",
    severities=(0.3, 0.6, 0.8, 0.85, 0.9, 0.95, 1.0),
    starts_from="certain_and_right",
)
def belief_in_a_wrong_class(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_labels: np.ndarray,
    train_labels: np.ndarray | None = None,
) -> "Subject":
    """Move belief from the label to a wrong class, by an amount that differs from row to row.

    With belief m in the wrong class and 1 - m in the label the score of a row is 2 m^2. m^2 is drawn from a
    Beta distribution (U-shaped: mostly sure, mostly of one class) with the mean s x (score of the class
    shares on these rows) / 2, so the ratio is s exactly. Labels stay, so the class shares' score is fixed.

    Also alarms: calibration_error (sure mistakes), classwise_calibration_error (the same), selective_risk (sure mistakes), relative_log_loss (sure mistakes), conformal_shortfall (mistakes on test rows only), overfitting_gap (the same).
    """
    if severity == 0.0:
        return subject
    c = _classes(subject)
    basis = test_labels if train_labels is None else train_labels
    counts = np.bincount(basis, minlength=c) + 0.5
    shares = counts / counts.sum()
    of_shares = float(np.mean(np.sum((shares - one_hot(test_labels, c)) ** 2, axis=1)))
    mean = severity * of_shares / 2.0
    if mean >= 1.0:
        raise NotApplicable(
            f"even mistakes in all rows give less than {severity:g} times the error"
        )
    moved = np.sqrt(rng.beta(mean, 1.0 - mean, len(test_labels)))[:, None]
    wrong = other_classes(test_labels, c, rng)
    return subject.with_given(
        test_probabilities=one_hot(test_labels, c) * (1.0 - moved) + one_hot(wrong, c) * moved
    )


@control(clears="relative_log_loss")
def certain_of_the_label(subject: "Subject", rng: Generator, test_labels: np.ndarray) -> "Subject":
    """Freeze probabilities of 1 for every test label: no label is a surprise."""
    return certain_and_right(subject, rng, test_labels)


@fault(
    breaks="relative_log_loss",
    severities=(0.3, 0.6, 0.8, 0.85, 0.9, 0.95, 1.0),
    starts_from="certain_of_the_label",
)
def surprising_labels(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_labels: np.ndarray,
    train_labels: np.ndarray | None = None,
) -> "Subject":
    """Give the label the probability exp(-E), E exponential with the wanted mean loss.

    The mean of E is s x (loss of the class shares on these rows), so the ratio is s exactly; the rest
    goes to the other classes alike. Labels stay as they are.

    Also alarms: relative_brier_score (less sure of the label), selective_risk (labels become unlikely), calibration_error (the labels were certain), classwise_calibration_error (the same), conformal_shortfall (only test rows are surprising), label_errors_in_test (labels that the model holds for unlikely look wrong), overfitting_gap (fewer test rows are right, training rows stay).
    """
    if severity == 0.0:
        return subject
    c = _classes(subject)
    basis = test_labels if train_labels is None else train_labels
    counts = np.bincount(basis, minlength=c) + 0.5
    wanted = severity * float(-np.log(counts / counts.sum())[test_labels].mean())
    of_label = np.exp(-rng.exponential(wanted, len(test_labels)))[:, None]
    is_label = one_hot(test_labels, c)
    given = is_label * of_label + (1.0 - is_label) * (1.0 - of_label) / (c - 1)
    return subject.with_given(test_probabilities=given)


@control(clears="selective_risk")
def labels_as_predicted(
    subject: "Subject", rng: Generator, test_probabilities: np.ndarray
) -> "Subject":
    """Give every test row the label that the model predicts: nothing answered is wrong."""
    del rng
    labels = test_probabilities.argmax(axis=1).astype(np.int64)
    return subject.with_target("test", labels).with_given(test_probabilities=test_probabilities)


@fault(
    breaks="selective_risk",
    severities=(0.2, 0.375, 0.5, 0.6, 0.75, 0.85, 0.95, 1.0),
    starts_from="labels_as_predicted",
)
def wrong_where_sure(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_labels: np.ndarray,
    test_probabilities: np.ndarray,
) -> "Subject":
    """Give every fifth test row a wrong label, the share s of them among the rows that the model is surest of.

    A sure row is wrong with one chance, an unsure row with another, such that a mistake is a sure one with
    the chance s. Inputs and probabilities stay as they are.

    Also alarms: calibration_error (sure answers become wrong), classwise_calibration_error (the same), conformal_shortfall (labels leave their sets), shortfall_to_simple_models (fewer are right), label_errors_in_test (the labels are wrong).
    """
    if severity == 0.0:
        return subject
    _, sure = surest(test_probabilities.max(axis=1))
    share = float(sure.mean())
    mistakes = min(0.2, 1.0 - share)
    if mistakes <= 0.0:
        raise NotApplicable("all rows tie in confidence, so none is left out")
    chance = np.where(
        sure, severity * mistakes / share, (1.0 - severity) * mistakes / (1.0 - share)
    )
    wrong = rng.random(len(test_labels)) < chance
    other = other_classes(test_labels, _classes(subject), rng)
    return subject.with_target("test", np.where(wrong, other, test_labels))


@control(clears="conformal_shortfall")
def sets_that_keep_their_promise(
    subject: "Subject",
    rng: Generator,
    conformal_threshold: float,
    validation_nonconformity: np.ndarray,
    test_nonconformity: np.ndarray,
) -> "Subject":
    """Redraw how badly test rows fit so that each lies inside its set with a chance of exactly 90 %.

    Inside are test rows of the validation rows' own nonconformity, below and at the threshold. The
    threshold is frozen: the claim is about these sets, whatever luck set their size.
    """
    n = len(test_nonconformity)
    inside = validation_nonconformity[validation_nonconformity <= conformal_threshold]
    outside = rng.random(n) >= TARGET_COVERAGE
    drawn_inside = rng.choice(inside, n)
    return subject.with_given(
        conformal_threshold=conformal_threshold,
        validation_nonconformity=validation_nonconformity,
        test_nonconformity=np.where(outside, _beyond(conformal_threshold), drawn_inside),
    )


@fault(
    breaks="conformal_shortfall",
    severities=(0.0125, 0.025, 0.0375, 0.05, 0.075, 0.1, 0.2),
    starts_from="sets_that_keep_their_promise",
)
def truth_outside_the_sets(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_nonconformity: np.ndarray,
    conformal_threshold: float,
) -> "Subject":
    """Let each covered test row leave its set with the chance s / 0.9: coverage is 0.9 - s exactly."""
    if severity > TARGET_COVERAGE:
        raise NotApplicable(f"coverage cannot fall short of 90 % by {percent(severity, 0)}")
    leaves = rng.random(len(test_nonconformity)) < severity / TARGET_COVERAGE
    moved = np.where(leaves, _beyond(conformal_threshold), test_nonconformity)
    return subject.with_given(test_nonconformity=np.maximum(moved, test_nonconformity))


def drawn(probabilities: np.ndarray, rng: Generator) -> np.ndarray:
    """Return a class per row, drawn from its probabilities: (n,) int64."""
    edges = np.cumsum(probabilities, axis=1)[:, :-1]
    return np.sum(rng.random((len(probabilities), 1)) >= edges, axis=1).astype(np.int64)


def one_hot(labels: np.ndarray, c: int) -> np.ndarray:
    """Return 1 at the label: (n, c) float64."""
    return (labels[:, None] == np.arange(c)).astype(np.float64)


def other_classes(labels: np.ndarray, c: int, rng: Generator) -> np.ndarray:
    """Return one of the other classes for each row, all alike: (n,) int64."""
    return (labels + rng.integers(1, c, len(labels))) % c


def _less_often_right(
    subject: "Subject",
    severity: float,
    rng: Generator,
    probabilities: np.ndarray,
    rows: slice | np.ndarray,
) -> "Subject":
    """Take `severity` from the chance that the top class is the label, on average over all rows.

    Starting from labels drawn from the probabilities, a right row turns wrong with the chance
    taken / confidence; its new class is drawn from the probabilities of the others.
    """
    labels = subject.splits["test"].target
    assert labels is not None
    n = len(labels)
    confidence = probabilities.max(axis=1)
    taken = np.zeros(n)
    taken[rows] = _level(confidence[rows], severity * n)
    top = probabilities.argmax(axis=1)
    turns = (labels == top) & (rng.random(n) * confidence < taken)
    others = np.where(np.arange(probabilities.shape[1]) == top[:, None], 0.0, probabilities)
    others = others + 1e-12 * (np.arange(probabilities.shape[1]) != top[:, None])
    wrong = drawn(others / others.sum(axis=1, keepdims=True), rng)
    return subject.with_target("test", np.where(turns, wrong, labels))


def _level(available: np.ndarray, wanted: float) -> np.ndarray:
    """Return the same amount for each, or all that it has, so that they sum to `wanted`."""
    if wanted > available.sum():
        raise NotApplicable(
            f"the model claims {available.sum():.1f} right rows; {wanted:.1f} cannot be taken from them"
        )
    ordered = np.sort(available)
    before = np.concatenate([[0.0], np.cumsum(ordered)[:-1]])
    levels = (wanted - before) / np.arange(len(ordered), 0, -1)
    fits = levels <= ordered
    return np.minimum(available, levels[np.argmax(fits)] if fits.any() else ordered[-1])


def _beyond(threshold: float) -> float:
    return threshold + max(1.0, abs(threshold))


def _classes(subject: "Subject") -> int:
    return len(subject.task.classes)
