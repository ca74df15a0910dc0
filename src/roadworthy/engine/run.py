"""Computing: each node once, in an order that suits a budget, and what breaks stays by itself."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from roadworthy.engine.events import Event, Failed, Finished, NotKept, Planned, Progress, Started
from roadworthy.engine.graph import Fields, Graph, Need, Node, Options, resolve
from roadworthy.engine.identity import Fingerprint, Identifier
from roadworthy.engine.isolation import Failure, Success, attempt
from roadworthy.engine.keys import keys_of
from roadworthy.engine.marks import ArtifactMark
from roadworthy.engine.missing import Missing
from roadworthy.engine.outcome import Outcome, failed
from roadworthy.engine.plan import WEIGHTS, plan
from roadworthy.engine.progress import listening
from roadworthy.engine.recall import Keeper, keeping
from roadworthy.engine.registry import Registry
from roadworthy.engine.rows import computed_by_rows, cut_of, row_parameters
from roadworthy.engine.seeds import generator
from roadworthy.engine.shape import verified
from roadworthy.engine.stopwatch import Stopwatch
from roadworthy.engine.store import Store
from roadworthy.engine.streamed import in_memory
from roadworthy.errors import NotApplicable, UserError

Emit = Callable[[Event], None]
Arguments = dict[str, Any]  # Any: whatever a function takes


def compute(
    registry: Registry,
    fields: Fields,
    names: Iterable[str],
    *,
    store: Store | None = None,
    seed: int = 0,
    options: Options | None = None,
    budget: float | None = None,
    emit: Emit | None = None,
) -> dict[str, Outcome]:
    """Compute checks and artifacts (or hand on fields) by name.

    Parameters
    ----------
    registry : Registry
    fields : mapping of str to object or Missing
        A field takes the place of an artifact of its name.
    names : iterable of str
    store : Store, optional
        None keeps results in memory, for this call.
    seed : int
        For functions that take `rng`.
    options : mapping of name to mapping of option to value, optional
        By name of a node or, for all splits, of a per-split artifact.
    budget : float, optional
        Seconds. The cheapest come first; what does not fit has the state "budget". Results in the
        store cost nothing.
    emit : callable, optional
        Receives the events.

    Returns
    -------
    dict of str to Outcome
        One for each of `names`. After a KeyboardInterrupt those that are done, and the rest as
        "interrupted".

    Raises
    ------
    UserError
        When a name or an option does not exist. What goes wrong in a function is its outcome.
    """
    names = list(dict.fromkeys(names))
    deadline = None if budget is None else time.monotonic() + budget
    graph = resolve(registry, fields, names, options)
    store = Store() if store is None else store
    run = _Run(graph, store, seed, _ignore if emit is None else emit, deadline)
    with suppress(KeyboardInterrupt):  # what is done by then is the result
        run.execute(names, Identifier(registry.packages))
    return {name: run.outcome(name) for name in names}


def _ignore(event: Event) -> None:
    pass


class _OverBudget(BaseException):
    """Ends a node where it pauses; no Exception, so that it is not taken for an error."""


class _Run:
    def __init__(
        self, graph: Graph, store: Store, seed: int, emit: Emit, deadline: float | None
    ) -> None:
        self._graph = graph
        self._store = store
        self._seed = seed
        self._emit = emit
        self._deadline = deadline
        self._keys: Mapping[str, Fingerprint] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._values: dict[str, Any] = {}  # Any: what functions returned
        self._consumers: Counter[str] = Counter()  # pending ones, by what they need
        self._pending: set[str] = set()
        self._sought: set[str] = set()  # in the store, and not there
        self._requested: frozenset[str] = frozenset()
        self._identifier = Identifier()

    def outcome(self, name: str) -> Outcome:
        """Return what became of a requested name."""
        if name in self._graph.nodes:
            found = self._outcomes.get(name)
            if found is None:
                said = "the run was interrupted before it was reached"
                return Outcome(name, "interrupted", code="interrupted", reason=said)
            return replace(found, value=self._values.get(name))
        value = self._graph.fields[name]
        if isinstance(value, Missing):
            return Outcome(name, "missing", code=value.code, reason=value.reason)
        return Outcome(name, "done", value)

    def execute(self, names: list[str], identifier: Identifier) -> None:
        """Bring the requested nodes to an end, cheapest first."""
        self._identifier = identifier
        self._keys = keys_of(self._graph, identifier, self._seed)
        self._requested = frozenset(names)
        requested = [name for name in names if name in self._graph.nodes]
        planned = plan(self._graph, requested, self._keys, self._is_stored)
        self._pending = set(planned.pending)
        for name in self._pending:
            self._consumers.update(need.name for need in self._graph.nodes[name].needs)
        unknown = {name: self._keys[name].unknown for name in sorted(planned.pending)}
        said = tuple(f"{name}: {what}" for name, what in unknown.items() if what)
        total = len(planned.pending) + len(planned.stored)
        self._emit(Planned(total, len(planned.stored), said))
        for name in planned.order:
            self._settle(name)

    def _settle(self, name: str) -> None:
        """Bring a node to its end, and before that what it needs. Without recursion: chains are long."""
        stack = [name]
        while stack:
            node = self._graph.nodes[stack[-1]]
            if self._is_settled(node.name) or self._is_found(node) or self._is_blocked(node):
                stack.pop()
                continue
            ahead = [n for n in node.needs if n.name in self._graph.nodes]
            ahead = [n for n in ahead if not self._is_settled(n.name)]
            if ahead:
                # Required and cheap first: where it does not apply, the rest is never computed.
                stack.append(min(ahead, key=self._rank).name)
                continue
            self._run(node)
            stack.pop()

    def _rank(self, need: Need) -> tuple[bool, int]:
        return need.optional, WEIGHTS[self._graph.nodes[need.name].mark.cost]

    def _is_settled(self, name: str) -> bool:
        """Whether a node has ended, with its value at hand where it is done."""
        found = self._outcomes.get(name)
        return found is not None and (found.state != "done" or name in self._values)

    def _is_blocked(self, node: Node) -> bool:
        """Whether a node cannot be computed; then it has ended."""
        name = node.name
        if name in self._graph.problems:
            self._end(node, Outcome(name, "error", None, "lookup", self._graph.problems[name]))
            return True
        if name in self._graph.missing:
            lack = self._graph.missing[name]
            self._end(node, Outcome(name, "missing", None, lack.code, lack.reason))
            return True
        for need in node.needs:
            found = self._outcomes.get(need.name)
            if found is None or found.state == "done":
                continue
            if not (need.optional and found.state in ("missing", "not_applicable")):
                self._end(node, failed(name, found))
                return True
        return False

    def _is_found(self, node: Node) -> bool:
        """Whether the store has a node; then it has ended."""
        if node.name in self._sought or node.name not in self._keys:
            return False
        self._sought.add(node.name)
        key = self._key(node.name)
        found = self._store.get(key) if key else None
        if found is None:
            return False
        if found.not_applicable is not None:
            reason = found.not_applicable
            found_so = Outcome(node.name, "not_applicable", None, "not_applicable", reason)
        else:
            self._values[node.name] = found.value
            found_so = Outcome(node.name, "done", took=found.seconds)
        self._end(node, replace(found_so, from_store=True, key=key or ""))
        self._emit(Finished(node.name, 0.0, from_store=True, key=key or ""))
        return True

    def _run(self, node: Node) -> None:
        if self._is_over():
            self._end(node, _over_budget(node.name))
            return
        self._emit(Started(node.name))
        stopwatch = _Stopwatch()
        keeper = Keeper(self._store, self._identifier, self._pause, stopwatch.elsewhere)
        try:
            with (
                listening(lambda done, total: self._heard(node.name, done, total)),
                keeping(keeper),
            ):
                result = attempt(lambda: self._value_of(node, stopwatch))
        except _OverBudget:
            self._end(node, _over_budget(node.name))
            return
        seconds = stopwatch.seconds
        outcome = replace(self._judged(node, result), seconds=seconds, took=stopwatch.took)
        self._end(node, outcome)
        if outcome.state == "error":
            self._emit(Failed(node.name, outcome.reason or "", seconds))
        else:
            self._emit(Finished(node.name, seconds, from_store=False, key=outcome.key))

    def _heard(self, name: str, done: int, total: int) -> None:
        self._emit(Progress(name, done, total))
        if done < total:
            self._pause()

    def _judged(self, node: Node, result: Success[Any] | Failure) -> Outcome:
        name, key = node.name, self._key(node.name) or ""
        if isinstance(result, Success):
            self._values[name] = result.value
            return Outcome(name, "done", key=key)
        if isinstance(result.error, NotApplicable):
            reason = str(result.error)
            if key:
                self._keep(lambda: self._store.put_not_applicable(key, reason))
            return Outcome(name, "not_applicable", None, "not_applicable", reason, key=key)
        where = node.marked.module
        if isinstance(result.error, UserError):
            return Outcome(name, "error", None, "user_error", str(result.error), module=where)
        return Outcome(name, "error", None, "error", result.reason, result.traceback, module=where)

    def _value_of(
        self, node: Node, stopwatch: "_Stopwatch"
    ) -> Any:  # Any: what the function returns
        arguments = self._arguments(node)
        rows = row_parameters(node, self._graph, arguments)
        cut = cut_of(node, rows, arguments)
        key = self._key(node.name)
        if not getattr(node.mark, "streams", False):
            arguments = in_memory(arguments, but=() if cut is None else rows)
        if cut is not None:

            def of_rows(first: int, last: int) -> Any:  # Any: see above
                given = {p: v[first:last] if p in rows else v for p, v in arguments.items()}
                return self._call(node, given, first, last - first)

            return self._keep(lambda: computed_by_rows(of_rows, cut, self._store, key, self._pause))
        n = len(arguments[next(iter(rows))]) if rows else None
        value = self._call(node, arguments, 0, n)
        if not node.is_stored:
            return value
        if key is None:
            return self._store.unkept(value)
        return self._keep(lambda: self._store.put(key, value, stopwatch.took))

    def _call(
        self, node: Node, arguments: Arguments, first: int, n: int | None
    ) -> Any:  # Any: same
        """Call the function of a node for `n` rows from `first`, and verify the declared shape."""
        options: dict[str, Any] = dict(node.options)  # Any: values of options
        if node.takes_rng:
            options["rng"] = generator(self._seed, node.name, node.options, first)
        value = node.marked.function(**arguments, **options)
        declared = node.mark.shape if isinstance(node.mark, ArtifactMark) else None
        return verified(value, declared, n)

    def _arguments(self, node: Node) -> Arguments:
        found: Arguments = {}
        for need in node.needs:
            if need.name in self._graph.nodes:
                found[need.parameter] = self._values.get(need.name)
                continue
            value = self._graph.fields.get(need.name)
            if isinstance(value, Missing):
                value = None
            elif isinstance(value, np.ndarray) and type(value) in (np.ndarray, np.memmap):
                value = value.view()
                value.flags.writeable = False
            found[need.parameter] = value
        return found

    def _end(self, node: Node, outcome: Outcome) -> None:
        """Take note of an outcome, and let go of values that nothing else will ask for."""
        self._outcomes[node.name] = outcome
        if node.name not in self._pending:
            return
        self._pending.discard(node.name)
        for need in node.needs:
            self._consumers[need.name] -= 1
            if self._consumers[need.name] == 0 and need.name not in self._requested:
                self._values.pop(need.name, None)
                self._sought.discard(need.name)  # should it be asked for once more

    def _key(self, name: str) -> str | None:
        """Return the key under which the store may hold a node; None where it never does."""
        fingerprint = self._keys[name]
        keeps = self._graph.nodes[name].is_stored and fingerprint.unknown is None
        return fingerprint.digest if keeps else None

    def _is_stored(self, name: str) -> bool:
        key = self._key(name)
        return key is not None and self._store.has(key)

    def _keep(self, write: Callable[[], Any]) -> Any:  # Any: what the store hands on
        before = self._store.problem
        kept = write()
        if self._store.problem is not None and before is None:
            self._emit(NotKept(self._store.problem))
        return kept

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _pause(self) -> None:
        if self._is_over():
            raise _OverBudget


class _Stopwatch:
    """How long a node takes, and how long its parts took that were there already."""

    def __init__(self) -> None:
        self._start, self._work = time.perf_counter(), Stopwatch()
        self.elsewhere: list[float | None] = []

    @property
    def seconds(self) -> float:
        """Since it began, on the clock."""
        return time.perf_counter() - self._start

    @cached_property
    def took(self) -> float | None:
        """All seconds of work behind its value, when first asked for; None where those of a part are not known."""
        known = [each for each in self.elsewhere if each is not None]
        return self._work.seconds + sum(known) if len(known) == len(self.elsewhere) else None


def _over_budget(name: str) -> Outcome:
    said = "the budget was used up before it; a longer --budget goes on from here"
    return Outcome(name, "budget", code="budget", reason=said)
