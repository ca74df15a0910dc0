"""What comes out of one self-test, and what it says while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from roadworthy.procedures.selftest.plan import Skipped
from roadworthy.procedures.selftest.records import Kind, Records


@dataclass(frozen=True)
class Step:
    """Where a self-test is: what is being planted, and the share of its time that is spent."""

    what: str
    repetitions: int
    share: float


@dataclass(frozen=True)
class SelfTest:
    """What one self-test found.

    Parameters
    ----------
    subject, subject_key : str
    kind : Kind
    profile : str
    seed : int
    found : Records
        Of this run alone: what is added to a record file.
    known : Records
        This run's and all that was known of the same code before.
    skipped : tuple of Skipped
        What could not be tested, and why.
    broken : mapping of str to str
        Tracebacks of controls, faults and checks that broke, by what was planted.
    repetitions : int
    complete : bool
        False where the user stopped it.
    seconds : float
    """

    subject: str
    subject_key: str
    kind: Kind
    profile: str
    seed: int
    found: Records
    known: Records
    skipped: tuple[Skipped, ...]
    broken: Mapping[str, str]
    repetitions: int
    complete: bool
    seconds: float

    @property
    def tested(self) -> Records:
        """All that is known of what this run tested; of everything where it had nothing left to learn."""
        keys = {entry.key for entry in self.found.entries}
        if not keys:
            return self.known
        return Records(entries=tuple(entry for entry in self.known.entries if entry.key in keys))
