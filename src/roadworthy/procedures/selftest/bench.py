"""Where faults are planted: one subject, what was computed of it once, and a check's cone at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

import numpy as np

from roadworthy.engine import ArtifactMark, Marked, Missing, Outcome, Registry, Store, compute
from roadworthy.engine.graph import Graph, resolve
from roadworthy.procedures.selftest.localisation import without_telling
from roadworthy.procedures.transforms import SETTLED, applied, handed_on
from roadworthy.subject import Subject
from roadworthy.subject.fields import fields_of

Fields = Mapping[str, Any]  # Any: a field may hold whatever an artifact takes


@dataclass(frozen=True)
class Computing:
    """How everything is computed on a bench, as in an audit.

    Parameters
    ----------
    registry : Registry
    store : Store
        Holds what is computed of the subject itself, such as its trained weights.
    seed : int
    options : mapping of node name to mapping of option to value
    fields : mapping of str to object
        Beside those of the subject: the device, answers that checks ask for by name.
    """

    registry: Registry
    store: Store
    seed: int
    options: Mapping[str, Mapping[str, object]]
    fields: Fields


class Bench:
    """A subject on which faults are planted.

    What a planted subject shares with the subject itself is computed once, on the subject: artifacts
    of which no field has changed are handed on. So a fault that redraws labels never trains again.

    Parameters
    ----------
    subject : Subject
    computing : Computing
    emit : callable, optional
        Receives the engine's events while something is computed of the subject itself.
    """

    def __init__(
        self,
        subject: Subject,
        computing: Computing,
        emit: Callable[[object], None] | None = None,
    ) -> None:
        self.subject = subject
        self.computing = computing
        self._emit = emit
        self._fields = self.fields(subject)
        self._shared: dict[str, Outcome] = {}
        self._frontiers: dict[tuple[tuple[str, ...], frozenset[str]], tuple[str, ...]] = {}

    def fields(self, subject: Subject) -> Fields:
        """Return the fields that checks see of a subject."""
        return {**fields_of(without_telling(subject)), **self.computing.fields}

    def graph(self, subject: Subject, names: Sequence[str]) -> Graph:
        """Return what `names` need on a subject, less what its own subject has computed."""
        return self._resolved(self._inheriting(self.fields(subject), names), names)

    def cone(self, name: str) -> Graph:
        """Return all that `name` needs on the subject itself."""
        return self._resolved(self._fields, [name])

    def differing(self, one: Subject, other: Subject) -> set[str]:
        """Return the names of the fields in which two subjects differ."""
        return _differing(self.fields(one), self.fields(other))

    def outcomes(self, subject: Subject, names: Sequence[str], seed: int) -> Mapping[str, Outcome]:
        """Compute `names` on a subject that may share fields with that of the bench.

        Raises
        ------
        KeyboardInterrupt
            When the user stops it.
        """
        if subject is self.subject:
            return self._own(names)
        fields = self._inheriting(self.fields(subject), names)
        found = compute(
            self.computing.registry,
            fields,
            [name for name in names if name not in fields],
            store=Store(None),
            seed=seed,
            options=self.computing.options,
        )
        _raise_interrupts(found)
        return {**found, **{name: self._shared[name] for name in names if name in fields}}

    def applied(
        self,
        transform: Marked,
        subject: Subject,
        rng: np.random.Generator,
        severity: float | None = None,
    ) -> Subject:
        """Apply a control or a fault.

        Raises
        ------
        CannotApply
            When it does not apply here, or breaks.
        """
        return applied(
            transform,
            subject,
            given={"rng": rng, "severity": severity},
            fields=self.fields(subject),
            outcomes=lambda names: self.outcomes(subject, names, self.computing.seed),
        )

    def _own(self, names: Sequence[str]) -> Mapping[str, Outcome]:
        lacking = [name for name in names if name not in self._shared]
        if lacking:
            found = compute(
                self.computing.registry,
                self._fields,
                lacking,
                store=self.computing.store,
                seed=self.computing.seed,
                options=self.computing.options,
                emit=self._emit,
            )
            _raise_interrupts(found)
            self._shared.update({name: found[name] for name in lacking})
        return {name: self._shared[name] for name in names}

    def _inheriting(self, fields: Fields, names: Sequence[str]) -> Fields:
        """Return fields with the artifacts in place that are the same for the subject itself."""
        changed = _differing(fields, self._fields)
        key = (tuple(names), frozenset(changed))
        if key not in self._frontiers:
            self._frontiers[key] = _frontier(self._resolved(fields, names), names, changed)
        shared = self._own(self._frontiers[key])
        return {**fields, **{n: handed_on(o) for n, o in shared.items() if o.state in SETTLED}}

    def _resolved(self, fields: Fields, names: Sequence[str]) -> Graph:
        return resolve(self.computing.registry, fields, names, self.computing.options)


def seed_of(*parts: object) -> int:
    """Return the seed of one repetition, from the run's seed and what is planted: below 2^63."""
    text = "\n".join(str(part) for part in parts)
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


def _frontier(graph: Graph, names: Sequence[str], changed: set[str]) -> tuple[str, ...]:
    """Return the artifacts that rest on no changed field and that something which does, needs.

    Light ones that draw random numbers are left out: they are to differ between repetitions.
    """
    own: dict[str, bool] = {}
    for name, node in graph.nodes.items():
        is_artifact = isinstance(node.mark, ArtifactMark)
        own[name] = (
            is_artifact
            and not (node.takes_rng and node.mark.cost == "light")
            and name not in graph.missing
            and name not in graph.problems
            and all(own.get(need.name, need.name not in changed) for need in node.needs)
        )
    needs = {need.name for n, node in graph.nodes.items() if not own[n] for need in node.needs}
    return tuple(name for name in graph.nodes if own[name] and (name in needs or name in names))


def _differing(one: Fields, other: Fields) -> set[str]:
    shared = one.keys() & other.keys()
    apart = {name for name in shared if not _same(one[name], other[name])}
    return apart | (one.keys() ^ other.keys())


def _same(one: Any, other: Any) -> bool:  # Any: values of fields
    if one is other:
        return True
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        left, right = cast(Fields, one), cast(Fields, other)
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(one, tuple) and isinstance(other, tuple):
        these, those = cast(tuple[Any, ...], one), cast(tuple[Any, ...], other)
        return len(these) == len(those) and all(map(_same, these, those))
    if isinstance(one, (str, int, float, bool, Missing)):
        return type(one) is type(other) and one == other
    return False


def _raise_interrupts(found: Mapping[str, Outcome]) -> None:
    if any(outcome.state == "interrupted" for outcome in found.values()):
        raise KeyboardInterrupt
