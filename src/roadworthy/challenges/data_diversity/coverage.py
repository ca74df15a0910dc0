"""Whether groups and parts of the population have their share of the training rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import AtMost, Counts, Measurement, Table
from roadworthy.statistics import GRID, clopper_pearson, largest_of, measured, percent, quantiles_on
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

    Where rows are weighed, `rows` and `of` are as many of equal weight as would be worth as much (Kish 1965).
    """

    name: str
    rows: int
    of: int
    reference: int | float
    of_reference: int


@artifact()
def reference_shares(
    group_levels: Mapping[str, Any], *, shares: str = ""
) -> Shares:  # Any: names, edges
    """Share of each group in the population that the model is for, by attribute: those that were stated.

    `shares` is "sex: f=.51, m=.49; race: ..."; groups of an attribute must sum to 1 (within .01).
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
        found[name] = _stated(said, name, group_levels[name]["names"])
    return found


def _stated(text: str, attribute: str, names: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        group, _, value = (p.strip() for p in part.rpartition("="))
        try:
            found[group] = float(value)
        except ValueError:
            found[group] = -1.0
        if not 0.0 < found[group] <= 1.0 or (names and group not in names):
            known = f"; its groups are {', '.join(names[:6])}" if names else ""
            raise UserError(
                f'[options] reference_shares.shares says "{part}" of {attribute}; a group and a share above 0 and '
                f"up to 1 were expected{known}. Write it as in {EXAMPLE}."
            )
    if abs(sum(found.values()) - 1.0) > 0.01:
        raise UserError(
            f"[options] reference_shares.shares of {attribute} sum to {sum(found.values()):.3g}; 1 was expected. "
            "Give every group its share of the population."
        )
    return found


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
    (`reference_shares`), else those among the test rows, which should be like the population. Groups of sensitive attributes, pairs of them,
    and parts of one condition that hold a twentieth of the reference. Rows that are weighed in training count by their
    weight, and as fewer (Kish 1965, Survey Sampling, 11.7). A stated share: Clopper-Pearson; against test
    rows the conditional test of two rates (Przyborowski & Wilenski 1940, Biometrika 31), a little wide for large groups. The lower end is corrected
    for the number of groups (Bonferroni); for a pass every group must have its share, the smallest too.

    Unit: share of the rows that a group should have.
    Qualified at: severity 0.4 of `group_thinned_out`, n = 4,000; passes from 12,000 training and 4,000 test rows where the smallest
    group is a tenth of them.
    Next: collect rows of the groups listed (`targeted_collection` says how many), or state whom the model is for.
    """
    if train_groups is None and train_conditions is None:
        raise NotApplicable("there are no training rows whose groups could be counted")
    weights = train_row_weights
    groups = _named(train_groups, test_groups, reference_shares, weights)
    if not reference_shares:
        groups += _named(train_group_intersections, test_group_intersections, None, weights)
        groups += _described(train_conditions, test_conditions, weights)
    groups = [g for g in groups if g.of > 0 and g.of_reference != 0 and g.reference > 0]
    if not groups:
        raise NotApplicable(
            "nothing says which groups rows belong to, or whom the model is for: name groups with --sensitive COLUMN,COLUMN "
            f"and, without test rows, state shares with {EXAMPLE}"
        )
    lacks = [_lack(group) for group in groups]
    order = np.argsort([-lack.value for lack in lacks], kind="stable")
    worst = groups[int(order[0])]
    against = "the stated share" if worst.of_reference < 0 else "the share of the test rows"
    share, wanted = worst.rows / worst.of, _wanted(worst)
    return largest_of(
        lacks,
        unit=UNIT,
        details=f"{worst.name}: {percent(share)} of the training rows ({worst.rows:,}), {percent(wanted)} is {against}.",
        evidence=(_table(groups, lacks, order),),
    )


def _named(
    train: Groups | None, test: Groups | None, shares: Shares | None, weights: np.ndarray | None
) -> list[_Group]:
    found: list[_Group] = []
    for attribute, grouping in (train or {}).items():
        rows = _worth(grouping.codes, len(grouping.names), weights)
        of = int(rows.sum())
        if shares:
            stated = shares.get(attribute, {})
            expected, there = [stated.get(name, 0.0) for name in grouping.names], -1
        elif test is not None and attribute in test:
            expected, there = test[attribute].sizes.tolist(), int(test[attribute].sizes.sum())
        else:
            continue
        found += [
            _Group(f"{attribute}: {name}", int(count), of, wanted, there)
            for name, count, wanted in zip(grouping.names, rows, expected, strict=True)
        ]
    return found


def _described(
    train: Conditions | None, test: Conditions | None, weights: np.ndarray | None
) -> list[_Group]:
    if train is None or test is None:
        return []
    found: list[_Group] = []
    m = len(test.codes)
    for column, phrases in enumerate(test.values):
        codes = np.maximum(train.codes[:, column], -1) + 1  # what is not known first
        rows = _worth(codes, max(len(train.values[column]), len(phrases)) + 1, weights)
        for value, phrase in enumerate(phrases):
            there = int(np.sum(test.codes[:, column] == value))
            if there >= PART * m:
                found.append(_Group(phrase, int(rows[value + 1]), int(rows.sum()), there, m))
    return found


def _worth(codes: np.ndarray, g: int, weights: np.ndarray | None) -> np.ndarray:
    """Return the rows of each group; where they are weighed as many of equal weight, (g,) int64."""
    is_known = codes >= 0
    if weights is None:
        return np.bincount(codes[is_known], minlength=g)
    known = weights[is_known]
    worth = known.sum() / np.maximum((known**2).sum(), 1e-300)  # rows of equal weight, per weight
    sums = np.bincount(codes[is_known], weights=known, minlength=g)
    return np.round(sums * worth).astype(np.int64)


def _wanted(group: _Group) -> float:
    return group.reference / group.of_reference if group.of_reference > 0 else group.reference


def _lack(group: _Group) -> Measurement:
    """Return 1 - share in training / share of the reference."""
    value = 1.0 - group.rows / group.of / _wanted(group)
    if group.of_reference < 0:  # a share that is known
        counts = Counts(group.rows, group.of, -1.0 / group.reference, 1.0)
        return measured(value, group.of, counts, unit=UNIT, method="Clopper-Pearson")
    both = group.rows + int(group.reference)
    odds = group.of_reference / group.of

    def ends(probability: float) -> float:
        # Given both counts, those in training are binomial with odds of the ratio of the shares over `odds`.
        tail = min(probability, 1.0 - probability)
        apart = clopper_pearson(group.rows, both, 1.0 - 2.0 * tail)
        share = apart.low if probability >= 0.5 else apart.high
        ratio = share / (1.0 - share) * odds if share < 1.0 else np.inf
        return max(1.0 - ratio, LEAST)

    return measured(
        value,
        group.of,
        quantiles_on(GRID, ends),
        unit=UNIT,
        method="conditional ratio of two rates",
    )


LEAST = -99.0  # a hundred times its share: where the reference hardly has the group


def _table(groups: list[_Group], lacks: list[Measurement], order: np.ndarray) -> Table:
    header = ("group", "training rows", "share", "should be", "lacks", "from", "to")
    rows = tuple(
        (
            groups[k].name,
            groups[k].rows,
            groups[k].rows / groups[k].of,
            _wanted(groups[k]),
            lacks[k].value,
            lacks[k].low,
            lacks[k].high,
        )
        for k in order[:MOST_SHOWN]
    )
    return Table("Groups by what they lack", header, rows)
