"""The closed set of shapes that evidence can take: data with titles and units, never a drawing.

Checks return these; `reports` turns a kind into a figure and always shows its numbers beside it.
All values are plain Python numbers and strings, so that evidence is JSON as it stands. A value
that does not exist is None, never NaN.
"""

from dataclasses import dataclass
from typing import Literal

Number = float | int
Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Axis:
    """What an axis shows, in plain words, and its unit ("" where it has none)."""

    label: str
    unit: str = ""


@dataclass(frozen=True)
class Series:
    """One line of a curve: y over x, with a band (low, high) where the y are estimates."""

    name: str
    x: tuple[Number, ...]
    y: tuple[Number | None, ...]
    low: tuple[Number | None, ...] | None = None
    high: tuple[Number | None, ...] | None = None


@dataclass(frozen=True)
class Curve:
    """One or more lines over a common x axis; `reference` draws the line y = x where that is the ideal."""

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    reference: Literal["diagonal"] | None = None
    kind: Literal["curve"] = "curve"


@dataclass(frozen=True)
class Bars:
    """One number per label, without interval: counts and other facts."""

    title: str
    label: Axis
    value: Axis
    labels: tuple[str, ...]
    values: tuple[Number, ...]
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True)
class Intervals:
    """One estimate with its interval per label; `reference` is a vertical line such as the bound."""

    title: str
    label: Axis
    value: Axis
    labels: tuple[str, ...]
    values: tuple[Number, ...]
    lows: tuple[Number, ...]
    highs: tuple[Number, ...]
    reference: Number | None = None
    kind: Literal["intervals"] = "intervals"


@dataclass(frozen=True)
class Matrix:
    """A number per (row, column), such as a confusion matrix: `values[row][column]`."""

    title: str
    row: Axis
    column: Axis
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Number | None, ...], ...]
    value: Axis
    kind: Literal["matrix"] = "matrix"


@dataclass(frozen=True)
class HistogramSeries:
    """Counts per bin of one group; one fewer than the edges."""

    name: str
    counts: tuple[Number, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts per bin for one or more groups over common bin edges; `reference` marks a value on x."""

    title: str
    x: Axis
    edges: tuple[Number, ...]
    series: tuple[HistogramSeries, ...]
    reference: Number | None = None
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True)
class Scatter:
    """Points, each optionally in a named group."""

    title: str
    x: Axis
    y: Axis
    xs: tuple[Number, ...]
    ys: tuple[Number, ...]
    groups: tuple[str, ...] | None = None
    kind: Literal["scatter"] = "scatter"


@dataclass(frozen=True)
class Example:
    """One row of the data: its split, its position in that split (0-based), and what is said of it.

    `score` orders the list (worst first). `picture` is a PNG as a data URL, filled in by the audit
    procedure for image subjects whose rows are not people; a check leaves it None.
    """

    split: str
    row: int
    note: str
    score: float | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Examples:
    """Rows to look at, worst first."""

    title: str
    examples: tuple[Example, ...]
    kind: Literal["examples"] = "examples"


@dataclass(frozen=True)
class Table:
    """Anything else that is rows of named cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: Literal["table"] = "table"


Evidence = Curve | Bars | Intervals | Matrix | Histogram | Scatter | Examples | Table
