"""Training rows that leave a part of the population out: faults of training, which remedies are proven on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics.slices import Conditions, some_part

if TYPE_CHECKING:
    from roadworthy.subject import Subject
    from roadworthy.subject.grouping import Grouping

FEWEST_LEFT = 3


@fault(breaks="weak_slices", severities=(0.8, 0.95), truth=False)
def slice_thinned_out(
    subject: "Subject", severity: float, rng: Generator, train_conditions: Conditions
) -> "Subject":
    """Take this share of the training rows of one part away, drawn by chance from parts of a tenth to four tenths.

    Validation and test rows stay: they show whom the model fails. The model is trained again.

    Also alarms: group_coverage (the part is missing from training), errors_left (it is answered badly), overfitting_gap (test rows are missed), calibration_error (it is not expected), classwise_calibration_error (the same).
    """
    if severity == 0.0:
        return subject
    return _thinned(subject, some_part(train_conditions, rng), severity, rng)


@fault(breaks="group_coverage", severities=(0.5, 0.8), truth=False)
def group_left_out(
    subject: "Subject",
    severity: float,
    rng: Generator,
    train_groups: "Mapping[str, Grouping]",
) -> "Subject":
    """Take this share of the training rows of one group away: the second largest of the first sensitive attribute.

    Validation and test rows stay. The model is trained again.

    Also alarms: weak_slices (the group may be answered badly), errors_left (the same).
    """
    if severity == 0.0:
        return subject
    name, grouping = next(iter(train_groups.items()))
    order = np.argsort(-grouping.sizes, kind="stable")
    if len(order) < 2:
        raise NotApplicable(f"{name} has one group")
    return _thinned(subject, grouping.codes == order[1], severity, rng)


def _thinned(subject: "Subject", inside: np.ndarray, severity: float, rng: Generator) -> "Subject":
    members = np.flatnonzero(inside)
    count = min(round(severity * len(members)), len(members) - FEWEST_LEFT)
    if count <= 0:
        raise NotApplicable(f"the part has {len(members)} training rows already")
    keep = np.ones(len(inside), bool)
    keep[rng.choice(members, count, replace=False)] = False
    return subject.with_split("train", subject.splits["train"].take(keep)).retrained()
