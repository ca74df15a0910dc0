"""What the world does to inputs without meaning harm: noise, blur, weather, broken sensors, wrong cells.

`arrays` and `tables` hold the two suites and how each is applied; to add a kind, write one function and one line
in the tuple of its suite. All numpy: what is random belongs to a row (`perturbation.noise`), so that neither the
cut into shards nor the other rows change what happens to it.
"""

from roadworthy.perturbation.corruptions.arrays import (
    SUITE,
    Corruption,
    calibrated,
    corrupted,
    kinds_for,
)
from roadworthy.perturbation.corruptions.severity import DECIBELS, SEVERITIES
from roadworthy.perturbation.corruptions.tables import (
    TABLE_SUITE,
    TableCorruption,
    corrupted_table,
    table_facts,
    table_kinds_for,
)

__all__ = [
    "DECIBELS",
    "SEVERITIES",
    "SUITE",
    "TABLE_SUITE",
    "Corruption",
    "TableCorruption",
    "calibrated",
    "corrupted",
    "corrupted_table",
    "kinds_for",
    "table_facts",
    "table_kinds_for",
]
