"""The numbers of a piece of evidence as a table: what stands beside every figure."""

from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy.reports.channels import named, thinned
from roadworthy.reports.wording import plain
from roadworthy.results import (
    Bars,
    Cell,
    Curve,
    Evidence,
    Examples,
    Histogram,
    Intervals,
    Matrix,
    Scatter,
    Table,
)


@dataclass(frozen=True)
class NumberTable:
    """Cells as they are shown, and which columns hold numbers (they stand on the right).

    `left_out` is the number of rows that the table does not show.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    left_out: int


def numbers(evidence: Evidence, most: int, contents: bool = True) -> NumberTable:
    """Lay out the numbers of a piece of evidence, at most `most` rows.

    Without `contents`, examples show where a row lies and what orders it, and nothing of the row.
    """
    header, rows = _cells(evidence, contents)
    ordered = isinstance(evidence, (Curve, Scatter, Histogram))
    shown = thinned(rows, most) if ordered else list(rows[:most])
    numeric = tuple(all(not isinstance(row[j], str) for row in rows) for j in range(len(header)))
    return NumberTable(
        header=header,
        rows=tuple(tuple(cell_text(cell) for cell in row) for row in shown),
        numeric=numeric,
        left_out=len(rows) - len(shown),
    )


def cell_text(cell: Cell) -> str:
    """Show one cell: numbers to six digits, nothing as a dash."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) and 0 <= cell < 10_000:  # a year or a row number has no separators
        return str(cell)
    return plain(cell)


def _cells(
    evidence: Evidence, contents: bool
) -> tuple[tuple[str, ...], Sequence[tuple[Cell, ...]]]:
    match evidence:
        case Curve():
            return _curve(evidence)
        case Bars():
            return (named(evidence.label), named(evidence.value)), list(
                zip(evidence.labels, evidence.values, strict=True)
            )
        case Intervals():
            return (named(evidence.label), named(evidence.value), "low", "high"), list(
                zip(evidence.labels, evidence.values, evidence.lows, evidence.highs, strict=True)
            )
        case Matrix():
            return (f"{named(evidence.row)} \\ {named(evidence.column)}", *evidence.columns), [
                (name, *values) for name, values in zip(evidence.rows, evidence.values, strict=True)
            ]
        case Histogram():
            header = ("from", "to", *(series.name or "number" for series in evidence.series))
            counts = [series.counts for series in evidence.series]
            return header, list(zip(evidence.edges[:-1], evidence.edges[1:], *counts, strict=True))
        case Scatter():
            return _scatter(evidence)
        case Examples():
            return _examples(evidence, contents)
        case Table():
            return evidence.header, evidence.rows


def _curve(curve: Curve) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    banded = any(s.low is not None for s in curve.series)
    header = ("line", named(curve.x), named(curve.y), *(("low", "high") if banded else ()))
    rows: list[tuple[Cell, ...]] = []
    for series in curve.series:
        none = (None,) * len(series.x)
        low, high = series.low or none, series.high or none
        for point in zip(series.x, series.y, low, high, strict=True):
            rows.append((series.name, *(point if banded else point[:2])))
    return header, rows


def _scatter(scatter: Scatter) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    header = (named(scatter.x), named(scatter.y))
    if scatter.groups is None:
        return header, list(zip(scatter.xs, scatter.ys, strict=True))
    return (*header, "group"), list(zip(scatter.xs, scatter.ys, scatter.groups, strict=True))


def _examples(examples: Examples, contents: bool) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Lay out examples; a score that none of them has, and with contents left out what is said, are no columns."""
    scored = any(e.score is not None for e in examples.examples)
    header = (
        *("split", "row"),
        *(("score",) if scored else ()),
        *(("what is said of it",) if contents else ()),
    )
    return header, [
        (e.split, str(e.row), *((e.score,) if scored else ()), *((e.note,) if contents else ()))
        for e in examples.examples
    ]
