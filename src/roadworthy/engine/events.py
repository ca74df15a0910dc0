"""What a run says while it goes on: for progress bars, logs and tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """`total` nodes are needed, of which `stored` are in the store already.

    `unknown` names the nodes whose results are never kept, each with what could not be identified.
    """

    total: int
    stored: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Started:
    """A node is being computed."""

    name: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a node: rows, epochs, resamples."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """A node has its value (or is not applicable); `key` is empty where it has no identity."""

    name: str
    seconds: float
    from_store: bool
    key: str = ""


@dataclass(frozen=True)
class Failed:
    """A node raised."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class NotKept:
    """A result could not be written to the store; the run goes on in memory from here."""

    reason: str


Event = Planned | Started | Progress | Finished | Failed | NotKept
