"""The same person or device on both sides of a split."""

import numpy as np

from roadworthy.challenges.data_quality.splits import concatenated
from roadworthy.engine import check
from roadworthy.results import AtMost, Example, Examples, Measurement
from roadworthy.statistics import fact

SHOWN = 20


@check(
    challenge="data_quality",
    requires=AtMost(0.001, "house default: a leaked row can move accuracy by its own share"),
)
def entities_across_splits(
    train_entities: np.ndarray,
    test_entities: np.ndarray,
    validation_entities: np.ndarray | None = None,
) -> Measurement:
    """Share of test rows that belong to a person or device that the model was trained or chosen on.

    A model can recognise the person instead of the condition; performance on strangers is then worse
    than measured (Saeb et al. 2017, GigaScience 6: record-wise against subject-wise splits). A fact about
    this split, without an interval.

    Unit: share of test rows. Qualified at: n = 500.
    Next: split again so that all rows of an entity stay together.
    """
    seen = concatenated(train_entities, validation_entities)
    rows = np.flatnonzero(np.isin(test_entities, seen))
    known, counts = np.unique(seen, return_counts=True)
    found = tuple(
        Example(
            "test",
            int(row),
            f"its entity has {counts[np.searchsorted(known, test_entities[row])]} rows in training",
        )
        for row in rows[:SHOWN]
    )
    entities = len(np.unique(test_entities[rows]))
    return fact(
        len(rows) / max(len(test_entities), 1),
        len(test_entities),
        unit="share of test rows",
        details=f"{len(rows)} of {len(test_entities)} test rows belong to {entities} entities that "
        "also have rows among those that the model was trained or chosen on.",
        evidence=(Examples("Test rows of known entities", found),) if found else (),
    )
