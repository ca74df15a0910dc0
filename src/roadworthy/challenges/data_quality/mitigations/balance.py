"""Remedies for a rare class that is missed: count its rows for more, or shift the loss towards it."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

FAULT = "rarest_class_thinned_out"


@mitigation(
    targets="rarest_class_missed",
    strengths=(0.25, 0.5, 0.75, 1.0),
    sham="weights_of_shuffled_rows",
    repairs=FAULT,
)
def classes_weighed_equally(subject: Subject, strength: float, train_labels: np.ndarray) -> Subject:
    """Let the training rows of rare classes count for more, up to every class counting alike.

    Each row weighs (share of its class) to the power of minus the strength, scaled to a mean of 1 (King & Zeng 2001,
    Political Analysis 9, section 3). Probabilities are then no longer those of the real shares:
    calibration usually suffers, and the effects say by how much. Rows and architecture stay as they are.
    """
    if strength == 0.0:
        return subject
    return _weighed(subject, _weights(_shares(train_labels), strength, train_labels))


@sham()
def weights_of_shuffled_rows(
    subject: Subject, strength: float, rng: Generator, train_labels: np.ndarray
) -> Subject:
    """Deal the same weights to the rows at random, whatever their class."""
    if strength == 0.0:
        return subject
    weights = _weights(_shares(train_labels), strength, train_labels)
    return _weighed(subject, rng.permutation(weights))


@mitigation(
    targets="rarest_class_missed",
    strengths=(0.25, 0.5, 1.0),
    repairs=FAULT,
)
def logit_adjustment(subject: Subject, strength: float, train_labels: np.ndarray) -> Subject:
    """Train with logits shifted by how common each class is, so that rare classes are not drowned.

    The loss sees logits plus strength x log share of the class (Menon et al. 2021, ICLR, "Long-tail learning via
    logit adjustment", equation 10); 1 aims at the balanced error. Rows and architecture stay as they are.
    """
    if strength == 0.0:
        return subject
    _shares(train_labels)
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    return subject.retrained(recipe=replace(subject.recipe, logit_adjustment=strength))


def _shares(labels: np.ndarray) -> np.ndarray:
    counts = np.bincount(labels)
    present = counts[counts > 0]
    if len(present) < 2 or present.min() == present.max():
        raise NotApplicable("all classes of the training rows are equally common")
    return counts / counts.sum()


def _weights(shares: np.ndarray, strength: float, labels: np.ndarray) -> np.ndarray:
    """Return what each row counts: (n,), mean 1."""
    weights = shares[labels] ** -strength
    return weights / weights.mean()


def _weighed(subject: Subject, weights: np.ndarray) -> Subject:
    train = replace(subject.splits["train"], row_weights=weights)
    return subject.with_split("train", train).retrained()
