"""Checks of amounts by group: stated chances against what happened, and the errors of predicted numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.fairness.means import mean_gap
from roadworthy.challenges.fairness.rates import FEWEST, positive_class
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Task

OF_A_SPREAD = AtMost(0.1, "house default: a tenth of the spread of the target between groups")
SPREADS = "standard deviations of the target"


@artifact(per="split", shape="n", rows=True)
def excess_claims(probabilities: np.ndarray, labels: np.ndarray, task: "Task") -> np.ndarray:
    """Stated chance of the positive class minus whether it happened: (n,) float64, -1 to 1."""
    if task.kind != "binary":
        raise NotApplicable("a stated chance is compared by group for two classes only")
    positive = positive_class(task)
    return probabilities[:, positive] - (labels == positive)


@artifact()
def target_spread(
    train_targets: np.ndarray | None = None, test_targets: np.ndarray | None = None
) -> float:
    """Spread of the target: its standard deviation over the training rows (without them, the test rows)."""
    known = test_targets if train_targets is None else train_targets
    if known is None:
        raise NotApplicable("the target is a class, not a number")
    if len(known) < 2 or not np.std(known) > 0:
        raise NotApplicable("the target does not vary, so that errors have no yardstick")
    return float(np.std(known, ddof=1))


@check(
    challenge="fairness",
    requires=AtMost(0.1, "house default: ten points between groups; no law names a number"),
    least=FEWEST,
)
def calibration_gap(
    test_excess_claims: np.ndarray,
    test_groups: "Mapping[str, Grouping]",
    smallest_group: int | None = None,
) -> Measurement:
    """How much more is claimed than happens in one group than in another.

    Largest difference between groups in the mean of stated chance minus outcome (calibration in the large by
    group; Pleiss et al. 2017): one group's risk is overstated, or another's understated. Errors that cancel
    within a group are not seen: `calibration_error` has these. Where base rates differ this and equal error rates
    cannot both hold (Kleinberg, Mullainathan & Raghavan 2017). Welch intervals of all pairs, corrected.

    Unit: share of rows (difference between groups). Qualified at: n = 1,500; passes from 3,000 rows.
    Next: calibrate on validation rows, by group where the group is known in use; then audit again.
    """
    unit = "share of rows (difference between groups)"
    of = "claimed more than happened"
    bounds = (-1.0, 1.0)
    return mean_gap(
        test_groups, test_excess_claims, smallest_group, unit=unit, of=of, bounds=bounds
    )


@check(challenge="fairness", requires=OF_A_SPREAD, least=FEWEST)
def mean_error_gap(
    test_residuals: np.ndarray,
    test_groups: "Mapping[str, Grouping]",
    target_spread: float,
    smallest_group: int | None = None,
) -> Measurement:
    """How much higher the predicted number is, against the true one, for one group than for another.

    Largest difference between groups in the mean of prediction minus target, in standard deviations of the
    target: one group is overrated, or another underrated. Intervals as for `calibration_gap`.

    Unit: standard deviations of the target. Qualified at: n = 3,500; passes from 8,500 rows.
    Next: look at what the prediction leaves out for the group that is named; do not add a constant before you know.
    """
    scaled = test_residuals / target_spread
    of = "predicted above the truth (standard deviations)"
    return mean_gap(test_groups, scaled, smallest_group, unit=SPREADS, of=of)


@check(challenge="fairness", requires=OF_A_SPREAD, least=FEWEST)
def absolute_error_gap(
    test_residuals: np.ndarray,
    test_groups: "Mapping[str, Grouping]",
    target_spread: float,
    smallest_group: int | None = None,
) -> Measurement:
    """How much larger the errors of predicted numbers are for one group than for another.

    Largest difference between groups in the mean absolute error, in standard deviations of the target (bounded
    group loss compares the same means; Agarwal, Dudik & Wu 2019). Intervals as for `calibration_gap`.

    Unit: standard deviations of the target. Qualified at: n = 1,500; passes from 3,500 rows.
    Next: collect rows of the group that is served worse.
    """
    scaled = np.abs(test_residuals) / target_spread
    return mean_gap(
        test_groups, scaled, smallest_group, unit=SPREADS, of="wrong by (standard deviations)"
    )
