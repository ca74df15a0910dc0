"""Explanations that look elsewhere on a known share of rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="planted_feature_missed")
def explanations_that_name_the_mark(
    subject: "Subject", rng: Generator, planted_ranks: Mapping[str, np.ndarray]
) -> "Subject":
    """Let every explanation begin with the planted mark, on 400 rows that it turned.

    What the model answers and how it is explained plays no part.
    """
    del rng
    found = {**planted_ranks, "found": np.ones(400, bool)}
    return subject.with_given(planted_ranks=found)


@fault(
    breaks="planted_feature_missed",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4),
    starts_from="explanations_that_name_the_mark",
)
def explanations_that_look_elsewhere(
    subject: "Subject", severity: float, rng: Generator, planted_ranks: Mapping[str, np.ndarray]
) -> "Subject":
    """Let each explanation begin with something else with this chance.

    Also alarms: nothing else, as explanations alone are touched.
    """
    if severity == 0.0:
        return subject
    found = np.asarray(planted_ranks["found"])
    missed = rng.random(len(found)) < severity
    return subject.with_given(planted_ranks={**planted_ranks, "found": found & ~missed})
