"""How a long computation says how far it is, without knowing who listens."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("roadworthy progress", default=None)


def advance(done: int, total: int) -> None:
    """Say that `done` of `total` steps are done; nothing happens outside of a run.

    Where some are left and the run's budget is over, the node ends here.
    """
    listener = _LISTENER.get()
    if listener is not None:
        listener(done, total)


def heard_by() -> Listener | None:
    """Return who listens now."""
    return _LISTENER.get()


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Let `listener` hear what is said by `advance` within the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
