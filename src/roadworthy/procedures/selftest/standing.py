"""What the records say of a check on subjects like this one, and what a verdict of it is then worth."""

from collections.abc import Iterable
from dataclasses import dataclass

from roadworthy.procedures.selftest.ladder import ALL_PROMISES, marks_of
from roadworthy.procedures.selftest.records import Entry, Kind, Records, band_of
from roadworthy.procedures.selftest.stopping import (
    DETECTED_HARMFUL,
    FALSE_FAIL_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    FALSE_PASS_AT_BOUND,
    FALSE_PASS_HARMFUL,
    PASS_HEALTHY,
    Decision,
    Mark,
    decide,
)
from roadworthy.procedures.selftest.tally import Tally, total
from roadworthy.results import Record
from roadworthy.subject import Subject

MARKS = (
    FALSE_FAIL_AT_BOUND,
    FALSE_PASS_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    PASS_HEALTHY,
    DETECTED_HARMFUL,
    FALSE_PASS_HARMFUL,
)
# A check that misses one of these can say "pass" of the very thing that it looks for.
BLINDNESS = (DETECTED_HARMFUL, FALSE_PASS_AT_BOUND, FALSE_PASS_HARMFUL)


@dataclass(frozen=True)
class Standing:
    """Hits, repetitions and decision for one mark; `binding` where the check promises it at this n."""

    mark: Mark
    hits: int
    n: int
    decision: Decision
    binding: bool

    @property
    def rate(self) -> float | None:
        """Share of repetitions that show the event."""
        return self.hits / self.n if self.n else None


def standings(entries: Iterable[Entry]) -> tuple[Standing, ...]:
    """Return where the check of these entries stands with each mark, all its faults together."""
    tallies: dict[Mark, list[Tally]] = {mark: [] for mark in MARKS}
    binding: set[Mark] = set()
    for entry in entries:
        for rung in entry.rungs:
            promised = marks_of(rung.role, is_fact=entry.is_fact, promised=entry.promised)
            binding.update(promised)
            for mark in marks_of(rung.role, is_fact=entry.is_fact, promised=ALL_PROMISES):
                tallies[mark].append(rung.tally)
    summed = {mark: total(found) for mark, found in tallies.items()}
    return tuple(
        Standing(mark, t.hits(mark), t.n, decide(mark, t.hits(mark), t.n), mark in binding)
        for mark, t in summed.items()
    )


def is_qualified(entries: Iterable[Entry]) -> bool | None:
    """Return True when all marks are reached, False when one is shown to be missed, else None.

    Where the check measured on fewer rows than its docstring states, passing when healthy and finding
    what is harmful are not promised: missing them decides nothing, reaching them counts.
    A check with several faults must reach the marks with each.
    """
    verdicts = [_is_qualified(entry) for entry in entries]
    if any(verdict is False for verdict in verdicts):
        return False
    return True if verdicts and all(verdicts) else None


def misses_its_fault(entries: Iterable[Entry]) -> bool:
    """Whether one of its faults is shown to get past the check, or to break it."""
    return any(
        _broke(entry)
        or any(
            s.decision == "missed" and s.binding and s.mark in BLINDNESS for s in standings([entry])
        )
        for entry in entries
    )


def record_for(check: str, subject: Subject, records: Records) -> Record | None:
    """Return what `records` (current ones) know of a check on subjects of this task, modality and size.

    None where nothing is known of the check at all. Where it is known on other kinds of subject only,
    a record without rates says so: not qualified here.
    """
    everywhere = [entry for entry in records.entries if entry.check == check]
    if not everywhere:
        return None
    kind = kind_of(subject)
    here = [entry for entry in everywhere if entry.kind == kind]
    if not here:
        elsewhere = "; ".join(sorted({str(entry.kind) for entry in everywhere}))
        return Record(
            subject_kind=str(kind),
            repetitions=0,
            false_fail_at_bound=None,
            false_pass_at_bound=None,
            false_fail_healthy=None,
            pass_healthy=None,
            detected_harmful=None,
            qualified=None,
            summary=f"the self-test knows this check on other kinds of subject only ({elsewhere})",
        )
    rates = {standing.mark: standing.rate for standing in standings(here)}
    return Record(
        subject_kind=str(kind),
        repetitions=sum(rung.tally.n for entry in here for rung in entry.rungs),
        false_fail_at_bound=rates[FALSE_FAIL_AT_BOUND],
        false_pass_at_bound=rates[FALSE_PASS_AT_BOUND],
        false_fail_healthy=rates[FALSE_FAIL_HEALTHY],
        pass_healthy=rates[PASS_HEALTHY],
        detected_harmful=rates[DETECTED_HARMFUL],
        qualified=is_qualified(here),
        summary=summary_of(here),
        blind=misses_its_fault(here),
    )


def kind_of(subject: Subject) -> Kind:
    """Return the kind of a subject: its task, modality and band of test rows (else of all rows)."""
    test = subject.splits.get("test")
    n = test.n if test else sum(split.n for split in subject.splits.values())
    return Kind(subject.task.kind, subject.modality, band_of(n))


def summary_of(entries: Iterable[Entry]) -> str:
    """Say in one clause what is known, and which mark is missed if one is."""
    known = tuple(entries)
    by_mark = {standing.mark: standing for standing in standings(known)}
    found, healthy = by_mark[DETECTED_HARMFUL], by_mark[FALSE_FAIL_HEALTHY]
    n = min((entry.n for entry in known), default=0)
    parts = [
        f"the self-test found {found.hits} of {found.n} planted faults of this kind at n = {n:,}",
        f"{healthy.hits} false {_alarms(healthy.hits)} in {healthy.n} healthy audits",
    ]
    at_bound = (by_mark[FALSE_FAIL_AT_BOUND], by_mark[FALSE_PASS_AT_BOUND])
    if any(standing.n for standing in at_bound):
        fails, passes = at_bound
        parts.append(
            f"{fails.hits} false fails in {fails.n} and {passes.hits} false passes in {passes.n} at the bound"
        )
    broke = sum(rung.tally.errors for entry in known for rung in entry.rungs)
    if broke:
        parts.append(f"it broke in {broke} repetitions")
    parts += [
        f"missing its mark: {s.mark.event} {s.hits} of {s.n} "
        f"({_most(s.mark)} {100 * s.mark.rate:g} % required)"
        for s in by_mark.values()
        if s.decision == "missed" and s.binding
    ]
    return "; ".join(parts)


def _is_qualified(entry: Entry) -> bool | None:
    found = standings([entry])
    if _broke(entry) or any(s.decision == "missed" and s.binding for s in found):
        return False
    return True if all(s.decision == "reached" for s in found) else None


def _broke(entry: Entry) -> bool:
    return any(rung.tally.errors for rung in entry.rungs)


def _alarms(n: int) -> str:
    return "alarm" if n == 1 else "alarms"


def _most(mark: Mark) -> str:
    return "at most" if mark.direction == "at_most" else "at least"
