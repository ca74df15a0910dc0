"""Defects whose effect only training decides: severities in a unit of their own, for proving remedies."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Network, Recipe, Subject

EPOCHS = 10  # times as many: of digits with two fifths of noise 89 % are then learnt by heart
FEW = 100  # rows that are left to a network with far more hidden layers than it needs


@fault(breaks="overfitting_gap", severities=(0.1, 0.2, 0.4), truth=False)
def memorised_noise(
    subject: "Subject", severity: float, rng: Generator, network: "Network", recipe: "Recipe"
) -> "Subject":
    """Replace the target of a share of the training rows at random, and train until it is learnt by heart.

    A class becomes any other one, a number that of another row. Early stopping and all regularisation are off, and ten
    times the epochs are trained. Validation and test rows stay.

    Severity: share of training rows.

    Also alarms: shortfall_to_simple_models (noise is learnt).
    """
    if severity == 0.0:
        return subject
    target = _target(subject)
    chosen = rng.permutation(len(target))[: round(severity * len(target))]
    wrong = target.copy()
    if subject.task.is_classification:
        c = len(subject.task.classes)
        wrong[chosen] = (target[chosen] + rng.integers(1, c, len(chosen))) % c
    else:
        wrong[chosen] = rng.choice(target, len(chosen))
    bare = _unregularised(recipe, EPOCHS)
    return subject.with_target("train", wrong).retrained(recipe=bare, network=network)


@fault(breaks="overfitting_gap", severities=(0.5, 0.8, 0.9, 0.95), truth=False)
def tiny_training_set(
    subject: "Subject", severity: float, rng: Generator, network: "Network", recipe: "Recipe"
) -> "Subject":
    """Take a share of the training rows away, of every class alike, and train as many steps on the rest.

    At least two rows of each class stay (16 rows where the target is a number). Regularisation and early stopping stay as they are.

    Severity: share of training rows that are gone.

    Also alarms: training_variance (few rows decide), shortfall_to_simple_models (the same).
    """
    if severity == 0.0:
        return subject
    rows = _drawn(subject, 1.0 - severity, rng)
    longer = _lengthened(recipe, min(len(_target(subject)) / len(rows), 20.0))
    small = subject.with_split("train", subject.splits["train"].take(rows))
    return small.retrained(recipe=longer, network=network)


@fault(breaks="overfitting_gap", severities=(1.0, 2.0, 4.0), truth=False)
def oversize_model(
    subject: "Subject", severity: float, rng: Generator, network: "Network", recipe: "Recipe"
) -> "Subject":
    """Train a network that is too deep and too wide for the rows, and few rows there are.

    Hidden layers are added, twice as wide as what is there, and a hundred training rows drawn of every class alike are
    kept; as many steps as before are trained on them, without regularisation or early stopping.

    Severity: number of hidden layers too many.

    Also alarms: training_variance (few rows decide), shortfall_to_simple_models (the same).
    """
    if severity == 0.0:
        return subject
    from roadworthy.challenges.generalization.enlarging import enlarged

    n = len(_target(subject))
    rows = _drawn(subject, min(1.0, FEW / n), rng)
    bare = _unregularised(recipe, n / len(rows))
    small = subject.with_split("train", subject.splits["train"].take(rows))
    return small.retrained(recipe=bare, network=enlarged(network, round(severity)))


@fault(breaks="underfitting", severities=(0.25, 0.5, 0.75), truth=False)
def underfit_model(
    subject: "Subject", severity: float, rng: Generator, network: "Network", recipe: "Recipe"
) -> "Subject":
    """Make the network narrower, and train it for a part of the epochs only.

    Severity: share of the epochs and of the width that is gone; at least one epoch is trained. Data stay as they are.

    Also alarms: shortfall_to_simple_models (the model has learnt little), errors_left (the same).
    """
    del rng
    if severity == 0.0:
        return subject
    from roadworthy.subject.capacity import scaled

    left = 1.0 - severity
    short = replace(recipe, epochs=max(1, round(recipe.epochs * left)))
    return subject.retrained(recipe=short, network=scaled(network, left))


def _drawn(subject: "Subject", share: float, rng: Generator) -> np.ndarray:
    """Return positions of a share of the training rows, of every class alike; a few of each at least."""
    target = _target(subject)
    codes = target if subject.task.is_classification else np.zeros(len(target), np.int64)
    least = 2 if subject.task.is_classification else 16
    kept = [
        rng.permutation(np.flatnonzero(codes == code))[: max(least, round(share * count))]
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True)
    ]
    return np.sort(np.concatenate(kept))


def _unregularised(recipe: "Recipe", times: float) -> "Recipe":
    return replace(
        _lengthened(recipe, times),
        patience=None,
        weight_decay=0.0,
        l1=0.0,
        dropout=0.0,
        label_smoothing=0.0,
        augmentation=(),
        schedule="constant",
    )


def _lengthened(recipe: "Recipe", times: float) -> "Recipe":
    patience = None if recipe.patience is None else max(1, round(recipe.patience * times))
    return replace(recipe, epochs=max(1, round(recipe.epochs * times)), patience=patience)


def _target(subject: "Subject") -> np.ndarray:
    train = subject.splits.get("train")
    if train is None or train.target is None:
        raise NotApplicable("there are no training rows with a target")
    return train.target
