"""Inputs of one class that were changed: what tells its training rows from its held-out rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.telling_apart import told_apart
from roadworthy.engine import advance, artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Example, Examples, Intervals, Measurement
from roadworthy.statistics import largest_of_many, percent, rate_difference

if TYPE_CHECKING:
    from roadworthy.subject import Task

LEAST = 30  # rows of a class of either kind
MOST_CLASSES = 20
MOST_ROWS = 2_000  # of a class, of either kind
SHOWN = 30
UNIT = "share of one class's training rows"

Sides = dict[str, np.ndarray]


@artifact()
def unlike_their_class(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    validation_features: np.ndarray,
    validation_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    rng: Generator,
) -> Sides:
    """Whether each row is told from the held-out rows of its class: "train" (n,), "clean" (validation and test rows) int8.

    1 where a classifier between training and held-out rows of the class, fitted without the row, calls it a training row; -1 where
    it was not asked: of classes with few rows, of all but the twenty commonest classes, after 2,000 rows of a class.
    """
    clean = np.concatenate([validation_features, test_features])
    of_clean = np.concatenate([validation_labels, test_labels])
    return unlike(train_features, train_labels, clean, of_clean, rng)


@artifact()
def unlike_validation(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    validation_features: np.ndarray,
    validation_labels: np.ndarray,
    rng: Generator,
) -> Sides:
    """Whether each row is told from the validation rows of its class, as `unlike_their_class`: for remedies."""
    return unlike(train_features, train_labels, validation_features, validation_labels, rng)


@check(
    challenge="poisoning",
    requires=AtMost(0.25, "house default: with three rows in four untouched a class is learnt"),
    least=200,
)
def class_change(
    unlike_their_class: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
    test_labels: np.ndarray,
    task: "Task",
) -> Measurement:
    """Largest share of one class's training rows whose inputs no held-out row of that class is like.

    Noise or a feature that was put on the training rows of one class only is what a model then knows the class by, and misses where
    it is absent. Within each class a classifier (ridge regression on features and their squares) learns to tell training rows from
    validation and test rows, which nobody tampered with; ten folds. The share of training rows that it recognises, less the share
    of held-out rows that it takes for them: a lower bound of the share that was changed (total variation; Kim et al. 2021, Annals of
    Statistics 49, 411-434, tests by classification). Corrected for the number of classes. Rows that were relabelled into a class
    are unlike it too and count here as far as they can be told (`targeted_flips` asks for them); a backdoor carried by
    few rows of a class stays below the bound. Splits that were not drawn at random differ without an attack.

    Unit: share of one class's training rows.
    Qualified at: severity 0.5, n = 200 training and held-out rows of the class; fewer are not judged.
    Next: find out how the rows of this class were recorded; train without them (`changed_rows_dropped`) or undo the
        change (`changed_rows_moved_back`).
    """
    clean_labels = np.concatenate([validation_labels, test_labels])
    flags = unlike_their_class["train"], unlike_their_class["clean"]
    classes = np.unique(train_labels[flags[0] >= 0]).tolist()
    if not classes:
        raise NotApplicable(f"no class has {LEAST} training rows and {LEAST} held-out rows")
    found: list[Measurement] = []
    for label in classes:
        own = flags[0][(train_labels == label) & (flags[0] >= 0)]
        clean = flags[1][(clean_labels == label) & (flags[1] >= 0)]
        counts = int(own.sum()), len(own), int(clean.sum()), len(clean)
        found.append(rate_difference(*counts, unit=UNIT))
    order = np.argsort([-m.value for m in found], kind="stable").tolist()
    names = [task.classes[label] for label in classes]
    worst = order[0]
    rows = np.flatnonzero((train_labels == classes[worst]) & (flags[0] == 1))
    carriers = tuple(Example("train", int(row), f"labelled {names[worst]}") for row in rows[:SHOWN])
    return largest_of_many(
        found,
        unit=UNIT,
        details=f"Most of all {names[worst]}: {percent(found[worst].value)} of its training rows can be told from held-out ones.",
        evidence=(
            Intervals(
                "What tells training rows of a class from its held-out rows",
                Axis("class"),
                Axis("told apart", UNIT),
                tuple(names[i] for i in order),
                tuple(found[i].value for i in order),
                tuple(found[i].low for i in order),
                tuple(found[i].high for i in order),
            ),
            Examples("Training rows of the worst class that are told apart", carriers),
        ),
    )


def unlike(
    train: np.ndarray,
    train_labels: np.ndarray,
    clean: np.ndarray,
    clean_labels: np.ndarray,
    rng: Generator,
) -> Sides:
    """Return which rows are told from rows of their class on the other side; see `unlike_their_class`."""
    found = {
        "train": np.full(len(train_labels), -1, np.int8),
        "clean": np.full(len(clean_labels), -1, np.int8),
    }
    present, counts = np.unique(train_labels, return_counts=True)
    common = present[np.argsort(-counts, kind="stable")][:MOST_CLASSES]
    for done, label in enumerate(common.tolist(), start=1):
        own = rng.permutation(np.flatnonzero(train_labels == label))[:MOST_ROWS]
        other = rng.permutation(np.flatnonzero(clean_labels == label))[:MOST_ROWS]
        if min(len(own), len(other)) >= LEAST:
            told = told_apart(train[own], clean[other])
            found["train"][own], found["clean"][other] = told
        advance(done, len(common))
    return found
