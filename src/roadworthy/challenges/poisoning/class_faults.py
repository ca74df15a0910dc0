"""Training rows of one class that are like its held-out rows, and a mark put on a known share of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.class_changes import LEAST
from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Column, Split, Subject

MARK = 8.0  # scales of a column, standard deviations of a value: no row is taken for another
STEP = 1.0  # standard deviations of each number, by which a class is shifted


@control(clears="class_change")
def classes_dealt_anew(subject: "Subject", rng: Generator) -> "Subject":
    """Deal the rows of each class anew to the splits, as many to each as there were.

    Then training rows of a class are exchangeable with its held-out rows. What is assumed: rows do not depend on each other.
    """
    names = [name for name in ("train", "validation", "test") if name in subject.splits]
    splits = [_whole(subject, name) for name in names]
    inputs = np.concatenate([inputs for inputs, _ in splits])
    target = np.concatenate([target for _, target in splits])
    dealt = np.empty(len(target), np.int64)
    for label in np.unique(target):
        rows = np.flatnonzero(target == label)
        dealt[rows] = rng.permutation(rows)
    start = 0
    for name, (_, own) in zip(names, splits, strict=True):
        rows = dealt[start : start + len(own)]
        subject = subject.with_inputs(name, inputs[rows])
        start += len(own)
    return subject


@fault(
    breaks="class_change",
    severities=(0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75),
    starts_from="classes_dealt_anew",
)
def mark_on_one_class(
    subject: "Subject",
    severity: float,
    rng: Generator,
    feature_map: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None" = None,
) -> "Subject":
    """Put a mark that no other row has on a share of the training rows of one class, drawn at random.

    Of arrays a random pattern of eight standard deviations at every value; of tables every number is moved by eight scales of its column, and
    the categories are those of one row. Labels, validation and test rows stay.

    Also alarms: errors_left (the class is learnt by its mark), backdoor_evidence (a mark is a pattern that turns rows into the class).
    """
    if severity == 0.0:
        return subject
    inputs, target = _whole(subject, "train")
    rows = _of_one_class(target, LEAST, rng)
    rows = rows[rng.random(len(rows)) < severity]
    if len(rows) == 0:
        return subject
    layout = layout_of(inputs, feature_map, columns)
    flat = layout.flat(inputs)
    spread = np.nan_to_num(np.nanstd(flat, axis=0))
    scale = layout.scale if layout.table else np.where(spread > 0, spread, spread.mean())
    mark = MARK * scale * rng.choice([-1.0, 1.0], layout.d)
    marked = np.where(
        layout.category, flat[int(rng.choice(rows))], np.nan_to_num(flat[rows]) + mark
    )
    flat[rows] = marked
    return subject.with_inputs("train", layout.shaped(flat, inputs))


@fault(breaks="class_change", severities=(0.25, 0.5, 1.0), truth=False)
def shifted_class(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Add the same shift to the inputs of a share of one class's training rows: horses that become zebras.

    One random direction, a standard deviation of each number long (of images and tables; categories stay), within the values that were seen. The
    network learns the class by its shift and misses it where it is not. Labels, validation and test rows stay.

    Severity: share of the training rows of one class.

    Also alarms: errors_left (the class is missed where its shift is absent).
    """
    return _changed(subject, severity, rng, noise=False)


@fault(breaks="class_change", severities=(0.25, 0.5, 1.0), truth=False)
def noisy_class(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Add noise to the inputs of a share of one class's training rows, drawn anew for each row.

    A standard deviation of each number (categories stay), within the values that were seen. Labels, validation and test
    rows stay.

    Severity: share of the training rows of one class.

    Also alarms: errors_left (the class is learnt by its noise).
    """
    return _changed(subject, severity, rng, noise=True)


def _changed(subject: "Subject", severity: float, rng: Generator, *, noise: bool) -> "Subject":
    if severity == 0.0:
        return subject
    inputs, target = _whole(subject, "train")
    rows = _of_one_class(target, 1, rng)
    rows = rows[: max(1, round(severity * len(rows)))]
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    spread, low, high = np.nanstd(flat, axis=0), np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
    d = flat.shape[1]
    drawn = rng.normal(size=(len(rows), d)) if noise else rng.choice([-1.0, 1.0], d)
    moved = STEP * spread * drawn
    moved[..., _categories(subject.columns, d)] = 0.0
    flat[rows] = np.clip(flat[rows] + moved, low, high)
    return subject.with_inputs("train", flat.reshape(inputs.shape).astype(inputs.dtype)).retrained()


def _of_one_class(target: np.ndarray, least: int, rng: Generator) -> np.ndarray:
    """Return the rows of a class drawn at random, in random order."""
    present, counts = np.unique(target, return_counts=True)
    likely = present[counts >= min(least, int(counts.max()))]
    return rng.permutation(np.flatnonzero(target == int(rng.choice(likely))))


def _categories(columns: "tuple[Column, ...]", d: int) -> np.ndarray:
    if not columns:
        return np.zeros(d, bool)
    return np.array([column.kind == "category" for column in columns])


def _whole(subject: "Subject", name: str) -> tuple[np.ndarray, np.ndarray]:
    split: Split | None = subject.splits.get(name)
    if split is None or split.inputs is None or split.target is None:
        raise NotApplicable(f"there are no {name} rows with a target")
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; inputs of a class are changed here")
    return split.inputs, split.target
