"""Which attacks a model has to withstand, cheap to thorough, and what is added where a doubt arises."""

from dataclasses import dataclass
from typing import Literal

from roadworthy.perturbation.attack import Attack
from roadworthy.perturbation.gradient_attacks import Apgd, Round, TargetedApgd
from roadworthy.perturbation.square import Square
from roadworthy.perturbation.threat import Ball, Threat

AttackBudget = Literal["quick", "adaptive", "standard"]

FULL_TARGETS = (Round(9, 100),)


@dataclass(frozen=True)
class Budget:
    """Attacks in their order.

    Parameters
    ----------
    gradient : tuple of Attack
        They follow gradients: first, and left out where the model has none.
    black_box : tuple of Attack
        They see outputs alone; what these break after the others is a sign that the gradients mislead.
    escalated : tuple of Attack
        Added on the rows that stand, where there is a doubt about the others.
    """

    gradient: tuple[Attack, ...]
    black_box: tuple[Attack, ...]
    escalated: tuple[Attack, ...]

    @property
    def first(self) -> tuple[Attack, ...]:
        """Attacks on every row."""
        return (*self.gradient, *self.black_box)

    @property
    def every(self) -> tuple[Attack, ...]:
        """All attacks, in the order of their positions in a table of outcomes."""
        return (*self.first, *self.escalated)


def budget(name: AttackBudget, threat: Threat, *, has_gradients: bool = True) -> Budget:
    """Return the attacks of a budget against a threat."""
    squares = isinstance(threat, Ball) and threat.norm != "l1"

    def square(queries: int) -> tuple[Attack, ...]:
        return (Square(queries),) if squares else ()

    if name == "standard":
        gradient = (Apgd(10), TargetedApgd(), Apgd(100), TargetedApgd(FULL_TARGETS))
        found = Budget(gradient, square(5000), ())
    elif name == "adaptive":
        escalated = (Apgd(100), TargetedApgd(FULL_TARGETS), *square(5000))
        found = Budget((Apgd(10), TargetedApgd()), square(500), escalated)
    else:
        found = Budget((Apgd(10), TargetedApgd()), square(100), square(1000))
    return found if has_gradients else without_gradients(found)


def without_gradients(found: Budget) -> Budget:
    """Return a budget of the attacks that need no gradients."""
    blind = tuple(a for a in found.escalated if isinstance(a, Square))
    return Budget((), (*found.black_box, *blind), ())
