"""Paired differences: what any check measures on one set of fields, less what it measures on another."""

from roadworthy.procedures.paired.comparison import Compared, Comparison, How, Side
from roadworthy.procedures.paired.effects import (
    difference_of,
    direction_of,
    effects_of,
    highest_harm,
    margin_of,
    paired_effects,
    verdict_of,
)

__all__ = [
    "Compared",
    "Comparison",
    "How",
    "Side",
    "difference_of",
    "direction_of",
    "effects_of",
    "highest_harm",
    "margin_of",
    "paired_effects",
    "verdict_of",
]
