"""The live display of a run: what is computed now, what was kept from before, how long it may take."""

from types import TracebackType
from typing import TYPE_CHECKING

from roadworthy.engine import events
from roadworthy.procedures.fix import Trying
from roadworthy.procedures.selftest import Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """Receives the engine's events and shows them on standard error; silent unless `shown`.

    The first line counts quantities, the second shows how far a long one is.
    """

    def __init__(self, *, shown: bool, console: "Console | None" = None) -> None:
        self._bar: Bar | None = _bar(console) if shown else None
        self._all: TaskID | None = None
        self._one: TaskID | None = None
        self._kept = self._done = self._total = 0

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def receive(self, event: object) -> None:
        """Show one event."""
        if self._bar is None:
            return
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
