"""Which attacks a model has to withstand, cheap to thorough, and what is added where a doubt arises."""

from dataclasses import dataclass
from typing import Literal

from roadworthy.perturbation.attack import Attack
from roadworthy.perturbation.cascade import OnNearlyBroken
from roadworthy.perturbation.fab import Fab
from roadworthy.perturbation.gradient_attacks import Apgd, Round, TargetedApgd
from roadworthy.perturbation.square import Square
from roadworthy.perturbation.threat import Ball, Threat

AttackBudget = Literal["quick", "adaptive", "standard"]

CHEAP: tuple[Attack, ...] = (Apgd(10), TargetedApgd())
PROTOCOL: tuple[Attack, ...] = (Apgd(100), TargetedApgd((Round(9, 100),)))
LONGER = 4
"""Times as many queries of an attack that sees outputs alone, where gradients do not come from the model as it is."""


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


def budget(
    name: AttackBudget, threat: Threat, *, has_gradients: bool = True, is_undone: bool = False
) -> Budget:
    """Return the attacks of a budget against a threat.

    "standard" is the protocol of AutoAttack (Croce & Hein 2020) with two cheap attacks before it. Where there is no
    Square attack or FAB for a threat, they are left out.

    Parameters
    ----------
    name : {"quick", "adaptive", "standard"}
    threat : Threat
    has_gradients : bool
        Otherwise only attacks that see outputs are left.
    is_undone : bool
        Gradients come with something undone that may hide them: the search that needs none goes on `LONGER`, except in
        "standard", where it has the length of the protocol.
    """
    longer = LONGER if is_undone else 1
    if name == "standard":
        found = _standard(threat)
    else:
        found = (_quick if name == "quick" else _adaptive)(threat, longer)
    return found if has_gradients else without_gradients(found)


def _quick(threat: Threat, longer: int) -> Budget:
    patient = OnNearlyBroken(TargetedApgd((Round(3, 60),), " again"), 0.05)
    return Budget((*CHEAP, patient), _square(threat, 100 * longer), _square(threat, 1000))


def _adaptive(threat: Threat, longer: int) -> Budget:
    patient = (
        OnNearlyBroken(Apgd(100)),
        OnNearlyBroken(TargetedApgd((Round(5, 100),), " again")),
    )
    escalated = (*PROTOCOL, *_fab(threat), *_square(threat, 5000))
    return Budget((*CHEAP, *patient), _square(threat, 500 * longer), escalated)


def _standard(threat: Threat) -> Budget:
    return Budget((*CHEAP, *PROTOCOL, *_fab(threat)), _square(threat, 5000), ())


def _square(threat: Threat, queries: int) -> tuple[Attack, ...]:
    return (Square(queries),) if isinstance(threat, Ball) and threat.norm != "l1" else ()


def _fab(threat: Threat) -> tuple[Attack, ...]:
    return (Fab(100, 9),) if isinstance(threat, Ball) and threat.norm != "l1" else ()


def queries(attacks: tuple[Attack, ...]) -> int:
    """Return how many forward passes of a row attacks by outputs alone may take."""
    return sum(attack.queries for attack in attacks if isinstance(attack, Square))


def without_gradients(found: Budget) -> Budget:
    """Return a budget of the attacks that need no gradients."""
    blind = tuple(a for a in found.escalated if isinstance(a, Square))
    return Budget((), (*found.black_box, *blind), ())
