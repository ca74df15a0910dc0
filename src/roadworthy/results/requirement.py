"""What a measured number is held against: a direction, a bound, and where the bound comes from."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Requirement:
    """A bound on a quantity.

    Parameters
    ----------
    direction : {"at_most", "at_least"}
        Which side of the bound is good.
    bound : float
        In the unit of the measurement. A tolerated harm greater than 0, never the null value.
    source : str
        The law, paper or "house default" that the bound comes from.
    """

    direction: Literal["at_most", "at_least"]
    bound: float
    source: str


def AtMost(bound: float, source: str) -> Requirement:
    """Require that the quantity is `bound` or less."""
    return Requirement("at_most", bound, source)


def AtLeast(bound: float, source: str) -> Requirement:
    """Require that the quantity is `bound` or more."""
    return Requirement("at_least", bound, source)
