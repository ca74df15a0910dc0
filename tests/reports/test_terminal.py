"""The terminal report: at two usual widths as it was, and sound on terminals that can do little."""

import io
import re
from dataclasses import replace

import pytest
import synthetic_audits as made
from rich.cells import cell_len
from rich.console import Console

from roadworthy.reports import console, markdown


def shown(name: str, width: int, encoding: str = "utf-8", **options: object) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    Console(file=file, width=width, **options).print(console(getattr(made, name)()))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["full", "passing", "empty"])
def test_the_report_is_as_it_was(name: str, width: int, golden) -> None:
    golden(f"{name}-{width}.txt", shown(name, width))


@pytest.mark.parametrize("name", ["full", "people", "passing", "empty", "hostile"])
@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(name: str, width: int) -> None:
    for line in shown(name, width).splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()


def test_a_terminal_without_unicode_gets_ascii_with_the_same_words() -> None:
    text = shown("full", 80, encoding="ascii")
    assert "x FAIL" in text
    assert "95 % interval 6.0 to 11.0 %" in text
    assert "?FAIL" not in text


def test_colours_come_with_words() -> None:
    coloured = shown("full", 80, force_terminal=True, color_system="standard")
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown("full", 80)


def test_every_finding_is_named_and_what_fails_comes_first() -> None:
    text = shown("full", 80)
    places = [text.find(f.check) for f in made.findings()]
    assert min(places) >= 0
    assert text.find("label_errors") < text.find("calibration_error") < text.find("ranking_quality")


def test_the_last_line_says_how_it_ended() -> None:
    last = shown("full", 80).splitlines()[-1]
    assert "3 of 5 decided checks fail." in last
    assert "Exit status 1" in last


def test_markup_and_control_letters_of_a_name_are_only_letters() -> None:
    from dataclasses import replace

    audit = made.full()
    audit = replace(audit, subject=replace(audit.subject, name="[bold]x[/bold]\x1b[2J\r"))
    file = io.StringIO()
    Console(file=file, width=80).print(console(audit))
    assert "[bold]x[/bold]" in file.getvalue()
    assert "\x1b" not in file.getvalue()
    assert "\r" not in file.getvalue()


def test_what_was_found_is_said_where_nothing_is_decided_too() -> None:
    audit = made.full()
    undecided = next(f for f in audit.findings if f.verdict == "inconclusive")
    told = replace(
        undecided, details='The group by sex is not known for 30 rows; groups are "a" and "b"'
    )
    audit = replace(audit, findings=(told,))
    file = io.StringIO()
    Console(file=file, width=200).print(console(audit))
    assert 'groups are "a" and "b".' in file.getvalue()
    assert 'groups are "a" and "b"' in markdown(audit)
