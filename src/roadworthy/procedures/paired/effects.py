"""What a change did to every check: after minus before, with the interval of what was paired."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from roadworthy.engine import CheckMark, Marked, Missing, Outcome, Registry, Store, compute
from roadworthy.engine.graph import Graph, resolve
from roadworthy.procedures.description import describe
from roadworthy.procedures.paired.again import Reaching, Unreachable
from roadworthy.procedures.paired.pairing import Fields, Pairs, paired_rows
from roadworthy.procedures.paired.redrawing import (
    Drawing,
    Undrawable,
    independent_difference,
    plain_difference,
    redrawn_difference,
)
from roadworthy.procedures.paired.significance import two_sided
from roadworthy.results import Difference, Effect, Fact, Measurement, Requirement, Verdict
from roadworthy.results.effects import EffectKind
from roadworthy.statistics import holm, interval_of, judge
from roadworthy.statistics.wording import is_share

ALPHA = 0.05


@dataclass(frozen=True)
class How:
    """How two sets of fields are measured and compared.

    Parameters
    ----------
    registry : Registry
    store : Store
    seed : int
    options : mapping of node name to mapping of option to value
    requirements : mapping of check name to Requirement
        In place of the checks' own.
    resamples : int
        Of shared rows, at most.
    seconds : float
        For the resamples of one check; one that takes longer is resampled less.
    budget : callable, optional
        Returns the seconds that are left for computing; None: any.
    emit : callable, optional
        Receives the engine's events.
    """

    registry: Registry
    store: Store
    seed: int = 0
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    requirements: Mapping[str, Requirement] = field(default_factory=dict)
    resamples: int = 999
    seconds: float = 10.0
    budget: Callable[[], float | None] = lambda: None
    emit: Callable[[object], None] | None = None

    def requirement(self, check: str) -> Requirement | None:
        """Return what is required of a check here."""
        return self.requirements.get(check, _mark(self.registry.checks[check]).requires)


@dataclass(frozen=True, eq=False)
class Compared:
    """One check on both sides; `difference` is None where one side was not measured.

    `difference` holds after minus before with the distribution that any interval is read from.
    """

    check: str
    before: Outcome
    after: Outcome
    difference: Measurement | None
    untouched: bool
    reason: str = ""


class Side:
    """One set of fields, and what is computed of it."""

    def __init__(self, fields: Fields, how: How) -> None:
        self.fields = fields
        self.how = how
        self._known: dict[str, Outcome] = {}

    def outcomes(self, names: Sequence[str]) -> Mapping[str, Outcome]:
        """Compute names, or recall them.

        Raises
        ------
        KeyboardInterrupt
            When the user stops it.
        """
        lacking = [name for name in dict.fromkeys(names) if name not in self._known]
        if lacking:
            found = compute(
                self.how.registry,
                self.fields,
                lacking,
                store=self.how.store,
                seed=self.how.seed,
                options=self.how.options,
                budget=self.how.budget(),
                emit=self.how.emit,
            )
            if any(outcome.state == "interrupted" for outcome in found.values()):
                raise KeyboardInterrupt
            self._known.update(found)
        return {name: self._known[name] for name in names}

    def values(self, names: Sequence[str]) -> Mapping[str, Any]:  # Any: what artifacts returned
        """Return values by name, None where there is none."""
        wanted = [name for name in names if name not in self.fields]
        found = self.outcomes(wanted)
        given = {name: self.fields[name] for name in names if name in self.fields}
        values = {n: o.value if o.state == "done" else None for n, o in found.items()}
        return values | {n: None if isinstance(v, Missing) else v for n, v in given.items()}

    def graph(self, checks: Sequence[str]) -> Graph:
        """Return what checks need."""
        return resolve(self.how.registry, self.fields, checks, self.how.options)


class Comparison:
    """Two sets of fields and the rows that they share.

    Parameters
    ----------
    before, after : Side
        What a side has computed is kept by it, and so used again in another comparison.
    """

    def __init__(self, before: Side, after: Side) -> None:
        self.before = before
        self.after = after
        self.how = before.how
        known = [self._with_ids(side) for side in (before, after)]
        self.pairs: Mapping[str, Pairs] = paired_rows(
            before.fields, after.fields, known[0], known[1]
        )

    @property
    def shared_test_rows(self) -> int:
        """How many test rows both have."""
        pairs = self.pairs.get("test")
        return 0 if pairs is None else pairs.n

    def compared(self, checks: Sequence[str]) -> dict[str, Compared]:
        """Measure checks on both sides and take their differences.

        Raises
        ------
        KeyboardInterrupt
            When the user stops it.
        """
        before, after = self.before.outcomes(checks), self.after.outcomes(checks)
        changed = [name for name in checks if _is_measured(before[name], after[name])]
        changed = [name for name in changed if not _is_untouched(before[name], after[name])]
        drawn = [n for n in changed if not _is_fact(before[n], after[n])]
        sides = (self.before, self.after) if drawn else ()
        reaching = [self._reaching(side, drawn) for side in sides]
        return {
            name: self._one(name, before[name], after[name], reaching if name in drawn else [])
            for name in checks
        }

    def _one(
        self, check: str, before: Outcome, after: Outcome, reaching: list[Reaching]
    ) -> Compared:
        if not _is_measured(before, after):
            return Compared(
                check, before, after, None, untouched=False, reason=_lack(before, after)
            )
        one, other = before.value, after.value
        assert isinstance(one, Measurement)
        assert isinstance(other, Measurement)
        if _is_untouched(before, after):
            same = plain_difference(one, one)
            said = "nothing that it rests on was changed"
            return Compared(check, before, after, same, untouched=True, reason=said)
        if not reaching:
            found = plain_difference(one, other)
            said = "no chance is involved on either side"
            return Compared(check, before, after, found, untouched=False, reason=said)
        try:
            calls = reaching[0].again(check), reaching[1].again(check)
            found = redrawn_difference(one, other, calls, self._drawing())
        except (Unreachable, Undrawable) as why:
            said = f"not paired, because {why}: taken as independent, which widens the interval"
            found = independent_difference(one, other, said)
        return Compared(check, before, after, found, untouched=False, reason=found.details)

    def _reaching(self, side: Side, checks: Sequence[str]) -> Reaching:
        graph = side.graph(checks)
        side.values([need.name for check in checks for need in graph.nodes[check].needs])
        is_before = side is self.before
        sizes = {
            split: pairs.n_before if is_before else pairs.n_after
            for split, pairs in self.pairs.items()
        }
        return Reaching(graph, side.values, sizes, self.how.seed)

    def _drawing(self) -> Drawing:
        rows = self.pairs["test"].before if "test" in self.pairs else np.empty(0, np.int64)
        labels, entities = (self.before.fields.get(f"test_{n}") for n in ("labels", "entities"))
        return Drawing(
            pairs=self.pairs,
            labels=labels[rows] if isinstance(labels, np.ndarray) else None,
            entities=entities[rows] if isinstance(entities, np.ndarray) else None,
            resamples=self.how.resamples,
            seconds=self.how.seconds,
            seed=self.how.seed,
        )

    def _with_ids(self, side: Side) -> Callable[[Sequence[str]], Mapping[str, Any]]:
        def found(names: Sequence[str]) -> Mapping[str, Any]:  # Any: values of artifacts
            if "row_ids" not in self.how.registry.artifacts:
                return dict.fromkeys(names)
            return side.values(names)

        return found


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
    verdict_before = verdict_of(found.before, requirement, _mark(marked).least)
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
        challenge=_mark(marked).challenge,
        title=describe(marked.function).title,
        unit=unit,
        larger_is=larger_is,
        before=one.value if isinstance(one, Measurement) else None,
        after=other.value if isinstance(other, Measurement) else None,
        verdict_before=verdict_before,
        verdict_after=verdict_of(found.after, requirement, _mark(marked).least),
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
    return judge(outcome.value, requirement, least=least).verdict


def _is_measured(before: Outcome, after: Outcome) -> bool:
    return before.state == "done" == after.state


def _is_untouched(before: Outcome, after: Outcome) -> bool:
    return before.key != "" and before.key == after.key


def _is_fact(before: Outcome, after: Outcome) -> bool:
    return all(isinstance(o.value.distribution, Fact) for o in (before, after))


def _lack(before: Outcome, after: Outcome) -> str:
    sides = [
        f"{when}: {outcome.reason or outcome.state}"
        for when, outcome in (("before", before), ("after", after))
        if outcome.state != "done"
    ]
    return "; ".join(dict.fromkeys(sides))


def _mark(marked: Marked) -> CheckMark:
    assert isinstance(marked.mark, CheckMark)
    return marked.mark
