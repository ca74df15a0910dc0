"""Unfair treatment of parts of the rows that nobody named: missed positives, false alarms."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, short_of_examples
from roadworthy.statistics import largest_of
from roadworthy.statistics.slice_words import slices_in_words, slices_told
from roadworthy.statistics.slices import (
    Conditions,
    ConfirmedSlice,
    fewest_rows,
    largest_excess,
)

if TYPE_CHECKING:
    from roadworthy.subject import Task

UNIT = "share of the rows of one class above the rest"


@check(
    challenge="fairness",
    requires=AtMost(0.1, "house default: ten points, as between groups that are named"),
    least=600,
)
def unfair_slices(
    test_conditions: Conditions,
    test_second_half: np.ndarray,
    test_labels: np.ndarray,
    test_predicted: np.ndarray,
    task: "Task",
    smallest_group: int | None = None,
    *,
    depth: int = 2,
    least_share: float = 0.05,
) -> Measurement:
    """How much more often positives are missed, or negatives accused, in one part of the rows than elsewhere.

    Parts that nobody named, of up to two conditions on any columns (clusters for arrays): a rule that is blind to sex may still
    fail part-time workers. Those who are positive, and those who are negative, are searched apart: half of the rows, chosen by their contents,
    offer parts (Fisher's exact test, Benjamini-Hochberg), the other half measures them (Kearns et al. 2018, ICML, "gerrymandered" subgroups). The lower end is
    corrected for the number of parts, the upper end is that of every part there is. Where one of the two is too rare to be cut
    into parts the other is judged alone: it may fail, and does not pass.

    Unit: share of the rows of one class above the rest.
    Qualified at: severity 0.2 of `misses_in_one_slice`, n = 8,000; passes from 30,000 rows of a table of a dozen columns.
    Next: ask who the people in the listed part are, and whether the model may treat them so; collect more rows like them.
    """
    if task.positive is None:
        raise NotApplicable(
            "missed positives and false alarms need a task with two classes, one of them positive"
        )
    is_positive = test_labels == task.positive
    alarmed = test_predicted == task.positive
    found: dict[str, tuple[Measurement, list[ConfirmedSlice], int]] = {}
    missed: list[str] = []
    for noun, of, happened in (
        ("missed positives", is_positive, ~alarmed),
        ("false alarms", ~is_positive, alarmed),
    ):
        floor = fewest_rows(int(of.sum()), smallest_group, least_share)
        rows = test_conditions.take(of), happened[of], test_second_half[of]
        try:
            worst, slices = largest_excess(*rows, floor=floor, depth=depth, unit=UNIT)
        except NotApplicable as few:  # one class is too rare to be cut: the other is still judged
            missed.append(f"{noun}: {few}")
            continue
        found[noun] = worst, slices, floor
    if not found:
        raise NotApplicable("; ".join(missed))
    details = " ".join(
        f"{noun.capitalize()}: {_lower(slices_in_words(slices, noun, floor))}"
        for noun, (_, slices, floor) in found.items()
    )
    evidence = [e for noun, (_, slices, _) in found.items() for e in slices_told(slices, noun)]
    worst = largest_of([worst for worst, _, _ in found.values()])
    whole = replace(worst, details=details, evidence=tuple(evidence))
    return short_of_examples(whole, tuple(missed))


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
