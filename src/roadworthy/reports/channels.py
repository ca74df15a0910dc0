"""What the charts are made of: data rows, axes, colours and legends, and how names and numbers are fitted.

Data columns have fixed names (`x`, `y`, `series`), so that no text of a user becomes a field name
or an expression. Colours come from a palette; the page's names CSS variables, so that light, dark
and print need no second drawing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from typing import TYPE_CHECKING, Any, TypeVar

from roadworthy.results import Axis

if TYPE_CHECKING:
    import altair as alt

Row = dict[str, str | float | int | None]
T = TypeVar("T")

DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (12, 4), (4, 2))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
NAMES = ("label", "column", "series")  # the data columns that hold text
DIGITS = 5  # a picture shows no more


@dataclass(frozen=True)
class Palette:
    """Colours of a figure; `series` are told apart by colour-blind readers, dashes and shapes help."""

    ink: str
    quiet: str
    grid: str
    paper: str
    bound: str
    series: tuple[str, ...]


PAGE = Palette(
    ink="var(--ink)",
    quiet="var(--quiet)",
    grid="var(--rule)",
    paper="var(--paper)",
    bound="var(--bound)",
    series=tuple(f"var(--series-{i})" for i in range(1, 7)),
)
PRINTED = Palette(
    ink="#1b1f24",
    quiet="#57606a",
    grid="#dfe3e8",
    paper="#ffffff",
    bound="#1b1f24",
    series=("#0b63ad", "#b8480a", "#007a64", "#98407f", "#766600", "#5b616a"),
)


def data(rows: Sequence[Row]) -> "alt.InlineData":
    """Give rows to a chart; a value that does not exist is left out, so that a line breaks there."""
    import altair as alt

    return alt.InlineData(values=[{k: v for k, v in row.items() if v is not None} for row in rows])


def axis(given: Axis, **more: Any) -> "alt.Axis":  # further options of Altair's axis
    """Name an axis with its unit; shares are shown as percentages."""
    import altair as alt

    if is_share(given):
        more["format"] = "~%"
    return alt.Axis(title=named(given), **more)


LONG = 30  # characters of a name that one line has room for


def broken(name: str) -> str:
    """Break a long name before each "and"."""
    return name.replace(" and ", "\nand ") if len(name) > LONG else name


def labels() -> "alt.Y":
    """Put names down the side, without a title: it would lie on its side, and the table has it."""
    import altair as alt

    axis = alt.Axis(title=None, labelExpr=r"split(datum.label, '\n')")
    return alt.Y("label:N", sort=None, axis=axis)


def colour(names: Sequence[str], palette: Palette, lines: bool = False) -> "alt.Color":
    """Tell series apart by colour."""
    import altair as alt

    colours = list(cycled(palette.series, len(names)))
    scale = alt.Scale(domain=list(names), range=colours)
    return alt.Color("series:N", legend=legend(names, lines), scale=scale)


def dash(names: Sequence[str]) -> "alt.StrokeDash":
    """Tell lines apart by their dashes as well, for eyes and printers without colour."""
    import altair as alt

    dashes = [list(dash) for dash in cycled(DASHES, len(names))]
    scale = alt.Scale(domain=list(names), range=dashes)
    return alt.StrokeDash("series:N", legend=legend(names, lines=True), scale=scale)


def shape(names: Sequence[str]) -> "alt.Shape":
    """Tell points apart by their shape as well."""
    import altair as alt

    scale = alt.Scale(domain=list(names), range=list(cycled(SHAPES, len(names))))
    return alt.Shape("series:N", legend=legend(names), scale=scale)


def legend(names: Sequence[str], lines: bool = False) -> "alt.Legend | None":
    """Name the series above the chart, as lines or points; one alone needs no name."""
    import altair as alt

    if len(names) < 2:
        return None
    columns = 1 if max(len(name) for name in names) > 18 else 2
    place: dict[str, Any] = {"orient": "top", "direction": "horizontal", "columns": columns}
    if lines:
        place |= {"symbolType": "stroke", "symbolSize": 300}
    return alt.Legend(title=None, **place)


def tooltip(**titles: str) -> "list[alt.Tooltip]":
    """Show these data columns, under these titles, to a pointer that rests."""
    import altair as alt

    return [
        alt.Tooltip(f"{field}:{'N' if field in NAMES else 'Q'}", title=title or field)
        for field, title in titles.items()
    ]


def reference(value: float | int, palette: Palette, scale: "alt.Scale") -> "alt.Chart":
    """Draw a dashed upright line at a value of x, on the scale of the other marks."""
    import altair as alt

    return (
        alt.Chart(data([{"reference": brief(value)}]))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color=palette.bound)
        .encode(x=alt.X("reference:Q", scale=scale))
    )


def domain(values: Sequence[float | int], given: Axis) -> list[float]:
    """Span all values with a margin, and never leave 0 to 100 % for a share that is within."""
    low, high = float(min(values)), float(max(values))
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    start, end = low - margin, high + margin
    if is_share(given) and low >= 0 and high <= 1:
        return [max(0.0, start), min(1.0, end)]
    return [start, end]


def is_share(given: Axis) -> bool:
    """Whether an axis shows shares of something."""
    return given.unit == "share" or given.unit.startswith("share of ")


def named(given: Axis) -> str:
    """Name an axis with its unit."""
    unit = given.unit
    known = unit.lower() in ("", given.label.lower())
    return given.label if known else f"{given.label} ({unit})"


def brief(value: float | int | None) -> float | int | None:
    """Round to the digits that a picture can show; integers stay as they are."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.{DIGITS}g}")


def distinct(names: Sequence[str]) -> list[str]:
    """Make names that occur twice tell apart, for a picture would lay them over each other."""
    seen: dict[str, None] = {}
    for name in names:
        free = (f"{name} ({i})" for i in count(2) if f"{name} ({i})" not in seen)
        seen[next(free) if name in seen else name] = None
    return list(seen)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Keep at most `most` items (2 or more), evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    if most < 2:
        return list(items[:most])
    step = (len(items) - 1) / (most - 1)
    return [items[round(i * step)] for i in range(most)]


def cycled(items: Sequence[T], length: int) -> tuple[T, ...]:
    """Take `length` items, beginning again where they run out."""
    return tuple(islice(cycle(items), length))
