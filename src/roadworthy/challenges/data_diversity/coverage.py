"""Whether groups and parts of the population have their share of the training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import AtMost, Counts, Measurement, Table, doubted
from roadworthy.statistics import GRID, clopper_pearson, largest_of, measured, percent, quantiles_on
from roadworthy.statistics.distributions import limit
from roadworthy.statistics.slices import Conditions

if TYPE_CHECKING:
    from roadworthy.subject.grouping import Grouping

Groups = Mapping[str, "Grouping"]
Shares = Mapping[str, Mapping[str, float]]

UNIT = "share of the rows that a group should have"
EXAMPLE = '--set "reference_shares.shares=sex: f=.51, m=.49"'
PART = 0.05  # of the reference: parts that nobody named are looked at from this share on
MOST_SHOWN = 20


@dataclass(frozen=True)
class _Group:
    """One group: what it is, its training rows among all of known group, and the reference (rows, or a share).

    A share that is stated is of -1. Where rows are weighed, `rows`, `of` and `unknown` are as many of equal weight as would be
    worth as much (Kish 1965). Rows of unknown group may be of this one or of another.
    """

    name: str
    rows: int
    of: int
    unknown: int
    reference: int | float
    of_reference: int = -1
    unknown_there: int = 0

    @property
    def is_stated(self) -> bool:
        """Whether the reference is a share that somebody stated."""
        return self.of_reference < 0

    @property
    def wanted(self) -> float:
        """The share that the group should have."""
        return self.reference if self.is_stated else self.reference / self.of_reference

    def dealt(self, *, worst: bool) -> "_Group":
        """Return the group with rows of unknown group dealt so that it lacks most, or least."""
        rows = self.rows if worst else self.rows + self.unknown
        of = self.of + self.unknown
        if self.is_stated:
            return _Group(self.name, rows, of, 0, self.reference)
        there = self.reference + self.unknown_there if worst else self.reference
        return _Group(self.name, rows, of, 0, there, self.of_reference + self.unknown_there)


@artifact()
def reference_shares(
    group_levels: Mapping[str, Any],  # Any: names, edges
    train_groups: Groups | None = None,
    *,
    shares: str = "",
) -> Shares:
    """Share of each group in the population that the model is for, by attribute: those that were stated.

    `shares` is "sex: f=.51, m=.49; race: ..."; groups of an attribute must sum to 1 (within .01). Those of a number are the
    groups that it is cut into. A category may have groups that no row has, where all that rows have are named as well.
    """
    if not shares.strip():
        raise NotApplicable(
            f"no shares of a reference population are stated; give them with {EXAMPLE}"
        )
    found: dict[str, dict[str, float]] = {}
    for part in filter(None, (p.strip() for p in shares.split(";"))):
        name, _, said = part.partition(":")
        name = name.strip()
        if name not in group_levels:
            raise UserError(
                f'[options] reference_shares.shares names "{name}"; the sensitive attributes are '
                f"{', '.join(group_levels)}. Give shares as in {EXAMPLE}."
            )
        levels = group_levels[name]
        is_cut, names = levels["edges"] is not None, levels["names"]
        if is_cut and train_groups is not None and name in train_groups:
            names = train_groups[name].names
        found[name] = _stated(said, name, names, may_add=not is_cut)
    return found


def _stated(text: str, attribute: str, names: Sequence[str], *, may_add: bool) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        group, _, value = (p.strip() for p in part.rpartition("="))
        found[group] = _share(value)
        if not 0.0 < found[group] <= 1.0:
            raise _refused(part, attribute, names)
    added = [group for group in found if names and group not in names]
    # A name that no row has is a group that is left out where all the others are there, and else a slip of the pen.
    if added and not (may_add and set(names) <= set(found)):
        raise _refused(f"{added[0]}={found[added[0]]:g}", attribute, names)
    if abs(sum(found.values()) - 1.0) > 0.01:
        raise UserError(
            f"[options] reference_shares.shares of {attribute} sum to {sum(found.values()):.3g}; 1 was expected. "
            "Give every group its share of the population."
        )
    return found


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _refused(part: str, attribute: str, names: Sequence[str]) -> UserError:
    known = f"; its groups are {', '.join(names[:6])}" if names else ""
    return UserError(
        f'[options] reference_shares.shares says "{part}" of {attribute}; a group and a share above 0 and '
        f"up to 1 were expected{known}. Write it as in {EXAMPLE}."
    )


@check(
    challenge="data_diversity",
    requires=AtMost(
        0.2,
        "house default: a group has at least four fifths of its share (the proportion of 29 CFR 1607.4(D), for selection)",
    ),
    least=200,
)
def group_coverage(
    train_groups: Groups | None = None,
    test_groups: Groups | None = None,
    train_group_intersections: Groups | None = None,
    test_group_intersections: Groups | None = None,
    train_conditions: Conditions | None = None,
    test_conditions: Conditions | None = None,
    reference_shares: Shares | None = None,
    train_row_weights: np.ndarray | None = None,
) -> Measurement:
    """How many of the rows that it should have the least covered group lacks in the training data.

    One minus the group's share of training rows over its share of the reference: the shares stated by the user
    (`reference_shares`), else, attribute by attribute, those among the test rows, which should be like the population. Groups of sensitive attributes, pairs of them,
    and parts of one condition that hold a twentieth of the reference. Rows that are weighed in training count by their
    weight, and as fewer (Kish 1965, Survey Sampling, 11.7). A stated share: Clopper-Pearson; against test
    rows the conditional test of two rates (Przyborowski & Wilenski 1940, Biometrika 31), a little wide for large groups. The lower end is corrected
    for the number of groups (Bonferroni); for a pass every group must have its share, the smallest too. Rows of unknown group
    are counted as is worst for either end.

    Unit: share of the rows that a group should have.
    Qualified at: severity 0.4 of `group_thinned_out`, n = 4,000; passes from 12,000 training and 4,000 test rows where the smallest
    group is a tenth of them.
    Next: collect rows of the groups listed (`targeted_collection` says how many), or state whom the model is for.
    """
    if train_groups is None and train_conditions is None:
        raise NotApplicable("there are no training rows whose groups could be counted")
    weights, stated = train_row_weights, reference_shares or {}
    groups = [
        *_named(train_groups, test_groups, stated, weights),
        *_named(_apart(train_group_intersections, stated), test_group_intersections, {}, weights),
        *_described(train_conditions, test_conditions, stated, weights),
    ]
    groups = [g for g in groups if g.of > 0 and g.of_reference != 0 and g.reference > 0]
    if not groups:
        raise NotApplicable(
            "nothing says which groups rows belong to, or whom the model is for: name groups with --sensitive COLUMN,COLUMN "
            f"and, without test rows, state shares with {EXAMPLE}"
        )
    lacks = [_lack(group) for group in groups]
    order = np.argsort([-lack.value for lack in lacks], kind="stable")
    found = largest_of(
        lacks,
        unit=UNIT,
        details=_details(groups[int(order[0])]),
        evidence=(_table(groups, lacks, order),),
    )
    return doubted(found, _never_known(train_groups, test_groups, stated))


def _details(worst: _Group) -> str:
    against = "the stated share" if worst.is_stated else "the share of the test rows"
    said = (
        f"{worst.name}: {percent(worst.rows / worst.of)} of the training rows ({worst.rows:,}), "
        f"{percent(worst.wanted)} is {against}."
    )
    unknown = worst.unknown + worst.unknown_there
    if unknown:
        said += f" The group of {unknown:,} more is not known; the interval holds whichever they are of."
    return said


def _never_known(train: Groups | None, test: Groups | None, stated: Shares) -> tuple[str, ...]:
    """Return sentences on the attributes that cannot be looked at, because no row of one side has a known group."""
    said: list[str] = []
    attributes: list[str] = [*stated, *(train or {}), *(test or {})]
    for attribute in dict.fromkeys(attributes):
        sides = {"training": train} if attribute in stated else {"training": train, "test": test}
        for side, groups in sides.items():
            if not groups or attribute not in groups or not groups[attribute].sizes.sum():
                said.append(f"the group by {attribute} is not known for any of the {side} rows")
    return tuple(said)


def _apart(crossed: Groups | None, stated: Shares) -> Groups:
    """Return the pairs of attributes of which neither has stated shares: of the others test rows are no reference."""
    return {
        name: grouping
        for name, grouping in (crossed or {}).items()
        if not set(name.split(" × ")) & set(stated)
    }


def _named(
    train: Groups | None, test: Groups | None, stated: Shares, weights: np.ndarray | None
) -> list[_Group]:
    found: list[_Group] = []
    for attribute, grouping in (train or {}).items():
        *worth, unknown = _worth(grouping.codes, len(grouping.names), weights)
        rows = dict(zip(grouping.names, worth, strict=True))
        counts = sum(worth), unknown
        if attribute in stated:
            # A group of the population that no row has is one of them.
            found += [
                _Group(f"{attribute}: {name}", rows.get(name, 0), *counts, wanted)
                for name, wanted in stated[attribute].items()
            ]
        elif test is not None and attribute in test:
            there = test[attribute]
            known = int(there.sizes.sum())
            found += [
                _Group(f"{attribute}: {name}", rows[name], *counts, wanted, known, there.unknown)
                for name, wanted in zip(there.names, there.sizes.tolist(), strict=True)
            ]
    return found


def _described(
    train: Conditions | None, test: Conditions | None, stated: Shares, weights: np.ndarray | None
) -> list[_Group]:
    if train is None or test is None:
        return []
    found: list[_Group] = []
    m = len(test.codes)
    for column, (name, phrases) in enumerate(zip(test.names, test.values, strict=True)):
        if name in stated:
            continue
        there = test.codes[:, column]
        g = max(len(train.values[column]), len(phrases))
        *rows, unknown = _worth(train.codes[:, column], g, weights)
        blank = int(np.sum(there < 0))
        for value, phrase in enumerate(phrases):
            wanted = int(np.sum(there == value))
            if wanted >= PART * m:
                found.append(
                    _Group(phrase, rows[value], sum(rows), unknown, wanted, m - blank, blank)
                )
    return found


def _worth(codes: np.ndarray, g: int, weights: np.ndarray | None) -> list[int]:
    """Return the rows of each group and last those of unknown group; where they are weighed as many of equal weight, (g + 1,)."""
    is_known = codes >= 0
    place = np.where(is_known, codes, g)
    if weights is None:
        return np.bincount(place, minlength=g + 1).tolist()
    known = weights[is_known]
    worth = known.sum() / np.maximum((known**2).sum(), 1e-300)  # rows of equal weight, per weight
    sums = np.bincount(place, weights=weights, minlength=g + 1)
    return np.round(sums * worth).astype(np.int64).tolist()


def _lack(group: _Group) -> Measurement:
    """Return 1 - share in training / share of the reference."""
    value = 1.0 - group.rows / group.of / group.wanted
    method = "Clopper-Pearson" if group.is_stated else "conditional ratio of two rates"
    if group.unknown or group.unknown_there:
        method = f"bounds over all groups that unknown rows may be of, {method}"
    worst, best = group.dealt(worst=True), group.dealt(worst=False)

    def ends(probability: float) -> float:
        return _end(worst if probability >= 0.5 else best, probability)

    is_exact = group.is_stated and not group.unknown
    distribution = _of_a_share(group) if is_exact else quantiles_on(GRID, ends)
    return measured(value, group.of, distribution, unit=UNIT, method=method)


def _of_a_share(group: _Group) -> Counts:
    return Counts(group.rows, group.of, -1.0 / group.reference, 1.0)


def _end(group: _Group, probability: float) -> float:
    """Return one end of what a group lacks, every row being of known group."""
    if group.is_stated:
        return limit(_of_a_share(group), probability)
    # Given both counts, those in training are binomial with odds of the ratio of the shares over `odds`.
    odds = group.of_reference / group.of
    tail = min(probability, 1.0 - probability)
    apart = clopper_pearson(group.rows, group.rows + int(group.reference), 1.0 - 2.0 * tail)
    share = apart.low if probability >= 0.5 else apart.high
    ratio = share / (1.0 - share) * odds if share < 1.0 else np.inf
    return max(1.0 - ratio, LEAST)


LEAST = -99.0  # a hundred times its share: where the reference hardly has the group


def _table(groups: list[_Group], lacks: list[Measurement], order: np.ndarray) -> Table:
    header = ("group", "training rows", "share", "should be", "lacks", "from", "to")
    rows = tuple(
        (
            groups[k].name,
            groups[k].rows,
            groups[k].rows / groups[k].of,
            groups[k].wanted,
            lacks[k].value,
            lacks[k].low,
            lacks[k].high,
        )
        for k in order[:MOST_SHOWN]
    )
    return Table("Groups by what they lack", header, rows)
