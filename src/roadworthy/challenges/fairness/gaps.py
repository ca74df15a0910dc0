"""The largest gap of a rate between groups, over attributes and classes: measured, with all that was too small said."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from roadworthy.challenges.fairness.evidence import gaps_table, groups_table, rates_figure
from roadworthy.challenges.fairness.rates import Enough, GroupRates, doubted_by_groups, said_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics import largest_of
from roadworthy.statistics.gap_bounds import bounded_gap
from roadworthy.statistics.luck import luck_of_equal_groups


class Gap(NamedTuple):
    """The gap of one rate over the groups of one attribute.

    Parameters
    ----------
    family : GroupRates
        All groups.
    judged : GroupRates
        Those that the gap is over.
    measured : Measurement
    luck : float
        What equal rates would show on average.
    """

    family: GroupRates
    judged: GroupRates
    measured: Measurement
    luck: float


def gap_between_groups(
    families: Sequence[GroupRates],
    smallest_group: int | None,
    rng: np.random.Generator,
    resamples: int,
    *,
    unit: str,
) -> Measurement:
    """Return the largest gap of the families, corrected for their number.

    Groups below the fewest that are judged take no part in the gap; as long as one is below what a pass
    needs, the measurement is doubted: it may fail and does not pass. Where fewer than two groups are
    large enough the gap is that of all, and its n the smallest denominator. An attribute without two groups to
    compare whose rows are not all known is a doubt too: they may be the group that is treated otherwise.
    """
    enough = Enough.of(smallest_group)
    gaps = [
        gap
        for family in families
        if (gap := gap_of(family, enough, rng, resamples, unit)) is not None
    ]
    if not gaps:
        raise NotApplicable(_why_none(families))
    judged = [gap for gap in gaps if _is_judged(gap, enough)]
    worst = max(judged or gaps, key=lambda gap: gap.measured.value)
    surest = max(judged or gaps, key=lambda gap: gap.measured.low)
    evidence: tuple[Evidence, ...] = (
        rates_figure(worst.family, enough),
        gaps_table([(g.family, g.judged, g.measured, g.luck) for g in gaps]),
        groups_table(families, enough),
    )
    details = details_of(worst)
    if surest is not worst and surest.measured.low > worst.measured.low:
        details += f" Surest is this: {details_of(surest)}"
    compared = [g.measured for g in judged] or [worst.measured]
    found = largest_of(compared, details=details, evidence=evidence)
    dropped = [family for family in families if (family.sizes > 0).sum() < 2]
    return doubted_by_groups(found, families, dropped, enough)


def gap_of(
    family: GroupRates, enough: Enough, rng: np.random.Generator, resamples: int, unit: str
) -> Gap | None:
    """Return the gap of one family, None where fewer than two groups have anybody."""
    large = family.sizes >= enough.fewest
    kept = large if large.sum() >= 2 else family.sizes > 0
    if kept.sum() < 2:
        return None
    judged = family.take(kept)
    found = bounded_gap(
        judged.hits, judged.sizes, judged.unknown_hits, judged.unknown_misses, unit=unit
    )
    if large.sum() < 2:
        # Judged by the group of which least is known.
        found = replace(found, n=int(judged.sizes.min()))
    luck = luck_of_equal_groups(judged.hits, judged.sizes, rng, resamples).gap
    return Gap(family, judged, found, luck)


def details_of(gap: Gap) -> str:
    """Return the gap in sentences: the two groups, luck, and the rows of unknown group."""
    judged, rates = gap.judged, gap.judged.rates
    high, low = int(np.argmax(rates)), int(np.argmin(rates))
    observed = float(rates[high] - rates[low])
    said = (
        f"By {judged.attribute}, {said_of(judged, high)} and {said_of(judged, low)} were "
        f"{judged.of}: {100 * observed:.1f} points apart, where equal groups of these sizes would show "
        f"{100 * gap.luck:.1f} by luck."
    )
    unknown = judged.unknown_hits + judged.unknown_misses
    if unknown:
        said += f" The group of {unknown:,} more is not known; the interval holds whichever they are of."
    return said + (f" Groups are cut at {judged.cut}." if judged.cut else "")


def _is_judged(gap: Gap, enough: Enough) -> bool:
    return int((gap.family.sizes >= enough.fewest).sum()) >= 2


def _why_none(families: Sequence[GroupRates]) -> str:
    if not families:
        return "there is no rate to compare"
    first = families[0]
    present = [n for n, size in zip(first.names, first.sizes, strict=True) if size > 0]
    n = int(first.sizes.sum()) or first.unknown
    who = f'all are "{present[0]}"' if present else "nobody's group is known"
    return (
        "a gap needs two groups with rows to take a rate of; "
        f"by {first.attribute}, of {n:,} {first.counted} {who}"
    )
