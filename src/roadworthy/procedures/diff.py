"""Diff: what changed between two subjects, or two audits; what got worse stands first."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from math import isclose

import numpy as np

from roadworthy import engine
from roadworthy.engine import Outcome, Registry, Store
from roadworthy.procedures.audit import Request, summary_of
from roadworthy.procedures.choice import chosen_checks
from roadworthy.procedures.paired import (
    Compared,
    Comparison,
    How,
    Side,
    effects_of,
    highest_harm,
)
from roadworthy.procedures.paired.redrawing import independent_difference, plain_difference
from roadworthy.procedures.rows import SPLITS, RowTable
from roadworthy.results import (
    EFFECTS_VERSION,
    Audit,
    Diff,
    Effect,
    Fact,
    Finding,
    Measurement,
    SubjectSummary,
)
from roadworthy.subject import Split, Subject, Task, fields_of

RESAMPLES = "resamples"
DEFAULT_RESAMPLES = 999
PLACES = {"harmed": 0, "not_measured": 1, "no_effect_shown": 2, "helped": 3, "untouched": 4}

Emit = Callable[[object], None]


def diff_subjects(
    before: Subject,
    after: Subject,
    registry: Registry,
    *,
    store: Store,
    request: Request | None = None,
    emit: Emit | None = None,
) -> Diff:
    """Measure two subjects and take the paired difference of every check over the rows that both have.

    Parameters
    ----------
    before, after : Subject
    registry : Registry
    store : Store
    request : Request, optional
        Which checks, how thoroughly; `fail_on` decides the exit code.
    emit : callable, optional
        Receives the engine's events.

    Raises
    ------
    UserError
        When `only` or `skip` names what does not exist.
    KeyboardInterrupt
        When the user stops it; what was computed is in the store.
    """
    request = request or Request()
    started, clock = datetime.now(UTC), time.perf_counter()
    checks = tuple(chosen_checks(registry, request.only, request.skip))
    how = How(
        registry=registry,
        store=store,
        seed=request.seed,
        options=request.options,
        requirements=request.requirements,
        resamples=_resamples(request),
        emit=emit,
    )
    beside = {"device": request.device, **request.purpose_fields}
    fields = [{**fields_of(subject), **beside} for subject in (before, after)]
    comparison = Comparison(*(Side(each, how) for each in fields))
    effects = effects_of(comparison.compared(checks), how, name=after.name)
    summaries = [
        summary_of(subject, engine.key_of(each))
        for subject, each in zip((before, after), fields, strict=True)
    ]
    return _diff(summaries, effects, request, comparison.shared_test_rows, started, clock, notes=())


def diff_audits(
    before: Audit,
    after: Audit,
    rows: tuple[RowTable | None, RowTable | None],
    registry: Registry,
    *,
    request: Request | None = None,
) -> Diff:
    """Compare two finished audits: paired by their rows where these decide a check, else by their intervals.

    Parameters
    ----------
    before, after : Audit
    rows : tuple of RowTable or None
        Of either, as `rows.parquet` holds them.
    registry : Registry
    request : Request, optional
        `fail_on` decides the exit code.
    """
    profiles = dict.fromkeys((before.profile, after.profile))
    request = replace(request or Request(), profile=" and ".join(profiles))
    started, clock = datetime.now(UTC), time.perf_counter()
    requirements = {f.check: f.requirement for f in before.findings if f.requirement is not None}
    how = How(registry=registry, store=Store(), requirements=requirements)
    sides = [{f.check: f for f in audit.findings} for audit in (before, after)]
    known = [c for c in sides[0] if c in sides[1] and c in registry.checks]
    found = {c: _by_intervals(c, sides[0][c], sides[1][c]) for c in known}
    paired, shared = _by_rows(known, (before, after), rows, sides, how)
    same = _same(known, (before, after), sides)
    effects = effects_of({**found, **paired, **same}, how, name=after.subject.name)
    only_one = sorted(sides[0].keys() ^ sides[1].keys())
    notes = [f"in one of the two audits alone: {', '.join(only_one)}"] if only_one else []
    strange = sorted((sides[0].keys() & sides[1].keys()) - set(known))
    notes += [f"not known here, so not compared: {', '.join(strange)}"] if strange else []
    notes += [_of_other_roles(before, after)] if before.subject.roles != after.subject.roles else []
    if before.subject.key == after.subject.key:
        notes.append("both audits are of the same subject")
    if not shared:
        notes.append(
            "the two have no rows in common (or one was read without its rows.parquet): differences are those of "
            "independent samples, with wider intervals"
        )
    summaries = [before.subject, after.subject]
    return _diff(summaries, effects, request, shared, started, clock, notes=tuple(notes))


def _of_other_roles(before: Audit, after: Audit) -> str:
    one, other = before.subject.roles, after.subject.roles
    changed = [
        role
        for role in (*one, *(r for r in other if r not in one))
        if one.get(role) != other.get(role)
    ]
    said = "; ".join(
        f"{role}: {', '.join(one.get(role, ())) or 'none'} → {', '.join(other.get(role, ())) or 'none'}"
        for role in changed
    )
    return (
        f"the roles of columns differ ({said}): what rests on them, such as gaps between groups, is not of the same "
        "thing before and after"
    )


def exit_code(effects: Sequence[Effect], fail_on: tuple[str, ...]) -> int:
    """Return 1 where a required check got worse than is tolerated, 3 where one broke, 2 where that is open."""
    required = [e for e in effects if e.required]
    if "fail" in fail_on and any(is_worse(e) for e in required):
        return 1
    if "error" in fail_on and any(
        e.verdict_after == "error" and e.verdict_before != "error" for e in effects
    ):
        return 3
    if "undecided" in fail_on and any(is_open(e) for e in required):
        return 2
    return 0


def is_worse(effect: Effect) -> bool:
    """Whether a check turned to fail, or its harm is shown to exceed the margin."""
    if effect.verdict_after == "fail" and effect.verdict_before != "fail":
        return effect.effect != "helped"
    if effect.difference is None or effect.margin is None:
        return False
    least = -highest_harm(effect.difference, "better" if effect.larger_is == "worse" else "worse")
    return effect.effect == "harmed" and least > effect.margin


def is_open(effect: Effect) -> bool:
    """Whether a harm beyond the margin can be neither shown nor excluded."""
    if effect.effect == "not_measured":
        return effect.before is not None
    return effect.non_inferior is False and not is_worse(effect)


def _diff(
    summaries: Sequence[SubjectSummary],
    effects: Sequence[Effect],
    request: Request,
    paired: int,
    started: datetime,
    clock: float,
    notes: tuple[str, ...],
) -> Diff:
    return Diff(
        schema_version=EFFECTS_VERSION,
        roadworthy_version=version("roadworthy"),
        before=summaries[0],
        after=summaries[1],
        profile=request.profile,
        exit_code=exit_code(effects, request.fail_on),
        paired=paired,
        effects=tuple(sorted(effects, key=_place)),
        notes=notes,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 3),
    )


def _place(effect: Effect) -> tuple[int, int, float]:
    """Return where an effect stands: worse than tolerated, then harmed, then by how much of the margin."""
    harm, margin = effect.harm, effect.margin
    share = 0.0 if harm is None else harm / margin if margin else harm
    return (not (effect.required and is_worse(effect)), PLACES[effect.effect], -share)


def _resamples(request: Request) -> int:
    given = [o[RESAMPLES] for o in request.options.values() if RESAMPLES in o]
    return max((n for n in given if isinstance(n, int)), default=DEFAULT_RESAMPLES)


def _by_intervals(check: str, before: Finding, after: Finding) -> Compared:
    one, other = (_outcome(finding) for finding in (before, after))
    difference, said = None, ""
    if one.state == other.state == "done":
        facts = all(isinstance(o.value.distribution, Fact) for o in (one, other))
        said = "from the two intervals, taken as independent"
        difference = (
            plain_difference(one.value, other.value)
            if facts
            else independent_difference(one.value, other.value, said)
        )
    else:
        said = "; ".join(o.reason or o.state for o in (one, other) if o.state != "done")
    return Compared(check, one, other, difference, untouched=False, reason=said)


def _same(
    checks: Sequence[str], audits: tuple[Audit, Audit], findings: Sequence[Mapping[str, Finding]]
) -> dict[str, Compared]:
    """Return the checks that are the same by construction: the same subject measured to the same value."""
    if audits[0].subject.key != audits[1].subject.key:
        return {}
    found: dict[str, Compared] = {}
    for check in checks:
        one, other = (_outcome(side[check]) for side in findings)
        if one.state == other.state == "done" and one.value == other.value:
            nothing = plain_difference(one.value, one.value)
            said = "the same subject, measured to the same value"
            found[check] = Compared(check, one, other, nothing, untouched=True, reason=said)
    return found


def _outcome(finding: Finding) -> Outcome:
    if finding.value is None or finding.distribution is None:
        state = "error" if finding.verdict == "error" else "missing"
        return Outcome(finding.check, state, code=finding.reason_code, reason=finding.reason)
    assert finding.low is not None
    assert finding.high is not None
    measured = Measurement(
        value=finding.value,
        low=finding.low,
        high=finding.high,
        n=finding.n or 0,
        unit=finding.unit or "",
        method=finding.method or "",
        distribution=finding.distribution,
        seeds=finding.seeds or 1,
        details=finding.details,
    )
    return Outcome(finding.check, "done", measured)


def _by_rows(
    checks: Sequence[str],
    audits: tuple[Audit, Audit],
    rows: tuple[RowTable | None, RowTable | None],
    findings: Sequence[Mapping[str, Finding]],
    how: How,
) -> tuple[dict[str, Compared], int]:
    """Return the checks that recorded answers alone decide, paired, and how many test rows are shared."""
    one, other = rows
    if one is None or other is None:
        return {}, 0
    subjects = [_recorded(audits[0], one), _recorded(audits[1], other)]
    comparison = Comparison(*(Side(fields_of(subject), how) for subject in subjects))
    if comparison.shared_test_rows == 0:
        return {}, 0
    found = comparison.compared(checks)
    same = {
        check: each
        for check, each in found.items()
        if _agrees(each.before, findings[0][check]) and _agrees(each.after, findings[1][check])
    }
    return same, comparison.shared_test_rows


def _agrees(outcome: Outcome, finding: Finding) -> bool:
    """Whether what the recorded answers give is what the audit found, which may have known more."""
    if outcome.state != "done" or finding.value is None:
        return False
    return isclose(outcome.value.value, finding.value, rel_tol=1e-6, abs_tol=1e-9)


def _recorded(audit: Audit, rows: RowTable) -> Subject:
    """Return the subject of recorded answers that a row table holds."""
    task = Task(audit.subject.task, audit.subject.classes)  # type: ignore[arg-type]
    kind = np.int64 if task.is_classification else np.float64
    splits: dict[str, Split] = {}
    given: dict[str, np.ndarray] = {}
    for name in SPLITS:
        chosen = rows.columns["split"] == name
        target, predicted = (rows.columns[c][chosen] for c in ("target", "predicted"))
        if not chosen.any() or not _is_whole(target) or not _is_whole(predicted):
            continue
        splits[name] = Split(
            None,
            target.astype(kind),
            source_rows=rows.columns["source_row"][chosen],
            recorded={"predicted": predicted.astype(kind)},
        )
        given[f"{name}_row_ids"] = rows.columns["row_id"][chosen]
        loss = rows.columns["loss"][chosen]
        if _is_whole(loss):
            given[f"{name}_losses"] = loss
    empty = Subject(audit.subject.name, task, "predictions", splits)
    return replace(empty, given=given)


def _is_whole(values: np.ndarray) -> bool:
    return not (values.dtype.kind == "f" and bool(np.isnan(values).any()))
