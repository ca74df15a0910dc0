"""What each column of a table probably is, with the reason in plain words: `roadworthy init` asks.

Nothing is decided here: the user is shown every proposal and may change it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from roadworthy.subject.columns import Roles
from roadworthy.subject.divide import names_splits
from roadworthy.subject.table import ReadColumn, Table
from roadworthy.subject.target import MOST_INTEGER_CLASSES

Role = Literal[
    "target", "sensitive", "entity", "time", "id", "split", "weight", "source", "dropped", "input"
]

SENSITIVE = {
    "sex": "sex",
    "gender": "sex",
    "race": "race or ethnic origin",
    "ethnic": "race or ethnic origin",
    "ethnicity": "race or ethnic origin",
    "skincolour": "race or ethnic origin",
    "skincolor": "race or ethnic origin",
    "skintone": "race or ethnic origin",
    "age": "age",
    "birth": "age",
    "nationality": "nationality",
    "citizenship": "nationality",
    "nativecountry": "nationality",
    "foreign": "nationality",
    "foreignworker": "nationality",
    "religion": "religion",
    "belief": "religion",
    "disability": "disability",
    "disabled": "disability",
    "orientation": "sexual orientation",
    "pregnant": "pregnancy",
    "marital": "marital status",
    "maritalstatus": "marital status",
}
TARGET = ("target", "label", "class", "outcome", "y", "diagnosis", "response", "quality")
ENTITY = (
    "patient",
    "person",
    "subject",
    "customer",
    "client",
    "user",
    "device",
    "member",
    "applicant",
)
WEIGHT = ("fnlwgt", "weight", "sampleweight", "samplingweight", "instanceweight", "perwt", "wgt")
SOURCE = ("site", "hospital", "source", "scanner", "center", "centre", "domain", "batch")
GIVEAWAY = 0.99  # of the rows foretold by one column: hardly ever honest
PROPORTIONAL = 0.999  # correlation with a numeric target
LEAST_GAIN = 0.9  # of the errors of the majority guess that must vanish
NOTABLE_GAIN = 0.75  # of them, above which the user is asked to look


@dataclass(frozen=True)
class Proposal:
    """The role proposed for one column, and why."""

    column: str
    role: Role
    reason: str


def propose(table: Table, target: str | None = None) -> tuple[Proposal, ...]:
    """Return one proposal per column, in the order of the table.

    Parameters
    ----------
    table : Table
    target : str, optional
        The column to predict, where the user has said it already.
    """
    named = _target_of(table, target)
    proposals = [_role_of(column, table, named) for column in table.columns.values()]
    if target is None and possible_targets(table):
        proposals = [_guessed(p) if p.role == "target" else p for p in proposals]
    given_away = {g.column: g for g in _giveaways(table, named)} if named else {}
    return tuple(_seen_with(p, given_away.get(p.column)) for p in _one_of_each(proposals))


def possible_targets(table: Table) -> tuple[str, ...]:
    """Return the columns that could be the target where no name tells, the likeliest first.

    Columns of two values come before others, those called like yes or no before others, later
    columns before earlier ones. Empty where a name does tell.
    """
    possible = [c for c in table.columns.values() if _can_be_target(c, table.n)]
    if _named_like_target(possible) is not None:
        return ()
    possible = [c for c in possible if not set(_words(c.name)) & set(SENSITIVE)]
    few = [c for c in possible if c.distinct <= MOST_INTEGER_CLASSES] or possible[-1:]
    two = [c for c in few if c.distinct == 2] or few
    latest_first = [c.name for c in reversed(two)]
    answers = [c.name for c in reversed(two) if _named_like_answer(c)]
    return (*answers, *(name for name in latest_first if name not in answers))


def _guessed(proposal: Proposal) -> Proposal:
    return replace(proposal, reason=proposal.reason.replace("its name, and", "a guess:"))


def _seen_with(proposal: Proposal, found: "_Giveaway | None") -> Proposal:
    if found is None or proposal.role not in ("input", "sensitive", "time"):
        return proposal
    if found.is_sure:
        return replace(proposal, role="dropped", reason=found.reason)
    return replace(proposal, reason=found.reason)


def roles_of(proposals: Sequence[Proposal]) -> Roles:
    """Return the roles that the proposals amount to; the split column is no role."""

    def one(role: Role) -> str | None:
        return next((p.column for p in proposals if p.role == role), None)

    def several(role: Role) -> tuple[str, ...]:
        return tuple(p.column for p in proposals if p.role == role)

    return Roles(
        target=one("target"),
        sensitive=several("sensitive"),
        entity=one("entity"),
        time=one("time"),
        id=one("id"),
        source=one("source"),
        weight=one("weight"),
        dropped=several("dropped"),
    )


def _one_of_each(proposals: list[Proposal]) -> Iterator[Proposal]:
    """Keep the first column proposed for a role that only one can have."""
    taken: set[str] = set()
    for p in proposals:
        if p.role in taken and p.role in ("entity", "time", "id", "source", "weight", "split"):
            yield replace(p, role="input", reason=f"{p.reason}, but another column comes first")
            continue
        taken.add(p.role)
        yield p


def _words(name: str) -> list[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def _target_of(table: Table, target: str | None) -> str | None:
    if target is not None:
        return target
    possible = [c for c in table.columns.values() if _can_be_target(c, table.n)]
    found = _named_like_target(possible)
    return found or next(iter(possible_targets(table)), None)


def _named_like_target(possible: Sequence[ReadColumn]) -> str | None:
    for word in TARGET:
        for column in possible:
            if "".join(_words(column.name)) == word:
                return column.name
    for word in TARGET:
        for column in possible:
            if word in _words(column.name) and word not in ("y", "class"):
                return column.name
    return None


def _named_like_answer(column: ReadColumn) -> bool:
    words = _words(column.name)
    return words[:1] in (["is"], ["has"]) or words[-1:] == ["class"]


def _can_be_target(column: ReadColumn, n: int) -> bool:
    if column.kind not in ("numeric", "category") or column.is_missing.any():
        return False
    few = column.distinct <= max(MOST_INTEGER_CLASSES, n // 100)
    return column.distinct >= 2 and (column.kind == "numeric" or few) and not names_splits(column)


def _role_of(column: ReadColumn, table: Table, target: str | None) -> Proposal:
    name = column.name
    if name == target:
        return Proposal(name, "target", f"its name, and {_said(column)}{_kind_of(column)}")
    if names_splits(column):
        return Proposal(name, "split", "it holds the names of splits")
    words = _words(name)
    joined = "".join(words)
    for role, reason in _by_content(column, words, joined, table.n):
        return Proposal(name, role, reason)
    for word in (joined, *words):
        if word in SENSITIVE:
            return Proposal(name, "sensitive", f"its name speaks of {SENSITIVE[word]}")
    return Proposal(name, "input", _said(column))


def _by_content(
    column: ReadColumn, words: list[str], joined: str, n: int
) -> Iterator[tuple[Role, str]]:
    """Yield roles by what a column holds and is called, the strongest first."""
    if column.kind == "unreadable":
        yield "dropped", "it holds neither numbers nor text"
    if column.distinct == 0:
        yield "dropped", "it has no values"
    elif column.distinct == 1:
        yield "dropped", "it has the same value in every row"
    if column.kind == "text":
        yield "dropped", "it holds prose, and text inputs are not supported yet"
    is_entity = any(word.rstrip("s") in ENTITY for word in words)
    if is_entity and 1 < column.distinct < n and column.distinct > MOST_INTEGER_CLASSES:
        yield "entity", f"its name, and {column.distinct} different values in {n} rows"
    if joined in WEIGHT and column.kind == "numeric":
        yield "weight", "its name is that of a sampling weight, which describes rows, not persons"
    unique = n >= 20 and column.distinct == n
    whole = column.kind != "numeric" or column.origin == "integer"
    if unique and whole and ("id" in words or joined in ("index", "row", "rownumber", "key")):
        yield "id", "its name, and a different value in every row"
    elif unique and column.kind == "category":
        yield "dropped", "it has a different value in every row"
    elif unique and column.origin == "integer" and _counts_rows(column):
        yield "id", "it numbers the rows"
    if column.kind == "time" and not {joined, *words} & set(SENSITIVE):
        yield "time", "it holds dates"
    if column.kind == "category" and joined in SOURCE:
        yield "source", "its name speaks of where a row was recorded"


def _kind_of(column: ReadColumn) -> str:
    """Say how numbers will be taken, where they might be meant otherwise."""
    if column.kind != "numeric" or column.distinct == 2:
        return ""
    whole = bool(np.all(column.values == np.round(column.values)))
    if whole and column.distinct <= MOST_INTEGER_CLASSES:
        return ', taken as classes (task = "regression" takes them as numbers)'
    return ", to be predicted as a number (regression)"


def _counts_rows(column: ReadColumn) -> bool:
    return bool(np.all(np.diff(column.values) == 1))


def _said(column: ReadColumn) -> str:
    missing = int(column.is_missing.sum())
    gaps = f", {missing} missing" if missing else ""
    if column.kind == "category":
        return f"{column.distinct} categories{gaps}"
    if column.kind == "time":
        return f"dates{gaps}"
    if column.distinct <= MOST_INTEGER_CLASSES:
        return f"numbers, {column.distinct} different{gaps}"
    low, high = np.nanmin(column.values), np.nanmax(column.values)
    return f"numbers from {low:g} to {high:g}{gaps}"


@dataclass(frozen=True)
class _Giveaway:
    """A column that alone foretells the target; where that is not sure, the user is asked to look."""

    column: str
    reason: str
    is_sure: bool = True


def _giveaways(table: Table, target: str) -> Iterator[_Giveaway]:
    """Yield the columns that alone foretell the target in (nearly) every row, with the evidence."""
    answer = table.columns[target]
    codes = answer.as_category().values
    n = table.n
    if answer.distinct > max(MOST_INTEGER_CLASSES, n // 100) or n < 20:
        yield from _numeric_giveaways(table, target)
        return
    majority = np.bincount(codes[codes >= 0]).max() / n
    for column in table.columns.values():
        if column.name == target or column.kind == "unreadable" or column.distinct < 2:
            continue
        foretold = _foretold(column, codes)
        if foretold is None:
            continue
        said = f'it alone foretells "{target}" in {foretold:.1%} of the rows: '
        gain = 1 - (1 - foretold) / (1 - majority)
        if foretold >= GIVEAWAY and gain >= LEAST_GAIN:
            why = "it was probably recorded with or after the target"
            yield _Giveaway(column.name, said + why)
        elif gain >= NOTABLE_GAIN:
            why = "leave it out unless it is known before the target"
            yield _Giveaway(column.name, said + why, is_sure=False)


def _foretold(column: ReadColumn, codes: np.ndarray) -> float | None:
    """Return the share of rows whose target is the commonest one among rows with the same value.

    A column with many values foretells by heart; numbers are cut into at most 20 parts of at least
    ten rows.
    """
    values, n = column.as_category().values, len(codes)
    if column.distinct > max(min(50, n // 10), n // 100):
        if column.kind not in ("numeric", "time"):
            return None
        parts = max(2, min(20, n // 10))
        edges = np.unique(np.nanquantile(column.values, np.linspace(0, 1, parts + 1)))
        values = np.where(column.is_missing, -1, np.searchsorted(edges, column.values))
    pairs, counts = np.unique(np.stack([values, codes], axis=1), axis=0, return_counts=True)
    best = np.zeros(int(pairs[:, 0].max()) + 2, np.int64)
    np.maximum.at(best, pairs[:, 0] + 1, counts)
    return float(best.sum() / len(codes))


def _numeric_giveaways(table: Table, target: str) -> Iterator[_Giveaway]:
    answer = table.columns[target]
    if answer.kind not in ("numeric", "time"):
        return
    for column in table.columns.values():
        if column.name == target or column.kind != "numeric" or column.distinct < 3:
            continue
        both = ~(column.is_missing | answer.is_missing)
        if both.sum() < 20 or np.ptp(column.values[both]) == 0 or np.ptp(answer.values[both]) == 0:
            continue
        correlation = abs(float(np.corrcoef(column.values[both], answer.values[both])[0, 1]))
        if correlation >= PROPORTIONAL:
            yield _Giveaway(
                column.name,
                f'it follows "{target}" with a correlation of {correlation:.4f}: it was probably '
                "computed from the target",
            )
