"""Whether a remedy may be used, and the one sentence that says why or what stands against it."""

from collections.abc import Sequence
from typing import NamedTuple

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
    lost, tipped, beyond = _harmful(effects)
    if lost:
        first = lost[0]
        return f"{_opening(first.check)} was measured before and cannot be after ({first.reason})."
    if tipped:
        return f"{_opening(tipped[0].check)} passed before and fails after."
    if not beyond:
        return None
    worst = max(beyond, key=lambda e: (e.effect == "harmed", _beyond(e)))
    likewise = _likewise(len(beyond) - 1)
    if worst.effect == "harmed":
        return f"It harms: {named(worst.check)} gets worse, by up to {_amount(worst)}{likewise}."
    return f"Harm is not ruled out: {named(worst.check)} could get worse by up to {_amount(worst)}{likewise}."


def harm_of_values(effects: Sequence[Effect]) -> str | None:
    """Return the same of validation rows, where the values alone are known and no interval."""
    lost, tipped, beyond = _harmful(effects)
    if lost:
        return f"{named(lost[0].check)} cannot be measured on validation rows ({lost[0].reason})"
    if tipped:
        return f"{named(tipped[0].check)} passes on validation rows without it, and fails with it"
    if not beyond:
        return None
    worst = max(beyond, key=_beyond)
    gets_worse = f"{named(worst.check)} gets worse on validation rows, by {_amount(worst)}"
    return f"{gets_worse}{_likewise(len(beyond) - 1)}"


class _Harmful(NamedTuple):
    """Required checks that cannot be measured any more, that fail now, and whose harm may exceed the margin."""

    lost: list[Effect]
    tipped: list[Effect]
    beyond: list[Effect]


def _harmful(effects: Sequence[Effect]) -> _Harmful:
    return _Harmful(
        lost=[e for e in effects if e.required and is_lost(e)],
        tipped=[e for e in effects if (e.verdict_before, e.verdict_after) == ("pass", "fail")],
        beyond=[e for e in effects if e.required and e.non_inferior is False],
    )


def _amount(effect: Effect) -> str:
    """Say how large a harm may be, and how large it might be at most."""
    assert effect.difference is not None
    assert effect.margin is not None
    harm = highest_harm(effect.difference, effect.larger_is)
    decimals = decimals_for(effect.margin, 0.0, effect.margin, effect.unit)
    while number(harm, effect.unit, decimals) == number(effect.margin, effect.unit, decimals):
        decimals += 1  # the two differ, and so must what is said of them
        if decimals > MOST_DECIMALS:
            break
    margin = size(effect.margin, effect.unit, decimals)
    return f"{size(harm, effect.unit, decimals)}, where {margin} would be tolerated"


def _likewise(others: int) -> str:
    return f"; {others} more {'check' if others == 1 else 'checks'} likewise" if others else ""


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
