"""Remedies for a rare class that is missed: count its rows for more, or shift the loss towards it."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject
from roadworthy.subject.weighing import present_weights, weighed

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
    Political Analysis 9, section 3). Shares are those of the weights that rows have already. Probabilities are then no longer those of the real shares:
    calibration usually suffers, and the effects say by how much. Rows and architecture stay as they are.
    """
    if strength == 0.0:
        return subject
    return weighed(subject, _factors(subject, strength, train_labels))


@sham()
def weights_of_shuffled_rows(
    subject: Subject, strength: float, rng: Generator, train_labels: np.ndarray
) -> Subject:
    """Deal the same factors to the rows at random, whatever their class."""
    if strength == 0.0:
        return subject
    return weighed(subject, rng.permutation(_factors(subject, strength, train_labels)))


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


def _shares(labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the share of each class, of rows or of their weights: (c,)."""
    worth = np.bincount(labels, weights)
    present = worth[worth > 0]
    # Sums of weights that are meant to be alike differ in their last digits.
    if len(present) < 2 or np.isclose(present.min(), present.max(), rtol=1e-9):
        raise NotApplicable("all classes of the training rows are equally common")
    return worth / worth.sum()


def _factors(subject: Subject, strength: float, labels: np.ndarray) -> np.ndarray:
    """Return by what the weight that each training row has is to be multiplied: (n,)."""
    shares = _shares(labels, present_weights(subject))
    # A class that counts nothing goes on counting nothing.
    return np.where(shares > 0, shares, 1.0)[labels] ** -strength
