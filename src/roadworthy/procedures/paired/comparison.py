"""Two subjects measured side by side: each check once on either, and its difference over shared rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.engine import CheckMark, Marked, Missing, Outcome, Registry, Store, compute, events
from roadworthy.engine.graph import Graph, resolve
from roadworthy.engine.identity import Identifier
from roadworthy.procedures.absent_device import with_way_out
from roadworthy.procedures.paired import again, pairing, redrawing
from roadworthy.procedures.paired.again import Reaching, Unreachable
from roadworthy.procedures.paired.pairing import Fields, Pairs, paired_rows, same_values
from roadworthy.procedures.paired.redrawing import (
    Drawing,
    Undrawable,
    independent_difference,
    plain_difference,
    redrawn_difference,
)
from roadworthy.results import Fact, Measurement, Requirement
from roadworthy.statistics import (
    from_replicates,
    limit,
    measured,
    paired_mean_difference,
    paired_rate_difference,
    quantiles_on,
)
from roadworthy.statistics.intervals import exact_end

STATISTICS = (
    exact_end,
    from_replicates,
    limit,
    measured,
    paired_mean_difference,
    paired_rate_difference,
    quantiles_on,
)
"""What the interval of a difference rests on."""


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
        return self.requirements.get(check, mark_of_check(self.registry.checks[check]).requires)


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

    @cached_property
    def pairs(self) -> Mapping[str, Pairs]:
        """Which rows of each split are the same."""
        known = [self._with_ids(side) for side in (self.before, self.after)]
        return paired_rows(self.before.fields, self.after.fields, known[0], known[1])

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
        measured = [name for name in checks if _is_measured(before[name], after[name])]
        same = {name for name in measured if self._is_about_the_same(name)}
        changed = [
            name
            for name in measured
            if name not in same and not _is_untouched(before[name], after[name])
        ]
        drawn = [n for n in changed if not _is_fact(before[n], after[n])]
        known = {name: self._kept(before[name], after[name]) for name in drawn}
        lacking = [name for name in drawn if known[name] is None]
        reaching = [self._reaching(side, lacking) for side in (self.before, self.after) if lacking]
        for done, name in enumerate(lacking):
            if self.how.emit is not None:
                self.how.emit(events.Progress(f"comparison of {name}", done, len(lacking)))
            known[name] = self._redrawn(name, before[name], after[name], reaching)
        return {
            name: _reading(name, before[name])
            if name in same
            else _one(name, before[name], after[name], known.get(name))
            for name in checks
        }

    def values_alone(self, checks: Sequence[str]) -> dict[str, Compared]:
        """Measure checks on both sides and take what differs for what is: no row is redrawn, and no luck allowed for.

        Raises
        ------
        KeyboardInterrupt
            When the user stops it.
        """
        before, after = self.before.outcomes(checks), self.after.outcomes(checks)
        return {
            name: _reading(name, before[name])
            if _is_measured(before[name], after[name]) and self._is_about_the_same(name)
            else _one(name, before[name], after[name], None)
            for name in checks
        }

    def _is_about_the_same(self, check: str) -> bool:
        """Whether what a check estimates a property of is the same on both sides, whatever it is estimated with."""
        mark = self.how.registry.checks[check].mark
        assert isinstance(mark, CheckMark)
        return bool(mark.about) and all(
            same_values(self.before.fields.get(name), self.after.fields.get(name))
            for name in mark.about
        )

    def _kept(self, before: Outcome, after: Outcome) -> Measurement | None:
        """Return a difference that an earlier run has drawn."""
        key = self._key(before, after)
        kept = self.how.store.get(key) if key is not None else None
        return kept.value if kept is not None and isinstance(kept.value, Measurement) else None

    def _redrawn(
        self, check: str, before: Outcome, after: Outcome, reaching: list[Reaching]
    ) -> Measurement:
        try:
            calls = reaching[0].again(check), reaching[1].again(check)
            found = redrawn_difference(before.value, after.value, calls, self._drawing)
        except (Unreachable, Undrawable) as why:
            said = f"not paired, because {why}: taken as independent, which widens the interval"
            found = independent_difference(before.value, after.value, said)
        key = self._key(before, after)
        return found if key is None else self.how.store.put(key, found)

    def _key(self, before: Outcome, after: Outcome) -> str | None:
        if not (before.key and after.key):
            return None
        return _key(before.key, after.key, self._drawing, _code())

    def _reaching(self, side: Side, checks: Sequence[str]) -> Reaching:
        graph = side.graph(checks)
        side.values([need.name for check in checks for need in graph.nodes[check].needs])
        is_before = side is self.before
        sizes = {
            split: pairs.n_before if is_before else pairs.n_after
            for split, pairs in self.pairs.items()
        }
        return Reaching(graph, side.values, sizes, self.how.seed)

    @cached_property
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


@cache
def _code() -> str:
    """Return what tells this way of comparing from an earlier one.

    The files of how rows are redrawn, as text, and the statistics that they rest on. Followed into the engine, an identity
    would come to what is imported in this process, which differs from one to the next.
    """
    digest = sha256()
    for module in (again, pairing, redrawing):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    digest.update(Identifier().of(STATISTICS).digest.encode())
    return digest.hexdigest()


def _one(check: str, before: Outcome, after: Outcome, drawn: Measurement | None) -> Compared:
    if not _is_measured(before, after):
        return Compared(check, before, after, None, untouched=False, reason=_lack(before, after))
    if _is_untouched(before, after):
        same = plain_difference(before.value, before.value)
        said = "nothing that it rests on was changed"
        return Compared(check, before, after, same, untouched=True, reason=said)
    if drawn is None:
        found = plain_difference(before.value, after.value)
        said = "no chance is involved on either side"
        return Compared(check, before, after, found, untouched=False, reason=said)
    return Compared(check, before, after, drawn, untouched=False, reason=drawn.details)


def _key(before: str, after: str, drawing: Drawing, code: str) -> str:
    """Return the key of a difference: kept, because how often rows are redrawn follows from a timing."""
    digest = sha256(
        f"difference\n{before}\n{after}\n{code}\n{drawing.resamples} {drawing.seconds} {drawing.seed}".encode()
    )
    arrays = [a for p in drawing.pairs.values() for a in (p.before, p.after)]
    for array in (*arrays, drawing.labels, drawing.entities):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _is_measured(before: Outcome, after: Outcome) -> bool:
    return before.state == "done" == after.state


def _is_untouched(before: Outcome, after: Outcome) -> bool:
    return before.key != "" and before.key == after.key


def _is_fact(before: Outcome, after: Outcome) -> bool:
    return all(isinstance(o.value.distribution, Fact) for o in (before, after))


def _lack(before: Outcome, after: Outcome) -> str:
    sides = [
        f"{when}: {with_way_out(outcome.reason or outcome.state)}"
        for when, outcome in (("before", before), ("after", after))
        if outcome.state != "done"
    ]
    return "; ".join(dict.fromkeys(sides))


def mark_of_check(marked: Marked) -> CheckMark:
    """Return the mark of a check."""
    assert isinstance(marked.mark, CheckMark)
    return marked.mark


def _reading(check: str, before: Outcome) -> Compared:
    """Return that nothing changed but the instrument: the first reading of the same rows stands."""
    said = "it is about rows that were not changed; another estimate of them is another model's reading"
    same = plain_difference(before.value, before.value)
    return Compared(check, before, before, same, untouched=True, reason=said)
