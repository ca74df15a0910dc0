"""One trial under way: its rungs, what was found on each, and which of them to repeat next."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from roadworthy.procedures.selftest.ladder import Rung, marks_of
from roadworthy.procedures.selftest.plan import Trial
from roadworthy.procedures.selftest.records import Batch, Entry, RungRecord
from roadworthy.procedures.selftest.standing import standings
from roadworthy.procedures.selftest.stopping import Decision
from roadworthy.procedures.selftest.tally import Repetition, Tally, tally_of

# The power curve is drawn, not judged: it gets a repetition for every few of a judged rung.
CURVE_WEIGHT = 0.25


@dataclass(frozen=True)
class Effort:
    """How much is done at most.

    Parameters
    ----------
    seconds : float
        For everything; one repetition of each control is made in any case.
    least, most : int
        Repetitions of a judged rung: these at least, whatever is known already; no more than these.
    curve : int
        Repetitions of the other severities.
    crossings, suites : int
        Repetitions of the check × fault matrix, and of whole healthy audits.
    """

    seconds: float
    least: int
    most: int
    curve: int
    crossings: int
    suites: int


EFFORTS: Mapping[str, Effort] = {
    "quick": Effort(110.0, 10, 400, 40, 3, 40),
    "standard": Effort(1_200.0, 50, 1_000, 150, 20, 200),
    "full": Effort(14_400.0, 200, 5_000, 500, 50, 500),
}


@dataclass
class Course:
    """State of one trial in a run.

    Parameters
    ----------
    trial : Trial
    entry : Entry
        What is known already, with every rung of this run in it (possibly without batches).
    firsts : mapping of Rung to int
        Number of the first repetition of this run.
    effort : Effort
    """

    trial: Trial
    entry: Entry
    firsts: Mapping[Rung, int]
    effort: Effort
    found: dict[Rung, Tally] = field(default_factory=dict)
    seconds: float = 0.0
    closed: dict[Rung, str] = field(default_factory=dict)
    healthy_fails: list[bool] = field(default_factory=list)

    @property
    def healthy_rung(self) -> Rung | None:
        """The rung of half the bound, where it can still be planted."""
        return next((r for r in self.firsts if r.role == "healthy" and r not in self.closed), None)

    def add(self, rung: Rung, repetition: Repetition) -> None:
        """Count a repetition."""
        self.found[rung] = self.found.get(rung, Tally()) + tally_of(repetition)
        self.seconds += repetition.seconds
        if rung.role == "healthy":
            self.healthy_fails.append(repetition.verdict == "fail")

    def close(self, rung: Rung, reason: str) -> None:
        """Plant this severity no more."""
        self.closed[rung] = reason

    def number(self, rung: Rung) -> int:
        """Return the number of the next repetition of this rung."""
        return self.firsts[rung] + self.found.get(rung, Tally()).n

    def next_rung(self) -> Rung | None:
        """Return the rung that is furthest behind, or None when all are decided or done."""
        wanting = [rung for rung in self.firsts if rung not in self.closed and self._wants(rung)]
        return min(wanting, key=self._progress, default=None)

    def decisions(self) -> dict[str, Decision]:
        """Return what is decided of each mark, with all that is known."""
        found = standings([self.result("", "", 0, known=self.entry)])
        return {standing.mark.name: standing.decision for standing in found}

    def result(
        self, subject: str, subject_key: str, seed: int, known: Entry | None = None
    ) -> Entry:
        """Return the entry of this run's repetitions, on top of those of `known`."""
        before = {(r.role, r.severity): r.batches for r in known.rungs} if known else {}
        rungs = tuple(
            RungRecord(
                rung.role,
                rung.severity,
                (
                    *before.get((rung.role, rung.severity), ()),
                    Batch(subject, subject_key, seed, self.firsts[rung], tally),
                ),
            )
            for rung, tally in self.found.items()
        )
        return replace(self.entry, rungs=rungs)

    def _wants(self, rung: Rung) -> bool:
        n = self.found.get(rung, Tally()).n
        if rung.role == "curve":
            return n < self.effort.curve
        if n < self.effort.least:
            return True
        marks = marks_of(rung.role, is_fact=self.entry.is_fact, promised=self.entry.promised)
        decided = self.decisions()
        return n < self.effort.most and any(decided.get(m.name, "open") == "open" for m in marks)

    def _progress(self, rung: Rung) -> float:
        n = self.found.get(rung, Tally()).n
        return n / CURVE_WEIGHT if rung.role == "curve" else n
