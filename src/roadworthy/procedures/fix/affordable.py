"""Which checks a changed subject is measured on at little cost, and which would train or attack anew."""

from collections.abc import Iterable

from roadworthy.engine import ArtifactMark
from roadworthy.engine.identity import Identifier
from roadworthy.engine.keys import keys_of
from roadworthy.procedures.paired import Side

OWN_TRAINING = ("weights",)
DEAR = ("training", "attack")


def dear_checks(before: Side, after: Side, checks: Iterable[str], target: str) -> set[str]:
    """Return the checks that would train models of their own on the changed subject, or attack it anew.

    What the target takes is made in any case, and so costs nothing more: the signs of masking that a robust accuracy rests on.
    """
    made = set(after.graph([target]).nodes)  # the target itself among them
    return _told(before, after, list(checks), made)[1]


def light_checks(before: Side, after: Side, checks: Iterable[str]) -> list[str]:
    """Return the checks that a change can have moved and that neither train nor attack anew."""
    checks = list(checks)
    same, dear = _told(before, after, checks, set())
    return [check for check in checks if check not in same and check not in dear]


def _told(
    before: Side, after: Side, checks: list[str], made: set[str]
) -> tuple[set[str], set[str]]:
    """Return the checks that have one identity on both sides, and the dear ones among the others; `made` is no cost."""
    graphs = [side.graph(checks) for side in (before, after)]
    identifier = Identifier(before.how.registry.packages)
    keys = [keys_of(graph, identifier, before.how.seed) for graph in graphs]
    same = {n for n in graphs[1].nodes if n in keys[0] and keys[0][n] == keys[1].get(n)}
    dear: set[str] = set()
    for name, node in graphs[1].nodes.items():  # needs come before what needs them
        own_model = name in OWN_TRAINING and isinstance(node.mark, ArtifactMark)
        below = any(need.name in dear for need in node.needs)
        is_free = name in same or name in made or own_model
        if not is_free and (node.mark.cost in DEAR or below):
            dear.add(name)
    return same.intersection(checks), dear.intersection(checks)
