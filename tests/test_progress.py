"""The live display: what it shows of a run, and that it can be silent."""

import io

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
    with progress.Progress(shown=True, console=console) as display:
        assert display._bar is not None
        for event in events:
            display.receive(event)
            display._bar.refresh()
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


def test_without_a_terminal_nothing_is_shown(capfd: object) -> None:
    with progress.Progress(shown=False) as display:
        for event in EVENTS:
            display.receive(event)
    out, err = capfd.readouterr()  # pyright: ignore
    assert out == err == ""
