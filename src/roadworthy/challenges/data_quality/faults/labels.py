"""Wrong labels, planted on labels that are drawn from a model and so right by definition."""

import numpy as np

from roadworthy.challenges.data_quality.faults.rows import chosen, count_of, target_of
from roadworthy.challenges.data_quality.label_noise import fit_noise
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

SEVERITIES = (0.005, 0.015, 0.03, 0.045, 0.06, 0.12)


@control(clears="label_errors_in_train")
def train_labels_drawn_from_a_model(
    subject: Subject,
    rng: np.random.Generator,
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Draw the training labels from the calibrated pool of the cross-fitted models.

    What is assumed: rows are as ambiguous as that pool says, and no label that it draws is an error.
    """
    clean = fit_noise(cross_fitted_probabilities, train_labels, rng).clean
    return subject.with_target("train", drawn(clean, rng))


@fault(
    breaks="label_errors_in_train",
    severities=SEVERITIES,
    starts_from="train_labels_drawn_from_a_model",
)
def wrong_train_labels(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Give a share of the training rows one of the other labels, each as likely; inputs stay.

    Also alarms: label_errors_in_test (never: test labels stay)
    """
    return _with_wrong_labels(subject, "train", severity, rng)


@control(clears="label_errors_in_test")
def test_labels_drawn_from_the_model(
    subject: Subject,
    rng: np.random.Generator,
    test_probabilities: np.ndarray,
    test_labels: np.ndarray,
) -> Subject:
    """Draw the test labels from the model's calibrated probabilities, and keep these probabilities.

    What is assumed: rows are as ambiguous as the calibrated model says.
    """
    clean = fit_noise(test_probabilities[None], test_labels, rng).clean
    return subject.with_target("test", drawn(clean, rng)).with_given(
        test_probabilities=test_probabilities
    )


@fault(
    breaks="label_errors_in_test",
    severities=SEVERITIES,
    starts_from="test_labels_drawn_from_the_model",
)
def wrong_test_labels(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Give a share of the test rows one of the other labels, each as likely; inputs stay."""
    return _with_wrong_labels(subject, "test", severity, rng)


def drawn(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a class for each row: (n,) int64."""
    u = rng.random((len(probabilities), 1))
    return (probabilities.cumsum(axis=1)[:, :-1] < u).sum(axis=1).astype(np.int64)


def _with_wrong_labels(
    subject: Subject, name: str, severity: float, rng: np.random.Generator
) -> Subject:
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number, not a label")
    labels = target_of(subject, name).copy()
    rows = chosen(np.arange(len(labels)), count_of(severity, len(labels)), rng)
    classes = len(subject.task.classes)
    labels[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    return subject.with_target(name, labels)
