"""Which severities of a fault are planted, and what each of them is for.

The severity of a fault *is the true value* that its check should find, in the check's unit. What a user
tolerates is the bound, so the rungs follow from it:

| requirement | clean | healthy | at the bound | harmful |
|---|---|---|---|---|
| at most b (ideal 0) | 0 | b/2 | b | 2b |
| at least b (ideal i) | i | i - (i - b)/2 | b | i - 2 (i - b) |

The ideal is 0 for "at most" and 1 for "at least", unless the fault's docstring has a line `Ideal:` with another
number; harm is the distance from it. A unit that begins with "share" keeps severities within 0 and 1. Facts (no
interval) have no 2.5 % at their bound: they are planted on the last value of their grid that keeps the bound
and on the first that breaks it ("beyond"), and both verdicts must be right.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from roadworthy.procedures.selftest.stopping import (
    DETECTED_HARMFUL,
    FALSE_FAIL_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    FALSE_PASS_AT_BOUND,
    FALSE_PASS_HARMFUL,
    PASS_HEALTHY,
    Mark,
)
from roadworthy.results import Requirement

Role = Literal["clean", "healthy", "bound", "beyond", "harmful", "curve"]
Promise = Literal["finding", "passing"]

ALL_PROMISES: tuple[Promise, ...] = ("finding", "passing")
EPSILON = 1e-9


@dataclass(frozen=True)
class Rung:
    """One severity and its purpose."""

    role: Role
    severity: float


@dataclass(frozen=True)
class Scale:
    """In what the check counts: its ideal, its range, and for facts the step of its grid.

    Parameters
    ----------
    ideal : float
    low, high : float or None
        What the unit allows.
    step : float or None
        Distance of neighbouring values of a fact (1/n for a share, 1 for a number); None where the
        check estimates.
    """

    ideal: float
    low: float | None = None
    high: float | None = None
    step: float | None = None


def scale_of(
    requirement: Requirement, unit: str, fault_text: str, *, fact_n: int | None = None
) -> Scale:
    """Read the scale of a check from its requirement, its unit and the docstring of its fault.

    `fact_n` is the n of its measurement where that is a fact, else None.
    """
    stated = re.search(r"(?m)^\s*Ideal:\s*(-?[\d.]+)", fault_text)
    usual = 0.0 if requirement.direction == "at_most" else 1.0
    is_share = unit.startswith("share")
    step = None
    if fact_n:
        step = 1 / fact_n if is_share else 1.0 if unit.startswith("number") else None
    return Scale(
        ideal=float(stated.group(1).rstrip(".")) if stated else usual,
        low=0.0 if is_share else None,
        high=1.0 if is_share else None,
        step=step,
    )


def rungs(requirement: Requirement, scale: Scale, severities: Iterable[float]) -> tuple[Rung, ...]:
    """Return the rungs in the order of growing harm: the five roles, and the fault's own curve."""
    bound = requirement.bound
    harm = bound - scale.ideal
    placed: list[Rung] = [
        Rung("clean", scale.ideal),
        Rung("healthy", _fitted(scale.ideal + harm / 2, scale)),
        Rung("bound", _kept(bound, requirement, scale)),
    ]
    if scale.step is not None:
        sign = 1 if requirement.direction == "at_most" else -1
        placed.append(Rung("beyond", placed[2].severity + sign * scale.step))
    harmful = Rung("harmful", _harmful(scale.ideal + 2 * harm, scale))
    if abs(harmful.severity - scale.ideal) > abs(harm) + EPSILON:
        placed.append(harmful)
    taken = {round(rung.severity, 12) for rung in placed}
    curve = {round(_fitted(severity, scale), 12) for severity in severities} - taken
    placed += [Rung("curve", severity) for severity in curve]
    return tuple(sorted(placed, key=lambda rung: abs(rung.severity - scale.ideal)))


def marks_of(role: Role, *, is_fact: bool, promised: tuple[Promise, ...]) -> tuple[Mark, ...]:
    """Return the marks that a rung must keep.

    Passing when healthy and finding what is harmful are promised at the stated n only; a verdict
    that is wrong is wrong at every n.
    """
    if role in ("clean", "healthy"):
        passes = (PASS_HEALTHY,) if role == "healthy" and "passing" in promised else ()
        return (FALSE_FAIL_HEALTHY, *passes)
    if role == "bound":
        return (FALSE_FAIL_AT_BOUND,) if is_fact else (FALSE_FAIL_AT_BOUND, FALSE_PASS_AT_BOUND)
    if role == "beyond":
        return (FALSE_PASS_AT_BOUND,)
    if role == "harmful":
        return (FALSE_PASS_HARMFUL, *((DETECTED_HARMFUL,) if "finding" in promised else ()))
    return ()


def _kept(bound: float, requirement: Requirement, scale: Scale) -> float:
    """Return the bound, or for a fact the last value on its grid that keeps it."""
    if scale.step is None:
        return bound
    steps = bound / scale.step
    if requirement.direction == "at_most":
        return floor(steps + EPSILON) * scale.step
    return ceil(steps - EPSILON) * scale.step


def _harmful(severity: float, scale: Scale) -> float:
    """Return what is twice as bad as tolerated, or for a fact the next value that is at least so."""
    if scale.step is not None:
        away = abs(severity - scale.ideal) / scale.step
        severity = (
            scale.ideal + (1 if severity > scale.ideal else -1) * ceil(away - EPSILON) * scale.step
        )
    return _fitted(severity, scale)


def _fitted(severity: float, scale: Scale) -> float:
    if scale.step is not None:
        severity = round(severity / scale.step) * scale.step
    if scale.low is not None:
        severity = max(scale.low, severity)
    if scale.high is not None:
        severity = min(scale.high, severity)
    return severity
