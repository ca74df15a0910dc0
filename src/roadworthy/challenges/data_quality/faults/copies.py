"""Copied rows, and entities on both sides of a split."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.duplicates import first_identical
from roadworthy.challenges.data_quality.faults.rows import (
    Pool,
    chosen,
    count_of,
    inputs_of,
    kept,
    overwritten,
    target_of,
)
from roadworthy.challenges.data_quality.splits import concatenated
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Attribute, Subject

OWN_ENTITY = "entity"


@control(clears="exact_duplicates_across_splits")
def test_without_seen_rows(
    subject: Subject, rng: np.random.Generator, leaked_test_rows: np.ndarray
) -> Subject:
    """Take the test rows out that are identical to a row that the model was trained or chosen on."""
    return kept(subject, "test", leaked_test_rows < 0)


@fault(
    breaks="exact_duplicates_across_splits",
    severities=(0.0005, 0.001, 0.002, 0.005, 0.02),
    starts_from="test_without_seen_rows",
)
def training_rows_copied_into_test(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Put copies of different training rows, labels included, in the place of a share of the test rows.

    Training rows and all other columns beside the inputs stay as they are.

    Also alarms: near_duplicates_across_splits (never: exact copies are left to this check)
    """
    test = subject.splits["test"]
    inputs_of(subject, "test")
    rows = chosen(np.arange(test.n), count_of(severity, test.n), rng)
    _, first = np.unique(_hashable(inputs_of(subject, "train")), return_index=True)
    copied = chosen(first, len(rows), rng)
    target = None if test.target is None else target_of(subject, "train")[copied]
    copies = inputs_of(subject, "train")[copied]
    return subject.with_split("test", overwritten(test, rows, copies, target))


@control(clears="exact_duplicates_within_train")
def train_without_repeats(
    subject: Subject, rng: np.random.Generator, train_content_hashes: np.ndarray
) -> Subject:
    """Keep the first of each set of identical training rows."""
    first = first_identical(train_content_hashes, train_content_hashes)
    return kept(subject, "train", first == np.arange(len(first)))


@fault(
    breaks="exact_duplicates_within_train",
    severities=(0.01, 0.025, 0.05, 0.1, 0.3),
    starts_from="train_without_repeats",
)
def training_rows_repeated(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Put copies of other training rows, labels included, in the place of a share of the training rows."""
    train = subject.splits["train"]
    rows = chosen(np.arange(train.n), count_of(severity, train.n), rng)
    others = np.setdiff1d(np.arange(train.n), rows)
    copied = rng.choice(others, len(rows), replace=len(rows) > len(others))
    target = None if train.target is None else target_of(subject, "train")[copied]
    copies = inputs_of(subject, "train")[copied]
    planted = subject.with_split("train", overwritten(train, rows, copies, target))
    return planted.with_given(planted={"rows": {"train": np.union1d(rows, copied)}})


@control(clears="conflicting_labels")
def one_row_of_each_content(
    subject: Subject,
    rng: np.random.Generator,
    train_content_hashes: np.ndarray,
    test_content_hashes: np.ndarray,
    validation_content_hashes: np.ndarray | None = None,
) -> Subject:
    """Keep the first of each set of identical rows, over all splits."""
    hashes = concatenated(train_content_hashes, validation_content_hashes, test_content_hashes)
    first = first_identical(hashes, hashes) == np.arange(len(hashes))
    start = 0
    for name, size in Pool.of(subject).sizes.items():
        subject = kept(subject, name, first[start : start + size])
        start += size
    return subject


@fault(
    breaks="conflicting_labels",
    severities=(0.0025, 0.005, 0.01, 0.02, 0.05),
    starts_from="one_row_of_each_content",
)
def identical_rows_labelled_differently(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Make a share of all rows, within training, a copy of another row with another label.

    Also alarms: exact_duplicates_within_train (the rows are copies), label_errors_in_train (half of the
    labels are wrong)
    """
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; labels of identical rows are not compared")
    train = subject.splits["train"]
    count = count_of(severity, Pool.of(subject).n)
    touched = chosen(np.arange(train.n), 2 * count, rng)
    rng.shuffle(touched)
    rows, copied = touched[:count], touched[count:]
    other = _other_labels(target_of(subject, "train")[copied], len(subject.task.classes), rng)
    copies = inputs_of(subject, "train")[copied]
    planted = subject.with_split("train", overwritten(train, rows, copies, other))
    return planted.with_given(planted={"rows": {"train": touched}})


@control(clears="entities_across_splits")
def each_row_its_own_entity(subject: Subject, rng: np.random.Generator) -> Subject:
    """Give every row an entity of its own."""
    start = 0.0
    for name, split in subject.splits.items():
        values = start + np.arange(split.n, dtype=np.float64)
        start += split.n
        attributes = {**split.attributes, OWN_ENTITY: Attribute(values)}
        subject = subject.with_split(name, replace(split, attributes=attributes))
    return replace(subject, roles=replace(subject.roles, entity=OWN_ENTITY))


@fault(
    breaks="entities_across_splits",
    severities=(0.0005, 0.001, 0.002, 0.005, 0.05),
    starts_from="each_row_its_own_entity",
)
def test_rows_of_training_entities(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Give a share of the test rows the entity of a training row; inputs and labels stay."""
    role = subject.roles.entity
    if role is None:
        raise NotApplicable("no column says which entity a row belongs to")
    test, train = subject.splits["test"], subject.splits["train"]
    rows = chosen(np.arange(test.n), count_of(severity, test.n), rng)
    values = test.attributes[role].values.copy()
    known = train.attributes[role].values
    values[rows] = rng.choice(known, len(rows))
    attributes = {**test.attributes, role: replace(test.attributes[role], values=values)}
    return subject.with_split("test", replace(test, attributes=attributes))


def _hashable(inputs: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1)) + 0  # -0.0 becomes 0.0
    return flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()


def _other_labels(labels: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    return (labels + rng.integers(1, classes, len(labels))) % classes
