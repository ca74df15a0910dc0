"""A check called again on other rows: which of what it needs is rows, and what has to be made anew.

A check is a plain function of arrays. Those with one entry per row are taken at the redrawn rows; what
summarises test rows is computed anew from them by its own function. What was fitted elsewhere (weights, a
threshold from validation rows) stays as it was fitted: it is what is used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from roadworthy.engine import ArtifactMark, generator
from roadworthy.engine.graph import Graph, Node, divided
from roadworthy.statistics.slices import Conditions
from roadworthy.subject.columns import Attribute
from roadworthy.subject.grouping import Grouping

DEEPEST = 3  # summaries of summaries
FEWEST_RESAMPLES = 39  # the fewest that show a tail of 2.5 %
FEWER = {"resamples": FEWEST_RESAMPLES}
OF_CONTENT = ("content_hashes", "row_ids", "inputs", "features", "entities", "source_rows", "times")
Take = Mapping[str, np.ndarray]  # positions to take, by split


class Unreachable(Exception):
    """What a check needs cannot be made anew for other rows; the message says what."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A need with one entry per row of `split`."""

    split: str
    value: Any  # Any: an array, an Attribute, a Grouping, Conditions or a mapping of them


@dataclass(frozen=True, eq=False)
class Fixed:
    """A need that rests on no redrawn rows."""

    value: Any  # Any: whatever an artifact returned


@dataclass(frozen=True, eq=False)
class Again:
    """A node of the graph and what its parameters are filled with."""

    node: Node
    parts: Mapping[str, "Rows | Fixed | Again"]
    seed: int

    @property
    def splits(self) -> frozenset[str]:
        """Splits whose rows decide the value."""
        found: set[str] = set()
        for part in self.parts.values():
            if isinstance(part, Rows):
                found.add(part.split)
            elif isinstance(part, Again):
                found |= part.splits
        return frozenset(found)

    def rows(self, split: str) -> dict[str, Any]:  # Any: see `Rows`
        """Return the needs, here and below, with one entry per row of a split."""
        found: dict[str, Any] = {}
        for name, part in self.parts.items():
            if isinstance(part, Rows) and part.split == split:
                found[name] = part.value
            elif isinstance(part, Again):
                found |= {f"{name}.{inner}": v for inner, v in part.rows(split).items()}
        return found

    def __call__(self, take: Take) -> Any:  # Any: what the function returns
        """Return the value with these rows in the place of all; splits not named stay whole."""
        arguments: dict[str, Any] = {}
        for parameter, part in self.parts.items():
            if isinstance(part, Again):
                arguments[parameter] = part(take) if part.splits & take.keys() else part({})
            elif isinstance(part, Rows) and part.split in take:
                arguments[parameter] = taken(part.value, take[part.split])
            else:
                arguments[parameter] = part.value
        options = dict(self.node.options)
        for name, most in FEWER.items():
            given = options.get(name)
            options |= {name: min(most, given)} if isinstance(given, int) else {}
        if self.node.takes_rng:
            options["rng"] = generator(self.seed, self.node.name, self.node.options, 0)
        return self.node.marked.function(**arguments, **options)


class Reaching:
    """Finds how checks of one side are called again.

    Parameters
    ----------
    graph : Graph
    values : callable
        Takes names and returns their values, None where there is none.
    sizes : mapping of split to int
        Rows of each split that may be redrawn.
    seed : int
    """

    def __init__(
        self,
        graph: Graph,
        values: Callable[[Sequence[str]], Mapping[str, Any]],
        sizes: Mapping[str, int],
        seed: int,
    ) -> None:
        self._graph = graph
        self._values = values
        self._sizes = sizes
        self._seed = seed
        self._roots: dict[str, frozenset[str]] = {}

    def again(self, name: str, depth: int = 0) -> Again:
        """Return how to call a check.

        Raises
        ------
        Unreachable
            When it needs a summary of test rows that cannot be made anew.
        """
        node = self._graph.nodes[name]
        found = self._values([need.name for need in node.needs])
        parts = {
            need.parameter: self._part(need.name, found[need.name], depth) for need in node.needs
        }
        return Again(node, self._aligned(parts, found), self._seed)

    def _aligned(
        self, parts: dict[str, Rows | Fixed | Again], found: Mapping[str, Any]
    ) -> dict[str, Rows | Fixed | Again]:  # Any: values
        """Keep a split whole where some of its columns cannot be redrawn with the others."""
        rows_of = {p.split for p in parts.values() if isinstance(p, Rows)} - {"test"}
        whole = {
            split
            for split in rows_of
            for name, value in found.items()
            if divided(name)[0] == split
            and length(value) == self._sizes[split]
            and self._split_of(name, value) is None
        }
        return {
            name: Fixed(p.value) if isinstance(p, Rows) and p.split in whole else p
            for name, p in parts.items()
        }

    def _part(self, name: str, value: Any, depth: int) -> Rows | Fixed | Again:  # Any: a value
        if value is None:
            return Fixed(None)
        split = self._split_of(name, value)
        if split is not None:
            return Rows(split, value)
        if "test" not in self._roots_of(name):
            return Fixed(value)
        node = self._graph.nodes.get(name)
        try:
            if node is None or not _is_light(node) or depth >= DEEPEST:
                raise Unreachable(
                    f"{name} summarises test rows and cannot be made anew for other rows"
                )
            return self.again(name, depth + 1)
        except Unreachable:
            if _is_words(value):
                return Fixed(value)
            raise

    def _split_of(self, name: str, value: Any) -> str | None:  # Any: a value
        """Return the split that a value has one entry per row of."""
        n = length(value)
        split, rest = divided(name)
        if split == "test" or split is None:
            is_test = n == self._sizes.get("test") and "test" in self._roots_of(name)
            return "test" if is_test and n is not None else None
        # Rows of other splits are redrawn where they are answers of the model, not places in a list.
        node = self._graph.nodes.get(name)
        is_row_wise = node is None or (isinstance(node.mark, ArtifactMark) and node.mark.rows)
        if rest in OF_CONTENT or not is_row_wise:
            return None
        return split if n is not None and n == self._sizes.get(split) else None

    def _roots_of(self, name: str) -> frozenset[str]:
        """Return the splits whose fields a name rests on."""
        if name not in self._roots:
            node = self._graph.nodes.get(name)
            if node is None:
                split = divided(name)[0]
                known = split is not None and split in self._sizes
                self._roots[name] = frozenset((split,)) if split and known else frozenset()
            else:
                below = [self._roots_of(need.name) for need in node.needs]
                self._roots[name] = frozenset[str]().union(*below)
        return self._roots[name]


def length(value: Any) -> int | None:  # Any: a value of the graph
    """Return how many rows a value has one entry for; None where it is no such value."""
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim else None
    if isinstance(value, Attribute):
        return len(value.values)
    if isinstance(value, Grouping | Conditions):
        return len(value.codes)
    if isinstance(value, Mapping) and value:
        lengths = {length(each) for each in cast(Mapping[str, Any], value).values()}
        return lengths.pop() if len(lengths) == 1 else None
    return None


def taken(value: Any, rows: np.ndarray) -> Any:  # Any: a value that has a length
    """Return a value at these rows."""
    if isinstance(value, Mapping):
        return {name: taken(each, rows) for name, each in cast(Mapping[str, Any], value).items()}
    return value.take(rows) if isinstance(value, Attribute | Grouping | Conditions) else value[rows]


def _is_words(value: Any) -> bool:  # Any: a value
    """Whether a value is sentences, as doubts are: they speak of the whole and move no number."""
    return isinstance(value, tuple) and all(
        isinstance(each, str) for each in cast(tuple[Any, ...], value)
    )


def _is_light(node: Node) -> bool:
    mark = node.mark
    return isinstance(mark, ArtifactMark) and mark.cost == "light" and mark.stored
