"""Columns, corners and origins that give the label away, on labels that nothing tells."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.faults.rows import Pool, inputs_of, target_of
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

SEVERITIES = (0.2, 0.45, 0.7, 0.9, 1.0)


@control(clears="single_column_leakage")
def labels_that_no_column_tells(subject: Subject, rng: np.random.Generator) -> Subject:
    """Deal the targets of each split at random to its rows."""
    return _shuffled(subject, rng)


@fault(
    breaks="single_column_leakage",
    severities=SEVERITIES,
    starts_from="labels_that_no_column_tells",
)
def column_that_gives_the_label_away(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Write the class, or in a share of rows a class drawn at random, over one column of numbers.

    With the class shown in a share a of rows, and otherwise drawn with the classes' frequencies, Somers' D
    is a for every class. In arrays one value in the middle of each row is overwritten. For a regression the
    class is whether the target is above the training median.
    """
    if severity == 0:
        return subject
    for name in Pool.of(subject).sizes:
        shown = shown_classes(subject, name, severity, rng)
        inputs = inputs_of(subject, name).copy()
        if inputs.dtype.kind != "f":
            inputs = inputs.astype(np.float32)
        flat = inputs.reshape(len(inputs), -1)
        flat[:, _column(subject, flat.shape[1])] = shown
        subject = subject.with_inputs(name, inputs)
    return subject


@control(clears="corner_shortcut")
def labels_that_no_corner_tells(subject: Subject, rng: np.random.Generator) -> Subject:
    """Deal the targets of each split at random to its rows."""
    return _shuffled(subject, rng)


@fault(breaks="corner_shortcut", severities=SEVERITIES, starts_from="labels_that_no_corner_tells")
def mark_in_the_corner(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Paint the upper left corner in a grey that is the class, in a share of rows a class drawn at random.

    Somers' D is that share, as in `column_that_gives_the_label_away`.

    Also alarms: single_column_leakage (each painted pixel gives the label away)
    """
    if severity == 0:
        return subject
    for name in Pool.of(subject).sizes:
        inputs = inputs_of(subject, name).copy()
        if inputs.ndim not in (3, 4):
            raise NotApplicable(f"rows of shape {inputs.shape[1:]} are no pictures")
        shown = shown_classes(subject, name, severity, rng)
        low, high = float(inputs.min()), float(inputs.max())
        grey = (low + (high - low) * shown / max(int(shown.max()), 1)).astype(inputs.dtype)
        last = inputs.ndim == 4 and inputs.shape[3] <= 4 < inputs.shape[1]
        pictures = inputs[..., 0] if last else inputs
        rows = max(1, round(pictures.shape[-2] / 8))
        columns = max(1, round(pictures.shape[-1] / 8))
        for channel in range(inputs.shape[3] if last else 1):
            part = inputs[..., channel] if last else inputs
            corner = part[..., :rows, :columns]
            corner[:] = grey.reshape(-1, *([1] * (corner.ndim - 1)))
        subject = subject.with_inputs(name, inputs)
    return subject


@control(clears="label_from_origin")
def labels_that_no_origin_tells(subject: Subject, rng: np.random.Generator) -> Subject:
    """Deal the targets of each split at random to its rows."""
    return _shuffled(subject, rng)


@fault(
    breaks="label_from_origin",
    severities=(0.1, 0.25, 0.5, 0.75, 1.0),
    starts_from="labels_that_no_origin_tells",
)
def file_sorted_by_label(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Let the training rows come from a file sorted by class, but for a share drawn at random."""
    if severity == 0:
        return subject
    train = subject.splits["train"]
    shown = shown_classes(subject, "train", severity, rng)
    order = np.lexsort((rng.random(train.n), shown))
    places = np.empty(train.n, np.int64)
    places[order] = np.sort(train.source_rows)
    return subject.with_split("train", replace(train, source_rows=places))


def shown_classes(
    subject: Subject, name: str, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return each row's class in a share of rows, else one drawn with the classes' frequencies."""
    target = target_of(subject, name)
    if not subject.task.is_classification:
        target = (target > np.median(target_of(subject, "train"))).astype(np.int64)
    drawn = rng.permutation(target)
    return np.where(rng.random(len(target)) < share, target, drawn)


def _shuffled(subject: Subject, rng: np.random.Generator) -> Subject:
    for name in Pool.of(subject).sizes:
        subject = subject.with_target(name, rng.permutation(target_of(subject, name)))
    return subject


def _column(subject: Subject, width: int) -> int:
    numeric = [j for j, column in enumerate(subject.columns) if column.kind == "numeric"]
    if subject.columns and not numeric:
        raise NotApplicable("no column holds numbers to be overwritten")
    return numeric[-1] if numeric else width // 2
