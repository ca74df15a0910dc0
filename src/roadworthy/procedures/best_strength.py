"""The strength of a remedy that serves best and does no harm; what stood in the way of the others is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Literal

from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Attempt

ALL_THE_SAME = "it is tried all the same, because no strength is without such harm"


@dataclass(frozen=True)
class Best:
    """The best of several strengths, and what all of them gave.

    `strength` is None where none could be measured; `broke` has the traceback of the first that was broken rather
    than not applicable. An attempt with a value and a reason was passed over for it, or taken for want of a better.
    """

    strength: float | None
    attempts: tuple[Attempt, ...]
    broke: str | None = None

    @property
    def reason(self) -> str:
        """Why some could not be measured, in words."""
        reasons = (a.reason for a in self.attempts if a.value is None and a.reason)
        return "; ".join(dict.fromkeys(reasons))


def best_strength(
    strengths: Sequence[float],
    value_of: Callable[[float], float],
    larger_is: Literal["worse", "better", "neither"],
    objection: Callable[[float], str | None] = lambda _: None,
) -> Best:
    """Measure each strength and return the best that nothing stands against; of equal ones the weakest.

    Where something stands against each of them, the best is taken all the same.

    Parameters
    ----------
    strengths : sequence of float
        Ascending.
    value_of : callable
        What a strength gives; raises `CannotApply` where it cannot be measured.
    larger_is : {"worse", "better", "neither"}
        What a larger value means; by one that means neither the smallest is taken.
    objection : callable, optional
        What stands against a strength, in words; None where nothing does. The best are asked about first, and no
        more than are needed; a strength that is the only one is not asked about.
    """
    attempts: dict[float, Attempt] = {}
    broke: str | None = None
    for strength in strengths:
        try:
            attempts[strength] = Attempt(strength, value_of(strength))
        except CannotApply as why:
            attempts[strength] = Attempt(strength, None, why.reason)
            broke = broke or why.traceback
    ranked = _ranked(attempts.values(), 1.0 if larger_is == "better" else -1.0)
    chosen = ranked[0] if ranked else None
    for strength in ranked if len(ranked) > 1 else ():
        against = objection(strength)
        if against is None:
            chosen = strength
            break
        attempts[strength] = replace(attempts[strength], reason=against)
    if chosen is not None and attempts[chosen].reason:
        said = f"{attempts[chosen].reason}; {ALL_THE_SAME}"
        attempts[chosen] = replace(attempts[chosen], reason=said)
    return Best(chosen, tuple(attempts.values()), broke)


def _ranked(attempts: Iterable[Attempt], sign: float) -> list[float]:
    """Return the strengths that have a value, the highest first; equal ones stay in their order."""
    values = {a.strength: sign * a.value for a in attempts if a.value is not None}
    return sorted((s for s, v in values.items() if not isnan(v)), key=lambda s: -values[s])
