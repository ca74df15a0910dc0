"""What many self-tests together know: repetitions by check, fault, kind of subject and code.

Counts are added only where everything that could change them is the same: check, fault, control, bound, task,
modality, band of n, and the code of all that is computed in a repetition. Within such an entry
repetitions are kept in batches named by subject, seed and first repetition, so that the same
repetitions are never counted twice: merging is associative, commutative and idempotent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import TypeVar

from roadworthy.procedures.selftest.ladder import Promise, Role
from roadworthy.procedures.selftest.tally import Tally, total
from roadworthy.results import Requirement, Verdict

BANDS = (300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Kind:
    """Subjects on which a record says something: task, modality and band of test rows."""

    task: str
    modality: str
    band: str

    def __str__(self) -> str:
        return f"{self.task} {self.modality}, {self.band} test rows"


@dataclass(frozen=True)
class Batch:
    """Repetitions `first` to `first + tally.n - 1` of one severity on one subject under one seed."""

    subject: str
    subject_key: str
    seed: int
    first: int
    tally: Tally


@dataclass(frozen=True)
class RungRecord:
    """All batches of one severity."""

    role: Role
    severity: float
    batches: tuple[Batch, ...]

    @property
    def tally(self) -> Tally:
        """Of all batches together; where two overlap, the later one does not count."""
        counted: list[Tally] = []
        ends: dict[tuple[str, int], int] = {}
        for batch in sorted(self.batches, key=lambda b: (b.first, -b.tally.n)):
            source = (batch.subject_key, batch.seed)
            if batch.first >= ends.get(source, 0):
                ends[source] = batch.first + batch.tally.n
                counted.append(batch.tally)
        return total(counted)


@dataclass(frozen=True)
class Entry:
    """What is known of one check with one fault on one kind of subject.

    Parameters
    ----------
    check, fault : str
    control : str or None
    requirement : Requirement
    unit : str
    kind : Kind
    is_fact : bool
    promised : tuple of {"finding", "passing"}
        What the docstring of the check promises at the n that it measured on.
    n : int
        Of the check's measurements, the smallest.
    code : mapping of function name to key of its code
        Everything that a repetition computes.
    rungs : tuple of RungRecord
    """

    check: str
    fault: str
    control: str | None
    requirement: Requirement
    unit: str
    kind: Kind
    is_fact: bool
    promised: tuple[Promise, ...]
    n: int
    code: Mapping[str, str]
    rungs: tuple[RungRecord, ...] = ()

    @property
    def key(self) -> str:
        """What must be equal for counts to be added."""
        bound = f"{self.requirement.direction} {self.requirement.bound!r}"
        parts = (self.check, self.fault, self.control, bound, self.kind, self.is_fact)
        return digest(*parts, self.promised, *sorted(self.code.items()))

    def tally(self, *roles: Role) -> Tally:
        """Of all rungs that have one of these roles."""
        return total(rung.tally for rung in self.rungs if rung.role in roles)


@dataclass(frozen=True)
class CrossBatch:
    """How often a check alarmed with another's fault, and on the same subjects without it."""

    subject_key: str
    seed: int
    first: int
    n: int
    alarms: int
    alarms_without: int
    errors: int = 0


@dataclass(frozen=True)
class Crossing:
    """One cell of the check × fault matrix; `why` is the reason that the fault's docstring gives."""

    fault: str
    breaks: str
    check: str
    kind: Kind
    why: str
    code: Mapping[str, str]
    batches: tuple[CrossBatch, ...] = ()

    @property
    def key(self) -> str:
        """What must be equal for counts to be added."""
        return digest(self.fault, self.check, self.kind, *sorted(self.code.items()))


@dataclass(frozen=True)
class SuiteBatch:
    """Whole audits of a healthy subject, those with any false fail, and the false fails by check."""

    subject_key: str
    seed: int
    first: int
    n: int
    with_false_fail: int
    false_fails: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Whole audits of healthy subjects of one kind by these checks."""

    kind: Kind
    checks: tuple[str, ...]
    code: Mapping[str, str]
    batches: tuple[SuiteBatch, ...] = ()

    @property
    def key(self) -> str:
        """What must be equal for counts to be added."""
        return digest(self.kind, *self.checks, *sorted(self.code.items()))


@dataclass(frozen=True)
class NaturalRecord:
    """What a check said of published data with a known defect, and which verdicts agree with the truth."""

    fault: str
    check: str
    where: str
    source: str
    expected: tuple[Verdict, ...]
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    reason: str
    code: Mapping[str, str]

    @property
    def key(self) -> str:
        """What must be equal for one record to replace another."""
        return digest(self.fault, self.check, *sorted(self.code.items()))


@dataclass(frozen=True)
class Records:
    """Everything that is known, in a canonical order."""

    entries: tuple[Entry, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    suites: tuple[Suite, ...] = ()
    naturals: tuple[NaturalRecord, ...] = ()


def merged(records: Iterable[Records]) -> Records:
    """Return the union: batches of equal keys side by side, the same repetitions once."""
    all_records = tuple(records)
    return Records(
        entries=_union((e for r in all_records for e in r.entries), _joined_entries),
        crossings=_union((c for r in all_records for c in r.crossings), _joined_crossings),
        suites=_union((s for r in all_records for s in r.suites), _joined_suites),
        naturals=_union(
            (n for r in all_records for n in r.naturals), lambda a, b: max(a, b, key=repr)
        ),
    )


def current(
    records: Records, code_of: Callable[[str], str | None], kind: Kind | None = None
) -> Records:
    """Return what is known of the code as it stands: a changed check does not inherit its record.

    `code_of` gives the key of a function's code by its name, None where there is no such function.
    With a `kind`, entries of other kinds are kept as they are (hashing code takes time, and all that
    is said of them is that they exist) and nothing but entries is kept.
    """

    def holds(code: Mapping[str, str]) -> bool:
        return all(code_of(name) == key for name, key in code.items())

    if kind is not None:
        return Records(entries=tuple(e for e in records.entries if e.kind != kind or holds(e.code)))
    return Records(
        entries=tuple(e for e in records.entries if holds(e.code)),
        crossings=tuple(c for c in records.crossings if holds(c.code)),
        suites=tuple(s for s in records.suites if holds(s.code)),
        naturals=tuple(n for n in records.naturals if holds(n.code)),
    )


def next_repetition(
    records: Records, key: str, severity: float, subject_key: str, seed: int
) -> int:
    """Return the first repetition of this severity that no batch holds yet."""
    ends = [
        batch.first + batch.tally.n
        for entry in records.entries
        if entry.key == key
        for rung in entry.rungs
        if rung.severity == severity
        for batch in rung.batches
        if (batch.subject_key, batch.seed) == (subject_key, seed)
    ]
    return max(ends, default=0)


def band_of(n: int) -> str:
    """Return the band of test rows that `n` lies in.

    >>> band_of(299), band_of(300), band_of(2_000_000)
    ('under 300', '300 to 999', '1,000,000 and more')
    """
    if n < BANDS[0]:
        return f"under {BANDS[0]}"
    if n >= BANDS[-1]:
        return f"{BANDS[-1]:,} and more"
    low, high = next((a, b) for a, b in pairwise(BANDS) if a <= n < b)
    return f"{low:,} to {high - 1:,}"


def digest(*parts: object) -> str:
    """Return a short name for these parts, equal where all of them are."""
    return sha256("\n".join(str(part) for part in parts).encode()).hexdigest()[:20]


def _union(things: Iterable[T], join: Callable[[T, T], T]) -> tuple[T, ...]:
    by_key: dict[str, T] = {}
    for thing in things:
        key: str = thing.key  # pyright: ignore[reportAttributeAccessIssue] - every record has one
        by_key[key] = join(by_key.get(key, thing), thing)  # also puts its batches in order
    return tuple(sorted(by_key.values(), key=_order))


def _order(thing: object) -> tuple[str, ...]:
    names = ("check", "fault", "kind", "key")
    return tuple(str(getattr(thing, name, "")) for name in names)


def _joined_entries(a: Entry, b: Entry) -> Entry:
    batches: dict[tuple[float, Role], list[Batch]] = {}
    for rung in (*a.rungs, *b.rungs):
        batches.setdefault((rung.severity, rung.role), []).extend(rung.batches)
    rungs = tuple(
        RungRecord(role, severity, _distinct(found, lambda x: x.tally.n))
        for (severity, role), found in sorted(batches.items())
    )
    return replace(max(a, b, key=lambda e: (-e.n, repr(e.unit))), n=min(a.n, b.n), rungs=rungs)


def _joined_crossings(a: Crossing, b: Crossing) -> Crossing:
    kept = max(a, b, key=lambda c: c.why)
    return replace(kept, batches=_distinct((*a.batches, *b.batches), lambda x: x.n))


def _joined_suites(a: Suite, b: Suite) -> Suite:
    return replace(a, batches=_distinct((*a.batches, *b.batches), lambda x: x.n))


AnyBatch = TypeVar("AnyBatch", Batch, CrossBatch, SuiteBatch)


def _distinct(batches: Iterable[AnyBatch], size: Callable[[AnyBatch], int]) -> tuple[AnyBatch, ...]:
    """Keep one batch of each name: two with one name begin alike, so the longer holds the other."""
    longest: dict[tuple[str, int, int], AnyBatch] = {}
    for batch in batches:
        name = (batch.subject_key, batch.seed, batch.first)
        rival = longest.get(name, batch)
        longest[name] = max(batch, rival, key=lambda b: (size(b), repr(b)))
    return tuple(longest[name] for name in sorted(longest))
