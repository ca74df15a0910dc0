"""Gaps of means between groups: of stated chances against what happened, and of errors of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roadworthy.challenges.fairness.rates import Enough, thin_sizes, unknown_groups
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Cell, Intervals, Measurement, Table, doubted, short_of_examples
from roadworthy.statistics import largest_of, mean
from roadworthy.statistics.mean_gaps import largest_mean_gap

if TYPE_CHECKING:
    from roadworthy.subject import Grouping

FEWEST_FOR_A_MEAN = 2


class MeansOfGroups(NamedTuple):
    """The means of one number over the groups of one attribute, and the gap between them.

    Parameters
    ----------
    attribute : str
    names : tuple of str
        Of the groups compared.
    means : tuple of Measurement
    gap : Measurement
    is_judged : bool
        Whether two groups are large enough; else the gap is that of all, and its n the smallest group.
    """

    attribute: str
    names: tuple[str, ...]
    means: tuple[Measurement, ...]
    gap: Measurement
    is_judged: bool


def mean_gap(
    groups: "Mapping[str, Grouping]",
    values: np.ndarray,
    smallest_group: int | None,
    *,
    unit: str,
    of: str,
    bounds: tuple[float, float] | None = None,
) -> Measurement:
    """Return the largest difference of means between groups, over attributes.

    For each pair of groups Welch's t corrected for skewness; the lower end is that of the pair that shows
    most, at a k-th of the error for k pairs, the upper end the largest of any pair (Berger 1982). Groups that are
    too small take no part, and keep it from passing; where fewer than two are large enough, the gap is that of all: it may
    fail, as an interval wholly beyond the bound is evidence from few rows too, and never passes. Rows of unknown group are dealt as is worst for either end.

    Parameters
    ----------
    groups : mapping of attribute to Grouping
    values : (n,) ndarray
    smallest_group : int or None
    unit : str
    of : str
        What the mean is of, in words: "claimed more than happened".
    bounds : (float, float), optional
        Least and most that a value can be; see `largest_mean_gap`.
    """
    enough = Enough.of(smallest_group)
    found = [
        means
        for attribute, grouping in groups.items()
        if (means := _means_of(attribute, grouping, values, enough, unit, bounds)) is not None
    ]
    if not found:
        raise NotApplicable(
            f"no attribute has two groups of at least {FEWEST_FOR_A_MEAN} rows to take a mean over"
        )
    compared = [means for means in found if means.is_judged] or found
    worst = max(compared, key=lambda means: means.gap.value)
    every = largest_of(
        [means.gap for means in compared] if worst.is_judged else [worst.gap],
        details=_details(worst, of),
        evidence=(_figure(worst, of, unit), _table(found, groups, enough, of)),
    )
    thin = [thin_sizes(by, each.names, each.sizes, enough) for by, each in groups.items()]
    told = {means.attribute for means in found}
    unknown = [unknown_groups(by, each.unknown) for by, each in groups.items() if by not in told]
    why = tuple(filter(None, (*thin, *unknown)))
    return (short_of_examples if any(thin) else doubted)(every, why)


def _means_of(
    attribute: str,
    grouping: "Grouping",
    values: np.ndarray,
    enough: Enough,
    unit: str,
    bounds: tuple[float, float] | None,
) -> MeansOfGroups | None:
    measurable = grouping.sizes >= FEWEST_FOR_A_MEAN
    large = measurable & (grouping.sizes >= enough.fewest)
    is_judged = bool(large.sum() >= 2)
    kept = np.flatnonzero(large if is_judged else measurable)
    if len(kept) < 2:
        return None
    rows = [values[grouping.codes == g] for g in kept]
    means = tuple(mean(r, unit=unit, bounds=bounds) for r in rows)
    names = tuple(grouping.names[g] for g in kept)
    gap = largest_mean_gap(rows, values[grouping.codes < 0], unit=unit, bounds=bounds)
    if not is_judged:
        # Judged by the group of which least is known.
        gap = replace(gap, n=min(len(r) for r in rows))
    return MeansOfGroups(attribute, names, means, gap, is_judged)


def _details(worst: MeansOfGroups, of: str) -> str:
    values = [m.value for m in worst.means]
    high, low = int(np.argmax(values)), int(np.argmin(values))
    return (
        f"By {worst.attribute}, {of} on average {values[high]:.3g} for {worst.names[high]} and "
        f"{values[low]:.3g} for {worst.names[low]}."
    )


def _figure(worst: MeansOfGroups, of: str, unit: str) -> Intervals:
    order = sorted(range(len(worst.names)), key=lambda i: -worst.means[i].value)
    shown = [worst.means[i] for i in order]
    return Intervals(
        title=f"{of[:1].upper()}{of[1:]}, by {worst.attribute}",
        label=Axis(worst.attribute),
        value=Axis(of, unit),
        labels=tuple(f"{worst.names[i]} ({worst.means[i].n:,})" for i in order),
        values=tuple(round(m.value, 6) for m in shown),
        lows=tuple(round(m.low, 6) for m in shown),
        highs=tuple(round(m.high, 6) for m in shown),
        reference=0.0,
    )


def _table(
    found: Sequence[MeansOfGroups], groups: "Mapping[str, Grouping]", enough: Enough, of: str
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for means in found:
        of_group = dict(zip(means.names, means.means, strict=True))
        grouping = groups[means.attribute]
        for name, n in zip(grouping.names, grouping.sizes, strict=True):
            m = of_group.get(name)
            shown: tuple[Cell, Cell] = (None, None)
            if m is not None:
                shown = (round(m.value, 4), f"{m.low:.3f} to {m.high:.3f}")
            rows.append((f"{means.attribute}: {name}", int(n), *shown, enough.said(int(n))))
        if grouping.unknown:
            rows.append(
                (f"{means.attribute}: (not known)", grouping.unknown, None, None, "as bounds")
            )
    header = ("group", "rows", of, "95 % interval", "judged")
    return Table("Every group", header, tuple(rows))
