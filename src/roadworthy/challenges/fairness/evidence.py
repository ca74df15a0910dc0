"""What a reader sees of rates by group: a figure of the attribute that stands out, and tables of all."""

from collections.abc import Iterable, Sequence

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
        title=f"{_sentence(family.of)}, by {family.attribute} (of how many{note}; dashed: all together)",
        label=Axis(family.attribute),
        value=Axis("of the group", "share"),
        labels=tuple(labels),
        values=_rounded(rates[order]),
        lows=_rounded(np.asarray(limits.low)),
        highs=_rounded(np.asarray(limits.high)),
        reference=round(float(family.hits.sum() / family.sizes.sum()), 3),
    )


def gaps_table(
    gaps: Sequence[tuple[GroupRates, GroupRates, Measurement, float]],
) -> Table:
    """Return each gap as it was seen, what luck shows, what is left, and its interval by itself."""
    several = _differ(family for family, *_ in gaps)
    rows: list[tuple[Cell, ...]] = []
    for family, judged, found, luck in sorted(gaps, key=lambda gap: -gap[2].value):
        of = f"{len(judged.names)} of {len(family.names)}"
        numbers = (_share(v) for v in (found.value, luck, max(found.value - luck, 0.0)))
        said = (family.of,) if several else ()
        rows.append((family.attribute, *said, *numbers, _interval(found.low, found.high), of))
    said = ("share that was",) if several else ()
    header = ("by", *said, "gap", "by luck", "left", "95 % interval", "groups compared")
    title = "Gaps between groups: as seen, what luck alone would show, and what is left"
    return Table(title, header, tuple(rows[:MOST_LINES]))


def groups_table(families: Sequence[GroupRates], enough: Enough) -> Table:
    """Return every group: how many, the rate, its interval, how far from all others, and whether it counts."""
    several = _differ(families)
    rows: list[tuple[Cell, ...]] = []
    for family in families:
        limits = wilson(family.hits, np.maximum(family.sizes, 1))
        p = from_the_rest(family.hits, family.sizes)
        rest = (family.hits.sum() - family.hits) / np.maximum(family.sizes.sum() - family.sizes, 1)
        said = (family.of,) if several else ()
        for g, name in enumerate(family.names):
            n = int(family.sizes[g])
            numbers: tuple[Cell, ...] = (None, None, None, None)
            if n:
                share = float(family.hits[g]) / n
                interval = _interval(float(limits.low[g]), float(limits.high[g]))
                numbers = (_share(share), interval, _share(share - float(rest[g])), _p(float(p[g])))
            rows.append((f"{family.attribute}: {name}", *said, n, *numbers, enough.said(n)))
        if family.unknown:
            of = family.unknown, _share(family.unknown_hits / family.unknown), None, None, None
            rows.append((f"{family.attribute}: (not known)", *said, *of, "as bounds"))
    said = ("share that was",) if several else ()
    header = (
        "group",
        *said,
        "of",
        "rate",
        "95 % interval",
        "above all others",
        "p (Holm)",
        "judged",
    )
    left = len(rows) - MOST_LINES
    title = "Every group" if several else f"Every group: {families[0].of}"
    title += f" (the first {MOST_LINES} lines; {left} more)" if left > 0 else ""
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


def _interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _differ(families: Iterable[GroupRates]) -> bool:
    """Whether there is more than one rate or class, so that each line must say which."""
    return len({family.of for family in families}) > 1


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
