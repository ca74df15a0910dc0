"""Checks of decisions by group: who is chosen, who is overlooked, who is wrongly chosen, who can rely on it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.fairness.artifacts import Counts
from roadworthy.challenges.fairness.gaps import gap_between_groups
from roadworthy.challenges.fairness.rates import (
    ERROR,
    FALSE_POSITIVE,
    FEWEST,
    PRECISION,
    SELECTION,
    TRUE_POSITIVE,
    Enough,
    rates_by_group,
)
from roadworthy.challenges.fairness.selection import ratios_table
from roadworthy.engine import check
from roadworthy.results import AtMost, Measurement

if TYPE_CHECKING:
    from roadworthy.subject import Task

OF_ONE_LABEL = "share of the positives, or negatives (difference between groups)"
BOUND = AtMost(0.1, "house default: ten points between groups; no law names a number for this rate")


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def demographic_parity_gap(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often one group gets the positive decision than another.

    Largest difference between groups in the share of rows that are decided positive, whatever is true of
    them (statistical parity, Dwork et al. 2012); of several classes each against the rest. The largest over
    the sensitive attributes, with an interval that allows for the number of groups (the test of "no two
    differ by more than d", inverted), of attributes and of classes. Groups with fewer than 30 rows are not
    judged, and while one has fewer than 100 nothing passes. Where the truth differs between groups a perfect
    model has a gap too: whether that is unfair is not for statistics to say.

    Unit: share of rows (difference between groups). Qualified at: n = 1,500; passes from 4,000 rows.
    Next: ask first whether the groups differ in truth or in how they were labelled; then reweigh, or choose thresholds by group.
    """
    families = rates_by_group(test_group_counts, SELECTION, task)
    return gap_between_groups(
        families, smallest_group, rng, resamples, unit="share of rows (difference between groups)"
    )


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def equal_opportunity_gap(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often a deserving member of one group is recognised than one of another.

    Largest difference between groups in the true positive rate (Hardt, Price & Srebro 2016). The evidence is
    the positives of a group, not its rows. It takes the labels for the truth. Interval, small groups and
    classes as for `demographic_parity_gap`.

    Unit: share of the positives (difference between groups). Qualified at: n = 1,500; passes from n = 4,000 positives.
    Next: collect positives of the group that is overlooked, or train with a penalty on the gap; then look at the other rates again.
    """
    families = rates_by_group(test_group_counts, TRUE_POSITIVE, task)
    return gap_between_groups(
        families,
        smallest_group,
        rng,
        resamples,
        unit="share of the positives (difference between groups)",
    )


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def equalized_odds_gap(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much the mistakes differ between groups: being overlooked, or being wrongly chosen.

    The larger of the gaps in the true positive and the false positive rate (Hardt, Price & Srebro 2016),
    corrected for being the larger of two. It takes the labels for the truth: see `label_bias_bounds`. Interval,
    small groups and classes as for `demographic_parity_gap`; each rate is judged on its own denominator.

    Unit: share of the positives, or of the negatives (difference between groups). Qualified at: n = 1,500; passes from n = 4,000 positives.
    Next: train with a penalty on the gap, or choose thresholds by group on validation rows; then look at the other rates again.
    """
    families = [
        family
        for rate in (TRUE_POSITIVE, FALSE_POSITIVE)
        for family in rates_by_group(test_group_counts, rate, task)
    ]
    unit = OF_ONE_LABEL
    return gap_between_groups(families, smallest_group, rng, resamples, unit=unit)


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def predictive_parity_gap(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often a positive decision is right in one group than in another.

    Largest difference between groups in precision (Chouldechova 2017). Where the truth differs between groups
    this and equal error rates cannot both hold, unless the model is perfect (ibid., section 2). Interval, small
    groups and classes as for `demographic_parity_gap`; the evidence is the rows that are decided positive.

    Unit: share of positive decisions (difference between groups). Qualified at: n = 1,500; passes from n = 4,000 positive decisions.
    Next: calibrate by group, or say for which group a positive decision means less.
    """
    families = rates_by_group(test_group_counts, PRECISION, task)
    return gap_between_groups(
        families,
        smallest_group,
        rng,
        resamples,
        unit="share of positive decisions (difference between groups)",
    )


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def error_rate_gap(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often the decisions on one group are wrong than those on another.

    Largest difference between groups in the share of wrong decisions (overall accuracy equality, Berk et al.
    2021). Interval and small groups as for `demographic_parity_gap`. The ratio of the rates stands beside the gap, with an
    interval: a house could hold it to four fifths, which the law asks of selection alone.

    Unit: share of rows (difference between groups). Qualified at: n = 1,500; passes from 4,000 rows.
    Next: look at which mistakes make the difference, and collect rows of the group that is served worse.
    """
    families = rates_by_group(test_group_counts, ERROR, task)
    unit = "share of rows (difference between groups)"
    found = gap_between_groups(families, smallest_group, rng, resamples, unit=unit)
    ratios = ratios_table(families, Enough.of(smallest_group))
    return replace(found, evidence=(*found.evidence, ratios))
