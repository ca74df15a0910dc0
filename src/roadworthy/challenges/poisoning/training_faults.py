"""Attacks on labels whose effect only training decides."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Split, Subject

RATES = (0.005, 0.01, 0.05)


@fault(breaks="errors_left", severities=RATES, truth=False)
def uniform_label_flips(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Give a share of the training rows one of the other labels, each as likely, and train again.

    Inputs, validation and test rows stay. A network that bears noise well loses little by it: what rises need not reach the bound.

    Severity: share of training rows.

    Also alarms: label_errors_in_train (the same rows).
    """
    if severity == 0.0:
        return subject
    train, target = _train(subject)
    del train
    c = len(subject.task.classes)
    rows = rng.permutation(len(target))[: max(1, round(severity * len(target)))]
    labels = target.copy()
    labels[rows] = (labels[rows] + rng.integers(1, c, len(rows))) % c
    return subject.with_target("train", labels).retrained()


@fault(breaks="targeted_flips", severities=RATES, truth=False)
def targeted_label_flips(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Give training rows of one class the label of one other class, and train again.

    As many rows as the severity says of all training rows, at most all of the class. Inputs, validation and test rows stay.

    Severity: share of training rows.

    Also alarms: label_errors_in_train (the same rows), errors_left (the class is missed).
    """
    if severity == 0.0:
        return subject
    _, target = _train(subject)
    present, counts = np.unique(target, return_counts=True)
    source = int(rng.choice(present[counts >= np.median(counts)]))
    other = int(rng.choice(present[present != source]))
    own = rng.permutation(np.flatnonzero(target == source))
    labels = target.copy()
    labels[own[: max(1, round(severity * len(target)))]] = other
    return subject.with_target("train", labels).retrained()


def _train(subject: "Subject") -> "tuple[Split, np.ndarray]":
    train = subject.splits.get("train")
    if train is None or train.inputs is None or train.target is None:
        raise NotApplicable("there are no training rows with a target to poison")
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; labels are poisoned here")
    return train, train.target
