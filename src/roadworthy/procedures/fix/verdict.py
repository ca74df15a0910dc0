"""Whether a remedy may be used, and the one sentence that says why or what stands against it."""

from collections.abc import Sequence

from roadworthy.procedures.fix.claims import Claimed
from roadworthy.procedures.paired import highest_harm
from roadworthy.results import Effect
from roadworthy.statistics.wording import amount, amounts


def objection(these: Claimed, beyond: Claimed, effects: Sequence[Effect], sham: str) -> str | None:
    """Return what stands against a remedy as measured on test rows; None where nothing does."""
    if not these.claim.holds:
        return _first_up(these.claim.statement)
    if not beyond.claim.holds:
        return f"It is not shown to do more than its sham ({sham}): {beyond.claim.statement}"
    return harm_in_words(effects)


def harm_in_words(effects: Sequence[Effect]) -> str | None:
    """Return which required check is lost, fails now or could be harmed beyond its margin; None: none."""
    lost = [e for e in effects if e.required and is_lost(e)]
    if lost:
        return f"{lost[0].check} was measured before and cannot be after ({lost[0].reason})."
    tipped = [e for e in effects if (e.verdict_before, e.verdict_after) == ("pass", "fail")]
    if tipped:
        return f"{tipped[0].check} passed before and fails after."
    open_ = [e for e in effects if e.required and e.non_inferior is False]
    if not open_:
        return None
    worst = max(open_, key=_beyond)
    assert worst.difference is not None
    assert worst.margin is not None
    harm = highest_harm(worst.difference, worst.larger_is)
    shown, margin = amounts((harm, worst.margin), worst.unit)
    others = f"; so could {len(open_) - 1} more" if len(open_) > 1 else ""
    verb = "is harmed" if worst.effect == "harmed" else "could be harmed"
    return (
        f"{worst.check} {verb} by as much as {amount(shown, worst.unit)}, where {margin} is tolerated"
        f"{others}."
    )


def is_lost(effect: Effect) -> bool:
    """Whether a check was measured before and is not any more."""
    return effect.effect == "not_measured" and effect.before is not None and effect.after is None


def _beyond(effect: Effect) -> float:
    assert effect.difference is not None
    assert effect.margin is not None
    return highest_harm(effect.difference, effect.larger_is) / max(effect.margin, 1e-12)


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
