"""Which nodes are needed beyond the store, and what each request costs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from roadworthy.engine.graph import Graph

WEIGHTS = {"light": 1, "forward": 100, "attack": 5_000, "training": 10_000}
"""Orders of magnitude of what a node costs: they decide an order, never a result."""


@dataclass(frozen=True)
class Plan:
    """What a run starts from.

    Parameters
    ----------
    order : tuple of str
        The requested nodes, cheapest first.
    pending : frozenset of str
        Nodes to compute, as far as the store can tell by its file names.
    stored : frozenset of str
        Nodes to read.
    """

    order: tuple[str, ...]
    pending: frozenset[str]
    stored: frozenset[str]


def plan(
    graph: Graph,
    requested: Iterable[str],
    computable: Mapping[str, object],
    is_stored: Callable[[str], bool],
) -> Plan:
    """Walk down from each requested node as far as the store does not have it."""
    stored: dict[str, bool] = {}
    costs: dict[str, int] = {}
    for name in requested:
        closure: set[str] = set()
        stack = [name]
        while stack:
            node = stack.pop()
            if node in closure or node not in computable:
                continue
            if node not in stored:
                stored[node] = is_stored(node)
            if not stored[node]:
                closure.add(node)
                stack.extend(need.name for need in graph.nodes[node].needs)
        costs[name] = sum(WEIGHTS[graph.nodes[node].mark.cost] for node in closure)
    return Plan(
        order=tuple(sorted(costs, key=costs.__getitem__)),  # stable: as requested among equals
        pending=frozenset(name for name, found in stored.items() if not found),
        stored=frozenset(name for name, found in stored.items() if found),
    )
