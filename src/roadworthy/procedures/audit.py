"""Audit: measure the subject, judge each measurement, and say what it all means together."""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from roadworthy import engine
from roadworthy.engine import Marked, Outcome, Registry, Store
from roadworthy.procedures.absent_device import with_way_out
from roadworthy.procedures.choice import chosen_checks
from roadworthy.procedures.description import describe
from roadworthy.procedures.pictures import with_pictures
from roadworthy.procedures.rows import ROW_ARTIFACTS, RowTable, row_table
from roadworthy.results import (
    SCHEMA_VERSION,
    Audit,
    Environment,
    Finding,
    Measurement,
    Multiplicity,
    Record,
    Requirement,
    SplitSize,
    SubjectSummary,
)
from roadworthy.statistics import judged, surviving
from roadworthy.subject import Subject
from roadworthy.subject.fields import fields_of

# Of a verdict with 2.5 % on each side, the wrong one of the two at the bound.
FALSE_FAIL_RATE = 0.025
INPUT_ERROR = 4
UNDECIDED_CODES = ("budget", "interrupted", "dependency_failed")
OUTPUTS = "output_kind"
PROBABILITIES = (
    "the model gives probabilities, not logits: their logarithms are attacked and explained"
)
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pyarrow")


@dataclass(frozen=True)
class Request:
    """How a subject is audited.

    Parameters
    ----------
    profile : str
    only, skip : tuple of str
        Names of challenges or checks.
    requirements : mapping of check name to Requirement
        In place of the check's own.
    options : mapping of node name to mapping of option to value
        What the profile sets (resamples and the like).
    budget : float, optional
        Seconds.
    seed : int
    device : str
    purpose : mapping of str to str
        The answers, in words, as they stand in the report; `purpose_key` is their hash.
    purpose_fields : mapping of str to object
        Answers that checks may ask for by name (`prevalence`).
    fail_on : tuple of {"fail", "error", "undecided"}
        What makes the exit code other than 0.
    """

    profile: str = "standard"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    requirements: Mapping[str, Requirement] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    budget: float | None = None
    seed: int = 0
    device: str = "cpu"
    purpose: Mapping[str, str] = field(default_factory=dict)
    purpose_key: str = ""
    purpose_fields: Mapping[str, object] = field(default_factory=dict)
    fail_on: tuple[str, ...] = ("fail", "error", "undecided")


@dataclass(frozen=True)
class AuditRun:
    """The audit, and the rows it was made of."""

    audit: Audit
    rows: RowTable


RecordFor = Callable[[str], Record | None]


def audit(
    subject: Subject,
    registry: Registry,
    *,
    store: Store,
    request: Request | None = None,
    record_for: RecordFor | None = None,
    emit: Callable[[object], None] | None = None,
) -> AuditRun:
    """Measure every chosen check of a subject and judge it.

    Parameters
    ----------
    subject : Subject
    registry : Registry
        Where checks and artifacts are found.
    store : Store
        What was computed before is read from here.
    request : Request, optional
    record_for : callable, optional
        Check name to what the self-test knows of it on subjects like this one.
    emit : callable, optional
        Receives the engine's events.

    Raises
    ------
    UserError
        When `only` or `skip` names what does not exist.
    """
    request = request or Request()
    started, clock = datetime.now(UTC), time.perf_counter()
    checks = chosen_checks(registry, request.only, request.skip)
    fields = {**fields_of(subject), "device": request.device, **request.purpose_fields}
    rows = [name for name in ROW_ARTIFACTS if engine.exists(registry, fields, name)]
    counter = _Counter(emit)
    outcomes = engine.compute(
        registry,
        fields,
        [*checks, *rows],
        store=store,
        seed=request.seed,
        options=request.options,
        budget=request.budget,
        emit=counter.receive,
    )
    findings = [
        _finding(marked, outcomes[name], request, record_for) for name, marked in checks.items()
    ]
    findings = [with_pictures(finding, subject) for finding in findings]
    multiplicity = _multiplicity(findings)
    findings = [_corrected(finding, multiplicity) for finding in findings]
    # Some mistakes in what was given show only when it is used: a model that returns NaN for a row.
    mistaken = any(outcome.code == "user_error" for outcome in outcomes.values())
    notes = [*registry.broken, *([store.problem] if store.problem else [])]
    given = subject.network is not None and subject.weights is not None
    if given and engine.exists(registry, fields, OUTPUTS):
        found = engine.compute(registry, fields, [OUTPUTS], store=store)[OUTPUTS]
        notes += [PROBABILITIES] if found.value == "probabilities" else []
    seconds = time.perf_counter() - clock
    result = Audit(
        schema_version=SCHEMA_VERSION,
        roadworthy_version=version("roadworthy"),
        subject=summary_of(replace(subject, notes=(*subject.notes, *notes)), engine.key_of(fields)),
        purpose=dict(request.purpose),
        purpose_key=request.purpose_key,
        profile=request.profile,
        seed=request.seed,
        exit_code=INPUT_ERROR if mistaken else exit_code(findings, request.fail_on),
        complete=not any(f.reason_code in ("interrupted", "budget") for f in findings),
        findings=tuple(findings),
        multiplicity=multiplicity,
        environment=_environment(request.device),
        started=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        computed=counter.computed,
        reused=counter.reused,
    )
    return AuditRun(result, row_table(subject, outcomes, result))


class _Counter:
    """Counts what was computed and what was kept from before, and hands every event on."""

    def __init__(self, emit: Callable[[object], None] | None) -> None:
        self._emit = emit
        self.computed = 0
        self.reused = 0

    def receive(self, event: object) -> None:
        if isinstance(event, engine.Finished):
            self.reused += event.from_store
            self.computed += not event.from_store
        if self._emit is not None:
            self._emit(event)


def exit_code(findings: list[Finding], fail_on: tuple[str, ...]) -> int:
    """Return 1 for a fail, 3 for a check that broke, 2 for an undecided required check, else 0."""
    if "fail" in fail_on and any(f.verdict == "fail" for f in findings):
        return 1
    if "error" in fail_on and any(f.verdict == "error" for f in findings):
        return 3
    if "undecided" in fail_on and any(f.required and is_undecided(f) for f in findings):
        return 2
    return 0


def is_undecided(finding: Finding) -> bool:
    """Whether the inputs permitted a verdict and none was reached."""
    return finding.verdict == "inconclusive" or finding.reason_code in UNDECIDED_CODES


def summary_of(subject: Subject, key: str) -> SubjectSummary:
    """Describe a subject without any of its data."""
    roles = {
        role: names if isinstance(names, tuple) else (names,)
        for role, names in vars(subject.roles).items()
        if names
    }
    return SubjectSummary(
        name=subject.name,
        key=key,
        task=subject.task.kind,
        modality=subject.modality,
        classes=subject.task.classes,
        splits=tuple(SplitSize(name, split.n) for name, split in subject.splits.items()),
        roles=roles,
        model=_model_in_words(subject),
        people=subject.people,
        notes=subject.notes,
    )


def _finding(
    marked: Marked, outcome: Outcome, request: Request, record_for: RecordFor | None
) -> Finding:
    about = describe(marked.function)
    mark = marked.mark
    assert isinstance(mark, engine.CheckMark)
    requirement = request.requirements.get(marked.name, mark.requires)
    base = Finding(
        check=marked.name,
        challenge=mark.challenge,
        title=about.title,
        verdict="not_run",
        reason=with_way_out(outcome.reason or ""),
        requirement=requirement,
        required=requirement is not None,
        next=about.next,
        record=record_for(marked.name) if record_for else None,
        from_store=outcome.from_store,
        seconds=round(outcome.seconds, 4),
    )
    if outcome.state == "done":
        return _judged(base, outcome, requirement, mark.least)
    if outcome.state == "error" or _broke_at_home(marked, outcome):
        # What a failing check would have one do is no advice where it broke.
        return _replace(base, verdict="error", traceback=outcome.traceback, next="")
    codes = {"missing": outcome.code, "not_applicable": "not_applicable"}
    return _replace(base, reason_code=codes.get(outcome.state, outcome.state))


def _broke_at_home(marked: Marked, outcome: Outcome) -> bool:
    """Whether what keeps a check from being measured is an artifact of its own room.

    Such an artifact (the attack behind an adversarial error) is a part of the check that is written apart, so that
    several may share it: where it raises, the check broke. What other rooms use too (training, the model's outputs)
    is not: one failure there is one, and leaves its many dependants not run.
    """
    if outcome.state != "dependency_failed" or not outcome.module:
        return False
    home = _room(marked.module)
    return outcome.module == home or outcome.module.startswith(f"{home}.")


def _room(module: str) -> str:
    """Return the package that a module lies in; a file of a user's own is its own room."""
    return module.rpartition(".")[0] or module


def _judged(
    base: Finding, outcome: Outcome, requirement: Requirement | None, least: int
) -> Finding:
    found = outcome.value
    assert isinstance(found, Measurement), f"{base.check} returned {type(found).__name__}"
    measured = _replace(
        base,
        value=found.value,
        low=found.low,
        high=found.high,
        level=found.level,
        n=found.n,
        unit=found.unit,
        method=found.method,
        seeds=found.seeds,
        distribution=found.distribution,
        details=found.details,
        evidence=found.evidence,
    )
    if requirement is None:
        return _replace(measured, verdict="note", reason="A description; nothing is required.")
    verdict = judged(found, requirement, least=least)
    if verdict.verdict == "pass" and base.record is not None and base.record.blind:
        return _replace(
            measured,
            verdict="inconclusive",
            reason_code="not_qualified",
            reason=f"It would pass, but {base.record.summary}",
            p_value=verdict.p_value,
        )
    return _replace(
        measured,
        verdict=verdict.verdict,
        reason_code=verdict.reason_code,
        reason=verdict.reason,
        p_value=verdict.p_value,
        examples_needed=verdict.examples_needed,
        # What is to be done is said where something is.
        next="" if verdict.verdict == "pass" else base.next,
    )


def _multiplicity(findings: list[Finding]) -> Multiplicity:
    decided = [f for f in findings if f.verdict in ("pass", "fail")]
    tested = [f for f in decided if f.p_value is not None]
    survives = surviving([f.p_value for f in tested if f.p_value is not None])
    names = tuple(
        f.check for f, kept in zip(tested, survives, strict=True) if kept and f.verdict == "fail"
    )
    facts = tuple(f.check for f in decided if f.verdict == "fail" and f.p_value is None)
    return Multiplicity(
        decided=len(decided),
        expected_false_fails=round(FALSE_FAIL_RATE * len(decided), 3),
        surviving=(*names, *facts),
        method="Holm after discarding p > .5 and doubling the rest (Zhao, Small & Su 2019), 5 %",
    )


def _corrected(finding: Finding, multiplicity: Multiplicity) -> Finding:
    if finding.verdict != "fail":
        return finding
    return _replace(finding, survives_correction=finding.check in multiplicity.surviving)


def _replace(finding: Finding, **changes: object) -> Finding:
    return Finding(**{**vars(finding), **changes})  # pyright: ignore[reportArgumentType] - vars of a Finding


def _model_in_words(subject: Subject) -> str:
    if subject.predictor is not None:
        return "black box (callable, estimator or ONNX): outputs only"
    if subject.network is not None:
        state = "trained weights given" if subject.weights is not None else "trained by its recipe"
        return f"{subject.network.source or 'PyTorch module'}, {state}"
    if subject.modality == "predictions":
        return "recorded predictions, no model"
    return f"none given: the default network for a {subject.modality} is trained"


def _environment(device: str) -> Environment:
    versions: dict[str, str] = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        versions=versions,
        device=device,
        threads=1,
    )
