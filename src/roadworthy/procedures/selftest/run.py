"""The self-test of a subject: every check with its faults, the time shared fairly, Ctrl-C keeps what was done."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from roadworthy.engine import Marked, Registry, Store, key_of
from roadworthy.errors import UserError
from roadworthy.procedures.choice import chosen_checks
from roadworthy.procedures.selftest.bench import Bench, Computing, seed_of
from roadworthy.procedures.selftest.course import EFFORTS, Course, Effort
from roadworthy.procedures.selftest.crossing import crossed
from roadworthy.procedures.selftest.ladder import Rung, rungs, scale_of
from roadworthy.procedures.selftest.natural import observed
from roadworthy.procedures.selftest.outcome import SelfTest, Step
from roadworthy.procedures.selftest.plan import Skipped, Trial, planned, reasons_to_alarm
from roadworthy.procedures.selftest.records import (
    CrossBatch,
    Crossing,
    Entry,
    NaturalRecord,
    Records,
    Suite,
    SuiteBatch,
    current,
    merged,
    next_repetition,
)
from roadworthy.procedures.selftest.repetition import planted_subject, repeated
from roadworthy.procedures.selftest.standing import kind_of
from roadworthy.procedures.selftest.suite import audits, batch_of, of_one_fault_each
from roadworthy.procedures.selftest.tally import Repetition
from roadworthy.procedures.source import VERDICT, code_name, codes
from roadworthy.procedures.transforms import CannotApply
from roadworthy.subject import Subject

Profile = Literal["quick", "standard", "full"]

# Shares of the time after which what decides the marks makes room for the rest.
UNTIL_SUITES = 0.70
UNTIL_CROSSINGS = 0.82
UNTIL_END = 0.95
CHUNK_SECONDS = 0.25
CHUNK_REPETITIONS = 10
MOST_ERRORS = 5


def selftest(
    subject: Subject,
    registry: Registry,
    *,
    store: Store,
    checks: Sequence[str] | None = None,
    profile: Profile = "quick",
    effort: Effort | None = None,
    budget: float | None = None,
    seed: int = 0,
    known: Records | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    fields: Mapping[str, object] | None = None,
    data_dir: Path | None = None,
    emit: Callable[[object], None] | None = None,
) -> SelfTest:
    """Plant faults on a subject and see what the checks say of them.

    Parameters
    ----------
    subject : Subject
    registry : Registry
        Where checks, faults and controls are found.
    store : Store
        Holds what is computed of the subject itself (its weights); repetitions stay in memory.
    checks : sequence of str, optional
        Names of checks or challenges; None for all.
    profile : {"quick", "standard", "full"}
    effort : Effort, optional
        In place of the profile's.
    budget : float, optional
        Seconds, in place of the profile's.
    seed : int
    known : Records, optional
        What earlier runs found: repetitions go on from there, and decided controls are not prolonged.
    options : mapping, optional
        Options of checks and artifacts, as an audit would set them.
    fields : mapping, optional
        Fields beside those of the subject, as an audit would set them.
    data_dir : Path, optional
        Folder of published data for natural faults; they are skipped without it.
    emit : callable, optional
        Receives `Step` and the engine's events.

    Raises
    ------
    UserError
        When a name in `checks` or the profile does not exist.
    """
    effort = effort or _effort_of(profile)
    if budget is not None:
        effort = replace(effort, seconds=budget)
    computing = Computing(registry, store, seed, options or {}, fields or {})
    run = _Run(subject, computing, effort, known or Records(), emit or _ignore)
    complete = True
    try:
        run.go(checks, data_dir, trains=profile != "quick")
    except KeyboardInterrupt:
        complete = False
    return run.result(profile, complete)


class _Run:
    """Gathers what is found, so that it is there when the user stops."""

    def __init__(
        self,
        subject: Subject,
        computing: Computing,
        effort: Effort,
        known: Records,
        emit: Callable[[object], None],
    ) -> None:
        self.clock = time.perf_counter()
        self.effort = effort
        self.emit = emit
        self.computing = computing
        self.bench = Bench(subject, computing, emit)
        self.subject_key = key_of(self.bench.fields(subject))[:20]
        self.code_of = codes(computing.registry)
        self.known = current(known, self.code_of)
        self.courses: list[Course] = []
        self.skipped: list[Skipped] = []
        self.broken: dict[str, str] = {}
        self.suites: list[SuiteBatch] = []
        self.crossings: dict[tuple[str, str], list[CrossBatch]] = {}
        self.naturals: list[NaturalRecord] = []
        self.repetitions = 0

    def go(self, checks: Sequence[str] | None, data_dir: Path | None, *, trains: bool) -> None:
        """Do everything, each part in its share of the time."""
        registry = self.computing.registry
        trials, skipped = planned(registry, checks)
        self.skipped += skipped
        for trial in trials:
            self._say(f"{trial.name}: is it applicable?")
            course = self._begun(trial)
            if course is not None:
                self.courses.append(course)
        self._repeat(UNTIL_SUITES)
        self._audit_healthy(UNTIL_CROSSINGS)
        self._cross(list(chosen_checks(registry, tuple(checks or ())).values()), UNTIL_END)
        self._observe(checks, data_dir, trains=trains)
        self._repeat(1.0)

    def result(self, profile: str, complete: bool) -> SelfTest:
        """Return what was found so far."""
        found = merged([self._records()])
        return SelfTest(
            subject=self.bench.subject.name,
            subject_key=self.subject_key,
            kind=kind_of(self.bench.subject),
            profile=profile,
            seed=self.computing.seed,
            found=found,
            known=merged((self.known, found)),
            skipped=tuple(self.skipped),
            broken=self.broken,
            repetitions=self.repetitions,
            complete=complete,
            seconds=round(time.perf_counter() - self.clock, 3),
        )

    def _begun(self, trial: Trial) -> Course | None:
        """Make two repetitions, without the fault and at the bound, and learn what can be planted."""
        text = trial.fault.function.__doc__ or ""
        clean = Rung("clean", scale_of(trial.requirement, "", text).ideal)
        try:
            first = repeated(self.bench, trial, clean, 0)
            if first.verdict == "not_run":
                self.skipped.append(Skipped(trial.name, first.reason))
                return None
            # A check may well find a fact where nothing is wrong, and estimate where something is.
            at_bound = repeated(self.bench, trial, Rung("bound", trial.requirement.bound), 0)
            seed = seed_of(self.computing.seed, trial.name)
            before, planted = planted_subject(self.bench, trial, trial.requirement.bound, seed)
        except CannotApply as why:
            self._unplantable(trial.name, why)
            return None
        self.repetitions += 2
        for tried in (first, at_bound):
            if tried.verdict == "error":
                self.broken.setdefault(trial.name, tried.reason)
        shown = at_bound if at_bound.n is not None else first
        return self._course(trial, self._entry(trial, shown, before, planted), shown)

    def _entry(self, trial: Trial, shown: Repetition, before: Subject, planted: Subject) -> Entry:
        graph = self.bench.graph(planted, [trial.check.name])
        used = [node.marked for node in graph.nodes.values()]
        used += [m for m in (trial.fault, trial.control) if m is not None]
        return Entry(
            check=trial.check.name,
            fault=trial.fault.name,
            control=trial.control.name if trial.control else None,
            requirement=trial.requirement,
            unit=shown.unit,
            kind=kind_of(before),
            is_fact=shown.is_fact,
            promised=trial.promised_at(shown.n or 0),
            n=shown.n or 0,
            code=self._code(used),
        )

    def _course(self, trial: Trial, entry: Entry, shown: Repetition) -> Course:
        text = trial.fault.function.__doc__ or ""
        fact_n = shown.n if shown.is_fact else None
        scale = scale_of(trial.requirement, shown.unit, text, fact_n=fact_n)
        entry = next((e for e in self.known.entries if e.key == entry.key), entry)
        seed = self.computing.seed
        firsts = {
            rung: next_repetition(self.known, entry.key, rung.severity, self.subject_key, seed)
            for rung in rungs(trial.requirement, scale, trial.severities)
        }
        return Course(trial, entry, firsts, self.effort)

    def _repeat(self, until: float) -> None:
        """Repeat controls until all are decided or the time is over; the least served comes first."""
        while True:
            wanting = [(c, rung) for c in self.courses if (rung := c.next_rung()) is not None]
            # One repetition of each control is made even when there is no time for more.
            begun = [(c, r) for c, r in wanting if self._share() < until or r not in c.found]
            if not begun:
                return
            course, rung = min(begun, key=lambda pair: pair[0].seconds)
            self._say(f"{course.trial.name}, {rung.role}")
            self._chunk(course, rung, CHUNK_REPETITIONS if self._share() < until else 1)

    def _chunk(self, course: Course, rung: Rung, most: int) -> None:
        clock = time.perf_counter()
        for _ in range(most):
            try:
                repetition = repeated(self.bench, course.trial, rung, course.number(rung))
            except CannotApply as why:
                course.close(rung, why.reason)
                self._unplantable(f"{course.trial.name} at {rung.severity:.4g}", why)
                return
            course.add(rung, repetition)
            self.repetitions += 1
            if repetition.verdict == "error":
                self.broken.setdefault(course.trial.name, repetition.reason)
                if course.found[rung].errors >= MOST_ERRORS:
                    course.close(rung, repetition.reason)
                    return
            if time.perf_counter() - clock > CHUNK_SECONDS:
                return

    def _audit_healthy(self, until: float) -> None:
        self._say("whole audits of healthy subjects")
        courses = of_one_fault_each(self.courses)
        n, false_fails, hits = audits(
            courses, self.effort.suites, self._repeat_healthy, lambda: self._share() < until
        )
        ends = (b.first + b.n for s in self.known.suites for b in s.batches if self._is_own(b))
        if n:
            self.suites = [
                batch_of(
                    n,
                    false_fails,
                    hits,
                    subject_key=self.subject_key,
                    seed=self.computing.seed,
                    first=max(ends, default=0),
                )
            ]

    def _repeat_healthy(self, course: Course) -> bool:
        """Make one more healthy repetition; say whether it could be made."""
        rung = course.healthy_rung
        before = len(course.healthy_fails)
        if rung is not None:
            self._chunk(course, rung, most=1)
        return len(course.healthy_fails) > before

    def _cross(self, checks: Sequence[Marked], until: float) -> None:
        judged = [c for c in checks if getattr(c.mark, "requires", None) is not None]
        for number in range(self.effort.crossings):
            for course in self.courses:
                harmful = [rung for rung in course.firsts if rung.role == "harmful"]
                if self._share() >= until or not harmful:
                    continue
                fault = course.trial.fault.name
                self._say(f"{fault} before all other checks")
                first = self._crossed_before(fault) + number
                severity = harmful[0].severity
                try:
                    cells = crossed(
                        self.bench, course.trial, judged, severity, first, self.subject_key
                    )
                except CannotApply:
                    continue  # said already, where it was repeated
                for check, batch in cells.items():
                    self.crossings.setdefault((fault, check), []).append(batch)

    def _observe(
        self, checks: Sequence[str] | None, data_dir: Path | None, *, trains: bool
    ) -> None:
        chosen = chosen_checks(self.computing.registry, tuple(checks or ()))
        for marked in self.computing.registry.natural_faults.values():
            self._say(marked.name)
            found = observed(marked, chosen, self.computing, data_dir, trains=trains)
            if isinstance(found, Skipped):
                self.skipped.append(found)
            elif found is not None:
                self.naturals.append(found)

    def _records(self) -> Records:
        registry = self.computing.registry
        kind = kind_of(self.bench.subject)
        seed = self.computing.seed
        entries = tuple(
            course.result(self.bench.subject.name, self.subject_key, seed)
            for course in self.courses
            if course.found
        )
        names = sorted({course.trial.check.name for course in self.courses})
        code = {name: key for entry in entries for name, key in entry.code.items()}
        suites = (Suite(kind, tuple(names), code, tuple(self.suites)),) if self.suites else ()
        crossings: list[Crossing] = []
        for (fault, check), batches in self.crossings.items():
            marked = registry.faults[fault]
            crossings.append(
                Crossing(
                    fault=fault,
                    breaks=marked.mark.breaks,  # pyright: ignore[reportAttributeAccessIssue] - a fault
                    check=check,
                    kind=kind,
                    why=reasons_to_alarm(marked).get(check, ""),
                    code=self._code([marked, registry.checks[check]]),
                    batches=tuple(batches),
                )
            )
        return Records(entries, tuple(crossings), suites, tuple(self.naturals))

    def _code(self, used: Sequence[Marked]) -> dict[str, str]:
        names = [*(code_name(marked) for marked in used), VERDICT]
        return {name: key for name in names if (key := self.code_of(name)) is not None}

    def _crossed_before(self, fault: str) -> int:
        ends = [
            b.first + b.n
            for crossing in self.known.crossings
            if crossing.fault == fault
            for b in crossing.batches
            if self._is_own(b)
        ]
        return max(ends, default=0)

    def _is_own(self, batch: CrossBatch | SuiteBatch) -> bool:
        return (batch.subject_key, batch.seed) == (self.subject_key, self.computing.seed)

    def _unplantable(self, what: str, why: CannotApply) -> None:
        if why.traceback is not None:
            self.broken.setdefault(what, why.traceback or why.reason)
        self.skipped.append(Skipped(what, why.reason))

    def _share(self) -> float:
        return (time.perf_counter() - self.clock) / self.effort.seconds

    def _say(self, what: str) -> None:
        self.emit(Step(what, self.repetitions, min(1.0, self._share())))


def _effort_of(profile: str) -> Effort:
    if profile not in EFFORTS:
        raise UserError(
            f'There is no profile "{profile}" of the self-test. There are {", ".join(EFFORTS)}.'
        )
    return EFFORTS[profile]


def _ignore(event: object) -> None:
    pass
