"""What a reader sees of rates by group: a figure of the attribute that stands out, and tables of all."""

from collections.abc import Sequence

import numpy as np

from roadworthy.challenges.fairness.rates import Enough, GroupRates
from roadworthy.results import Axis, Cell, Intervals, Measurement, Table
from roadworthy.statistics import holm, wilson

MOST_GROUPS = 24  # in a figure that can still be read
MOST_LINES = 200


def rates_figure(family: GroupRates, enough: Enough) -> Intervals:
    """Return the rates of the groups with intervals (Wilson), highest first; those of nobody are left out."""
    present = np.flatnonzero(family.sizes > 0)
    rates = family.rates
    order = present[np.argsort(-rates[present], kind="stable")]
    if len(order) > MOST_GROUPS:
        half = MOST_GROUPS // 2
        order = np.concatenate([order[:half], order[-half:]])
    limits = wilson(family.hits[order], family.sizes[order])
    few = enough.fewest
    labels = [
        f"{family.names[g]} ({int(family.sizes[g]):,})" + ("" if family.sizes[g] >= few else " *")
        for g in order
    ]
    note = f"; * fewer than {few}, not judged" if any(s.endswith("*") for s in labels) else ""
    return Intervals(
        title=f"{_sentence(family.of)}, by {family.attribute} (of how many{note})",
        label=Axis(family.attribute),
        value=Axis(family.of, "share"),
        labels=tuple(labels),
        values=_rounded(rates[order]),
        lows=_rounded(np.asarray(limits.low)),
        highs=_rounded(np.asarray(limits.high)),
        reference=round(float(family.hits.sum() / family.sizes.sum()), 6),
    )


def gaps_table(
    gaps: Sequence[tuple[GroupRates, GroupRates, Measurement, float]],
) -> Table:
    """Return each gap as it was seen, what luck shows, what is left, and its interval by itself."""
    rows: list[tuple[Cell, ...]] = []
    for family, judged, found, luck in gaps:
        of = f"{len(judged.names)} of {len(family.names)}"
        left = max(found.value - luck, 0.0)
        rows.append(
            (
                family.attribute,
                family.of,
                *map(_share, (found.value, luck, left, found.low, found.high)),
                of,
            )
        )
    rows.sort(key=lambda row: -float(row[5]) if isinstance(row[5], float) else 0.0)
    header = (
        "by",
        "share that was",
        "gap",
        "by luck",
        "gap less luck",
        "low",
        "high",
        "groups compared",
    )
    return Table(
        "Gaps between groups, as seen and less what luck alone would show",
        header,
        tuple(rows[:MOST_LINES]),
    )


def groups_table(families: Sequence[GroupRates], enough: Enough) -> Table:
    """Return every group: how many, the rate, its interval, how far from all others, and whether it is judged."""
    rows: list[tuple[Cell, ...]] = []
    for family in families:
        limits = wilson(family.hits, np.maximum(family.sizes, 1))
        p = from_the_rest(family.hits, family.sizes)
        rest = (family.hits.sum() - family.hits) / np.maximum(family.sizes.sum() - family.sizes, 1)
        for g, name in enumerate(family.names):
            n = int(family.sizes[g])
            numbers: tuple[Cell, ...] = (None, None, None, None, None)
            if n:
                share = float(family.hits[g]) / n
                ends = _share(float(limits.low[g])), _share(float(limits.high[g]))
                numbers = _share(share), *ends, _share(share - float(rest[g])), _p(float(p[g]))
            rows.append((family.attribute, name, family.of, n, *numbers, enough.said(n)))
    header = (
        "by",
        "group",
        "share that was",
        "of",
        "rate",
        "low",
        "high",
        "above the rest by",
        "p (Holm)",
        "",
    )
    left = len(rows) - MOST_LINES
    title = "Every group" + (f" (the first {MOST_LINES}; {left} more)" if left > 0 else "")
    return Table(title, header, tuple(rows[:MOST_LINES]))


def from_the_rest(hits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return p-values of "this group's rate is that of all others", adjusted for the groups (Holm): (g,).

    Fisher's exact test, the smaller tail doubled (Agresti 2013, 3.5.4). Groups of nobody have p = 1.
    """
    from scipy.stats import hypergeom

    of = int(sizes.sum()), int(hits.sum())
    present = sizes > 0
    law = hypergeom(of[0], of[1], sizes[present])
    below, above = law.cdf(hits[present]), law.sf(hits[present] - 1)
    p = np.ones(len(sizes))
    p[present] = np.minimum(1.0, 2.0 * np.minimum(below, above))
    adjusted = np.ones(len(sizes))
    adjusted[present] = holm(p[present])
    return adjusted


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _share(value: float) -> float:
    return round(value, 4)


def _p(value: float) -> float:
    return float(f"{value:.2g}")


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
