"""Training rows that are put into the test split, changed a little."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.alignment import grey
from roadworthy.challenges.data_quality.faults.rows import (
    chosen,
    count_of,
    inputs_of,
    kept,
    overwritten,
    target_of,
)
from roadworthy.engine import control, fault
from roadworthy.subject import Attribute, Split, Subject

NOISE = 0.01  # standard deviations of the column
PICTURE_NOISE = 0.02  # of the range of grey values
BRIGHTER = 0.1  # of that range


@control(clears="near_duplicates_across_splits")
def splits_without_near_copies(
    subject: Subject,
    rng: np.random.Generator,
    near_copies: np.ndarray,
    leaked_test_rows: np.ndarray,
) -> Subject:
    """Take copies and near copies out of the test split; redraw the splits of other data than pictures.

    Where the share among training rows is taken away, truth is zero when training and test rows are
    exchangeable: rows of both are dealt anew at random.
    """
    if grey(inputs_of(subject, "test")) is not None:
        return kept(subject, "test", (near_copies[:, 0] < 0) & (leaked_test_rows < 0))
    train, test = subject.splits["train"], subject.splits["test"]
    order = rng.permutation(train.n + test.n)
    both = _joined(train, test)
    subject = subject.with_split("train", both.take(order[: train.n]))
    return subject.with_split("test", both.take(order[train.n :]))


@fault(
    breaks="near_duplicates_across_splits",
    severities=(0.0025, 0.005, 0.01, 0.02, 0.05),
    starts_from="splits_without_near_copies",
)
def training_rows_copied_nearly(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Put training rows, changed a little, in the place of a share of the test rows.

    Pictures: noise, more light, a shift by one or two pixels, or a mirror image, each as often.
    Other data: noise of a hundredth of each column's standard deviation.
    """
    test = subject.splits["test"]
    rows = chosen(np.arange(test.n), count_of(severity, test.n), rng)
    if len(rows) == 0:
        return subject
    seen = inputs_of(subject, "train")
    copied = rng.choice(len(seen), len(rows), replace=False)
    if grey(seen) is not None:
        changed = np.stack([_changed_picture(seen[i], seen, rng) for i in copied])
    else:
        changed = _changed_rows(subject, seen, copied, rng)
    target = None if test.target is None else target_of(subject, "train")[copied]
    return subject.with_split("test", overwritten(test, rows, changed, target))


def _changed_rows(
    subject: Subject, seen: np.ndarray, copied: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    flat = seen.reshape(len(seen), -1).astype(np.float64)
    spread = np.nanstd(flat[rng.permutation(len(flat))[:5_000]], axis=0)
    for j, column in enumerate(subject.columns):
        if column.kind == "category":
            spread[j] = 0.0
    noise = NOISE * spread * rng.normal(size=(len(copied), flat.shape[1]))
    return (flat[copied] + noise).reshape(len(copied), *seen.shape[1:])


def _changed_picture(picture: np.ndarray, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    last = picture.ndim == 3 and picture.shape[2] <= 4 < picture.shape[0]
    rows, columns = (0, 1) if last or picture.ndim == 2 else (1, 2)
    low, high = float(seen[:100].min()), float(seen[:100].max())
    kind = int(rng.integers(4))
    changed = picture.astype(np.float64)
    if kind == 0:
        changed = changed + PICTURE_NOISE * (high - low) * rng.normal(size=picture.shape)
    elif kind == 1:
        changed = changed + BRIGHTER * (high - low)
    elif kind == 2:
        by = int(rng.choice([-2, -1, 1, 2]))
        at = np.clip(np.arange(picture.shape[columns]) - by, 0, picture.shape[columns] - 1)
        changed = changed.take(at, axis=columns)
        at = np.clip(np.arange(picture.shape[rows]) - by, 0, picture.shape[rows] - 1)
        changed = changed.take(at, axis=rows)
    else:
        changed = np.flip(changed, axis=columns)
    return np.clip(changed, low, high).astype(picture.dtype)


def _joined(first: Split, second: Split) -> Split:
    """Return the rows of both splits; attributes that only one has are left out."""
    assert first.inputs is not None
    assert second.inputs is not None
    shared = [n for n in first.attributes if n in second.attributes]
    recorded = [n for n in first.recorded if n in second.recorded]
    target = None
    if first.target is not None and second.target is not None:
        target = np.concatenate([first.target, second.target])
    return Split(
        np.concatenate([first.inputs, second.inputs]),
        target,
        {n: _joined_attribute(first.attributes[n], second.attributes[n]) for n in shared},
        np.concatenate([first.source_rows, second.source_rows]),
        {n: np.concatenate([first.recorded[n], second.recorded[n]]) for n in recorded},
    )


def _joined_attribute(first: Attribute, second: Attribute) -> Attribute:
    return replace(first, values=np.concatenate([first.values, second.values]))
