"""Rates by group: what is counted, of whom, and how much may be said of how few.

A rate's own denominator is the evidence for it: positives for a true positive rate, rows for a selection rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from roadworthy.challenges.fairness.artifacts import Counts
from roadworthy.results import Measurement, doubted, short_of_examples
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Task

FEWEST = 30  # of a denominator; with fewer a rate is known to 17 points at best
AMPLE = 100  # to 10 points; between the two a gap is shown and may fail, but nothing passes
SAID = 4  # names in a sentence

Status = Literal["ok", "wide", "insufficient_n"]
WORDS = {"ok": "yes", "wide": "no pass", "insufficient_n": "too few"}
Part = Callable[[np.ndarray, int], np.ndarray]
"""From counts (..., c, c) [label, decision] and a class to (...) counts."""


@dataclass(frozen=True)
class Rate:
    """A rate that follows from counts of labels and decisions.

    Parameters
    ----------
    name : str
        As the field calls it.
    words : str
        What the share is, with {c} for the class: "decided {c} among those who are".
    of : str
        What the denominator counts.
    hits, size : callable
        Numerator and denominator.
    by_class : bool
        Whether it is of a class: of the positive one, or of each in turn against the rest.
    """

    name: str
    words: str
    of: str
    hits: Part
    size: Part
    by_class: bool = True


@dataclass(frozen=True, eq=False)
class GroupRates:
    """One rate of the groups of one attribute.

    Parameters
    ----------
    attribute : str
    names : tuple of str
    of : str
        The rate in words, its class named.
    hits, sizes : (g,) int64 ndarray
    unknown_hits, unknown_misses : int
        Of rows whose group is not known.
    cut : str
        See `Grouping`.
    counted : str
        What the denominators count: "positives".
    """

    attribute: str
    names: tuple[str, ...]
    of: str
    hits: np.ndarray
    sizes: np.ndarray
    unknown_hits: int = 0
    unknown_misses: int = 0
    cut: str = ""
    counted: str = "rows"

    @property
    def unknown(self) -> int:
        """How many rows of the denominator are of unknown group."""
        return self.unknown_hits + self.unknown_misses

    @property
    def rates(self) -> np.ndarray:
        """Share of hits, NaN where the denominator is 0: (g,) float64."""
        return self.hits / np.where(self.sizes > 0, self.sizes, np.nan)

    def take(self, groups: np.ndarray) -> "GroupRates":
        """Return the rates of some of the groups (a mask)."""
        names = tuple(n for n, kept in zip(self.names, groups, strict=True) if kept)
        return replace(self, names=names, hits=self.hits[groups], sizes=self.sizes[groups])


@dataclass(frozen=True)
class Enough:
    """How large a denominator must be to take part in a comparison, and to pass.

    Where fewer than two groups of an attribute have the fewest, all are compared: the check may then fail, as an interval
    wholly beyond the bound is evidence from few rows too, and never passes.
    """

    fewest: int = FEWEST
    ample: int = AMPLE

    @classmethod
    def of(cls, smallest_group: int | None) -> "Enough":
        """Return the purpose's own answer to what a group needs to take part, if there is one."""
        fewest = FEWEST if smallest_group is None else smallest_group
        return cls(fewest, max(fewest, AMPLE))

    def status(self, n: int) -> Status:
        """Return "ok", "wide" (shown, may fail, does not pass) or "insufficient_n"."""
        return "ok" if n >= self.ample else "wide" if n >= self.fewest else "insufficient_n"

    def said(self, n: int) -> str:
        """Return the status in words for a table."""
        return WORDS[self.status(n)]


def _decided(counts: np.ndarray, k: int) -> np.ndarray:
    return counts[..., :, k].sum(axis=-1)


def _labelled(counts: np.ndarray, k: int) -> np.ndarray:
    return counts[..., k, :].sum(axis=-1)


def _both(counts: np.ndarray, k: int) -> np.ndarray:
    return counts[..., k, k]


def _rows(counts: np.ndarray, k: int) -> np.ndarray:
    del k
    return counts.sum(axis=(-1, -2))


def _decided_only(counts: np.ndarray, k: int) -> np.ndarray:
    return _decided(counts, k) - _both(counts, k)


def _not_labelled(counts: np.ndarray, k: int) -> np.ndarray:
    return _rows(counts, k) - _labelled(counts, k)


def _wrong(counts: np.ndarray, k: int) -> np.ndarray:
    return _rows(counts, k) - np.trace(counts, axis1=-2, axis2=-1)


SELECTION = Rate("selection rate", "decided {c}", "rows", _decided, _rows)
TRUE_POSITIVE = Rate(
    "true positive rate", "decided {c} where it is true", "positives", _both, _labelled
)
FALSE_POSITIVE = Rate(
    "false positive rate",
    "decided {c} where it is false",
    "negatives",
    _decided_only,
    _not_labelled,
)
PRECISION = Rate("precision", "right where {c} was decided", "positive decisions", _both, _decided)
ERROR = Rate("error rate", "decided wrongly", "rows", _wrong, _rows, by_class=False)


def rates_by_group(counts: Counts, rate: Rate, task: "Task") -> list[GroupRates]:
    """Return a rate of every attribute: of the positive class, or of each class against the rest."""
    return [
        GroupRates(
            attribute,
            table["names"],
            rate.words.format(c=f'"{task.classes[k]}"'),
            rate.hits(table["counts"], k),
            rate.size(table["counts"], k),
            int(rate.hits(table["unknown"], k)),
            int(rate.size(table["unknown"], k) - rate.hits(table["unknown"], k)),
            table["cut"],
            rate.of,
        )
        for attribute, table in counts.items()
        for k in _classes(rate, task)
    ]


def positive_class(task: "Task") -> int:
    """Return the code of the class whose detection matters."""
    return 1 if task.positive is None else task.positive


def doubted_by_groups(
    measurement: Measurement,
    families: Sequence[GroupRates],
    dropped: Sequence[GroupRates],
    enough: Enough,
) -> Measurement:
    """Doubt a measurement where groups are too small for a pass, or nobody knows who is of which group.

    Parameters
    ----------
    measurement : Measurement
    families : sequence of GroupRates
        All that were looked at.
    dropped : sequence of GroupRates
        Those of them without two groups to compare.
    enough : Enough
    """
    thin = thin_groups(families, enough)
    most: dict[tuple[str, str], int] = {}
    for family in dropped:
        by = family.attribute, family.counted
        most[by] = max(family.unknown, most.get(by, 0))
    said = (unknown_groups(by, n, counted) for (by, counted), n in most.items())
    return (short_of_examples if thin else doubted)(measurement, (*thin, *filter(None, said)))


def unknown_groups(attribute: str, unknown: int, counted: str = "rows") -> str | None:
    """Return the sentence on an attribute that has no two groups to compare because it is not known; None where it is."""
    return f"the group by {attribute} is not known for {unknown:,} {counted}" if unknown else None


def thin_groups(families: Sequence[GroupRates], enough: Enough) -> tuple[str, ...]:
    """Return sentences on the groups of which too few are known for a pass; none where all are ample."""
    thinnest: dict[str, np.ndarray] = {}
    counted: dict[str, dict[str, None]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for family in families:
        known = thinnest.get(family.attribute, family.sizes)
        thinnest[family.attribute] = np.minimum(known, family.sizes)
        counted.setdefault(family.attribute, {})[family.counted] = None
        names[family.attribute] = family.names
    said = [
        thin_sizes(by, names[by], sizes, enough, " and as many ".join(counted[by]))
        for by, sizes in thinnest.items()
    ]
    return tuple(filter(None, said))


def thin_sizes(
    attribute: str,
    names: tuple[str, ...],
    sizes: np.ndarray,
    enough: Enough,
    counted: str = "rows",
) -> str | None:
    """Return the sentence on the groups of one attribute that are too small for a pass; None without any."""
    order = [g for g in np.argsort(sizes, kind="stable") if sizes[g] < enough.ample]
    if not order:
        return None
    said = [f'"{names[g]}" {"has " if i == 0 else ""}{sizes[g]:,}' for i, g in enumerate(order)]
    more = len(order) - SAID
    listed = ", ".join([*said[:SAID], *([f"{more} more have too few"] if more > 0 else [])])
    return f"a pass needs {enough.ample:,} {counted} in each group of {attribute}, and {listed}"


def _classes(rate: Rate, task: "Task") -> Sequence[int]:
    if not rate.by_class:
        return (0,)
    return (positive_class(task),) if task.kind == "binary" else range(len(task.classes))


def said_of(family: GroupRates, group: int) -> str:
    """Return the rate of a group in words: '31.4 % of Male'."""
    return f"{percent(float(family.rates[group]))} of {family.names[group]}"
