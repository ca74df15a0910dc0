"""Markdown: short enough for a comment, harmless whatever the data say, with its pictures beside it."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import synthetic_audits as made

from roadworthy.reports import markdown, markdown_pictures
from roadworthy.reports.pull_request import MOST_LETTERS, safe


@pytest.mark.parametrize("name", ["full", "people", "passing", "empty"])
def test_the_text_is_as_it_was(name: str, golden) -> None:
    golden(f"{name}.md", markdown(getattr(made, name)()))


def test_text_of_users_is_no_markup_link_or_mention() -> None:
    text = markdown(made.hostile())
    assert not re.search(r"<(?!/?(details|summary|sub)>)", text)
    assert safe("a|b `c` *d* [e](http://f) ![g](h) @team <i>") == (
        "a\\|b \\`c\\` \\*d\\* \\[e\\](http:\u200b//f) \\!\\[g\\](h) @\u200bteam &lt;i&gt;"
    )


def test_rows_that_are_people_are_named_by_number_alone() -> None:
    text = markdown(made.people())
    assert "labelled" not in re.sub(r"9 labelled as 3|8 labelled as 1", "", text)
    assert "| test | 51 |" in text


def test_a_text_too_long_for_a_comment_ends_with_a_word_that_says_so() -> None:
    many = tuple(
        replace(made.findings()[0], check=f"check_{i}", details="word " * 300) for i in range(80)
    )
    text = markdown(made.audit_of(many))
    assert len(text) < MOST_LETTERS + 200
    assert "left out here for length" in text


def test_pictures_are_svg_files_that_the_text_shows() -> None:
    drawn = markdown_pictures(made.full())
    assert set(drawn) == {
        "label_errors-1.svg", "duplicates_across_splits-0.svg", "overfitting_gap-0.svg",
        "calibration_error-0.svg", "rare_class_recall-0.svg",
    }  # fmt: skip
    text = markdown(made.full(), pictures="figures")
    for name, picture in drawn.items():
        assert f"(figures/{name})" in text
        assert ET.fromstring(picture).tag.endswith("svg")
        assert "var(--" not in picture
        assert len(picture) < 60_000


def test_how_the_rows_were_read_is_said_for_those_who_saw_nothing_printed() -> None:
    audit = made.full()
    note = "no validation rows are marked: 60 of 300 training rows were set aside for validation"
    audit = replace(audit, subject=replace(audit.subject, notes=(note,)))
    assert "No validation rows are marked: 60 of 300 training rows were set" in markdown(audit)
