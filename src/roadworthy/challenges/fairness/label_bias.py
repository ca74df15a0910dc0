"""What wrong labels could hide: bounds of the gap when a stated share of each group's labels may be wrong.

Rates that are conditioned on the label cannot see that the label itself is unfair ("arrested" for "offended"). Nothing
in the data tells a biased label from a true difference, so nothing is estimated here: a share is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.fairness.artifacts import Counts
from roadworthy.challenges.fairness.rates import FEWEST, Enough, positive_class
from roadworthy.engine import check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import Cell, Measurement, Quantiles, Table
from roadworthy.statistics import measured, percent

if TYPE_CHECKING:
    from roadworthy.subject import Task

EDGE = 1e-9
STEPS = 200  # of the share that closes a gap


@dataclass(frozen=True, eq=False)
class Possible:
    """The least and most that a rate of each group can be: (g,) float64 each."""

    low: np.ndarray
    high: np.ndarray

    @property
    def least_gap(self) -> float:
        """The gap that remains however the wrong labels lie."""
        return max(float(self.low.max() - self.high.min()), 0.0)

    @property
    def greatest_gap(self) -> float:
        """The gap that may be there."""
        apart = self.high[:, None] - self.low[None, :]
        np.fill_diagonal(apart, 0.0)
        return float(apart.max())


@check(challenge="fairness", least=FEWEST)
def label_bias_bounds(
    test_group_counts: Counts,
    task: "Task",
    smallest_group: int | None = None,
    *,
    wrong: float = 0.05,
) -> Measurement:
    """How large the gap in mistakes may really be if some labels of each group are wrong.

    The true and false positive rates take the labels for the truth. If in each group up to a share `wrong` of all
    rows had the other label (5 % unless set: `--set label_bias_bounds.wrong=0.1`), the larger of the two gaps
    would lie between these bounds, whichever of the two that then is. The bounds of each gap by itself are attained; those of the larger hold, and its lower
    one may not be attained, since labels that close one gap may open the other. Which labels are wrong cannot be told from the data alone: this is no estimate, and
    says nothing of chance. Labels checked by another way, even a few hundred, say more. Groups below the fewest
    that are judged are left out.

    Unit: share of the positives, or negatives (difference between groups). Qualified at: exact for every n, given the share.
    Next: have a sample of labels of each group looked at by people who do not know the group, and set `wrong` to what they find.
    """
    if task.kind != "binary":
        raise NotApplicable("bounds under wrong labels are worked out for two classes")
    if not 0.0 <= wrong < 1.0:
        raise UserError(
            f"[options] label_bias_bounds.wrong is {wrong:g}; a share from 0 to below 1 was expected, as in "
            '--set "label_bias_bounds.wrong=0.1".'
        )
    k, enough = positive_class(task), Enough.of(smallest_group)
    rows: list[tuple[Cell, ...]] = []
    found: list[tuple[float, float, float, int]] = []
    for attribute, table in test_group_counts.items():
        kept = [large_groups(table["counts"], k, rate, enough.fewest) for rate in (0, 1)]
        for rate, counts in enumerate(kept):
            if len(counts) < 2:
                continue
            seen, possible = (possible_rates(counts, k, rate, w) for w in (0.0, wrong))
            closing = share_that_closes(counts, k, rate)
            found.append(
                (seen.greatest_gap, possible.least_gap, possible.greatest_gap, int(counts.sum()))
            )
            shown = (round(v, 4) for v in found[-1][:3])
            rows.append((attribute, RATES[rate], *shown, closing))
    if not found:
        raise NotApplicable(
            f"no attribute has two groups with {enough.fewest} positives or {enough.fewest} negatives"
        )
    worst = max(range(len(found)), key=lambda i: found[i][0])
    value, n = found[worst][0], found[worst][3]
    # The larger of several gaps is at least the largest they must be, and at most the largest they may be.
    low, high = max(bounds[1] for bounds in found), max(bounds[2] for bounds in found)
    header = (
        "by",
        "rate",
        "gap as labelled",
        "at least",
        "at most",
        "wrong labels that could close it",
    )
    title = f"Gaps if up to {percent(wrong)} of each group's labels are wrong"
    between = Quantiles((EDGE, 0.5 - EDGE, 0.5 + EDGE, 1.0 - EDGE), (low, low, high, high))
    return measured(
        value,
        n,
        between,
        unit="share of the positives, or negatives (difference between groups)",
        method="bounds under a stated share of wrong labels; chance plays no part",
        details=_details(rows, worst, f"{percent(low)} to {percent(high)}", percent(wrong)),
        evidence=(Table(title, header, tuple(rows)),),
    )


def _details(rows: Sequence[tuple[Cell, ...]], worst: int, between: str, wrong: str) -> str:
    """Return the gap as labelled, what it may be, whose gap then is largest, and what closes it."""
    by, rate, gap, *_, closing = rows[worst]
    widest = max(rows, key=lambda row: float(row[4] or 0.0))
    said = (
        f"By {by}, the gap in the {rate} is {percent(float(gap or 0.0))} by the labels as they are, the largest. With up to "
        f"{wrong} of each group's labels wrong the largest lies from {between}"
    )
    if widest is not rows[worst]:
        said += f": that in the {widest[1]} by {widest[0]} may be largest"
    if closing is None:
        return f"{said}. No share of wrong labels closes the first."
    return (
        f"{said}. The first could be no gap at all from {percent(float(closing))} wrong labels on."
    )


RATES = ("true positive rate", "false positive rate")


def large_groups(counts: np.ndarray, k: int, rate: int, fewest: int) -> np.ndarray:
    """Return the counts of groups whose denominator is large enough: (g, 2, 2)."""
    label = k if rate == 0 else 1 - k
    return counts[counts[:, label, :].sum(axis=1) >= fewest]


def possible_rates(counts: np.ndarray, k: int, rate: int, wrong: float) -> Possible:
    """Return what the rate of each group can be when up to a share of its labels is wrong.

    Of one decision some rows may change into the denominator and raise it, of the other some may leave it: with x
    rows of the first kind and y of the second, (hits + x) / (size + x - y). That is monotone in x where x + y is fixed,
    so the ends lie where one of them is as large as it can be.

    Parameters
    ----------
    counts : (g, 2, 2) ndarray
        [group, label, decision].
    k : int
        Positive class.
    rate : int
        0: true positive rate; 1: false positive rate.
    wrong : float
    """
    label = k if rate == 0 else 1 - k
    inside, outside = counts[:, label, :].astype(np.float64), counts[:, 1 - label, :]
    hits, misses = inside[:, k], inside[:, 1 - k]
    budget = np.floor(wrong * counts.sum(axis=(1, 2)) + EDGE)
    high = _most(hits, misses, outside[:, k], budget)
    low = 1.0 - _most(misses, hits, outside[:, 1 - k], budget)
    return Possible(low, high)


def share_that_closes(counts: np.ndarray, k: int, rate: int) -> float | None:
    """Return the smallest share of wrong labels in each group under which there may be no gap; None without one."""
    for wrong in np.arange(STEPS + 1) / STEPS:
        if possible_rates(counts, k, rate, float(wrong)).least_gap == 0.0:
            return float(wrong)
    return None


def _most(
    hits: np.ndarray, misses: np.ndarray, joining: np.ndarray, budget: np.ndarray
) -> np.ndarray:
    """Return the largest share of hits when up to `budget` rows join as hits or leave as misses."""
    found: list[np.ndarray] = []
    for joins_first in (True, False):
        if joins_first:
            x = np.minimum(joining, budget)
            y = np.minimum(misses, budget - x)
        else:
            y = np.minimum(misses, budget)
            x = np.minimum(joining, budget - y)
        size = hits + x + misses - y
        found.append(np.where(size > 0, (hits + x) / np.maximum(size, 1.0), 1.0))
    return np.maximum(*found)
