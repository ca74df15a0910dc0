"""What training rows count, and a subject that is trained with other weights."""

from dataclasses import replace

import numpy as np

from roadworthy.subject.subject import Subject


def present_weights(subject: Subject) -> np.ndarray:
    """Return what each training row counts as things are: (n,) float64, all alike unless the subject says otherwise."""
    train = subject.splits["train"]
    return np.ones(train.n) if train.row_weights is None else np.asarray(train.row_weights, float)


def weighed(subject: Subject, factors: np.ndarray) -> Subject:
    """Return a subject that is trained with the weights of its training rows times these, scaled to a mean of 1."""
    weights = factors * present_weights(subject)
    train = replace(subject.splits["train"], row_weights=weights / weights.mean())
    return subject.with_split("train", train).retrained()
