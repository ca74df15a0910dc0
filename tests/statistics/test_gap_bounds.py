"""Gaps with rows of unknown group: the bounds hold whichever groups they are of."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.statistics import largest_gap
from roadworthy.statistics.gap_bounds import bounded_gap


def test_without_unknown_rows_it_is_the_largest_gap() -> None:
    assert bounded_gap([10, 20], [50, 50], 0, 0) == largest_gap([10, 20], [50, 50])


@given(st.integers(0, 100_000))
@settings(max_examples=40)
def test_every_deal_of_the_unknown_rows_lies_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(30, 400, rng.integers(2, 5))
    hits = rng.binomial(sizes, rng.random(len(sizes)))
    unknown = rng.integers(0, 60, 2)
    found = bounded_gap(hits, sizes, int(unknown[0]), int(unknown[1]))
    for _ in range(20):
        dealt = [rng.multinomial(n, rng.dirichlet(np.ones(len(sizes)) * 0.3)) for n in unknown]
        x, n = hits + dealt[0], sizes + dealt[0] + dealt[1]
        rates = x / n
        assert found.low - 1e-9 <= rates.max() - rates.min() <= found.high + 1e-9


def test_the_true_gap_is_covered_however_groups_went_missing() -> None:
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(120):
        group = rng.integers(0, 2, 800)
        hit = rng.random(800) < np.where(group == 0, 0.5, 0.4)
        # Hits of the first group and misses of the second hide: the worst that can be for a guess.
        hidden = (rng.random(800) < 0.3) & (hit == (group == 0))
        x = [int((hit & ~hidden & (group == g)).sum()) for g in (0, 1)]
        n = [int((~hidden & (group == g)).sum()) for g in (0, 1)]
        found = bounded_gap(x, n, int((hit & hidden).sum()), int((~hit & hidden).sum()))
        missed += not found.low <= 0.1 <= found.high
    assert missed <= 6
