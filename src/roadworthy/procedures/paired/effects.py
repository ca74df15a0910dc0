"""What a change did to every check: after minus before, with the interval of what was paired."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from roadworthy.engine import Outcome
from roadworthy.procedures.description import describe
from roadworthy.procedures.paired.comparison import Compared, Comparison, How, Side, mark_of_check
from roadworthy.procedures.paired.pairing import Fields
from roadworthy.procedures.paired.significance import two_sided
from roadworthy.results import Difference, Effect, Measurement, Requirement, Verdict
from roadworthy.results.effects import EffectKind
from roadworthy.statistics import holm, interval_of, judged
from roadworthy.statistics.wording import is_share

ALPHA = 0.05


def paired_effects(
    before: Fields, after: Fields, checks: Sequence[str], how: How, *, name: str
) -> tuple[Effect, ...]:
    """Return what a change did to each of `checks`, harms corrected over all of them.

    Parameters
    ----------
    before, after : mapping of field to value
        As from `fields_of`, with the device and answers about the purpose.
    checks : sequence of str
    how : How
    name : str
        Of the change: the mitigation, or the second subject.

    Raises
    ------
    KeyboardInterrupt
        When the user stops it; what was computed is in the store.
    """
    found = Comparison(Side(before, how), Side(after, how)).compared(checks)
    return effects_of(found, how, name=name)


def effects_of(found: Mapping[str, Compared], how: How, *, name: str) -> tuple[Effect, ...]:
    """Return the effects of what was compared, corrected over all of it (Holm)."""
    effects = [_effect(each, how, name) for each in found.values()]
    tested = [
        (i, e.difference.p_value)
        for i, e in enumerate(effects)
        if e.difference is not None and e.difference.p_value is not None
    ]
    adjusted = holm([p for _, p in tested]) if tested else np.empty(0)
    shown = {i for (i, _), p in zip(tested, adjusted, strict=True) if p < ALPHA}
    return tuple(
        replace(e, effect=_kind(e, found[e.check], shown=i in shown)) for i, e in enumerate(effects)
    )


def difference_of(measurement: Measurement, level: float = 0.95, seeds: int = 1) -> Difference:
    """Return a measured difference as a record, with the interval at another level."""
    low, high = interval_of(measurement.distribution, level)
    return Difference(
        value=measurement.value,
        low=min(low, measurement.value),
        high=max(high, measurement.value),
        n=measurement.n,
        method=measurement.method,
        level=level,
        seeds=seeds,
        p_value=two_sided(measurement),
    )


def margin_of(
    requirement: Requirement | None, unit: str, passing: float | None = None
) -> float | None:
    """Return the largest harm that is tolerated: half of what the requirement tolerates.

    At most b: b / 2. At least b of a share: (1 - b) / 2, half of the shortfall that is allowed. At least b of
    anything else: |b| / 2. A check that passes keeps at least half of its distance to the bound besides: from
    an accuracy of .92 under a bound of .85 at most .035 may be lost, though .88 would still pass.

    Parameters
    ----------
    requirement : Requirement or None
    unit : str
    passing : float, optional
        The value before, of a check that passed.
    """
    if requirement is None:
        return None
    margin = abs(requirement.bound) / 2.0
    if requirement.direction == "at_least" and is_share(unit):
        margin = (1.0 - requirement.bound) / 2.0
    if passing is None:
        return margin
    return min(margin, abs(requirement.bound - passing) / 2.0)


def direction_of(requirement: Requirement | None) -> Literal["worse", "better", "neither"]:
    """Return what a larger value means."""
    if requirement is None:
        return "neither"
    return "worse" if requirement.direction == "at_most" else "better"


def highest_harm(difference: Difference, larger_is: str) -> float:
    """Return the upper end of the interval of the harm."""
    return difference.high if larger_is == "worse" else -difference.low


def _effect(found: Compared, how: How, name: str) -> Effect:
    marked = how.registry.checks[found.check]
    requirement = how.requirement(found.check)
    one, other = (o.value if o.state == "done" else None for o in (found.before, found.after))
    measured = one if isinstance(one, Measurement) else other
    unit = measured.unit if isinstance(measured, Measurement) else ""
    difference = None if found.difference is None else difference_of(found.difference)
    verdict_before = verdict_of(found.before, requirement, mark_of_check(marked).least)
    passing = one.value if isinstance(one, Measurement) and verdict_before == "pass" else None
    margin = margin_of(requirement, unit, passing)
    larger_is = direction_of(requirement)
    safe = None
    if difference is not None and margin is not None:
        harm = highest_harm(difference, larger_is)
        safe = harm < margin or (margin == 0.0 >= harm)
    return Effect(
        mitigation=name,
        check=found.check,
        challenge=mark_of_check(marked).challenge,
        title=describe(marked.function).title,
        unit=unit,
        larger_is=larger_is,
        before=one.value if isinstance(one, Measurement) else None,
        after=other.value if isinstance(other, Measurement) else None,
        verdict_before=verdict_before,
        verdict_after=verdict_of(found.after, requirement, mark_of_check(marked).least),
        difference=difference,
        effect="no_effect_shown",
        margin=margin,
        non_inferior=safe,
        required=requirement is not None,
        reason=found.reason,
    )


def _kind(effect: Effect, found: Compared, *, shown: bool) -> EffectKind:
    if effect.difference is None:
        return "not_measured"
    if found.untouched:
        return "untouched"
    harm = effect.harm
    is_fact = effect.difference.p_value is None
    if harm is None or harm == 0.0 or not (shown or is_fact):
        return "no_effect_shown"
    return "harmed" if harm > 0.0 else "helped"


def verdict_of(outcome: Outcome, requirement: Requirement | None, least: int) -> Verdict:
    """Return the verdict of one side."""
    if outcome.state == "error":
        return "error"
    if outcome.state != "done":
        return "not_run"
    if requirement is None:
        return "note"
    assert isinstance(outcome.value, Measurement)
    return judged(outcome.value, requirement, least=least).verdict
