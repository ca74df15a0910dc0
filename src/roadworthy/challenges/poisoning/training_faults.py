"""Attacks whose effect only training decides, on labels and on the inputs of one class."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Column, Split, Subject

RATES = (0.005, 0.01, 0.05)
STEP = 1.0  # standard deviations of each number, by which a class is shifted


@fault(breaks="errors_left", severities=RATES, truth=False)
def uniform_label_flips(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Give a share of the training rows one of the other labels, each as likely, and train again.

    Inputs, validation and test rows stay.

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


@fault(breaks="errors_left", severities=(0.25, 0.5, 1.0), truth=False)
def shifted_class(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Add the same shift to the inputs of a share of one class's training rows: horses that become zebras.

    One random direction, a standard deviation of each number long (of images and tables; categories stay), within the values that were seen. The
    network learns the class by its shift and misses it where it is not. Labels, validation and test rows stay.

    Severity: share of the training rows of one class.
    """
    if severity == 0.0:
        return subject
    train, target = _train(subject)
    inputs = train.inputs
    assert inputs is not None
    present = np.unique(target)
    own = rng.permutation(np.flatnonzero(target == int(rng.choice(present))))
    rows = own[: max(1, round(severity * len(own)))]
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    spread, low, high = np.nanstd(flat, axis=0), np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
    shift = STEP * spread * rng.choice([-1.0, 1.0], flat.shape[1])
    shift[_categories(subject.columns, flat.shape[1])] = 0.0
    flat[rows] = np.clip(flat[rows] + shift, low, high)
    return subject.with_inputs("train", flat.reshape(inputs.shape).astype(inputs.dtype)).retrained()


def _categories(columns: "tuple[Column, ...]", d: int) -> np.ndarray:
    if not columns:
        return np.zeros(d, bool)
    return np.array([column.kind == "category" for column in columns])


def _train(subject: "Subject") -> "tuple[Split, np.ndarray]":
    train = subject.splits.get("train")
    if train is None or train.inputs is None or train.target is None:
        raise NotApplicable("there are no training rows with a target to poison")
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; labels are poisoned here")
    return train, train.target
