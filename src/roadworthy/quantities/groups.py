"""The groups that rows belong to by their sensitive attributes: one set of names for all splits."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject.grouping import Grouping, crossed

if TYPE_CHECKING:
    from roadworthy.subject import Attribute

Sensitive = Mapping[str, "Attribute"]
Levels = Mapping[str, Mapping[str, Any]]  # Any: names, edges and words, by those keys

FEW = 10  # distinct numbers that are groups of their own, as where columns are read
QUARTERS = (0.25, 0.5, 0.75)
EXAMPLE = '--set "groups.edges=age:25,45"'


@artifact()
def group_levels(
    train_sensitive: Sensitive | None = None,
    validation_sensitive: Sensitive | None = None,
    test_sensitive: Sensitive | None = None,
    production_sensitive: Sensitive | None = None,
) -> Levels:
    """Names of the groups of each sensitive attribute, the same in all splits: a mapping by attribute.

    `names` of a category: those of all splits, so that a group which only the test rows have keeps its
    name. A number that takes at most ten values is a category. `edges` of any other number: the quartiles of
    the training rows (of all rows where there are none), to three digits; `names` is then empty and `cut` says so.
    """
    splits = [
        s
        for s in (train_sensitive, validation_sensitive, test_sensitive, production_sensitive)
        if s is not None
    ]
    if not splits:
        raise NotApplicable("no split has a sensitive attribute")
    found: dict[str, dict[str, Any]] = {}  # Any: see `Levels`
    for name in dict.fromkeys(name for split in splits for name in split):
        given = [split[name] for split in splits if name in split]
        is_trained = train_sensitive is not None and name in train_sensitive
        found[name] = _levels(given, name, "training" if is_trained else "all")
    return found


@artifact(per="split", stored=False)
def groups(
    sensitive: Sensitive, group_levels: Levels, *, edges: str = ""
) -> Mapping[str, Grouping]:
    """Group of each row by each sensitive attribute: a mapping of attribute to `Grouping`.

    A number is cut at quartiles unless `edges` says where: "age:25,45" makes the groups under 25, 25 up to 45, and
    45 and over; several attributes are divided by ";". Missing values are of no group (code -1).
    """
    wanted = _edges_asked(edges, group_levels)
    found: dict[str, Grouping] = {}
    for name, attribute in sensitive.items():
        levels = group_levels[name]
        if name in wanted:
            found[name] = _cut(attribute.values, wanted[name], "edges that were given")
        elif levels["edges"] is None:
            found[name] = _named(attribute, levels["names"])
        else:
            found[name] = _cut(attribute.values, levels["edges"], levels["cut"])
    return found


@artifact(per="split", stored=False)
def group_intersections(
    groups: Mapping[str, Grouping], *, depth: int = 2
) -> Mapping[str, Grouping]:
    """Group of each row by 2 to `depth` sensitive attributes at once: a mapping of "sex × race" to `Grouping`."""
    if len(groups) < 2:
        raise NotApplicable(
            f"one sensitive attribute ({next(iter(groups))}); groups are crossed where two or more are named"
        )
    return crossed(groups, depth)


def _levels(
    attributes: "list[Attribute]", name: str, of: str
) -> dict[str, Any]:  # Any: see `Levels`
    names: dict[str, None] = {}
    for attribute in attributes:
        names |= dict.fromkeys(attribute.names)
    numbers = [a.values[~np.isnan(a.values)] for a in attributes if not a.names and _is_float(a)]
    values = np.unique(np.concatenate(numbers)) if numbers else np.empty(0)
    spelled = [f"{v:g}" for v in values] if names or len(values) <= FEW else []
    if names and not set(spelled) <= set(names) and len(values) > FEW:
        raise UserError(
            f'The sensitive attribute "{name}" holds names ({", ".join(list(names)[:3])}) in some splits and '
            f"{len(values)} different numbers in others; the same kind was expected in all. "
            "Spell it alike in all files."
        )
    if names or spelled or not len(values):
        return {
            "names": (*names, *(s for s in spelled if s not in names)),
            "edges": None,
            "cut": "",
        }
    reference = numbers[0] if of == "training" else np.concatenate(numbers)
    cut = f"quartiles of {'the training rows' if of == 'training' else 'all rows'}"
    return {"names": (), "edges": _quartiles(reference, values), "cut": cut}


def _is_float(attribute: "Attribute") -> bool:
    return attribute.values.dtype.kind == "f"


def _quartiles(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the edges of quarters, without those below which there is nobody."""
    exact = np.quantile(reference if len(reference) else values, QUARTERS)
    rounded = np.array([float(f"{v:.3g}") for v in exact])
    edges = np.unique(rounded if len(np.unique(rounded)) == len(np.unique(exact)) else exact)
    edges = edges[(edges > values[0]) & (edges <= values[-1])]
    # Where most have the least value (no capital gain), the others are the second group.
    return edges if len(edges) else values[1:2]


def _named(attribute: "Attribute", names: tuple[str, ...]) -> Grouping:
    place = {name: code for code, name in enumerate(names)}
    if attribute.names:
        codes = np.array([*(place[name] for name in attribute.names), -1], np.int64)
        return Grouping(codes[attribute.values], names)
    values = attribute.values
    if not _is_float(attribute):
        return Grouping(np.full(len(values), -1, np.int64), names)
    distinct, inverse = np.unique(values, return_inverse=True)
    codes = np.array([-1 if np.isnan(v) else place[f"{v:g}"] for v in distinct], np.int64)
    return Grouping(codes[inverse], names)


def _cut(values: np.ndarray, edges: np.ndarray, cut: str) -> Grouping:
    """Return the groups below, between and from edges on: an edge belongs to the group above it."""
    codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    said = [f"{e:g}" for e in edges]
    names = (
        f"under {said[0]}",
        *(f"{low} up to {high}" for low, high in pairwise(said)),
        f"{said[-1]} and over",
    )
    return Grouping(np.where(np.isnan(values), -1, codes), names, cut)


def _edges_asked(edges: str, levels: Levels) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for part in filter(None, (p.strip() for p in edges.split(";"))):
        name, _, numbers = (p.strip() for p in part.rpartition(":"))
        if name not in levels:
            raise UserError(
                f'[options] groups.edges names "{name or part}"; the sensitive attributes are '
                f"{', '.join(levels)}. Name one and its edges, as in {EXAMPLE}."
            )
        if levels[name]["names"]:
            shown = ", ".join(levels[name]["names"][:4])
            raise UserError(
                f'[options] groups.edges cuts "{name}", whose values are groups already ({shown}); edges '
                "are for numbers. Leave it out."
            )
        found[name] = _numbers(numbers, part)
    return found


def _numbers(text: str, part: str) -> np.ndarray:
    try:
        values = np.array([float(each) for each in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if not len(values) or not np.all(np.isfinite(values)) or np.any(np.diff(values) <= 0):
        raise UserError(
            f'[options] groups.edges is "{part}"; ascending numbers were expected, as in {EXAMPLE}.'
        )
    return values
