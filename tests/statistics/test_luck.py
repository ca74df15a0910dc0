"""What luck shows of equal groups: against integrals, the published simulation, and rows redrawn one by one."""

import numpy as np
import pytest
from scipy import integrate, stats

from roadworthy.statistics.luck import luck_of_equal_groups, redrawn_rates


@pytest.mark.parametrize(("sizes", "p"), [((1_000, 400), 0.3), ((2_000, 500, 400, 300), 0.5)])
def test_the_mean_gap_is_the_mean_range_of_normals(sizes: tuple[int, ...], p: float) -> None:
    spread = np.sqrt(p * (1 - p) / np.array(sizes))

    def above(x: float) -> float:
        # E[max] - E[min] of symmetric laws is twice the integral of 1 - F(x) - F(-x) over x > 0.
        inside = np.prod(stats.norm.cdf(x / spread)) + np.prod(stats.norm.cdf(-x / spread))
        return float(1 - inside)

    expected = 2 * integrate.quad(above, 0, 10 * spread.max())[0]
    hits = np.round(np.array(sizes) * p).astype(int)
    found = luck_of_equal_groups(hits, sizes, np.random.default_rng(0), 8_000)
    assert found.gap == pytest.approx(expected, rel=0.03)


def test_two_groups_of_fifty_at_a_tenth_break_four_fifths_in_two_samples_of_three() -> None:
    hits = np.arange(51)
    low, high = np.minimum.outer(hits, hits), np.maximum.outer(hits, hits)
    pmf = stats.binom.pmf(hits, 50, 0.1)
    # 10 x low < 8 x high in whole numbers: 4 against 5 keeps the rule.
    expected = np.multiply.outer(pmf, pmf)[10 * low < 8 * high].sum()
    assert expected == pytest.approx(0.687, abs=1e-3)
    found = luck_of_equal_groups([5, 5], [50, 50], np.random.default_rng(0), 8_000)
    assert found.below == pytest.approx(expected, abs=0.02)


def test_redrawn_counts_are_redrawn_rows() -> None:
    rng = np.random.default_rng(0)
    hits, group = rng.random(300) < 0.3, np.arange(300) % 3 == 0
    by_rows = []
    for _ in range(3_000):
        rows = rng.integers(0, group.sum(), group.sum())
        by_rows.append(hits[group][rows].mean())
    own = hits[group].mean()
    by_counts = redrawn_rates([own], [group.sum()], rng, 3_000)[:, 0]
    p = float(stats.ks_2samp(by_rows, by_counts)[1])  # pyright: ignore[reportArgumentType] - untyped
    assert p > 0.001
