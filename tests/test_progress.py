"""The live display: what it shows of a run, and that it can be silent."""

import io

import pytest
from rich.console import Console

from roadworthy import progress
from roadworthy.engine import Failed, Finished, Planned, Progress, Started
from roadworthy.procedures.fix import Trying
from roadworthy.procedures.selftest import Step

EVENTS = (
    Planned(total=3, stored=1),
    Finished("row_ids", 0.0, from_store=True),
    Started("weights"),
    Progress("weights", 4, 12),
    Finished("weights", 1.0, from_store=False),
    Failed("overfitting_gap", "ZeroDivisionError", 0.1),
)


def shown(events: tuple[object, ...]) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, no_color=True)
    with progress.Bars(console=console) as display:
        for event in events:
            display.receive(event)
            display._bar.refresh()  # pyright: ignore[reportPrivateUsage]
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_display_counts_names_and_says_how_far() -> None:
    text = shown(EVENTS)
    assert "1 kept from before" in text
    assert "weights" in text
    assert "4/12" in text
    assert "3/3" in text


def test_the_display_shows_the_share_of_a_self_test() -> None:
    assert "40%" in shown((Step("overfitting_gap", 1200, 0.4),))


def test_the_display_says_which_repair_is_tried() -> None:
    assert "2 of 5: weight decay, for overfitting_gap" in shown(
        (Trying("weight_decay", "overfitting_gap", 2, 5),)
    )


def test_asked_for_nothing_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.display(asked=False) as display:
        for event in EVENTS:
            display.receive(event)
    out, err = capsys.readouterr()
    assert out == err == ""


def test_without_a_terminal_a_line_each_half_minute_says_how_far(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert isinstance(progress.display(None), progress.Lines)  # pytest captures: no terminal
    times = iter([0.0, 10.0, 20.0, 40.0, 50.0, 60.0, 95.0])
    with progress.Lines(clock=lambda: next(times)) as display:
        for event in EVENTS:
            display.receive(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "1 of 3 quantities, now weights (40 s)\n3 of 3 quantities, now weights 4/12 (1 min 35 s)\n"
    )


def test_the_lines_say_which_repair_is_tried_and_how_far_a_self_test_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter(range(0, 1000, 31))
    with progress.Lines(clock=lambda: next(times)) as display:
        display.receive(Trying("weight_decay", "overfitting_gap", 2, 5))
        display.receive(Started("weights"))
        display.receive(Step("overfitting_gap", 1200, 0.4))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "repair 2 of 5, weight decay (31 s)",
        "repair 2 of 5, weight decay, now weights (1 min 2 s)",
        "40% of the time, 1,200 planted, now overfitting_gap (1 min 33 s)",
    ]
