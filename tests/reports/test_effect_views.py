"""Fixes, diffs and comparisons in every form: as they were, and sound whatever the data say."""

import csv as reader
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import synthetic_effects as made
from rich.cells import cell_len
from rich.console import Console

from roadworthy import reports
from roadworthy.reports.pull_request import MOST_LETTERS

FIXES = ("full", "one", "empty", "people", "many", "hostile")
DIFFS = ("diff", "unpaired")


def shown(view: object, width: int, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    Console(file=file, width=width).print(view)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def consoles() -> dict[str, object]:
    views = {name: reports.fix_console(getattr(made, name)()) for name in FIXES}
    views |= {name: reports.diff_console(getattr(made, name)()) for name in DIFFS}
    views["family"] = reports.comparison_console(reports.comparison(made.family()))
    views["nothing"] = reports.comparison_console(reports.comparison(()))
    return views


@pytest.mark.parametrize("name", ["full", "one", "empty"])
def test_a_fix_is_as_it_was(name: str, golden) -> None:
    fix = getattr(made, name)()
    golden(f"fix-{name}.md", reports.fix_markdown(fix))
    golden(f"fix-{name}-100.txt", shown(reports.fix_console(fix), 100))
    golden(f"fix-{name}.csv", reports.fix_csv(fix))


@pytest.mark.parametrize("name", DIFFS)
def test_a_diff_is_as_it_was(name: str, golden) -> None:
    diff = getattr(made, name)()
    golden(f"{name}.md", reports.diff_markdown(diff))
    golden(f"{name}-100.txt", shown(reports.diff_console(diff), 100))
    golden(f"{name}.csv", reports.diff_csv(diff))
    golden(f"{name}.junit.xml", reports.diff_junit(diff))


def test_a_comparison_is_as_it_was(golden) -> None:
    compared = reports.comparison(made.family())
    golden("family.md", reports.comparison_markdown(compared))
    golden("family.tex", reports.comparison_latex(compared))
    golden("family.csv", reports.comparison_csv(compared))
    golden("family-120.txt", shown(reports.comparison_console(compared), 120))


@pytest.mark.parametrize("name", [*FIXES, *DIFFS, "family", "nothing"])
@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(name: str, width: int) -> None:
    for line in shown(consoles()[name], width).splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize("name", ["full", "diff", "family"])
def test_a_terminal_without_unicode_gets_ascii(name: str) -> None:
    text = shown(consoles()[name], 100, "ascii")
    assert not re.search(r"\?{2}", text)
    assert "->" in text or ">" in text or name == "family"


@pytest.mark.parametrize("name", FIXES)
def test_a_fix_in_markdown_lets_no_markup_of_users_through_and_fits_a_comment(name: str) -> None:
    text = reports.fix_markdown(getattr(made, name)())
    assert len(text) < MOST_LETTERS + 200
    assert not re.search(r"<(?!/?(details|summary|sub)>)", text)


def test_the_table_of_a_fix_has_a_line_per_repair_and_check_and_one_where_nothing_was_measured() -> (
    None
):
    read = list(reader.DictReader(io.StringIO(reports.fix_csv(made.full()))))
    assert len(read) == 4 * len(made.CHECKS) + 2
    target = [r for r in read if r["is_target"] == "True"]
    assert [r["check"] for r in target[:2]] == ["calibration_error", "calibration_error"]
    assert float(target[0]["difference"]) == -0.066
    assert reports.fix_csv(made.empty()).count("\n") == 1


def test_checks_that_stand_together_say_of_which_challenge_they_are() -> None:
    for said in (shown(reports.fix_console(made.many()), 100), reports.fix_markdown(made.many())):
        together = re.findall(r"[^\n|]*\d+ (?:more|checks?) ", said)
        assert together
        assert all(re.search(r"[A-Z][a-z ]+: \d+", each) for each in together), together


def test_harm_beyond_its_margin_fails_the_build_and_harm_left_open_is_skipped() -> None:
    root = ET.fromstring(reports.diff_junit(made.diff()))
    failed = {c.get("name") for c in root.iter("testcase") if c.find("failure") is not None}
    skipped = {c.get("name") for c in root.iter("testcase") if c.find("skipped") is not None}
    assert {"test_error", "worst_class_error"} <= failed
    assert "brier_score" not in failed | skipped  # worse, for certain within its margin
    assert int(root.get("failures")) == len(failed)
    assert int(root.get("skipped")) == len(skipped)


def test_the_best_of_a_row_stands_apart_from_every_other() -> None:
    compared = reports.comparison(made.family())
    for row in compared.rows:
        known = [c.finding for c in row.cells if c.finding and c.finding.low is not None]
        for cell in (c for c in row.cells if c.best):
            for other in known:
                assert other is cell.finding or (
                    cell.finding.high < other.low or cell.finding.low > other.high
                )
    best = {row.check: [c.best for c in row.cells] for row in compared.rows}
    assert best["label_errors"] == [False, False, True, False]
    assert not any(best["outliers"])  # a note: neither direction is better


def test_subjects_of_one_name_are_told_apart() -> None:
    names = reports.comparison(made.family()).names
    assert names == ("linear_model", "small & quick", "wide_network", "wide_network (2)")


def test_latex_has_a_caption_rules_and_no_letter_that_would_stop_it() -> None:
    text = reports.comparison_latex(reports.comparison(made.family()))
    assert r"small \& quick" in text
    assert r"wide\_network (2)" in text
    for needed in (r"\caption{", r"\toprule", r"\midrule", r"\bottomrule", r"\textbf{"):
        assert needed in text
    body = text.split("\n", maxsplit=1)[1]
    assert text.isascii()
    assert not re.search(r"(?<!\\)[%#&_](?![^\n]*\\\\)", body.replace(" & ", ""))
    assert body.count("{") == body.count("}")
    widths = {line.count(" & ") for line in text.splitlines() if " & " in line}
    assert widths == {5}


def test_a_comparison_of_nothing_is_a_header() -> None:
    nothing = reports.comparison(())
    assert reports.comparison_csv(nothing).count("\n") == 1
    assert r"\bottomrule" in reports.comparison_latex(nothing)
    assert "no checks" in reports.comparison_html(nothing)
    assert reports.comparison_markdown(nothing)


def test_an_accepted_repair_says_which_descriptions_it_changed_beyond_chance() -> None:
    unanswered = ("unanswered", "uncertainty", "Rows without an answer", "share of test rows", 0.1, "neither", None, 0.02)  # fmt: skip
    asked = ("asked_again", "uncertainty", "Rows asked twice", "share of test rows", 0.2, "neither", None, 0.02)  # fmt: skip
    fix = made.full()
    more = [
        made.effect("temperature_scaling", unanswered, 0.4),
        made.effect("temperature_scaling", asked, 0.03),  # from -0.01 to 0.07: chance
        made.effect("dropout", unanswered, 0.3),  # rejected
    ]
    fix = replace(fix, effects=(*fix.effects, *more))
    printed = shown(reports.fix_console(fix), 100).replace("\u00a0", " ")
    assert printed.count("i also changes: unanswered 10.0 % → 50.0 %") == 1
    assert printed.count("i also changes") == 1
    assert "It also changes unanswered from 10.0 % to 50.0 %." in reports.fix_markdown(fix).replace(
        "\u00a0", " "
    )


def test_what_to_mind_and_a_check_that_still_fails_are_said_in_every_form() -> None:
    fix = made.full()
    accepted = next(c for c in fix.candidates if c.accepted)
    warned = replace(accepted, caution="the group must be known for every answer.")
    others = tuple(warned if c is accepted else c for c in fix.candidates)
    target = (accepted.mitigation, accepted.target)
    effects = tuple(
        replace(e, verdict_after="fail") if (e.mitigation, e.check) == target else e
        for e in fix.effects
    )
    mended = replace(fix, candidates=others, effects=effects)
    words = "Mind: the group must be known"
    console = shown(reports.fix_console(mended), 100)
    assert words in console
    assert "the check still fails" in console
    assert "still fails" not in shown(reports.fix_console(fix), 100)
    assert words in reports.fix_markdown(mended)
    assert words in reports.fix_html(mended)
    assert "Mind:" not in reports.fix_html(fix)
