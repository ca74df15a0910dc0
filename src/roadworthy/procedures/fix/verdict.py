"""Whether a remedy may be used, and the one sentence that says why or what stands against it."""

from collections.abc import Sequence

from roadworthy.procedures.fix.claims import Claimed
from roadworthy.procedures.fix.words import MOST_DECIMALS, decimals_for, named, number, size
from roadworthy.procedures.paired import highest_harm
from roadworthy.results import Effect


def objection(these: Claimed, beyond: Claimed, effects: Sequence[Effect]) -> str | None:
    """Return what stands against a remedy as measured on test rows; None where nothing does."""
    if not these.claim.holds:
        return these.claim.statement
    if not beyond.claim.holds:
        return beyond.claim.statement
    return harm_in_words(effects)


def harm_in_words(effects: Sequence[Effect]) -> str | None:
    """Return which required check is lost, fails now or could be harmed beyond its margin; None: none."""
    lost = [e for e in effects if e.required and is_lost(e)]
    if lost:
        first = lost[0]
        return f"{_opening(first.check)} was measured before and cannot be after ({first.reason})."
    tipped = [e for e in effects if (e.verdict_before, e.verdict_after) == ("pass", "fail")]
    if tipped:
        return f"{_opening(tipped[0].check)} passed before and fails after."
    open_ = [e for e in effects if e.required and e.non_inferior is False]
    if not open_:
        return None
    worst = max(open_, key=lambda e: (e.effect == "harmed", _beyond(e)))
    assert worst.difference is not None
    assert worst.margin is not None
    harm = highest_harm(worst.difference, worst.larger_is)
    decimals = decimals_for(worst.margin, 0.0, worst.margin, worst.unit)
    while number(harm, worst.unit, decimals) == number(worst.margin, worst.unit, decimals):
        decimals += 1  # the two differ, and so must what is said of them
        if decimals > MOST_DECIMALS:
            break
    margin = size(worst.margin, worst.unit, decimals)
    could = f"{size(harm, worst.unit, decimals)}, where {margin} would be tolerated"
    others = len(open_) - 1
    likewise = f"; {others} more {'check' if others == 1 else 'checks'} likewise" if others else ""
    if worst.effect == "harmed":
        return f"It harms: {named(worst.check)} gets worse, by up to {could}{likewise}."
    return (
        f"Harm is not ruled out: {named(worst.check)} could get worse by up to {could}{likewise}."
    )


def is_lost(effect: Effect) -> bool:
    """Whether a check was measured before and is not any more."""
    return effect.effect == "not_measured" and effect.before is not None and effect.after is None


def _beyond(effect: Effect) -> float:
    assert effect.difference is not None
    assert effect.margin is not None
    return highest_harm(effect.difference, effect.larger_is) / max(effect.margin, 1e-12)


def _opening(check: str) -> str:
    said = named(check)
    return said[:1].upper() + said[1:]
