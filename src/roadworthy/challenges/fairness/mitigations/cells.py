"""Rows by group and class, as remedies need them: told to a training, counted, shuffled."""

from collections.abc import Mapping
from functools import reduce

import numpy as np
from numpy.random import Generator

from roadworthy.errors import NotApplicable
from roadworthy.subject.grouping import Grouping, crossed

FEWEST = 20  # rows of a group and class; of fewer nothing is learnt

Groups = Mapping[str, Grouping]


def codes_of(groups: Groups) -> np.ndarray:
    """Return the group of each row by each attribute, -1 where not known: (n, attributes) int64."""
    return np.stack([grouping.codes for grouping in groups.values()], axis=1)


def together(groups: Groups) -> Grouping:
    """Return the groups that all attributes make at once."""
    if len(groups) == 1:
        return next(iter(groups.values()))
    return list(crossed(groups, len(groups)).values())[-1]


def shuffled(groups: Groups, rng: Generator) -> Groups:
    """Deal the rows' groups, by all attributes at once, to other rows: as large, and meaning nothing."""
    order = rng.permutation(len(next(iter(groups.values())).codes))
    return {name: grouping.take(order) for name, grouping in groups.items()}


def counted(grouping: Grouping, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return rows by group and class: (g, c) int64; rows of unknown group are in none."""
    known = grouping.codes >= 0
    cell = grouping.codes[known] * classes + labels[known]
    return np.bincount(cell, minlength=len(grouping.names) * classes).reshape(-1, classes)


def require_comparable(groups: Groups, labels: np.ndarray, classes: int) -> None:
    """Refuse rows among which no class has two groups to compare.

    Raises
    ------
    NotApplicable
    """
    most = reduce(
        max,
        (
            int((counted(grouping, labels, classes) >= FEWEST).sum(axis=0).max())
            for grouping in groups.values()
        ),
        0,
    )
    if most < 2:
        names = ", ".join(groups)
        raise NotApplicable(
            f"no class has {FEWEST} rows of two groups by {names}, so there is nothing to make alike"
        )
