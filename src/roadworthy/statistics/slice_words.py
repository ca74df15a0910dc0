"""Slices that were found, for people: a picture, a table and sentences."""

from roadworthy.results import AtMost, Axis, Evidence, Intervals, Measurement, Table, TwoCounts
from roadworthy.statistics.multiplicity import holm
from roadworthy.statistics.slices import ConfirmedSlice
from roadworthy.statistics.verdicts import p_value
from roadworthy.statistics.wording import percent

MOST_TOLD = 3


def slices_told(confirmed: list[ConfirmedSlice], noun: str) -> tuple[Evidence, ...]:
    """Return the slices with what both halves say of each; `noun` is what happened ("mistakes")."""
    if not confirmed:
        return ()
    p = holm([p_value(each.confirmed, AtMost(0.0, "no excess")) for each in confirmed])
    rows = tuple(
        (
            each.slice.name,
            *_inside(each.confirmed),
            each.found.value,
            each.confirmed.value,
            each.confirmed.low,
            each.confirmed.high,
            bool(adjusted < 0.05),
        )
        for each, adjusted in zip(confirmed, p, strict=True)
    )
    header = (
        *("slice", "rows", f"{noun} there", f"{noun} elsewhere", "excess where found"),
        *("excess", "from", "to", "confirmed"),
    )
    found = [each.confirmed for each in confirmed]
    picture = Intervals(
        title=f"How much more often there are {noun} in each slice than elsewhere",
        label=Axis("slice"),
        value=Axis("excess", found[0].unit),
        labels=tuple(each.slice.name for each in confirmed),
        values=tuple(m.value for m in found),
        lows=tuple(m.low for m in found),
        highs=tuple(m.high for m in found),
        reference=0.0,
    )
    title = f"Slices with more {noun}: found on one half, measured on the other"
    return picture, Table(title, header, rows)


def slices_in_words(confirmed: list[ConfirmedSlice], what: str, floor: int) -> str:
    """Return a sentence on each of the slices that are worse beyond doubt, three at most, or that none was found.

    `what` is what rows there are ("wrong").
    """
    if not confirmed:
        return (
            f"No part of at least {2 * floor:,} rows stands out on the half that offers them; the number is that of the "
            "part which came nearest."
        )
    surest = [each for each in confirmed if each.confirmed.low > 0.0][:MOST_TOLD]
    return " ".join(
        _told(each, what, is_first=k == 0) for k, each in enumerate(surest or confirmed[:1])
    )


def _told(one: ConfirmedSlice, what: str, *, is_first: bool) -> str:
    rows, inside, outside = _inside(one.confirmed)
    which = "rows that had no part in finding it" if is_first else "rows"
    return f"Where {one.slice.name}: {percent(inside)} {what} on {rows:,} {which}, {percent(outside)} elsewhere."


def _inside(excess: Measurement) -> tuple[int, float, float]:
    """Return rows of the slice, its rate and that of the rest."""
    counts = excess.distribution
    assert isinstance(counts, TwoCounts)
    return counts.n_a, counts.hits_a / counts.n_a, counts.hits_b / counts.n_b
