"""One remedy tried: strength on validation, measured on test, confirmed on rows that nothing was chosen on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from roadworthy.engine import Marked, Outcome, suggestion
from roadworthy.procedures.absent_device import with_way_out
from roadworthy.procedures.description import describe
from roadworthy.procedures.fix.affordable import dear_checks
from roadworthy.procedures.fix.changes import changes_between
from roadworthy.procedures.fix.claims import (
    Claimed,
    Confirmed,
    claim_of,
    compared_on,
    confirmed_by_folds,
    confirmed_on_proof,
    not_claimed,
    nothing_to_confirm,
    rows_of,
    this_remedy,
)
from roadworthy.procedures.fix.costs import cost_of
from roadworthy.procedures.fix.course import course_of
from roadworthy.procedures.fix.reseeding import starts_alike
from roadworthy.procedures.fix.strength import NOTHING, Chosen, chosen_sham, chosen_strength
from roadworthy.procedures.fix.verdict import objection
from roadworthy.procedures.fix.words import named
from roadworthy.procedures.fix.workshop import OutOfTime, Workshop, mark_of, place_of
from roadworthy.procedures.paired import Compared, Side, effects_of
from roadworthy.procedures.proof import ProofLog, Unlogged
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Candidate, Cost, Effect, Opening
from roadworthy.subject import Subject

LEAST_SEEDS = 5
LEFT_OUT = (
    "left out by this profile, because it trains models of its own or attacks the changed one anew; a more thorough one "
    "measures it"
)


@dataclass(frozen=True, eq=False)
class Stage:
    """A mitigation at its strength, and the subject that it made."""

    marked: Marked
    strength: float
    made: Subject


@dataclass(frozen=True, eq=False)
class Proposed:
    """A changed subject that is to be measured against the original and its control."""

    name: str
    title: str
    target: str
    stages: tuple[Stage, ...]
    sham: str
    sham_subject: Subject | None
    chosen: Chosen = field(default_factory=lambda: Chosen(None, None, ()))
    sham_chosen: Chosen = field(default_factory=lambda: Chosen(None, None, ()))

    @property
    def made(self) -> Subject:
        """The changed subject."""
        return self.stages[-1].made


@dataclass(frozen=True, eq=False)
class Tried:
    """What became of a remedy."""

    candidate: Candidate
    effects: tuple[Effect, ...] = ()
    openings: tuple[Opening, ...] = ()
    proposed: Proposed | None = None
    left_sealed: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left that the same command could still find out."""
        return self.candidate.state != "not_run" and not self.left_sealed


def tried(
    shop: Workshop, log: ProofLog, marked: Marked, target: str, checks: Sequence[str]
) -> Tried:
    """Choose, measure and confirm one mitigation."""
    blank = blank_candidate(shop, marked, target)
    mistake = _mistake_of(shop, marked, target)
    if mistake is not None:
        return Tried(replace(blank, state="error", reason=f"{place_of(marked)}: {mistake}"))
    if shop.how.requirement(target) is None:
        said = (
            f"nothing is required of {named(target)}, so there is nothing to repair; give it a bound in "
            "[requirements] of roadworthy.toml"
        )
        return Tried(replace(blank, state="not_applicable", reason=said))
    try:
        chosen = chosen_strength(shop, marked, target, checks)
        blank = replace(blank, strength=chosen.strength, attempts=chosen.attempts)
        if chosen.subject is None or chosen.strength is None:
            return _unapplied(blank, chosen)
        sham, control = chosen_sham(shop, marked, target, chosen.subject, checks)
        proposed = Proposed(
            name=marked.name,
            title=blank.title,
            target=target,
            stages=(Stage(marked, chosen.strength, chosen.subject),),
            sham=sham,
            sham_subject=control.subject,
            chosen=chosen,
            sham_chosen=control,
        )
        return measured(shop, log, proposed, checks)
    except OutOfTime:
        return Tried(replace(blank, state="not_run", reason=OUT_OF_TIME))


def _mistake_of(shop: Workshop, marked: Marked, target: str) -> str | None:
    """Return what its author has to mend before it can be tried."""
    if target not in shop.registry.checks:
        found = suggestion(target, shop.registry.checks)
        return f"{marked.name} is to repair {target}, and there is no such check.{found}"
    sham = mark_of(marked).sham
    if sham is not None and sham not in shop.registry.shams:
        found = suggestion(sham, shop.registry.shams)
        return f"its sham {sham} does not exist; mark a function of that name with @sham().{found}"
    return None


OUT_OF_TIME = "the budget was used up before it; a longer --budget goes on from here"


def blank_candidate(shop: Workshop, marked: Marked, target: str) -> Candidate:
    """Return the record of a mitigation of which nothing is known yet."""
    return Candidate(
        mitigation=marked.name,
        parts=(marked.name,),
        title=describe(marked.function).title,
        target=target,
        strength=None,
        attempts=(),
        sham="",
        sham_strength=None,
        sham_attempts=(),
        claims=(),
        before=Cost(),
        after=Cost(),
        state="not_run",
        reason="",
        caution=describe(marked.function).caution,
    )


def _unapplied(blank: Candidate, chosen: Chosen) -> Tried:
    """Return a candidate of which no strength could be measured on validation rows."""
    if chosen.broke is not None:
        reason = with_way_out(chosen.reason)
        return Tried(replace(blank, state="error", reason=reason, traceback=chosen.broke or None))
    return Tried(replace(blank, state="not_applicable", reason=chosen.reason))


def measured(shop: Workshop, log: ProofLog, proposed: Proposed, checks: Sequence[str]) -> Tried:
    """Measure a changed subject on test rows, and on untouched ones where nothing stands against it.

    Raises
    ------
    OutOfTime
    """
    after = shop.side(proposed.made)
    found = _compared(shop, after, proposed, checks)
    effects = effects_of(found, shop.how, name=proposed.name)
    these = claim_of(
        shop,
        "these_weights",
        proposed.target,
        found[proposed.target],
        words=("the repaired model", "the original"),
        rows=rows_of(shop, proposed.target),
    )
    beyond = _beyond_sham(shop, after, proposed, these)
    kept = [e for e in effects if e.reason != LEFT_OUT]
    against = objection(these, beyond, kept)
    remedy = _remedy(shop, proposed, these)
    claims = [these, beyond, remedy]
    opening, left_sealed = None, False
    if against is None and these.claim.rows == "train":
        claims.append(nothing_to_confirm(proposed.target))
    elif against is None:
        try:
            confirmed = _confirmed(shop, log, proposed)
        except Unlogged as why:  # what was measured on test rows is not lost for it
            confirmed = Confirmed(not_claimed("confirmed", str(why).rstrip("."), "proof"))
            left_sealed = True
        claims.append(confirmed.claimed)
        opening = confirmed.opening
        if not confirmed.claimed.claim.holds:
            against = f"Not confirmed. {confirmed.claimed.claim.statement}"
    candidate = _record(shop, proposed, after, claims, against)
    openings = () if opening is None else (opening,)
    return Tried(candidate, effects, openings, proposed, left_sealed)


def _record(
    shop: Workshop, proposed: Proposed, after: Side, claims: list[Claimed], against: str | None
) -> Candidate:
    before, cost = cost_of(shop.base), cost_of(after)
    if not shop.retrains(proposed.stages[0].made):
        cost = replace(cost, training_seconds=cost.training_seconds or before.training_seconds)
    only = proposed.stages[0] if len(proposed.stages) == 1 else None
    sealed = claims[-1].claim
    why = "Its target improves beyond its sham, no required check can be harmed beyond its margin, and that is confirmed."
    if not sealed.holds:
        why = (
            "Its target improves beyond its sham, and no required check can be harmed beyond its margin. It is no "
            "measure of test rows, so that there is nothing to confirm."
        )
    return Candidate(
        mitigation=proposed.name,
        parts=tuple(stage.marked.name for stage in proposed.stages),
        title=proposed.title,
        target=proposed.target,
        strength=None if only is None else only.strength,
        attempts=proposed.chosen.attempts,
        sham=proposed.sham,
        sham_strength=proposed.sham_chosen.strength,
        sham_attempts=proposed.sham_chosen.attempts,
        claims=tuple(each.claim for each in claims),
        before=before,
        after=cost,
        state="accepted" if against is None else "rejected",
        reason=against or why,
        changes=(
            *changes_between(shop.filled, proposed.made),
            *course_of(after, proposed.made.recipe),
        ),
        caution=" ".join(filter(None, map(_caution, proposed.stages))),
    )


def _caution(stage: Stage) -> str:
    return describe(stage.marked.function).caution


def _compared(
    shop: Workshop, after: Side, proposed: Proposed, checks: Sequence[str]
) -> dict[str, Compared]:
    every = list(dict.fromkeys((*checks, proposed.target)))
    leaves_out = not shop.means.dear_checks
    dear = dear_checks(shop.base, after, every, proposed.target) if leaves_out else set[str]()
    found = compared_on(shop.base, after, [c for c in every if c not in dear])
    for check in dear:
        before = shop.base.outcomes([check])[check]
        absent = Outcome(check, "not_applicable", reason=LEFT_OUT)
        found[check] = Compared(check, before, absent, None, untouched=False, reason=LEFT_OUT)
    return {check: found[check] for check in every}


def _beyond_sham(shop: Workshop, after: Side, proposed: Proposed, these: Claimed) -> Claimed:
    words = ("the repaired model", f"its sham ({named(proposed.sham)})")
    if proposed.sham == NOTHING:
        said = "Its sham is doing nothing, so this is what these weights show."
        claim = replace(
            these.claim, name="beyond_sham", statement=f"{these.claim.statement} {said}"
        )
        return Claimed(claim, these.measurement)
    if proposed.sham_subject is None:
        reason = proposed.sham_chosen.reason or "it was not measured"
        return not_claimed("beyond_sham", f"its sham could not be measured, because {reason}")
    target = proposed.target
    found = compared_on(shop.side(proposed.sham_subject), after, [target])[target]
    return claim_of(shop, "beyond_sham", target, found, words=words, rows=these.claim.rows)


def _confirmed(shop: Workshop, log: ProofLog, proposed: Proposed) -> Confirmed:
    if "proof" in shop.subject.splits and "proof" in proposed.made.splits:
        return confirmed_on_proof(shop, log, proposed.made, proposed.name, proposed.target)
    assert proposed.sham_subject is not None
    return confirmed_by_folds(shop, proposed.made, proposed.sham_subject, proposed.target)


def _remedy(shop: Workshop, proposed: Proposed, these: Claimed) -> Claimed:
    """Return the claim about the remedy as such, where trainings under other seeds can carry one."""
    if these.measurement is None or not these.claim.holds:
        return not_claimed("this_remedy", "these weights are not shown to be better")
    reason = _no_seeds(shop, proposed)
    if reason is not None:
        return not_claimed("this_remedy", reason)
    seeds = shop.means.seeds
    try:
        before = shop.base_reseeded(seeds)
        after = before
        for stage in proposed.stages:
            if shop.retrains(stage.made):
                after = shop.reseeded(stage.made, seeds)
            else:
                after = tuple(shop.applied(stage.marked, stage.strength, each) for each in after)
        return this_remedy(shop, proposed.target, before, after, these.measurement)
    except CannotApply as why:
        return not_claimed("this_remedy", why.reason)


def _no_seeds(shop: Workshop, proposed: Proposed) -> str | None:
    """Return why no trainings under other seeds are made; None where they are."""
    subject, means = shop.filled, shop.means
    if means.seeds < LEAST_SEEDS:
        return f"{means.seeds} seeds; a claim about the remedy as such needs {LEAST_SEEDS}"
    if subject.predictor is not None or subject.network is None:
        return "the model cannot be trained again; a claim about the remedy needs its architecture"
    if subject.recipe is None:
        return "how the model was trained is not known; give a Recipe in a subject.py"
    if not starts_alike(subject.network):
        return (
            "the factory of the network gives other initial weights under the same seed, so trainings cannot "
            "be repeated; let it draw from torch's own generator"
        )
    if means.most_training is None:
        return None
    one = cost_of(shop.base).training_seconds
    trainings = means.seeds * (2 if any(shop.retrains(s.made) for s in proposed.stages) else 1)
    if one is not None and one * trainings <= means.most_training:
        return None
    took = "an unknown time" if one is None else f"{one:.0f} s each"
    return (
        f"{trainings} trainings of {took} are beyond this profile; a more thorough one makes them"
    )
