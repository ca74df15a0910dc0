"""The strength of a remedy that serves best: each is tried once, and what stood in the way is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Attempt


@dataclass(frozen=True)
class Best:
    """The best of several strengths, and what all of them gave.

    `strength` is None where none could be measured; `broke` has the traceback of the first that was broken rather
    than not applicable.
    """

    strength: float | None
    attempts: tuple[Attempt, ...]
    broke: str | None = None

    @property
    def reason(self) -> str:
        """Why some could not be measured, in words."""
        return "; ".join(dict.fromkeys(a.reason for a in self.attempts if a.reason))


def best_strength(
    strengths: Sequence[float],
    value_of: Callable[[float], float],
    larger_is: Literal["worse", "better", "neither"],
) -> Best:
    """Measure each strength and return the best; of equal ones the first, which is the weakest.

    Parameters
    ----------
    strengths : sequence of float
        Ascending.
    value_of : callable
        What a strength gives; raises `CannotApply` where it cannot be measured.
    larger_is : {"worse", "better", "neither"}
        What a larger value means; by one that means neither the smallest is taken.
    """
    sign = 1.0 if larger_is == "better" else -1.0
    attempts: list[Attempt] = []
    best: float | None = None
    highest = float("-inf")
    broke: str | None = None
    for strength in strengths:
        try:
            value = value_of(strength)
        except CannotApply as why:
            attempts.append(Attempt(strength, None, why.reason))
            broke = broke or why.traceback
            continue
        attempts.append(Attempt(strength, value))
        if sign * value > highest:
            highest, best = sign * value, strength
    return Best(best, tuple(attempts), broke)
