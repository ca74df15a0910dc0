"""Values that are missing at random, and more often for one label or group."""

import numpy as np

from roadworthy.challenges.data_quality.faults.rows import inputs_of, target_of
from roadworthy.challenges.data_quality.gaps import FEWEST_ROWS
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

AT_RANDOM = 0.1
SEVERITIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.4)


@control(clears="missing_by_label")
def missing_whatever_the_label(subject: Subject, rng: np.random.Generator) -> Subject:
    """Make a tenth of one column's training values missing at random, and no others."""
    return _missing_at_random(subject, rng)


@fault(
    breaks="missing_by_label",
    severities=SEVERITIES,
    starts_from="missing_whatever_the_label",
)
def missing_more_for_one_label(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Make a second column's training values missing in a share of the rows of the most frequent label."""
    target = target_of(subject, "train")
    if subject.task.is_classification:
        codes = target
    else:
        codes = (target > np.median(target)).astype(np.int64)
    return _missing_more(subject, codes, severity, rng)


@control(clears="missing_by_group")
def missing_whatever_the_group(subject: Subject, rng: np.random.Generator) -> Subject:
    """Make a tenth of one column's training values missing at random, and no others."""
    return _missing_at_random(subject, rng)


@fault(
    breaks="missing_by_group",
    severities=SEVERITIES,
    starts_from="missing_whatever_the_group",
)
def missing_more_for_one_group(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Make a second column's training values missing in a share of the rows of the largest group.

    The first sensitive attribute that has names.

    Also alarms: missing_by_label (where the group's labels differ)
    """
    attributes = subject.splits["train"].attributes
    named = [
        attributes[a] for a in subject.roles.sensitive if a in attributes and attributes[a].names
    ]
    if not named:
        raise NotApplicable("no sensitive attribute with named groups")
    return _missing_more(subject, named[0].values.astype(np.int64), severity, rng)


def _missing_at_random(subject: Subject, rng: np.random.Generator) -> Subject:
    inputs = _float_inputs(subject)
    columns = inputs.reshape(len(inputs), -1)
    for column in columns.T:
        gone = ~np.isfinite(column)
        if gone.all():
            column[:] = 0
        elif gone.any():
            column[gone] = rng.choice(column[~gone], int(gone.sum()))
    columns[rng.random(len(columns)) < AT_RANDOM, 0] = np.nan
    return subject.with_inputs("train", inputs)


def _missing_more(
    subject: Subject, codes: np.ndarray, severity: float, rng: np.random.Generator
) -> Subject:
    """In arrays the rows that miss nothing yet lose a value: any missing value counts there."""
    if severity == 0:
        return subject
    known, counts = np.unique(codes[codes >= 0], return_counts=True)
    if (counts >= FEWEST_ROWS).sum() < 2:
        raise NotApplicable(f"no two labels or groups have {FEWEST_ROWS} training rows")
    inputs = _float_inputs(subject)
    columns = inputs.reshape(len(inputs), -1)
    chosen = codes == known[counts.argmax()]
    share = severity if subject.columns else severity / (1 - AT_RANDOM)
    gone = chosen & (rng.random(len(codes)) < share)
    columns[gone, _second_column(subject, columns.shape[1])] = np.nan
    return subject.with_inputs("train", inputs)


def _second_column(subject: Subject, width: int) -> int:
    if width < 2:
        raise NotApplicable("one column; a second one is needed")
    sensitive = set(subject.roles.sensitive)
    usable = [j for j, c in enumerate(subject.columns) if j > 0 and c.name not in sensitive]
    return usable[-1] if usable else width - 1


def _float_inputs(subject: Subject) -> np.ndarray:
    inputs = inputs_of(subject, "train")
    return inputs.copy() if inputs.dtype.kind == "f" else inputs.astype(np.float32)
