"""Remedies for wrong training labels: leave the most suspect rows out, or label them as the others suggest."""

from math import ceil

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quality.faults.rows import kept, target_of
from roadworthy.challenges.data_quality.label_noise import fit_noise, suspicion
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

STRENGTHS = (0.5, 1.0, 1.5)
TARGETS = ("errors_left", "label_errors_in_train")
FAULT = "wrong_train_labels"


@mitigation(targets=TARGETS, strengths=STRENGTHS, sham="as_many_random_rows_dropped", repairs=FAULT)
def likely_label_errors_dropped(
    subject: Subject,
    strength: float,
    rng: Generator,
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Train without the training rows whose labels are most likely wrong.

    The most suspect labels of cross-fitted simple models, as many as the estimated error rate says times the
    strength (Northcutt, Jiang & Chuang 2021, JAIR 70, "prune"; the number is the estimate's, not the list's length).
    That the estimate of `label_errors_in_train` falls is no proof, because it is what rows are
    chosen by: read the model's test errors. Test rows are left alone.
    """
    rows = _most_suspect(cross_fitted_probabilities, train_labels, strength, rng)
    return _without(subject, rows)


@sham()
def as_many_random_rows_dropped(
    subject: Subject,
    strength: float,
    rng: Generator,
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Train without as many rows, drawn at random."""
    count = len(_most_suspect(cross_fitted_probabilities, train_labels, strength, rng))
    return _without(subject, rng.choice(len(train_labels), count, replace=False))


@mitigation(
    targets=TARGETS, strengths=STRENGTHS, sham="as_many_random_rows_relabelled", repairs=FAULT
)
def likely_label_errors_relabelled(
    subject: Subject,
    strength: float,
    rng: Generator,
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Give the training rows whose labels are most likely wrong the label that the other rows suggest.

    As many as the estimated error rate says times the strength, the most suspect first; the new label is the most
    probable one by cross-fitted simple models. Somebody who looks at the rows does better (`reviewed_label_errors_mended`): this is what
    can be had without. Test rows are left alone, and so is what was said of `likely_label_errors_dropped`.
    """
    rows = _most_suspect(cross_fitted_probabilities, train_labels, strength, rng)
    return _relabelled(subject, rows, cross_fitted_probabilities)


@sham()
def as_many_random_rows_relabelled(
    subject: Subject,
    strength: float,
    rng: Generator,
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
) -> Subject:
    """Give as many rows, drawn at random, the label that the other rows suggest."""
    count = len(_most_suspect(cross_fitted_probabilities, train_labels, strength, rng))
    rows = rng.choice(len(train_labels), count, replace=False)
    return _relabelled(subject, rows, cross_fitted_probabilities)


def _most_suspect(
    probabilities: np.ndarray, labels: np.ndarray, strength: float, rng: Generator
) -> np.ndarray:
    """Return positions of the most suspect rows, as many as are estimated to be wrong times the strength."""
    if strength == 0.0:
        return np.empty(0, np.int64)
    rate = max(fit_noise(probabilities, labels, rng).rate, 0.0)
    count = min(ceil(strength * rate * len(labels)), len(labels) // 2)
    if count == 0:
        raise NotApplicable("no training label is estimated to be wrong")
    return np.argsort(-suspicion(probabilities.mean(axis=0), labels), kind="stable")[:count]


def _without(subject: Subject, rows: np.ndarray) -> Subject:
    if len(rows) == 0:
        return subject
    keep = np.ones(subject.splits["train"].n, bool)
    keep[rows] = False
    left = np.unique(target_of(subject, "train")[keep])
    if len(left) < len(np.unique(target_of(subject, "train"))):
        raise NotApplicable("no row of some class would be left to train on")
    return kept(subject, "train", keep).retrained()


def _relabelled(subject: Subject, rows: np.ndarray, probabilities: np.ndarray) -> Subject:
    if len(rows) == 0:
        return subject
    labels = target_of(subject, "train").copy()
    labels[rows] = probabilities.mean(axis=0)[rows].argmax(axis=1)
    return subject.with_target("train", labels).retrained()
