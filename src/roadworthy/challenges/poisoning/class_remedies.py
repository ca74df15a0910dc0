"""Remedies for a class whose training inputs were changed: leave the changed rows out, or move them back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Column, Subject

LEAST_LEFT = 30  # rows of the class: with fewer it is not learnt, nor looked at again


class Changed(NamedTuple):
    """The class that stands out most, its training rows that do (m,), and its other training rows (q,)."""

    label: int
    rows: np.ndarray
    others: np.ndarray


@mitigation(
    targets="class_change",
    strengths=(0.5, 1.0),
    sham="as_many_rows_of_a_class_dropped",
    repairs="shifted_class",
    at=0.25,
)
def changed_rows_dropped(
    subject: "Subject",
    strength: float,
    unlike_validation: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
) -> "Subject":
    """Train without the rows of the class that stands out most which no validation row of it is like.

    Filtering (after Steinhardt, Koh & Liang 2017, NeurIPS, "Certified defenses for data poisoning attacks", section 2, whose sanitisation is by
    distance within a class). The strength is the share of them that goes. Not where hardly a row of the class would be left:
    `changed_rows_moved_back` keeps them. All other rows, architecture and recipe stay.
    """
    if strength == 0.0:
        return subject
    found = changed_most(unlike_validation, train_labels, validation_labels)
    return _without(subject, found.rows[: max(1, round(strength * len(found.rows)))], found)


@sham()
def as_many_rows_of_a_class_dropped(
    subject: "Subject",
    strength: float,
    rng: Generator,
    unlike_validation: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
) -> "Subject":
    """Train without as many rows of the same class, drawn at random."""
    if strength == 0.0:
        return subject
    found = changed_most(unlike_validation, train_labels, validation_labels)
    own = rng.permutation(np.concatenate([found.rows, found.others]))
    return _without(subject, own[: max(1, round(strength * len(found.rows)))], found)


@mitigation(
    targets="class_change",
    strengths=(0.5, 1.0),
    sham="rows_of_a_class_moved_at_random",
    repairs="shifted_class",
    at=1.0,
)
def changed_rows_moved_back(
    subject: "Subject",
    strength: float,
    unlike_validation: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> "Subject":
    """Move the rows of the class that stand out to where its validation rows are, and train again.

    Of every number the difference of means between these rows and the validation rows of the class is taken away, within the
    values that validation rows have (the first step of CORAL, Sun, Feng & Saenko 2016, AAAI, within one class). Undoes a shift, also one of all rows of the
    class; no noise, and no change of categories. The strength is the share of the difference. All other rows and the labels stay.
    """
    if strength == 0.0:
        return subject
    found = changed_most(unlike_validation, train_labels, validation_labels)
    return _moved(subject, found.rows, strength * _back(subject, found, columns))


@sham()
def rows_of_a_class_moved_at_random(
    subject: "Subject",
    strength: float,
    rng: Generator,
    unlike_validation: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> "Subject":
    """Move the same rows by as much of every number, up or down at random."""
    if strength == 0.0:
        return subject
    found = changed_most(unlike_validation, train_labels, validation_labels)
    step = _back(subject, found, columns)
    return _moved(subject, found.rows, strength * step * rng.choice([-1.0, 1.0], step.shape))


def changed_most(
    unlike: Mapping[str, np.ndarray], train_labels: np.ndarray, clean_labels: np.ndarray
) -> Changed:
    """Return the class with the largest difference of shares told apart, and its rows.

    Raises
    ------
    NotApplicable
        Where no training row is told from validation rows of its class.
    """
    best, worst = -np.inf, -1
    for label in np.unique(train_labels[unlike["train"] >= 0]).tolist():
        own = unlike["train"][(train_labels == label) & (unlike["train"] >= 0)]
        clean = unlike["clean"][(clean_labels == label) & (unlike["clean"] >= 0)]
        share = float(own.mean() - clean.mean())
        if share > best:
            best, worst = share, label
    rows = np.flatnonzero((train_labels == worst) & (unlike["train"] == 1))
    if len(rows) == 0:
        raise NotApplicable(
            "no training row can be told from validation rows of its class, so none is mended"
        )
    others = np.flatnonzero((train_labels == worst) & (unlike["train"] != 1))
    return Changed(worst, rows, others)


def _without(subject: "Subject", rows: np.ndarray, found: Changed) -> "Subject":
    left = len(found.rows) + len(found.others) - len(rows)
    if left < LEAST_LEFT:
        raise NotApplicable(
            f"{left} of {left + len(rows)} training rows of class {subject.task.classes[found.label]} would be left; "
            "changed_rows_moved_back keeps them"
        )
    _refuse_unknown_recipe(subject)
    train = subject.splits["train"]
    return subject.with_split(
        "train", train.take(np.setdiff1d(np.arange(train.n), rows))
    ).retrained()


def _back(subject: "Subject", found: Changed, columns: "tuple[Column, ...] | None") -> np.ndarray:
    """Return what has to be added to the rows that stand out: (d,); 0 for categories."""
    flat = _flat(subject, "train")[found.rows]
    validation = subject.splits["validation"]
    there = _flat(subject, "validation")[validation.target == found.label]
    step = np.nan_to_num(np.nanmean(there, axis=0) - np.nanmean(flat, axis=0))
    if columns:
        step[[column.kind == "category" for column in columns]] = 0.0
    return step


def _moved(subject: "Subject", rows: np.ndarray, step: np.ndarray) -> "Subject":
    _refuse_unknown_recipe(subject)
    inputs = subject.splits["train"].inputs
    assert inputs is not None
    flat, seen = _flat(subject, "train"), _flat(subject, "validation")
    moves = step != 0.0
    low, high = np.nanmin(seen[:, moves], axis=0), np.nanmax(seen[:, moves], axis=0)
    flat[np.ix_(rows, moves)] = np.clip(flat[np.ix_(rows, moves)] + step[moves], low, high)
    return subject.with_inputs("train", flat.reshape(inputs.shape).astype(inputs.dtype)).retrained()


def _flat(subject: "Subject", name: str) -> np.ndarray:
    inputs = subject.splits[name].inputs
    assert inputs is not None
    return inputs.reshape(len(inputs), -1).astype(np.float64)


def _refuse_unknown_recipe(subject: "Subject") -> None:
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
