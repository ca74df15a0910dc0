"""Differences of rates, apart and paired, against Newcombe's published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import NotApplicable
from roadworthy.statistics import (
    exact_newcombe,
    newcombe_paired,
    paired_rate_difference,
    rate_difference,
)

cells = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda c: sum(c) > 0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((18, 12, 2, 18), (0.0562, 0.3290)),
        ((36, 14, 0, 0), (0.1528, 0.4167)),
        ((35, 14, 0, 1), (0.1461, 0.4175)),
        ((18, 14, 0, 18), (0.1441, 0.3963)),
        ((2, 97, 1, 0), (0.8721, 0.9854)),
        ((1, 97, 1, 1), (0.8736, 0.9850)),
        ((0, 30, 0, 0), (0.8395, 1.0)),
        ((54, 0, 0, 0), (-0.0664, 0.0664)),
        ((30, 0, 0, 24), (-0.0358, 0.0358)),
    ],
)
def test_newcombe_paired_is_table_iii_of_newcombe_1998_method_10(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    assert newcombe_paired(*counts) == pytest.approx(expected, abs=1e-4)


def _rows(counts: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    both, only_a, only_b, neither = counts
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


@given(cells)
def test_swapping_models_mirrors_the_paired_difference(counts: tuple[int, int, int, int]) -> None:
    a, b = _rows(counts)
    there, back = paired_rate_difference(a, b), paired_rate_difference(b, a)
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.low <= there.value <= there.high


@given(cells, st.randoms(use_true_random=False))
def test_permuting_rows_changes_nothing(counts: tuple[int, int, int, int], random) -> None:
    a, b = _rows(counts)
    order = np.array(random.sample(range(len(a)), len(a)))
    assert paired_rate_difference(a, b) == paired_rate_difference(a[order], b[order])


def test_pairing_narrows_the_interval_where_the_models_agree_on_most_rows() -> None:
    a, b = _rows((150, 10, 5, 35))
    paired = paired_rate_difference(a, b)
    apart = rate_difference(a.sum(), a.size, b.sum(), b.size)
    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)


def test_a_rate_difference_carries_the_gating_interval_and_both_sizes() -> None:
    m = rate_difference(90, 100, 40, 50, unit="share of rows")
    assert m.value == pytest.approx(0.1)
    assert (m.low, m.high) == exact_newcombe(90, 100, 40, 50)
    assert m.n == 150


def test_an_empty_sample_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="0 and 5"):
        rate_difference(0, 0, 1, 5)
    with pytest.raises(NotApplicable):
        paired_rate_difference([], [])
    with pytest.raises(NotApplicable):
        newcombe_paired(0, 0, 0, 0)


def test_one_pair_proves_next_to_nothing() -> None:
    m = paired_rate_difference([True], [False])
    assert m.value == 1.0
    assert m.low < 0.1
