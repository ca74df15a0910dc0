"""Two accepted remedies together: measured like any other, because two goods need not add up."""

from collections.abc import Sequence

from roadworthy.procedures.fix.strength import NOTHING, TRAINED_AGAIN
from roadworthy.procedures.fix.trial import OUT_OF_TIME, Proposed, Stage, Tried, measured
from roadworthy.procedures.fix.workshop import OutOfTime, Workshop
from roadworthy.procedures.proof import ProofLog
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Candidate, Cost, Difference
from roadworthy.subject import DecisionRule, Subject


def best_two(accepted: Sequence[Tried], rule: DecisionRule | None) -> tuple[Tried, Tried] | None:
    """Return the two with the clearest improvements, of different targets where there are such.

    A subject has one rule of decision, `rule` before any repair: of two that set it the later would undo the other.
    """
    ranked = sorted(accepted, key=_clarity, reverse=True)
    if not ranked:
        return None
    first, *rest = ranked
    if _decides(first, rule):
        rest = [t for t in rest if not _decides(t, rule)]
    if not rest:
        return None
    others = [t for t in rest if t.candidate.target != first.candidate.target]
    return first, (others or rest)[0]


def _decides(found: Tried, rule: DecisionRule | None) -> bool:
    return found.proposed is not None and found.proposed.made.decision_rule != rule


def combined(
    shop: Workshop, log: ProofLog, one: Tried, other: Tried, checks: Sequence[str]
) -> Tried:
    """Apply both, each fitted to what the one before it made, and measure what comes out."""
    assert one.proposed is not None
    assert other.proposed is not None
    first, second = sorted((one.proposed, other.proposed), key=lambda each: _turn(shop, each))
    name = f"{first.name} + {second.name}"
    # The target of the clearer of the two is that of both.
    target = one.candidate.target
    try:
        step = second.stages[0]
        made = shop.applied(step.marked, step.strength, first.made)
        stages = (*first.stages, Stage(step.marked, step.strength, made))
        sham, control = _both_shams(shop, first, second)
        both = Proposed(name, f"{first.title}; {second.title}", target, stages, sham, control)
        return measured(shop, log, both, checks)
    except CannotApply as why:
        broke = why.traceback is not None
        state = "error" if broke else "not_applicable"
        return Tried(_blank(name, first, second, target, state, why.reason, why.traceback))
    except OutOfTime:
        return Tried(_blank(name, first, second, target, "not_run", OUT_OF_TIME, None))


def _turn(shop: Workshop, proposed: Proposed) -> int:
    """Return when a remedy has its turn: training, then what changes answers, then thresholds on these answers.

    A threshold of abstaining that was found before a temperature would leave out other rows than it was meant to.
    """
    if shop.retrains(proposed.made):
        return 0
    return 2 if proposed.made.decision_rule != shop.subject.decision_rule else 1


def _both_shams(shop: Workshop, first: Proposed, second: Proposed) -> tuple[str, Subject | None]:
    """Return the shams of both, one after the other."""
    if first.sham == NOTHING:
        return second.sham, second.sham_subject
    untold = second.sham in (NOTHING, TRAINED_AGAIN) or second.sham not in shop.registry.shams
    if untold or first.sham_subject is None or second.sham_chosen.strength is None:
        return first.sham, first.sham_subject
    control = shop.registry.shams[second.sham]
    onto = shop.applied(control, second.sham_chosen.strength, first.sham_subject)
    return f"{first.sham} + {second.sham}", onto


def _clarity(found: Tried) -> float:
    """Return how many widths of its interval the improvement is from nothing."""
    differences = [c.difference for c in found.candidate.claims if c.name == "these_weights"]
    difference: Difference | None = differences[0] if differences else None
    if difference is None:
        return 0.0
    return abs(difference.value) / max(difference.high - difference.low, 1e-12)


def _blank(
    name: str,
    first: Proposed,
    second: Proposed,
    target: str,
    state: str,
    reason: str,
    traceback: str | None,
) -> Candidate:
    assert state in ("error", "not_applicable", "not_run")
    return Candidate(
        mitigation=name,
        parts=(first.name, second.name),
        title=f"{first.title}; {second.title}",
        target=target,
        strength=None,
        attempts=(),
        sham="",
        sham_strength=None,
        sham_attempts=(),
        claims=(),
        before=Cost(),
        after=Cost(),
        state=state,
        reason=reason,
        traceback=traceback,
    )
