"""A defect whose effect only training decides, for proving remedies: training rows from which one group's positives are gone."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Subject
    from roadworthy.subject.grouping import Grouping

LEFT = 20  # positives that the group keeps at least
ENOUGH = 60  # positives of a group that can lose most of them


@fault(breaks="equalized_odds_gap", severities=(0.4, 0.6, 0.8), truth=False)
def positives_of_one_group_left_out(
    subject: "Subject",
    severity: float,
    rng: Generator,
    train_groups: "Mapping[str, Grouping]",
    train_labels: np.ndarray,
) -> "Subject":
    """Leave a share of one group's positives out of the training rows, as where they were never recorded.

    It is the group, of the first sensitive attribute, with the fewest positives of those that have 60. The model then
    overlooks members of it. Labels are right, and validation and test rows stay as they are.

    Severity: share of the group's positive training rows.

    Also alarms: demographic_parity_gap and selection_ratio (the group is chosen less), equal_opportunity_gap and
    intersectional_odds_gap (it is overlooked), errors_left (the shares of classes are no longer those of test rows).
    """
    if severity == 0.0:
        return subject
    positive = 1 if subject.task.positive is None else subject.task.positive
    grouping = next(iter(train_groups.values()))
    own = (train_labels == positive) & (grouping.codes >= 0)
    counts = np.bincount(grouping.codes[own], minlength=len(grouping.names))
    large = np.flatnonzero(counts >= ENOUGH)
    if not len(large) or np.count_nonzero(counts) < 2:
        raise NotApplicable(
            f"no group beside another one has {ENOUGH} positive training rows to leave some out of"
        )
    rows = np.flatnonzero(own & (grouping.codes == large[counts[large].argmin()]))
    gone = rng.permutation(rows)[: min(round(severity * len(rows)), len(rows) - LEFT)]
    keep = np.setdiff1d(np.arange(len(train_labels)), gone)
    return subject.with_split("train", subject.splits["train"].take(keep)).retrained()
