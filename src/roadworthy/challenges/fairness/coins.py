"""Groups by the toss of a coin: subjects that are fair by construction, on which faults are planted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.subject.columns import Attribute, Roles

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Split, Subject

COIN, OTHER_COIN = "coin", "other coin"
SIDES = ("heads", "tails")


def with_coins(subject: "Subject", rng: Generator, coins: tuple[str, ...] = (COIN,)) -> "Subject":
    """Return the subject whose only sensitive attributes are tosses of fair coins, one per row.

    Nothing else can then depend on the group: not the labels, not the decisions, not their errors. Inputs stay as
    they are; a model sees no coin.
    """
    splits = {name: _tossed(split, rng, coins) for name, split in subject.splits.items()}
    return replace(subject, splits=splits, roles=_roles(subject.roles, coins))


def rows_of(groups: "Mapping[str, Grouping]", side: str, *coins: str) -> np.ndarray:
    """Return the rows on which all these coins show this side: (n,) bool."""
    shown = [groups[coin].codes == groups[coin].names.index(side) for coin in coins]
    return np.logical_and.reduce(shown)


def _tossed(split: "Split", rng: Generator, coins: tuple[str, ...]) -> "Split":
    tossed = {coin: Attribute(rng.integers(0, 2, split.n), SIDES) for coin in coins}
    return replace(split, attributes={**split.attributes, **tossed})


def _roles(roles: Roles, coins: tuple[str, ...]) -> Roles:
    return replace(roles, sensitive=coins)
