"""The four-fifths rule: how often the least chosen group is chosen, as a share of the most chosen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from roadworthy.challenges.fairness.artifacts import Counts
from roadworthy.challenges.fairness.evidence import groups_table, rates_figure
from roadworthy.challenges.fairness.rates import (
    FEWEST,
    SELECTION,
    Enough,
    GroupRates,
    doubted_by_groups,
    positive_class,
    rates_by_group,
    said_of,
)
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtLeast, Cell, Measurement, Table
from roadworthy.statistics import percent, smallest_of
from roadworthy.statistics.luck import luck_of_equal_groups
from roadworthy.statistics.rate_ratios import smallest_ratio

if TYPE_CHECKING:
    from roadworthy.subject import Task

FOUR_FIFTHS = AtLeast(0.8, "29 CFR 1607.4(D), Uniform Guidelines on Employee Selection Procedures")
UNIT = "share of the rate of the most chosen group"


@check(challenge="fairness", requires=FOUR_FIFTHS, least=FEWEST)
def selection_ratio(
    test_group_counts: Counts,
    task: "Task",
    rng: np.random.Generator,
    smallest_group: int | None = None,
    *,
    favourable: Literal["positive", "negative"] = "positive",
    resamples: int = 2000,
) -> Measurement:
    """How often the least chosen group is chosen, as a share of how often the most chosen is.

    The rule of four fifths. It says itself that smaller differences may matter where they are significant, and
    greater ones may not where they are based on small numbers: of two equal groups of 50 that are chosen at 10 %
    two samples in three break it by luck, so the interval decides, not the ratio. Being chosen is the positive
    decision; where that is the harm (a risk, an accusation) set `favourable=negative`. Of several classes
    none is known to be the favour, so it is not asked.

    Unit: share of the rate of the most chosen group. Qualified at: n = 2,000; passes from 8,000 rows where a quarter is chosen.
    Next: see who is not chosen, and what the decision rests on; what narrows the gap in decisions raises the ratio.
    """
    if task.kind != "binary":
        raise NotApplicable(f"which of {len(task.classes)} classes is the favour is not known")
    enough = Enough.of(smallest_group)
    families = rates_by_group(test_group_counts, SELECTION, task)
    if favourable == "negative":
        families = [_of_the_others(family, task) for family in families]
    ratios = [r for f in families if (r := ratio_of(f, enough)) is not None]
    if not ratios:
        raise NotApplicable("no attribute has two groups of which somebody is chosen")
    judged = [r for r in ratios if r[1].n >= enough.fewest] or ratios
    worst, found = min(judged, key=lambda r: r[1].value)
    luck = luck_of_equal_groups(worst.hits, worst.sizes, rng, resamples)
    rates = worst.rates
    low, high = int(np.argmin(rates)), int(np.argmax(rates))
    details = (
        f"By {worst.attribute}, {said_of(worst, low)} and {said_of(worst, high)} were {worst.of}: a ratio of "
        f"{found.value:.2f}. Equal groups of these sizes and this rate would be below 0.80 in "
        f"{percent(luck.below)} of {resamples:,} samples by luck alone."
    )
    if worst.unknown:
        details += f" The group of {worst.unknown:,} more is not known; the interval holds whichever they are of."
    evidence = (
        rates_figure(worst, enough),
        ratios_table(families, enough),
        groups_table(families, enough),
    )
    whole = smallest_of([m for _, m in judged], details=details, evidence=evidence)
    dropped = [family for family in families if ratio_of(family, enough) is None]
    return doubted_by_groups(whole, families, dropped, enough)


def ratios_table(families: Sequence[GroupRates], enough: Enough) -> Table:
    """Return the smallest over the largest rate of each family, with its interval."""
    rows: list[tuple[Cell, ...]] = []
    for family in families:
        found = ratio_of(family, enough)
        if found is not None:
            ratio = found[1]
            interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
            rows.append((family.attribute, family.of, round(ratio.value, 4), interval))
    header = ("by", "share that was", "ratio", "95 % interval")
    return Table("Smallest over largest rate", header, tuple(rows))


def ratio_of(family: GroupRates, enough: Enough) -> tuple[GroupRates, Measurement] | None:
    """Return the groups compared and their ratio; where fewer than two are large enough, all and a small n."""
    large = family.sizes >= enough.fewest
    kept = large if large.sum() >= 2 else family.sizes > 0
    judged = family.take(kept)
    if kept.sum() < 2 or not judged.hits.any():
        return None
    found = smallest_ratio(
        judged.hits,
        judged.sizes,
        unknown_hits=judged.unknown_hits,
        unknown_misses=judged.unknown_misses,
        unit=UNIT,
    )
    return judged, found if large.sum() >= 2 else replace(found, n=int(judged.sizes.min()))


def _of_the_others(family: GroupRates, task: "Task") -> GroupRates:
    """Return the rates of the other decision."""
    other = task.classes[1 - positive_class(task)]
    return replace(
        family,
        of=SELECTION.words.format(c=f'"{other}"'),
        hits=family.sizes - family.hits,
        unknown_hits=family.unknown_misses,
        unknown_misses=family.unknown_hits,
    )
