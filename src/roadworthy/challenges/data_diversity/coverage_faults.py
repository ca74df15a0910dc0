"""A group that is thinned out in the training rows by a known share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import Missing, control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Subject
    from roadworthy.subject.grouping import Grouping

Groups = Mapping[str, "Grouping"]
SMALLEST, LARGEST = 0.15, 0.6  # share of a group that is thinned out


@control(clears="group_coverage")
def groups_dealt_at_random(
    subject: "Subject", rng: Generator, train_groups: Groups, test_groups: Groups
) -> "Subject":
    """Deal the people of training and test rows to the two at random: every group then has its share.

    Of one attribute, the first; pairs and conditions on columns play no part. Rows keep their inputs and targets.
    """
    name = next(iter(train_groups))
    both = np.concatenate([train_groups[name].codes, test_groups[name].codes])
    dealt = rng.permutation(both)
    n = len(train_groups[name].codes)
    return _given(subject, name, train_groups[name], dealt[:n], dealt[n:])


@fault(
    breaks="group_coverage",
    severities=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6),
    starts_from="groups_dealt_at_random",
)
def group_thinned_out(
    subject: "Subject",
    severity: float,
    rng: Generator,
    train_groups: Groups,
    test_groups: Groups,
) -> "Subject":
    """Take rows of one group out of training, so that it lacks this share of the rows that it should have.

    Each row of the group stays with the chance (1 - s) (1 - p) / (1 - p (1 - s)), p being its share. Test rows
    stay as they are; other groups gain.

    Also alarms: nothing else, as only the groups of rows are looked at.
    """
    if severity == 0.0:
        return subject
    name, grouping = next(iter(train_groups.items()))
    shares = grouping.sizes / max(grouping.sizes.sum(), 1)
    fit = np.flatnonzero((shares >= SMALLEST) & (shares <= LARGEST))
    if len(fit) == 0:
        raise NotApplicable(f"no group of {name} holds {SMALLEST:.0%} to {LARGEST:.0%} of the rows")
    chosen = int(fit[rng.integers(len(fit))])
    left = shares[chosen] * (1.0 - severity)
    stays = (1.0 - severity) * (1.0 - shares[chosen]) / (1.0 - left)
    codes = grouping.codes
    keep = (codes != chosen) | (rng.random(len(codes)) < stays)
    return _given(subject, name, grouping, codes[keep], test_groups[name].codes)


def _given(
    subject: "Subject", name: str, like: "Grouping", train: np.ndarray, test: np.ndarray
) -> "Subject":
    from roadworthy.subject.grouping import Grouping

    apart = Missing("not_applicable", "one attribute alone is looked at")
    return subject.with_given(
        train_groups={name: Grouping(train, like.names, like.cut)},
        test_groups={name: Grouping(test, like.names, like.cut)},
        train_group_intersections=apart,
        test_group_intersections=apart,
        train_conditions=apart,
        test_conditions=apart,
    )
