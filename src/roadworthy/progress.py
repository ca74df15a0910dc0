"""The live display of a run: what is computed now, what was kept from before, how long it may take."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from roadworthy.engine import events
from roadworthy.procedures.fix import Trying
from roadworthy.procedures.selftest import Step
from roadworthy.reports.wording import seconds_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


EVERY = 30.0  # seconds between lines


def display(asked: bool | None) -> "Silent":
    """Return what shows a run on standard error: bars in a terminal, elsewhere a line each half minute.

    Parameters
    ----------
    asked : bool or None
        True: bars wherever it is; False: nothing.
    """
    if asked is None:
        return Bars() if sys.stderr.isatty() else Lines()
    return Bars() if asked else Silent()


class Silent(AbstractContextManager["Silent"]):
    """Receives the engine's events and shows none."""

    def __exit__(self, *raised: object) -> None:
        """End the display."""

    def receive(self, event: object) -> None:
        """Take one event."""


class Lines(Silent):
    """Says how far a long run is, for files and the logs of build servers, where a bar cannot be drawn again."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()
        self._doing = self._count = ""
        self._done = self._total = 0

    def receive(self, event: object) -> None:
        """Note one event, and say where the run is if nothing was said for `EVERY` seconds."""
        match event:
            case events.Planned(total=total):
                self._done, self._total = 0, total
            case events.Started(name=name):
                self._doing = name.replace("_", " ")
            case events.Progress(name=name, done=done, total=total):
                self._doing = f"{name.replace('_', ' ')} {done}/{total}"
            case events.Finished() | events.Failed():
                self._done += 1
            case Trying(mitigation=name, number=number, total=total):
                self._count = f"repair {number} of {total}, {name.replace('_', ' ')}"
            case Step(what=what, repetitions=repetitions, share=share):
                self._count = f"{share:.0%} of the time, {repetitions:,} planted"
                self._doing = what
            case _:
                return
        now = self._clock()
        if now - self._last < EVERY:
            return
        self._last = now
        counted = f"{self._done} of {self._total} quantities" if self._total else ""
        doing = f"now {self._doing}" if self._doing else ""
        said = ", ".join(part for part in (self._count, counted, doing) if part)
        sys.stderr.write(f"{said} ({seconds_words(round(now - self._began))})\n")
        sys.stderr.flush()


class Bars(Silent):
    """Shows the engine's events as they come: the first line counts quantities, the second how far a long one is."""

    def __init__(self, *, console: "Console | None" = None) -> None:
        self._bar = _bar(console)
        self._all: TaskID | None = None
        self._one: TaskID | None = None
        self._kept = self._done = self._total = 0

    def __enter__(self) -> "Bars":
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()

    def receive(self, event: object) -> None:
        """Show one event."""
        match event:
            case events.Planned(total=total, stored=stored):
                self._plan(self._bar, total, stored)
            case events.Started(name=name):
                self._show(self._bar, name, None, None)
            case events.Progress(name=name, done=done, total=total):
                self._show(self._bar, name, done, total)
            case events.Finished(from_store=from_store):
                self._count(self._bar, from_store)
            case events.Failed(name=name, reason=reason):
                self._bar.console.print(f"[red]{name} broke:[/] {reason}", highlight=False)
                self._count(self._bar, from_store=False)
            case events.NotKept(reason=reason):
                self._bar.console.print(f"[yellow]{reason}[/]", highlight=False)
            case Trying(mitigation=name, target=target, number=number, total=total):
                said = f"{number} of {total}: {name.replace('_', ' ')}, for {target}"
                self._bar.console.print(said, style="dim", highlight=False)
            case Step(what=what, repetitions=repetitions, share=share):
                self._step(self._bar, what, repetitions, share)
            case _:
                pass

    def _plan(self, bar: "Bar", total: int, stored: int) -> None:
        if self._all is not None:
            bar.remove_task(self._all)
        self._kept, self._done, self._total = 0, 0, total
        self._all = bar.add_task(
            "quantities", total=total, far=f"0/{total}", note=f"{stored} kept from before"
        )

    def _step(self, bar: "Bar", what: str, repetitions: int, share: float) -> None:
        note = f"{repetitions:,} planted"
        if self._all is None:
            self._all = bar.add_task(what, total=100, far="", note=note)
        far = f"{share:.0%}"
        bar.update(self._all, description=what, completed=round(100 * share), far=far, note=note)

    def _show(self, bar: "Bar", name: str, done: int | None, total: int | None) -> None:
        words = name.replace("_", " ")
        far = "" if total is None else f"{done}/{total}"
        if self._one is None:
            self._one = bar.add_task(words, total=total, completed=done or 0, far=far, note="")
        else:
            bar.update(self._one, description=words, total=total, completed=done or 0, far=far)

    def _count(self, bar: "Bar", from_store: bool) -> None:
        if self._all is None:
            return
        self._kept += from_store
        self._done += 1
        note = f"{self._kept} kept from before"
        bar.update(self._all, completed=self._done, far=f"{self._done}/{self._total}", note=note)


def _bar(console: "Console | None") -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[far]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
        console=console or Console(stderr=True),
        transient=True,
    )
