"""The same rates where several attributes meet: a model can be even on each and uneven on both together."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.fairness.artifacts import Counts
from roadworthy.challenges.fairness.checks import BOUND, OF_ONE_LABEL
from roadworthy.challenges.fairness.gaps import gap_between_groups
from roadworthy.challenges.fairness.rates import (
    ERROR,
    FALSE_POSITIVE,
    FEWEST,
    SELECTION,
    TRUE_POSITIVE,
    rates_by_group,
)
from roadworthy.engine import check
from roadworthy.results import Measurement

if TYPE_CHECKING:
    from roadworthy.subject import Task


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def intersectional_parity_gap(
    test_intersection_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often one group by several attributes at once gets the positive decision than another.

    `demographic_parity_gap` over the groups that two sensitive attributes make together (three:
    `--set group_intersections.depth=3`; Buolamwini & Gebru 2018). Combinations that no test row is are left out;
    small ones are named, and keep it from passing.

    Unit: share of rows (difference between groups). Qualified at: n = 4,500; passes from 10,000 rows.
    Next: ask first whether the groups differ in truth or in how they were labelled; then reweigh by both attributes at once.
    """
    families = rates_by_group(test_intersection_counts, SELECTION, task)
    return gap_between_groups(
        families, smallest_group, rng, resamples, unit="share of rows (difference between groups)"
    )


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def intersectional_odds_gap(
    test_intersection_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much the mistakes differ between groups by several attributes at once.

    `equalized_odds_gap` over the groups that two sensitive attributes make together; see
    `intersectional_parity_gap`.

    Unit: share of the positives, or of the negatives (difference between groups). Qualified at: n = 5,000; passes from n = 10,000 positives.
    Next: collect rows of the combination that is named, or train with a penalty on the gap over combinations.
    """
    families = [
        family
        for rate in (TRUE_POSITIVE, FALSE_POSITIVE)
        for family in rates_by_group(test_intersection_counts, rate, task)
    ]
    unit = OF_ONE_LABEL
    return gap_between_groups(families, smallest_group, rng, resamples, unit=unit)


@check(challenge="fairness", requires=BOUND, least=FEWEST)
def intersectional_error_gap(
    test_intersection_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    resamples: int = 2000,
) -> Measurement:
    """How much more often the decisions on one group by several attributes at once are wrong than on another.

    `error_rate_gap` over the groups that two sensitive attributes make together; see
    `intersectional_parity_gap`.

    Unit: share of rows (difference between groups). Qualified at: n = 4,500; passes from 10,000 rows.
    Next: look at which mistakes make the difference, and collect rows of the combination that is named.
    """
    families = rates_by_group(test_intersection_counts, ERROR, task)
    return gap_between_groups(
        families, smallest_group, rng, resamples, unit="share of rows (difference between groups)"
    )
