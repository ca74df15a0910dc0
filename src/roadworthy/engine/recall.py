"""Keeping what one node computes in many parts: each part under an identity of its own.

An artifact that trains forty networks is one node of the graph; its parts are kept, found again and
shared with other artifacts one by one, so that a killed run loses at most the part it was at.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from roadworthy.engine.identity import Fingerprint, Identifier, base_versions
from roadworthy.engine.progress import Listener, heard_by, listening
from roadworthy.engine.stopwatch import Stopwatch
from roadworthy.engine.store import Store

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Lacking:
    """A part that the store does not have.

    Parameters
    ----------
    position : int
        Of the part among all that were asked for.
    unfinished : Path or None
        A file where the work on this part may be laid down while it goes on, and found again after
        a kill; it is removed when the part is done. None where nothing is kept.
    """

    position: int
    unfinished: Path | None


Make = Callable[[Sequence[Lacking]], Iterable[tuple[int, Any]]]  # Any: what an artifact may return


@dataclass(frozen=True)
class Keeper:
    """What a run offers to the node that it computes. `pause` ends the node where time is up.

    `elsewhere` takes the seconds that parts of the node took in other nodes or runs, None where that is not known.
    """

    store: Store
    identifier: Identifier
    pause: Callable[[], None]
    elsewhere: list[float | None] = field(default_factory=list[float | None])


_KEEPER: ContextVar[Keeper | None] = ContextVar("roadworthy keeper", default=None)


@contextmanager
def keeping(keeper: Keeper) -> Generator[None]:
    """Let `recall` use this store within the block."""
    token = _KEEPER.set(keeper)
    try:
        yield
    finally:
        _KEEPER.reset(token)


def pause() -> None:
    """End the node that asks where the run's budget is over; nothing happens outside of a run.

    For long computations without parts, at places where little is lost.
    """
    keeper = _KEEPER.get()
    if keeper is not None:
        keeper.pause()


def recall(
    code: object, shared: object, parts: Sequence[tuple[object, ...]], make: Make
) -> list[Any]:  # Any: what an artifact may return
    """Return the value of each part, from the store where it is there; the rest is made and kept.

    Parameters
    ----------
    code : function
        Whose code, with all that it reaches, decides the values.
    shared : object
        What else decides all of them; identified as the fields of a subject are.
    parts : sequence of tuple
        What else decides each; equal parts are made once.
    make : callable
        Takes the lacking parts and yields (position, value) in any order, each as soon as it is
        there.

    Returns
    -------
    list
        One value for each of `parts`. Outside of a run everything is made and nothing is kept.
    """
    keeper = _KEEPER.get()
    identifier = Identifier() if keeper is None else keeper.identifier
    keys = _keys(identifier, code, shared, parts)
    store = Store() if keeper is None else keeper.store
    values: dict[str, Any] = {}  # Any: see above
    for key in dict.fromkeys(keys):
        found = store.get(key.digest) if keeper is not None and key.unknown is None else None
        if keeper is not None and found is not None:
            values[key.digest] = found.value
            keeper.elsewhere.append(found.seconds)
    lacking: dict[str, Lacking] = {}
    for position, key in enumerate(keys):
        if key.digest not in values and key.digest not in lacking:
            lacking[key.digest] = Lacking(position, _unfinished(keeper, key))
    if lacking:
        begun = {digest for digest, each in lacking.items() if _is_begun(each)}
        for position, value, seconds in _timed(
            make(list(lacking.values())), alone=len(lacking) == 1
        ):
            key = keys[position]
            if keeper is not None and key.unknown is None:
                known = None if key.digest in begun else seconds
                value = store.put(key.digest, value, known)
                _remove(lacking[key.digest].unfinished)
            values[key.digest] = value
            if keeper is not None:
                if key.digest in begun:
                    keeper.elsewhere.append(None)
                keeper.pause()
    return [values[key.digest] for key in keys]


class _Made(NamedTuple):
    """A part that was made, and the seconds that it took; None where it was made together with others."""

    position: int
    value: Any  # Any: what an artifact may return
    seconds: float | None


def _timed(parts: Iterable[tuple[int, Any]], *, alone: bool) -> Iterator[_Made]:  # Any: see above
    """Time each part.

    Several that are made together end together, or one ends while others go on: the seconds between them are
    nobody's own. What makes them tells so, by advancing as many steps at a time.
    """
    making = iter(parts)
    while True:
        steps = _Steps(heard_by())
        stopwatch = Stopwatch()
        with listening(steps.hear):
            made = next(making, None)
        if made is None:
            return
        seconds = stopwatch.seconds
        yield _Made(*made, seconds if alone or steps.were_single else None)


class _Steps:
    """How steps were told: one at a time, or several."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._done: list[int] = []

    def hear(self, done: int, total: int) -> None:
        """Take note of how far it is, and hand it on."""
        self._done.append(done)
        if self._listener is not None:
            self._listener(done, total)

    @property
    def were_single(self) -> bool:
        """Whether there were several, each of them one at most."""
        return len(self._done) > 1 and all(b - a <= 1 for a, b in pairwise(self._done))


def _keys(
    identifier: Identifier, code: object, shared: object, parts: Sequence[tuple[object, ...]]
) -> list[Fingerprint]:
    alike = [identifier.of(code), identifier.of(shared)]
    known: dict[int, Fingerprint] = {}  # of what several parts hold; they outlive this call
    found: list[Fingerprint] = []
    for part in parts:
        for each in part:
            if id(each) not in known:
                known[id(each)] = identifier.of(each)
        every = [*alike, *(known[id(each)] for each in part)]
        lines = ["part", base_versions(), *(fingerprint.digest for fingerprint in every)]
        unknown = next((f.unknown for f in every if f.unknown), None)
        found.append(Fingerprint(sha256("\n".join(lines).encode()).hexdigest(), unknown))
    return found


def _unfinished(keeper: Keeper | None, key: Fingerprint) -> Path | None:
    if keeper is None or key.unknown is not None or not keeper.store.keeps_files:
        return None
    assert keeper.store.path is not None
    folder = keeper.store.path / UNFINISHED
    folder.mkdir(exist_ok=True)
    return folder / f"{key.digest}.safetensors"


def _is_begun(part: Lacking) -> bool:
    """Whether a run that was killed has done some of the work."""
    return part.unfinished is not None and part.unfinished.exists()


def _remove(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)
