"""One Altair chart per kind of evidence."""

from typing import TYPE_CHECKING

from roadworthy.reports import channels
from roadworthy.reports.channels import Palette, Row, brief, broken, distinct, named, thinned
from roadworthy.results import Axis, Bars, Curve, Histogram, Intervals, Matrix, Scatter

if TYPE_CHECKING:
    import altair as alt

MOST_NUMBERED_COLUMNS = 12  # wider matrices have no room for a number in each cell
MOST_MARKED_POINTS = 40  # per line; more would hide it


def curve(given: Curve, palette: Palette, points: int) -> "alt.LayerChart | None":
    """Draw lines with their bands; None where no line has a value."""
    import altair as alt

    names = distinct([s.name for s in given.series])
    lines: dict[str, list[Row]] = {}
    for name, series in zip(names, given.series, strict=True):
        none = (None,) * len(series.x)
        rows = zip(series.x, series.y, series.low or none, series.high or none, strict=True)
        lines[name] = [
            {"series": name, "x": brief(x), "y": brief(y), "low": brief(low), "high": brief(high)}
            for x, y, low, high in thinned(list(rows), points)
        ]
    rows = [row for line in lines.values() for row in line]
    if all(row["y"] is None for row in rows):
        return None
    x = alt.X("x:Q", axis=channels.axis(given.x), scale=alt.Scale(zero=False, nice=False))
    y = alt.Y("y:Q", axis=channels.axis(given.y), scale=alt.Scale(zero=False))
    told = channels.colour(names, palette, lines=True)
    base = alt.Chart(channels.data(rows)).encode(x=x, y=y, color=told)
    layers = [base.mark_line(strokeWidth=2).encode(strokeDash=channels.dash(names))]
    if len(rows) <= MOST_MARKED_POINTS * len(names):
        titles = channels.tooltip(series="", x=named(given.x), y=named(given.y))
        layers.append(base.mark_point(filled=True, size=24, opacity=1).encode(tooltip=titles))
    colours = channels.cycled(palette.series, len(names))
    bands = [
        alt.Chart(channels.data(line))
        .mark_area(opacity=0.16, color=shade)
        .encode(x=x, y=alt.Y("low:Q", axis=channels.axis(given.y)), y2="high:Q")
        for line, shade in zip(lines.values(), colours, strict=True)
        if any(row["low"] is not None for row in line)
    ]
    ideal = [_diagonal(rows, palette)] if given.reference == "diagonal" else []
    return alt.LayerChart(layer=[*ideal, *bands, *layers]).properties(height=260)


def bars(given: Bars, palette: Palette, most: int) -> "alt.LayerChart":
    """Draw one bar per label with its number at the end."""
    import altair as alt

    rows: list[Row] = [
        {"label": label, "x": brief(value), "text": f"{brief(value):,}"}
        for label, value in zip(distinct(given.labels), given.values, strict=True)
    ][:most]
    base = alt.Chart(channels.data(rows)).encode(
        y=channels.labels(), x=alt.X("x:Q", axis=channels.axis(given.value))
    )
    bar = base.mark_bar(color=palette.series[0], height={"band": 0.7}).encode(
        tooltip=channels.tooltip(label=given.label.label, x=named(given.value))
    )
    text = base.mark_text(align="left", dx=4, color=palette.quiet).encode(text="text:N")
    return alt.LayerChart(layer=[bar, text]).properties(height=24 * len(rows))


def intervals(given: Intervals, palette: Palette, most: int) -> "alt.LayerChart":
    """Draw a dot with its interval per label, and the reference across all."""
    import altair as alt

    rows: list[Row] = [
        {"label": broken(label), "x": brief(value), "low": brief(low), "high": brief(high)}
        for label, value, low, high in zip(
            distinct(given.labels), given.values, given.lows, given.highs, strict=True
        )
    ][:most]
    marks = [*given.lows, *given.highs]
    marks += [] if given.reference is None else [given.reference]
    scale = alt.Scale(domain=channels.domain(marks, given.value), nice=False)
    base = alt.Chart(channels.data(rows)).encode(y=channels.labels())
    axis = channels.axis(given.value)
    rule = base.mark_rule(strokeWidth=3, color=palette.series[0], opacity=0.55).encode(
        x=alt.X("low:Q", axis=axis, scale=scale), x2="high:Q"
    )
    told = channels.tooltip(label=given.label.label, x=named(given.value), low="", high="")
    point = base.mark_point(filled=True, size=70, color=palette.series[0], opacity=1).encode(
        x=alt.X("x:Q", axis=axis, scale=scale), tooltip=told
    )
    mark = [] if given.reference is None else [channels.reference(given.reference, palette, scale)]
    lines = max((str(row["label"]).count("\n") for row in rows), default=0)
    return alt.LayerChart(layer=[*mark, rule, point]).properties(
        height=(24 + 13 * lines) * len(rows)
    )


def matrix(given: Matrix, palette: Palette, most: int) -> "alt.LayerChart":
    """Draw a cell per number; the more of the colour, the larger it is."""
    import altair as alt

    columns = distinct(given.columns)[:most]
    shown = [row[:most] for row in given.values[:most]]
    rows: list[Row] = [
        {
            "label": row,
            "column": column,
            "value": brief(value),
            "size": None if value is None else brief(abs(value)),
            "sign": "below zero" if value is not None and value < 0 else "",
            "text": "–" if value is None else f"{value:,.4g}".replace("-", "−"),
        }
        for row, values in zip(distinct(given.rows)[:most], shown, strict=True)
        for column, value in zip(columns, values, strict=True)
    ]
    largest = max((float(row["size"]) for row in rows if row["size"]), default=1.0)
    base = alt.Chart(channels.data(rows)).encode(
        x=_columns(given.column, columns), y=channels.labels()
    )
    signs = alt.Scale(domain=["", "below zero"], range=list(palette.series[:2]))
    # One colour, more or less of it: text stays readable on it, in light and in dark.
    sizes = alt.Scale(domain=[0, largest], range=[0.03, 0.5])
    told = channels.tooltip(
        label=given.row.label, column=given.column.label, value=named(given.value)
    )
    cell = base.mark_rect(stroke=palette.paper, strokeWidth=1).encode(
        fill=alt.Fill("sign:N", legend=None, scale=signs),
        fillOpacity=alt.FillOpacity("size:Q", legend=None, scale=sizes),
        tooltip=told,
    )
    layers = [cell]
    if len(columns) <= MOST_NUMBERED_COLUMNS:
        layers.append(base.mark_text(color=palette.ink, fontSize=11).encode(text="text:N"))
    chart = alt.LayerChart(layer=layers).properties(height=28 * len(shown))
    if len(columns) <= MOST_NUMBERED_COLUMNS:
        return chart
    # Without room for numbers it is a picture: its cells stay squares on a narrow page.
    return chart.properties(usermeta={"rows": len(shown), "columns": len(columns)})


def histogram(given: Histogram, palette: Palette) -> "alt.LayerChart":
    """Draw bars for one group, stepped lines for several."""
    import altair as alt

    names = distinct([s.name for s in given.series])
    edges = [brief(edge) for edge in given.edges]
    steps: dict[str, list[Row]] = {
        name: [
            {"series": name, "x": left, "x2": right, "y": brief(height)}
            for left, right, height in zip(edges[:-1], edges[1:], series.counts, strict=True)
        ]
        for name, series in zip(names, given.series, strict=True)
    }
    scale = alt.Scale(zero=False, nice=False)
    x = alt.X("x:Q", axis=channels.axis(given.x), scale=scale)
    y = alt.Y("y:Q", axis=channels.axis(Axis("Number")))
    mark = [] if given.reference is None else [channels.reference(given.reference, palette, scale)]
    if len(names) == 1:
        bar = (
            alt.Chart(channels.data(steps[names[0]]))
            .mark_bar(color=palette.series[0], stroke=palette.paper, strokeWidth=0.6)
            .encode(x=x, x2="x2:Q", y=y, tooltip=channels.tooltip(x="from", x2="to", y="number"))
        )
        return alt.LayerChart(layer=[bar, *mark]).properties(height=200)
    for rows in steps.values():  # the last step has a width too
        rows.append({**rows[-1], "x": edges[-1], "x2": None})
    shades = [
        alt.Chart(channels.data(rows))
        .mark_area(interpolate="step-after", opacity=0.14, color=shade)
        .encode(x=x, y=y)
        for rows, shade in zip(
            steps.values(), channels.cycled(palette.series, len(names)), strict=True
        )
    ]
    line = (
        alt.Chart(channels.data([row for rows in steps.values() for row in rows]))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=channels.colour(names, palette, lines=True),
            strokeDash=channels.dash(names),
        )
    )
    return alt.LayerChart(layer=[*shades, line, *mark]).properties(height=200)


def scatter(given: Scatter, palette: Palette, points: int) -> "alt.LayerChart":
    """Draw points, their groups told apart by colour and shape."""
    import altair as alt

    groups = given.groups or ("",) * len(given.xs)
    names = list(dict.fromkeys(groups))
    shown = thinned(list(zip(given.xs, given.ys, groups, strict=True)), points)
    rows: list[Row] = [{"x": brief(x), "y": brief(y), "series": group} for x, y, group in shown]
    chart = (
        alt.Chart(channels.data(rows))
        .mark_point(filled=True, size=34, opacity=0.7)
        .encode(
            x=alt.X("x:Q", axis=channels.axis(given.x), scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=channels.axis(given.y), scale=alt.Scale(zero=False)),
            color=channels.colour(names, palette),
            shape=channels.shape(names),
            tooltip=channels.tooltip(series="group", x=named(given.x), y=named(given.y)),
        )
    )
    return alt.LayerChart(layer=[chart]).properties(height=280)


def _diagonal(rows: list[Row], palette: Palette) -> "alt.Chart":
    import altair as alt

    xs = [float(row["x"]) for row in rows if row["x"] is not None]
    ends: list[Row] = [{"x": end, "y": end} for end in (min(xs), max(xs))]
    return (
        alt.Chart(channels.data(ends))
        .mark_line(strokeWidth=1.5, strokeDash=[4, 4], color=palette.quiet)
        .encode(x="x:Q", y="y:Q")
    )


def _columns(given: Axis, names: list[str]) -> "alt.X":
    import altair as alt

    long = max(len(name) for name in names) * len(names) > 60
    axis = channels.axis(given, orient="top", labelAngle=-50 if long else 0, labelLimit=110)
    return alt.X("column:N", sort=None, axis=axis)
