"""Figures and their tables: valid specifications, honest about gaps and about what they leave out."""

import json
from dataclasses import replace

import altair as alt
import pytest
import synthetic_audits as made

from roadworthy.reports.channels import brief, distinct, domain, thinned
from roadworthy.reports.figures import Limits, caption, figure, svg
from roadworthy.reports.interval import interval_line
from roadworthy.reports.numbers import numbers
from roadworthy.results import (
    AtLeast,
    AtMost,
    Axis,
    Bars,
    Curve,
    Evidence,
    Examples,
    Histogram,
    Intervals,
    Matrix,
    Scatter,
    Series,
    Table,
)

EVERY = made.evidence_of_every_kind()
DRAWN = [e for e in EVERY if not isinstance(e, (Examples, Table))]


@pytest.mark.parametrize("evidence", DRAWN, ids=lambda e: e.kind)
def test_a_figure_is_a_valid_specification_and_draws(evidence: Evidence) -> None:
    spec = figure(evidence)
    assert spec is not None
    alt.Chart.from_dict(spec, validate=True)
    assert len(json.dumps(spec)) < 20_000
    assert "<svg" in (svg(evidence) or "")


@pytest.mark.parametrize("evidence", DRAWN, ids=lambda e: e.kind)
def test_text_of_a_user_is_data_or_a_title_and_never_a_field(evidence: Evidence) -> None:
    spec = figure(made._attacked(evidence))
    fields = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            fields.update(
                v for k, v in node.items() if k in ("field", "expr", "filter", "calculate")
            )
            for key, value in node.items():
                walk(value) if key != "values" else None
        if isinstance(node, list):
            [walk(item) for item in node]

    walk(spec)
    assert fields <= {
        "x", "x2", "y", "low", "high", "series", "label", "column", "value", "text", "size",
        "sign", "reference",
    }  # fmt: skip


@pytest.mark.parametrize("evidence", [e for e in EVERY if e not in DRAWN], ids=lambda e: e.kind)
def test_examples_and_tables_are_no_picture(evidence: Evidence) -> None:
    assert figure(evidence) is None
    assert svg(evidence) is None


@pytest.mark.parametrize(
    "empty",
    [
        Curve("t", Axis("x"), Axis("y"), ()),
        Curve("t", Axis("x"), Axis("y"), (Series("a", (1,), (None,)),)),
        Bars("t", Axis("x"), Axis("y"), (), ()),
        Intervals("t", Axis("x"), Axis("y"), (), (), (), ()),
        Matrix("t", Axis("x"), Axis("y"), (), (), (), Axis("v")),
        Histogram("t", Axis("x"), (0.0, 1.0), ()),
        Scatter("t", Axis("x"), Axis("y"), (), ()),
    ],
    ids=lambda e: e.kind,
)
def test_evidence_of_nothing_is_an_empty_table_and_no_picture(empty: Evidence) -> None:
    assert figure(empty) is None
    assert all(cell == "–" for row in numbers(empty, 9).rows for cell in row[2:])


def test_a_value_that_does_not_exist_breaks_the_line_and_is_a_dash_in_the_table() -> None:
    curve = Curve("t", Axis("x"), Axis("y"), (Series("a", (1, 2, 3), (1.0, None, 3.0)),))
    (values,) = figure(curve)["datasets"].values()
    assert [row.get("y") for row in values] == [1.0, None, 3.0]
    assert numbers(curve, 9).rows[1] == ("a", "2", "–")


@pytest.mark.parametrize("evidence", DRAWN, ids=lambda e: e.kind)
def test_a_figure_shows_no_more_than_its_limits(evidence: Evidence) -> None:
    small = json.dumps(figure(evidence, limits=Limits(points=4, labels=2)))
    assert len(small) < len(json.dumps(figure(evidence))) or isinstance(evidence, Histogram)


def test_a_table_says_how_many_rows_it_left_out() -> None:
    scatter = EVERY[5]
    table = numbers(scatter, 10)
    assert (len(table.rows), table.left_out) == (10, 70)
    assert table.rows[0] == numbers(scatter, 80).rows[0]
    assert table.rows[-1] == numbers(scatter, 80).rows[-1]


def test_examples_without_contents_are_only_places() -> None:
    table = numbers(EVERY[6], 3, contents=False)
    assert table.header == ("split", "row", "score")
    assert table.rows[0] == ("test", "17", "0.99")


def test_cells_of_a_table_are_shown_as_what_they_are() -> None:
    assert numbers(EVERY[7], 9).rows == (
        ("sex", "Male", "male ", "31", "0.0123", "yes"),
        ("income", "<=50K", "<=50K.", "16,281", "0.333333", "no"),
        ("education", "HS-grad", "–", "0", "1e−07", "–"),
    )


def test_captions_say_what_the_extra_marks_are() -> None:
    assert caption(EVERY[0]) == "Dashed line: the ideal, where both axes agree. Shaded: interval."
    assert caption(EVERY[2]) == "Dot: estimate; line: interval. Dashed line: 90\u00a0%."
    assert caption(EVERY[4]) == "Dashed line: 1.1."
    assert caption(EVERY[1]) == ""


def test_names_that_occur_twice_are_told_apart() -> None:
    assert distinct(["a", "b", "a", "a", "a (2)"]) == ["a", "b", "a (2)", "a (3)", "a (2) (2)"]


@pytest.mark.parametrize(
    ("length", "most"), [(10, 4), (10, 10), (3, 10), (1000, 2), (5, 1), (5, 0)]
)
def test_thinning_keeps_both_ends_and_the_order(length: int, most: int) -> None:
    kept = thinned(range(length), most)
    assert len(kept) == min(length, most)
    assert kept == sorted(set(kept))
    if most > 1:
        assert (kept[0], kept[-1]) == (0, length - 1)


def test_numbers_in_pictures_have_five_digits_and_integers_all() -> None:
    assert (brief(1 / 3), brief(123456789), brief(None)) == (0.33333, 123456789, None)


def test_shares_never_leave_nought_to_one_hundred_per_cent() -> None:
    assert domain([0.0, 1.0], Axis("a", "share of rows")) == [0.0, 1.0]
    assert domain([0.0, 1.0], Axis("a", "nats")) == pytest.approx([-0.05, 1.05])
    assert domain([2.0, 2.0], Axis("a")) == pytest.approx([1.9, 2.1])


def test_the_line_of_a_harm_with_its_bound_by_hand() -> None:
    finding = replace(made.findings()[0], value=0.08, low=0.06, high=0.1)
    line = interval_line(finding)
    # from 0 to .1 and 6 % more: .106, so the bound of .05 stands at 47.17 %
    assert line is not None
    assert (line.low, line.value, line.high, line.bound) == (56.6, 75.47, 94.34, 47.17)
    assert (line.allowed_from, line.allowed_to, line.label) == (0.0, 47.17, "at most 5\u00a0%")
    assert "95 % interval" in line.spoken


def test_the_line_of_a_benefit_allows_what_is_above() -> None:
    finding = replace(
        made.findings()[0], value=0.9, low=0.85, high=1.0, requirement=AtLeast(0.8, "house")
    )
    line = interval_line(finding)
    assert line is not None
    assert (line.allowed_from, line.allowed_to, line.high) == (80.0, 100.0, 100.0)


def test_the_line_of_a_negative_number_begins_left_of_nought() -> None:
    finding = replace(
        made.findings()[0], unit="nats", value=-1, low=-2, high=0, requirement=AtMost(1, "house")
    )
    line = interval_line(finding)
    assert line is not None
    assert 0 < line.low < line.value < line.high < line.bound < 100
    assert interval_line(replace(finding, requirement=None)) is None


@pytest.mark.parametrize(
    ("high", "bound", "shown"),
    [
        (
            0.126,
            0.1,
            ("0\u00a0%", ""),
        ),  # the bound at three quarters: no room for the end beside its words
        (0.3, 0.1, ("0\u00a0%", "32\u00a0%")),
        (0.5, 0.1, ("", "53\u00a0%")),
        (0.05, 0.1, ("0\u00a0%", "")),
    ],
)
def test_the_words_of_a_line_never_lie_on_each_other(
    high: float, bound: float, shown: tuple[str, str]
) -> None:
    finding = replace(
        made.findings()[0], value=0.0, low=0.0, high=high, requirement=AtMost(bound, "house")
    )
    line = interval_line(finding)
    assert line is not None
    assert (line.left, line.right) == shown


def test_long_names_are_broken_before_each_and_and_have_the_room() -> None:
    names = ("sex is Male", "marital_status is Married-civ-spouse and capital_gain at most 0")
    given = Intervals("t", Axis("slice"), Axis("excess"), names, (0.1, 0.2), (0.0, 0.1), (0.2, 0.3))
    drawn = figure(given)
    assert drawn is not None
    labels = [row["label"] for rows in drawn["datasets"].values() for row in rows if "label" in row]
    assert "marital_status is Married-civ-spouse\nand capital_gain at most 0" in labels
    assert "sex is Male" in labels
    assert drawn["height"] == 2 * (24 + 13)


def test_a_matrix_without_room_for_numbers_is_a_picture_whose_cells_stay_squares() -> None:
    def spec_of(side: int) -> dict[str, object]:
        names = tuple(str(i) for i in range(side))
        line = tuple(float(i) - 3.0 for i in range(side))
        given = Matrix(
            "m", Axis("row"), Axis("column"), names, names, (line,) * side, Axis("score")
        )
        assert "Blue: score, above zero; orange: below." in caption(given)
        found = figure(given)
        assert found is not None
        return found

    assert spec_of(20)["usermeta"] == {"rows": 20, "columns": 20}
    assert "usermeta" not in spec_of(8)
