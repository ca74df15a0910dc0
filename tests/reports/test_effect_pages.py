"""The pages of fixes, diffs and comparisons as text: what they say first, and what they never let in."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import synthetic_effects as made

from roadworthy import reports
from roadworthy.reports import effect_words
from roadworthy.reports.matrix import MOST_COLUMNS, matrix
from roadworthy.reports.page import MOST_BYTES

PAGES = {
    **{
        f"fix-{name}": lambda name=name: reports.fix_html(getattr(made, name)())
        for name in ("full", "one", "empty", "people", "many", "hostile")
    },
    **{
        name: lambda name=name: reports.diff_html(getattr(made, name)())
        for name in ("diff", "unpaired")
    },
    "family": lambda: reports.comparison_html(reports.comparison(made.family())),
    "nothing": lambda: reports.comparison_html(reports.comparison(())),
}


class Reader(HTMLParser):
    """Collects text outside scripts and styles, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.silent = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.silent = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        self.text += "" if self.silent else data


def without_library(page: str) -> str:
    page = re.sub(r"(?s)<script>.*</script>", "<script>the drawing library</script>", page)
    return re.sub(r"sha256-[^']+", "sha256-of-the-library", page)


@pytest.mark.parametrize("name", ["fix-full", "diff", "family"])
def test_the_page_is_as_it_was(name: str, golden) -> None:
    golden(f"{name}.html", without_library(PAGES[name]()))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_the_network_for_nothing_and_its_links_arrive(name: str) -> None:
    page = PAGES[name]()
    assert len(page.encode()) <= MOST_BYTES
    tags = Reader(page).tags
    assert not [
        tag for tag, _ in tags if tag in ("link", "iframe", "object", "form", "base", "img")
    ]
    ids = [attributes["id"] for _, attributes in tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in ids
        for attribute in ("aria-labelledby", "data-spec"):
            assert attributes.get(attribute) is None or attributes[attribute] in ids


def test_text_of_users_is_text_wherever_it_stands() -> None:
    page = PAGES["fix-hostile"]()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    tags = Reader(page).tags
    assert not [a for _, attributes in tags for a in attributes if a.startswith("on")]
    assert len([a for tag, a in tags if tag == "script" and a.get("type") is None]) == 1


def test_the_page_of_a_fix_opens_with_what_a_decision_needs() -> None:
    text = " ".join(Reader(PAGES["fix-full"]()).text.split())
    says = [
        "Evidence, not certification", "digits", "2 of 4 repairs accepted.",
        "Temperature scaling brings calibration error from 8.7\u00a0% to 2.1\u00a0%, better by 6.6\u00a0points",
        "and no harm is shown", "Rejected: label smoothing and dropout.", "opened 2 times",
        "What each repair did to each check", "The repairs, one by one",
        "When the sealed rows were opened",
    ]  # fmt: skip
    at = -1
    for said in says:
        found = text.find(said.replace("\u00a0", " "), at + 1)
        found = text.find(said, at + 1) if found < 0 else found
        assert found > at, said
        at = found


def test_every_cell_of_the_matrix_says_its_numbers_in_words() -> None:
    fix = made.full()
    page = Reader(PAGES["fix-full"]()).text
    for effect in fix.effects:
        if effect.effect in ("helped", "harmed", "no_effect_shown"):
            assert effect_words.spoken(effect) in page


def test_nothing_of_single_rows_is_on_the_page_where_rows_are_people() -> None:
    page = PAGES["fix-people"]()
    assert "labelled 3, taken for 6" not in page
    assert "Nothing of single rows is shown" in page


def test_a_page_without_figures_goes_without_the_drawing_library() -> None:
    assert len(PAGES["diff"]()) < 100_000
    assert len(PAGES["fix-empty"]()) < 60_000


def test_the_matrix_has_columns_for_what_was_touched_and_a_line_for_the_rest() -> None:
    laid = matrix(made.full())
    checks = [column.check for column in laid.columns]
    assert checks[0] == "calibration_error"  # the first target
    assert len(checks) == 15
    assert [len(names) for _, names in laid.untouched] == [4]
    assert laid.unmeasured == (("Uncertainty", ("group_calibration_gap",)),)
    targets = [cell.column.check for row in laid.rows for cell in row.cells if cell.target]
    assert targets == [*["calibration_error"] * 3, "overfitting_gap"]


def test_what_is_accepted_stands_first() -> None:
    states = [row.candidate.state for row in matrix(made.full()).rows]
    assert states == [*["accepted"] * 2, *["rejected"] * 2, "error", "not_applicable"]


def test_checks_without_any_effect_stand_together_where_there_are_many() -> None:
    fix = made.many()
    laid = matrix(fix)
    gathered = [column for column in laid.columns if not column.check]
    assert gathered
    together = {name for column in gathered for name in column.names}
    for effect in (e for e in fix.effects if e.check in together):
        assert effect_words.state_of(effect) not in effect_words.SHOWN
    assert len(matrix(made.full(), most=MOST_COLUMNS).columns) == 15


def test_better_lies_to_the_right_whichever_way_the_check_points() -> None:
    laid = matrix(made.full())
    for cell in (cell for row in laid.rows for cell in row.cells if cell.glyph):
        if cell.state == "helped":
            assert 50 < cell.glyph.low <= cell.glyph.value <= cell.glyph.high <= 100
        if cell.state in ("harmed", "tolerated"):
            assert 0 <= cell.glyph.low <= cell.glyph.value <= cell.glyph.high < 50
        assert cell.glyph.margin is None or cell.glyph.margin < 50


def test_harm_that_is_tolerated_or_left_open_is_told_from_harm() -> None:
    harmed = next(e for e in made.full().effects if e.effect == "harmed")
    assert effect_words.state_of(replace(harmed, non_inferior=False)) == "harmed"
    assert effect_words.state_of(replace(harmed, non_inferior=None)) == "harmed"
    assert effect_words.state_of(replace(harmed, non_inferior=True)) == "tolerated"
    still = replace(harmed, effect="no_effect_shown")
    assert effect_words.state_of(replace(still, non_inferior=False)) == "open"
    assert effect_words.state_of(replace(still, non_inferior=True)) == "none"
    assert effect_words.state_of(replace(still, larger_is="neither", non_inferior=None)) == "noted"


def test_an_effect_is_said_as_better_or_worse_and_shares_in_points() -> None:
    fix = made.full()
    target = effect_words.target_effect(fix, fix.candidates[0])
    said = effect_words.amount_words(target).replace("\u00a0", " ")
    assert said == "better by 6.6 points (95 % interval 5.2 to 8.0)"
    recall = next(
        e
        for e in fix.effects
        if (e.mitigation, e.check) == ("label_smoothing", "rare_class_recall")
    )
    # more is better there: a difference of -1.5 points is worse, its interval -7.1 to 4.1
    said = effect_words.amount_words(recall).replace("\u00a0", " ")
    assert said == "worse by 2 points (95 % interval 7 worse to 4 better)"


def test_values_that_nothing_touched_keep_their_digits() -> None:
    untouched = next(e for e in made.full().effects if e.check == "duplicates_across_splits")
    assert effect_words.passage(untouched) == "0.02\u00a0% → 0.02\u00a0%"


@pytest.mark.slow
def test_a_page_of_far_too_many_repairs_stays_under_two_megabytes_and_says_what_it_left_out() -> (
    None
):
    many = made.many()
    found = tuple(
        replace(c, mitigation=f"{c.mitigation}_{i}") for i in range(10) for c in many.candidates
    )
    did = tuple(
        replace(e, mitigation=f"{e.mitigation}_{i}") for i in range(10) for e in many.effects
    )
    page = reports.fix_html(replace(many, candidates=found, effects=did))
    assert len(page.encode()) <= MOST_BYTES
    assert re.search(r"[\d,]+ further repairs in fix.json", page)
