"""What the engine's tests share: modules made from text, and a record of what a run computed."""

import itertools
import sys
from collections.abc import Callable
from textwrap import dedent
from types import ModuleType

import pytest

from roadworthy.engine import Event, Finished, Progress

_numbers = itertools.count()


class Clock:
    """The time that the engine sees: it passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = process_time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for name in ("run", "stopwatch"):
        monkeypatch.setattr(sys.modules[f"roadworthy.engine.{name}"], "time", made)
    return made


class Record:
    """Takes the events of a run."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def computed(self) -> list[str]:
        """Names of the nodes that were computed, in order."""
        return [e.name for e in self.events if isinstance(e, Finished) and not e.from_store]

    @property
    def reused(self) -> list[str]:
        return [e.name for e in self.events if isinstance(e, Finished) and e.from_store]

    @property
    def steps(self) -> list[tuple[str, int]]:
        return [(e.name, e.done) for e in self.events if isinstance(e, Progress)]


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Make a module from source text, as a file that is run or a cell of a notebook would be."""

    def make(source: str, name: str = "") -> ModuleType:
        made = ModuleType(name or f"written_{next(_numbers)}")
        monkeypatch.setitem(sys.modules, made.__name__, made)
        exec(compile(dedent(source), f"{made.__name__}.py", "exec"), made.__dict__)
        return made

    return make
