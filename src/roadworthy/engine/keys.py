"""Keys of nodes: known before anything is computed, from code, options and the keys of needs."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from roadworthy.engine.graph import Graph, Node
from roadworthy.engine.identity import Fingerprint, Identifier, base_versions
from roadworthy.engine.marks import ArtifactMark
from roadworthy.engine.missing import Missing

FORMAT = "1"  # of keys and of the store; another one makes everything new

NOTHING = Fingerprint("nothing")


def keys_of(graph: Graph, identifier: Identifier, seed: int) -> Mapping[str, Fingerprint]:
    """Return the key of every node that can be computed; only the fields they need are hashed.

    The seed of the run counts for functions that take `rng` alone, and so does the node's name.
    """
    keys: dict[str, Fingerprint] = {}
    fields: dict[str, Fingerprint] = {}
    code: dict[str, Fingerprint] = {}

    def of_need(name: str) -> Fingerprint:
        if name in keys:
            return keys[name]
        if name not in graph.fields or isinstance(graph.fields[name], Missing):
            return NOTHING
        return _once(fields, name, lambda: identifier.of(graph.fields[name]))

    for name, node in graph.nodes.items():
        if name in graph.missing or name in graph.problems:
            continue
        function = node.marked.function
        parts = {
            "code": _once(code, node.marked.name, lambda f=function: identifier.of(f)),
            "options": identifier.of(dict(sorted(node.options.items()))),
            **{f"need {need.parameter}": of_need(need.name) for need in node.needs},
        }
        keys[name] = _joined(node, parts, seed)
    return keys


def _joined(node: Node, parts: Mapping[str, Fingerprint], seed: int) -> Fingerprint:
    lines = [FORMAT, base_versions()]
    if isinstance(node.mark, ArtifactMark):
        lines.append(f"shape {node.mark.shape}, rows {node.mark.rows}")
    if node.takes_rng:
        lines.append(f"seed {seed}, name {node.name}")
    lines += [f"{part}: {fingerprint.digest}" for part, fingerprint in parts.items()]
    unknown = next((f"{p}: {f.unknown}" for p, f in parts.items() if f.unknown), None)
    return Fingerprint(sha256("\n".join(lines).encode()).hexdigest(), unknown)


def _once(known: dict[str, Fingerprint], name: str, make: Callable[[], Fingerprint]) -> Fingerprint:
    if name not in known:
        known[name] = make()
    return known[name]
