"""Parts of the data in which the model is worse than elsewhere, though nobody named them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Evidence, Example, Examples, Measurement
from roadworthy.statistics.slice_words import slices_in_words, slices_told
from roadworthy.statistics.slices import (
    Conditions,
    ConfirmedSlice,
    fewest_rows,
    largest_excess,
)

WORST_FIFTH = 0.2  # of the residuals: such a row counts as a mistake of a regression
MOST_EXAMPLES = 12
LEAST_SHARE, MOST_PARTS = 0.05, 3


@check(
    challenge="data_diversity",
    requires=AtMost(
        0.1, "house default: ten points more mistakes in one part of the data than elsewhere"
    ),
    least=600,
)
def weak_slices(
    test_conditions: Conditions,
    test_second_half: np.ndarray,
    test_correct: np.ndarray | None = None,
    test_residuals: np.ndarray | None = None,
    smallest_group: int | None = None,
    *,
    depth: int = 2,
    least_share: float = 0.05,
) -> Measurement:
    """How much more often the model is wrong in its weakest part of the data than elsewhere.

    Parts are made of up to two conditions on the columns (Chung et al. 2019, "Slice Finder"; clusters of the rows
    for arrays), with at least one row in twenty or as many as `smallest_group` of the purpose. Half of the rows, chosen by their contents,
    offer the parts (Fisher's exact test, Benjamini-Hochberg), the other half measures them; the lower end is corrected for their number, the upper
    end is that of every part there is. For a number a mistake is a residual among the largest fifth.

    Unit: share of rows above the rest.
    Qualified at: severity 0.2 of `mistakes_in_one_slice`, n = 4,000; passes from 12,000 rows of a table of a dozen columns
    where one in seven is wrong (4,000 where one in twenty).
    Next: look at the rows listed, collect more rows like them (`targeted_collection`) or let them count for more in training.
    """
    wrong = _mistakes(test_correct, test_residuals)
    floor = fewest_rows(len(wrong), smallest_group, least_share)
    worst, found = largest_excess(
        test_conditions, wrong, test_second_half, floor=floor, depth=depth
    )
    return replace(
        worst,
        details=slices_in_words(found, "wrong", floor),
        evidence=(*slices_told(found, "mistakes"), *_examples(found, test_conditions, wrong)),
    )


@artifact(per="split", stored=False)
def weak_part_mistakes(
    conditions: Conditions,
    second_half: np.ndarray,
    correct: np.ndarray | None = None,
    residuals: np.ndarray | None = None,
    smallest_group: int | None = None,
) -> Mapping[str, np.ndarray]:
    """Give the rows that are answered badly in each part that is worse than the rest beyond doubt: positions by the part's name.

    The parts are those of `weak_slices` (at its own depth and share), the surest first, three at most; empty where there are none.
    """
    wrong = _mistakes(correct, residuals)
    floor = fewest_rows(len(wrong), smallest_group, LEAST_SHARE)
    _, found = largest_excess(conditions, wrong, second_half, floor=floor)
    surest = [each.slice for each in found if each.confirmed.low > 0.0][:MOST_PARTS]
    return {part.name: np.flatnonzero(part.rows(conditions) & wrong) for part in surest}


def _mistakes(correct: np.ndarray | None, residuals: np.ndarray | None) -> np.ndarray:
    """Return which rows are answered badly: (n,) bool."""
    if correct is not None:
        return ~np.asarray(correct)
    if residuals is None:
        raise NotApplicable("there are neither answers nor residuals of test rows")
    sizes = np.abs(residuals)
    return sizes > np.quantile(sizes, 1.0 - WORST_FIFTH)


def _examples(
    found: list[ConfirmedSlice], conditions: Conditions, wrong: np.ndarray
) -> tuple[Evidence, ...]:
    """Return rows of the worst slice that are wrong."""
    if not found:
        return ()
    worst = found[0].slice
    rows = np.flatnonzero(worst.rows(conditions) & wrong)[:MOST_EXAMPLES]
    return (
        Examples(
            f"Mistakes where {worst.name}",
            tuple(Example("test", int(row), "wrong") for row in rows),
        ),
    )
