"""Labels that were flipped on purpose: one class given the label of one other, beyond what held-out rows show."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check, control, fault, pause
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Intervals, Measurement
from roadworthy.statistics import excess, largest_of_many, percent, rate_difference

if TYPE_CHECKING:
    from roadworthy.subject import Subject, Task

MOST_ROWS = 8_000  # of each kind that are looked at, and that they are held against
NEIGHBOURS = 10
AT_A_TIME = 1024
LEAST = 30  # rows of either kind that look like a class
MOST_CLASSES = 20
SHOWN = 12


@artifact()
def apparent_classes(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    validation_features: np.ndarray,
    test_features: np.ndarray,
) -> dict[str, np.ndarray]:
    """Class that most of the ten nearest other training rows have: "train" (n,), "clean" (validation and test rows) int64.

    Rows after the first 8,000 have -1, and no row is nearest to itself; ties go to the lower code.
    """
    known = train_features[:MOST_ROWS].astype(np.float32)
    labels = train_labels[:MOST_ROWS]
    clean = np.concatenate([validation_features, test_features])
    found = {"train": known, "clean": clean[:MOST_ROWS].astype(np.float32)}
    sizes = {"train": len(train_labels), "clean": len(clean)}
    answers: dict[str, np.ndarray] = {}
    for name, asked in found.items():
        answers[name] = np.full(sizes[name], -1, np.int64)
        answers[name][: len(asked)] = _by_neighbours(known, labels, asked, itself=name == "train")
    return answers


@check(
    challenge="poisoning",
    requires=AtMost(0.1, "house default: a tenth of a class with one other label"),
    least=500,
    about=("train_labels",),
)
def targeted_flips(
    apparent_classes: Mapping[str, np.ndarray],
    train_labels: np.ndarray,
    validation_labels: np.ndarray,
    test_labels: np.ndarray,
    task: "Task",
) -> Measurement:
    """Largest share of one class's training rows that have the label of one other class, beyond what is usual.

    Rows look like the class that most of their ten nearest training rows have. Of those that look like one class and are labelled as another,
    the share among training rows is held against that among validation and test rows, whose labels nobody tampered with; what
    all pairs of classes have in common (noise without an aim) is subtracted. Corrected for the pairs that could be the worst (see `largest_of_many`).
    After Northcutt, Jiang & Chuang (2021, JAIR 70), the joint distribution of given and apparent labels. Flips of most of a class are invisible: its rows then look like the other.

    Unit: share of the training rows that look like one class.
    Qualified at: severity 0.2, n = 500 training and held-out rows that look like the class; fewer are not judged.
    Next: have rows of this pair of classes labelled again; find out who labelled them.
    """
    clean = np.concatenate([validation_labels, test_labels])
    sides = (
        (apparent_classes["train"], train_labels),
        (apparent_classes["clean"], clean),
    )
    c = len(task.classes)
    counts = [_table(apparent, labels, c) for apparent, labels in sides]
    sizes = [table.sum(axis=1) for table in counts]
    enough = np.flatnonzero((sizes[0] >= LEAST) & (sizes[1] >= LEAST))
    enough = enough[np.argsort(-sizes[0][enough], kind="stable")][:MOST_CLASSES]
    pairs = [(a, b) for a in enough.tolist() for b in range(c) if a != b]
    if not pairs:
        raise NotApplicable(
            f"no class has {LEAST} training rows and {LEAST} held-out rows that look like it"
        )
    unit = "share of the training rows that look like one class"
    found = [
        rate_difference(counts[0][a, b], sizes[0][a], counts[1][a, b], sizes[1][a], unit=unit)
        for a, b in pairs
    ]
    values = np.array([m.value for m in found])
    usual = (values.sum() - values) / max(len(values) - 1, 1)
    beyond = [excess(m, max(float(u), 0.0)) for m, u in zip(found, usual.tolist(), strict=True)]
    order = np.argsort([-m.value for m in beyond], kind="stable")
    names = [f"{task.classes[a]} labelled {task.classes[b]}" for a, b in pairs]
    first = int(order[0])
    shown = [beyond[i] for i in order[:SHOWN].tolist()]
    return largest_of_many(
        beyond,
        unit=unit,
        details=f"Most of all {names[first]}: {percent(found[first].value)} more often among training rows than among held-out ones.",
        evidence=(
            Intervals(
                "Pairs of classes that stand out most",
                Axis("looks like, and is labelled"),
                Axis("beyond what is usual", unit),
                tuple(names[i] for i in order[:SHOWN].tolist()),
                tuple(m.value for m in shown),
                tuple(m.low for m in shown),
                tuple(m.high for m in shown),
            ),
        ),
    )


@control(clears="targeted_flips")
def labels_as_rows_look(
    subject: "Subject", rng: Generator, apparent_classes: Mapping[str, np.ndarray]
) -> "Subject":
    """Give every row the label of the class that it looks like, in all splits, and keep what it looks like."""
    del rng
    n = subject.splits["validation"].n
    looks = {
        "train": apparent_classes["train"],
        "validation": apparent_classes["clean"][:n],
        "test": apparent_classes["clean"][n:],
    }
    for name, classes in looks.items():
        target = subject.splits[name].target
        if target is None:
            raise NotApplicable(f"there is no {name} target")
        subject = subject.with_target(name, np.where(classes >= 0, classes, target))
    return subject.with_given(apparent_classes=apparent_classes)


@fault(
    breaks="targeted_flips",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4),
    starts_from="labels_as_rows_look",
)
def flips_between_two_classes(
    subject: "Subject",
    severity: float,
    rng: Generator,
    apparent_classes: Mapping[str, np.ndarray],
) -> "Subject":
    """Give a share of the training rows that look like one class, drawn at random, the label of one other class.

    Validation and test rows and all inputs stay.

    Also alarms: label_errors_in_train (they are label errors).
    """
    if severity == 0.0:
        return subject
    target = subject.splits["train"].target
    if target is None:
        raise NotApplicable("there is no train target")
    looks = apparent_classes["train"]
    present, counts = np.unique(looks[looks >= 0], return_counts=True)
    likely = present[counts >= min(LEAST, int(counts.max()))]
    source = int(rng.choice(likely))
    other = int(rng.choice([k for k in range(len(subject.task.classes)) if k != source]))
    rows = np.flatnonzero(looks == source)
    labels = target.copy()
    labels[rows[rng.random(len(rows)) < severity]] = other
    return subject.with_target("train", labels)


def _table(apparent: np.ndarray, labels: np.ndarray, c: int) -> np.ndarray:
    """Return how many rows look like one class and are labelled as another: (c, c)."""
    known = apparent >= 0
    return np.bincount(apparent[known] * c + labels[known], minlength=c * c).reshape(c, c)


def _by_neighbours(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray, *, itself: bool
) -> np.ndarray:
    found = np.empty(len(asked), np.int64)
    length = np.einsum("ij,ij->i", known, known)
    k = min(NEIGHBOURS, len(known) - 1)
    classes = int(labels.max()) + 1
    for start in range(0, len(asked), AT_A_TIME):
        rows = asked[start : start + AT_A_TIME]
        distance = length - 2.0 * (rows @ known.T)
        if itself:
            distance[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
        near = labels[np.argpartition(distance, k - 1, axis=1)[:, :k]]
        votes = (near[:, :, None] == np.arange(classes)).sum(axis=1)
        found[start : start + len(rows)] = votes.argmax(axis=1)
        pause()
    return found
