"""Fix: try remedies for what failed, and say of each what it repaired and what it made worse."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from roadworthy.config import PROFILES
from roadworthy.engine import ArtifactMark, Finished, Registry, Store
from roadworthy.errors import UserError
from roadworthy.procedures.audit import INPUT_ERROR, Request, audit
from roadworthy.procedures.choice import chosen_checks
from roadworthy.procedures.fix.candidates import Plan, asked_checks, asking_for, planned
from roadworthy.procedures.fix.combination import best_two, combined
from roadworthy.procedures.fix.costs import cost_of
from roadworthy.procedures.fix.reseeding import starts_alike
from roadworthy.procedures.fix.trial import OUT_OF_TIME, Tried, blank_candidate, tried
from roadworthy.procedures.fix.words import named
from roadworthy.procedures.fix.workshop import Means, Workshop, mark_of
from roadworthy.procedures.proof import ProofLog
from roadworthy.results import EFFECTS_VERSION, Audit, Effect, Fix
from roadworthy.subject import Subject
from roadworthy.subject.fields import SPLITS
from roadworthy.subject.label_review import LabelReview

MEANS: Mapping[str, Means] = {
    "quick": Means(PROFILES["quick"].resamples, 2.0, 5, most_training=30.0, dear_checks=False),
    # Time for a hundred resamples of the dearest checks on ten thousand rows, on a busy machine too.
    "standard": Means(PROFILES["standard"].resamples, 30.0, 5, None, dear_checks=True),
    "full": Means(PROFILES["full"].resamples, 60.0, 5, None, dear_checks=True),
}
UNREPAIRED = 1
UNDECIDED = 2
INTERRUPTED = "the run was interrupted before it; the same command goes on from here"


@dataclass(frozen=True)
class Trying:
    """An event: a remedy is being tried, the `number`'th of `total`."""

    mitigation: str
    target: str
    number: int
    total: int


@dataclass(frozen=True)
class FixRun:
    """The record of a fix, and the accepted subjects by the name of their mitigation, ready to be saved."""

    fix: Fix
    subjects: Mapping[str, Subject]


@dataclass
class _Progress:
    """What has been found so far: kept when the run is interrupted."""

    tried: list[Tried] = field(default_factory=list)
    combination: Tried | None = None
    complete: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Tried]:
        """Every trial, the combination last."""
        return [*self.tried, *([self.combination] if self.combination else [])]


def fix(
    subject: Subject,
    registry: Registry,
    *,
    store: Store,
    request: Request | None = None,
    only: tuple[str, ...] = (),
    seeds: int = 5,
    label_review: LabelReview | None = None,
    proof_log: Path | None = None,
    means: Means | None = None,
    emit: Callable[[object], None] | None = None,
) -> FixRun:
    """Audit a subject, try the mitigations that its failing checks name, and prove what they do.

    Parameters
    ----------
    subject : Subject
        With a validation split, on which strengths are chosen.
    registry : Registry
    store : Store
        Everything heavy is kept here: a second run computes nothing.
    request : Request, optional
        How it is audited; its `only` and `skip` choose the checks that are measured, its `budget` is that of the
        whole fix.
    only : tuple of str
        Mitigations to try, or checks or challenges to repair; empty: whatever fails.
    seeds : int
        Trainings on each side behind the claim about a remedy; below five nothing is claimed of it.
    label_review : LabelReview, optional
        What a person decided about labels; the mitigations that ask for it are then tried whatever fails.
    proof_log : Path, optional
        File of all openings of proof rows; None counts those of this run alone.
    means : Means, optional
        In place of what the profile allows.
    emit : callable, optional
        Receives the engine's events and `Trying`.

    Raises
    ------
    UserError
        When there are no validation rows, the subject cannot be audited, `only` names what does not exist, or the
        log of openings of proof rows cannot be read.
    """
    request = request or Request()
    clock = time.perf_counter()
    asked_checks(registry, only)
    _require_validation(subject)
    log = ProofLog(proof_log)
    checks = tuple(chosen_checks(registry, request.only, request.skip))
    counter = _Counter(registry, emit)
    means = replace(means or MEANS.get(request.profile, MEANS["standard"]), seeds=seeds)
    deadline = None if request.budget is None else time.monotonic() + request.budget
    progress = _Progress()
    import_module("torch")  # here a Ctrl-C ends the run; half-imported in a node it would break it
    shop = Workshop(
        subject,
        registry,
        store,
        request,
        means,
        deadline=deadline,
        label_review=label_review,
        emit=counter.receive,
    )
    stopped = False
    try:
        cost_of(shop.base)  # its training is timed here, before the audit finds it done
    except KeyboardInterrupt:
        stopped = True  # what is kept already is still reported
    audited = audit(
        subject,
        registry,
        store=store,
        request=replace(request, budget=0.0 if stopped else shop.left()),
        emit=counter.receive,
    ).audit
    _require_audited(audited)
    also = () if label_review is None else asking_for(registry, "label_review")
    plan = planned(registry, audited.findings, only, also)
    progress.notes += _notes(shop, audited, plan, log_path=proof_log)
    if audited.complete:
        _try_all(shop, log, plan, checks, progress, counter.emit)
    else:
        progress.complete = False
        stopped |= any(f.reason_code == "interrupted" for f in audited.findings)
        why = INTERRUPTED if stopped else OUT_OF_TIME
        progress.tried += [_not_reached(shop, *trial, reason=why) for trial in plan.trials]
        progress.notes.append("The audit did not come to its end, so nothing was tried.")
    subjects = _accepted_subjects(shop, progress)
    if store.problem is not None:
        progress.notes = [note for note in progress.notes if note != store.problem]
        progress.notes.append(f"From some point on nothing was kept: {store.problem}")
    seconds = time.perf_counter() - clock
    return FixRun(_result(audited, plan, progress, seeds, counter, seconds), subjects)


def _try_all(
    shop: Workshop,
    log: ProofLog,
    plan: Plan,
    checks: tuple[str, ...],
    progress: _Progress,
    emit: Callable[[object], None],
) -> None:
    try:
        for number, (marked, target) in enumerate(plan.trials, start=1):
            emit(Trying(marked.name, target, number, len(plan.trials)))
            found = tried(shop, log, marked, target, checks)
            progress.tried.append(found)
            progress.complete &= found.is_finished
        accepted = [t for t in progress.tried if t.candidate.accepted]
        pair = best_two(accepted, shop.subject.decision_rule)
        if pair is not None:
            names = " + ".join(t.candidate.mitigation for t in pair)
            emit(Trying(names, pair[0].candidate.target, len(plan.trials), len(plan.trials)))
            progress.combination = combined(shop, log, *pair, checks)
            progress.complete &= progress.combination.is_finished
    except KeyboardInterrupt:
        progress.complete = False
        left = plan.trials[len(progress.tried) :]
        progress.tried += [_not_reached(shop, *trial, reason=INTERRUPTED) for trial in left]


def _not_reached(shop: Workshop, marked: object, target: str, reason: str = OUT_OF_TIME) -> Tried:
    from roadworthy.engine import Marked

    assert isinstance(marked, Marked)
    return Tried(replace(blank_candidate(shop, marked, target), reason=reason))


def _accepted_subjects(shop: Workshop, progress: _Progress) -> dict[str, Subject]:
    found: dict[str, Subject] = {}
    try:
        for each in progress.all:
            if each.candidate.accepted and each.proposed is not None:
                found[each.candidate.mitigation] = shop.ready(each.proposed.made)
    except KeyboardInterrupt:
        progress.complete = False
    return found


def _result(
    audited: Audit,
    plan: Plan,
    progress: _Progress,
    seeds: int,
    counter: "_Counter",
    seconds: float,
) -> Fix:
    candidates = tuple(each.candidate for each in progress.all)
    accepted = {c.mitigation for c in candidates if c.accepted}
    effects = tuple(effect for each in progress.all for effect in each.effects)
    repaired = {c.target for c in candidates if c.accepted}
    repaired |= {e.check for e in effects if e.mitigation in accepted and _mended(e)}
    code = 0
    if not progress.complete:
        code = UNDECIDED
    elif any(target not in repaired for target in plan.failing or plan.targets):
        code = UNREPAIRED
    return Fix(
        schema_version=EFFECTS_VERSION,
        roadworthy_version=version("roadworthy"),
        subject=audited.subject,
        profile=audited.profile,
        seed=audited.seed,
        seeds=seeds,
        exit_code=code,
        complete=progress.complete,
        targets=plan.targets,
        candidates=candidates,
        effects=effects,
        openings=tuple(opening for each in progress.all for opening in each.openings),
        findings=audited.findings,
        environment=audited.environment,
        notes=tuple(progress.notes),
        started=audited.started,
        seconds=round(seconds, 3),
        computed=counter.computed,
        reused=counter.reused,
    )


def _mended(effect: Effect) -> bool:
    """Whether a check that is not the target is mended by the way: better, and failing no more."""
    return effect.effect == "helped" and effect.verdict_after != "fail"


def _require_validation(subject: Subject) -> None:
    validation = subject.splits.get("validation")
    if subject.modality == "predictions" and (validation is None or validation.n == 0):
        raise UserError(
            f"{subject.name} holds recorded predictions and no model. Most repairs change data or training: give the "
            "model with --model FILE_OR_FACTORY and its data with --data. Abstaining and sets of classes need "
            "validation rows with probabilities alone: mark them in a column and name it with --split COLUMN."
        )
    if validation is None or validation.n == 0:
        raise UserError(
            f"{subject.name} has no validation rows, on which the strength of a remedy is chosen (test rows must "
            "not be: they are what it is measured on). Give them with --validation FILE, or mark them in a "
            'column and name it with --split COLUMN; in a subject.py, give a split named "validation".'
        )
    test = subject.splits.get("test")
    if test is None or test.n == 0:
        raise UserError(
            f"{subject.name} has no test rows, on which remedies are measured. Give them with --test FILE, "
            "or mark them in a column and name it with --split COLUMN."
        )


def _require_audited(audited: Audit) -> None:
    if audited.exit_code == INPUT_ERROR:
        # A check that broke tells it at first hand, one that rests on what broke at second hand.
        broke = [f.reason for f in audited.findings if f.verdict == "error"]
        rest = [f.reason for f in audited.findings if f.reason_code == "dependency_failed"]
        raise UserError(next(iter((*broke, *rest)), "The subject cannot be audited."))


def _notes(shop: Workshop, audited: Audit, plan: Plan, log_path: Path | None) -> list[str]:
    notes = list(audited.subject.notes)
    network = shop.filled.network
    if network is not None and shop.filled.predictor is None and not starts_alike(network):
        notes.append(
            "The factory of the network gives other initial weights under the same seed: trainings cannot be "
            "repeated, so nothing is said of remedies as such, and nothing that rests on training is kept."
        )
    if not plan.targets:
        notes += ["No check fails, so there is nothing to repair.", *_undecided(audited, shop)]
    aims = {target for marked, _ in plan.trials for target in mark_of(marked).targets}
    unaided = [t for t in plan.failing if t not in aims]
    todo = {f.check: f.next or f"see `roadworthy describe {f.check}`" for f in audited.findings}
    notes += [f"No repair is known for {named(check)}. By hand: {todo[check]}" for check in unaided]
    if "proof" not in shop.subject.splits:
        notes.append(
            "No proof rows were sealed; accepted remedies are confirmed by cross-fitting over test rows."
        )
    elif log_path is None:
        notes.append("No log of openings was given: those of earlier runs are not counted.")
    return notes


def _undecided(audited: Audit, shop: Workshop) -> list[str]:
    """Return how a check that is inconclusive can be repaired all the same; nothing where none can."""
    aims = {t for m in shop.registry.mitigations.values() for t in mark_of(m).targets}
    names = [f.check for f in audited.findings if f.verdict == "inconclusive" and f.check in aims]
    if not names:
        return []
    verb = "is inconclusive and has" if len(names) == 1 else "are inconclusive and have"
    said = ", ".join(named(name) for name in names)
    return [f"{said} {verb} repairs: --only {names[0]} tries them all the same."]


class _Counter:
    """Counts what was computed and what was kept from before, and hands every event on.

    Live objects (a loaded model that a remedy is handed) are made anew in every run and not counted.
    """

    def __init__(self, registry: Registry, emit: Callable[[object], None] | None) -> None:
        self._emit = emit
        self._live = {
            split + name
            for name, marked in registry.artifacts.items()
            if isinstance(marked.mark, ArtifactMark) and not marked.mark.stored
            for split in (("",) if marked.mark.per is None else (f"{s}_" for s in SPLITS))
        }
        self.computed = 0
        self.reused = 0

    def emit(self, event: object) -> None:
        """Hand an event on."""
        if self._emit is not None:
            self._emit(event)

    def receive(self, event: object) -> None:
        """Count an event of the engine and hand it on."""
        if isinstance(event, Finished) and event.name not in self._live:
            self.reused += event.from_store
            self.computed += not event.from_store
        self.emit(event)
