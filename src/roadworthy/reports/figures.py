"""From a piece of evidence to its picture: a Vega-Lite specification, or a static SVG of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roadworthy.reports import charts
from roadworthy.reports.channels import PAGE, PRINTED, Palette, is_share, named
from roadworthy.reports.wording import join_unit, plain
from roadworthy.results import (
    Bars,
    Curve,
    Evidence,
    Histogram,
    Intervals,
    Matrix,
    Scatter,
)

if TYPE_CHECKING:
    import altair as alt

Spec = dict[str, Any]  # a Vega-Lite specification: JSON

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class Limits:
    """How much of the evidence a picture shows at most: points of a line or cloud, and labels."""

    points: int = 400
    labels: int = 40


def figure(
    evidence: Evidence, palette: Palette = PAGE, limits: Limits | None = None, width: int = 560
) -> Spec | None:
    """Make the Vega-Lite specification of a piece of evidence; None for what is no picture.

    Examples and tables are shown as they are, and evidence without a single number has no picture.
    """
    chart = _chart(evidence, palette, limits or Limits())
    if chart is None:
        return None
    spec = chart.properties(width=width).to_dict(validate=False)
    spec.pop("$schema", None)  # names a version that the drawing library may not have
    spec["config"] = _config(palette)
    spec["background"] = "transparent"
    return spec


def svg(evidence: Evidence, width: int = 560) -> str | None:
    """Draw a piece of evidence as a static SVG; None for what is no picture."""
    import vl_convert

    spec = figure(evidence, PRINTED, width=width)
    if spec is None:
        return None
    spec["background"] = PRINTED.paper
    spec["title"] = {"text": evidence.title, "anchor": "start", "fontSize": 13, "offset": 10}
    spec["padding"] = 8
    return vl_convert.vegalite_to_svg(spec)


def caption(evidence: Evidence) -> str:
    """Say what a picture's extra marks mean."""
    says: list[str] = []
    if isinstance(evidence, Curve) and evidence.reference == "diagonal":
        says.append("Dashed line: the ideal, where both axes agree.")
    if isinstance(evidence, Curve) and any(s.low is not None for s in evidence.series):
        says.append("Shaded: interval.")
    if isinstance(evidence, Matrix):
        if any(v is not None and v < 0 for row in evidence.values for v in row):
            says.append(f"Blue: {named(evidence.value)}, above zero; orange: below.")
        says.append(f"From top to bottom: {named(evidence.row)}.")
    if isinstance(evidence, Intervals):
        says.append("Dot: estimate; line: interval.")
    if isinstance(evidence, (Intervals, Histogram)) and evidence.reference is not None:
        axis = evidence.value if isinstance(evidence, Intervals) else evidence.x
        share = is_share(axis)
        at = join_unit(plain(100 * evidence.reference), "%") if share else plain(evidence.reference)
        says.append(f"Dashed line: {at}.")
    return " ".join(says)


def _chart(evidence: Evidence, palette: Palette, limits: Limits) -> "alt.LayerChart | None":
    match evidence:
        case Curve() if evidence.series:
            return charts.curve(evidence, palette, limits.points)
        case Bars() if evidence.labels:
            return charts.bars(evidence, palette, limits.labels)
        case Intervals() if evidence.labels:
            return charts.intervals(evidence, palette, limits.labels)
        case Matrix() if evidence.rows and evidence.columns:
            return charts.matrix(evidence, palette, limits.labels)
        case Histogram() if len(evidence.edges) > 1 and evidence.series:
            return charts.histogram(evidence, palette)
        case Scatter() if evidence.xs:
            return charts.scatter(evidence, palette, 2 * limits.points)
        case _:
            return None


def _config(palette: Palette) -> Spec:
    text = {"labelColor": palette.quiet, "titleColor": palette.quiet, "labelFontSize": 12}
    return {
        "font": FONT,
        "aria": False,  # the page names the picture and shows its numbers; marks one by one are noise
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": palette.grid,
            "gridOpacity": 0.7,
            "domainColor": palette.grid,
            "labelPadding": 6,
            "labelSeparation": 6,
            "labelOverlap": "greedy",
            "tickSize": 0,
        },
        "axisY": {"domain": False, "titleAnchor": "end"},
        "axisBand": {"grid": False},
        "legend": {**text, "symbolStrokeWidth": 2, "symbolOpacity": 1, "labelLimit": 240},
        "text": {"font": FONT, "fontSize": 12},
    }
