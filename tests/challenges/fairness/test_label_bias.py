"""Bounds under wrong labels: every way to relabel a share of the rows lies within, and the ends are reached."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.fairness.label_bias import possible_rates, share_that_closes

from .conftest import Measure, Of, outcome_of

CELLS = st.lists(st.integers(0, 6), min_size=4, max_size=4)


@given(CELLS, st.sampled_from([0.0, 0.1, 0.25, 0.5]), st.integers(0, 1), st.integers(0, 1))
@settings(max_examples=150)
def test_the_ends_are_those_of_all_ways_to_relabel(
    cells: list[int], wrong: float, k: int, rate: int
) -> None:
    counts = np.array(cells, np.int64).reshape(1, 2, 2)  # [label, decision]
    label = k if rate == 0 else 1 - k
    if counts[0, label].sum() == 0:
        return
    budget = int(wrong * counts.sum() + 1e-9)
    reached = []
    for flips in product(*(range(n + 1) for n in cells)):
        if sum(flips) > budget:
            continue
        flipped = np.array(flips).reshape(2, 2)
        new = counts[0] - flipped + flipped[::-1]
        if new[label].sum():
            reached.append(new[label, k] / new[label].sum())
    found = possible_rates(counts, k, rate, wrong)
    assert found.low[0] <= min(reached) + 1e-12
    assert found.high[0] >= max(reached) - 1e-12
    if counts[0, label].sum() > budget:  # some are left in the denominator whatever is flipped
        assert found.low[0] == pytest.approx(min(reached))
        assert found.high[0] == pytest.approx(max(reached))


def test_bounds_of_two_groups_worked_by_hand(of: Of, measure: Measure) -> None:
    # True positive rates 80/100 and 60/100, of 200 rows each; 5 % are 10 labels. Highest of a: 10 of its 40 wrongly
    # chosen were positives, 90/110 = .818, or 10 of the 20 missed were none, 80/90 = .889. Lowest of b: 10 of the 60
    # found were none, 50/90 = .556, or 10 of the 80 spared were positives, 60/110 = .545.
    subject = of(
        *(("a", 1, 1, 80), ("a", 1, 0, 20), ("a", 0, 1, 20), ("a", 0, 0, 80)),
        *(("b", 1, 1, 60), ("b", 1, 0, 40), ("b", 0, 1, 20), ("b", 0, 0, 80)),
    )
    found = measure(subject, "label_bias_bounds")
    assert found.value == pytest.approx(0.2)
    assert found.high == pytest.approx(80 / 90 - 60 / 110)
    # nearest: a at 70/90 or 80/110, b at 60/90 or 70/110
    assert found.low == pytest.approx(max(min(70 / 90, 80 / 110) - max(60 / 90, 70 / 110), 0))
    none = measure(subject, "label_bias_bounds", label_bias_bounds={"wrong": 0.0})
    assert (none.low, none.high) == (pytest.approx(0.2), pytest.approx(0.2))
    counts = np.array([[[80, 20], [20, 80]], [[80, 20], [40, 60]]])
    closing = share_that_closes(counts, 1, 0)
    assert closing is not None
    assert possible_rates(counts, 1, 0, closing).least_gap == 0.0
    assert possible_rates(counts, 1, 0, closing - 0.005).least_gap > 0.0


def test_the_bounds_of_the_larger_gap_are_the_larger_of_both_bounds(
    of: Of, measure: Measure
) -> None:
    # True positive rates .90 and .80 on 1,000 each; false positive rates 5/50 and 8/50: of the 1,050 rows of a group
    # 52 labels may be wrong, more than there are negatives, so that any gap in the latter may be there.
    subject = of(
        *(("a", 1, 1, 900), ("a", 1, 0, 100), ("a", 0, 1, 5), ("a", 0, 0, 45)),
        *(("b", 1, 1, 800), ("b", 1, 0, 200), ("b", 0, 1, 8), ("b", 0, 0, 42)),
    )
    found = measure(subject, "label_bias_bounds")
    assert found.value == pytest.approx(0.1)
    rows = found.evidence[0].rows  # type: ignore[union-attr]
    assert found.low == pytest.approx(max(row[3] for row in rows), abs=1e-4)
    assert found.high == pytest.approx(max(row[4] for row in rows), abs=1e-4)
    assert found.high > 0.9
    assert "that in the false positive rate by group may be largest" in found.details


def test_a_share_that_is_none_is_refused(of: Of) -> None:
    subject = of(("a", 1, 1, 80), ("b", 1, 1, 80))
    found = outcome_of(subject, "label_bias_bounds", label_bias_bounds={"wrong": 1.5})
    assert "a share from 0 to below 1 was expected" in str(found.reason)
