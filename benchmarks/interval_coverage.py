"""How often each interval lies wholly above or wholly below the truth; 2.5 % each is allowed.

Run with `python benchmarks/interval_coverage.py [repetitions]` (default 2,000, about two minutes). Beside each
of ours stands what is often used instead. Rates and differences of two rates are summed over all
outcomes, exactly; the others are simulated.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import ndtri

from roadworthy import statistics as ours

Z = 1.959964
Ends = tuple[float, float]


class Row(NamedTuple):
    """One line of the table; errors are shares, or None where a method was not run."""

    what: str
    setting: str
    method: str
    above: float
    below: float
    width: float


def rates() -> list[Row]:
    rows = []
    for n, p in [(50, 0.02), (50, 0.98), (200, 0.05), (200, 0.9), (1000, 0.005), (1000, 0.5)]:
        hits = np.arange(n + 1)
        share = hits / n
        half = Z * np.sqrt(share * (1 - share) / n)
        chance = stats.binom.pmf(hits, n, p)
        for name, (low, high) in {
            "Clopper-Pearson (ours)": ours.clopper_pearson(hits, np.full(n + 1, n)),
            "Wilson (ours, to show)": ours.wilson(hits, np.full(n + 1, n)),
            "Wald": (share - half, share + half),
        }.items():
            rows.append(_exact("rate", f"n={n} p={p}", name, chance, low, high, p))
    return rows


def differences() -> list[Row]:
    rows = []
    for n_a, n_b, a, b in [
        (50, 50, 0.9, 0.85),
        (300, 100, 0.999, 0.9),
        (3000, 300, 0.99, 0.94),
        (1000, 100, 0.97, 0.87),
        (200, 20, 0.9999, 0.95),
        (3000, 1000, 0.97, 0.87),
    ]:
        x, y = (m.ravel() for m in np.meshgrid(np.arange(n_a + 1), np.arange(n_b + 1)))
        sizes = (np.full(x.size, n_a), np.full(x.size, n_b))
        chance = stats.binom.pmf(x, n_a, a) * stats.binom.pmf(y, n_b, b)
        likely = chance > 1e-12
        x, y, chance = x[likely], y[likely], chance[likely]
        sizes = tuple(s[likely] for s in sizes)
        p, q = x / n_a, y / n_b
        half = Z * np.sqrt(p * (1 - p) / n_a + q * (1 - q) / n_b)
        for name, (low, high) in {
            "Newcombe, exact limits (ours)": ours.exact_newcombe(x, sizes[0], y, sizes[1]),
            "Newcombe method 10 (ours, to show)": ours.newcombe(x, sizes[0], y, sizes[1]),
            "Wald": (p - q - half, p - q + half),
        }.items():
            setting = f"{n_a}:{a} - {n_b}:{b}"
            rows.append(_exact("difference", setting, name, chance, low, high, a - b))
    return rows


def paired(runs: int) -> list[Row]:
    rows = []
    for n, cells in [
        (50, (0.5, 0.1, 0.05)),
        (200, (0.9, 0.05, 0.0)),
        (200, (0.3, 0.3, 0.25)),
        (1000, (0.5, 0.1, 0.05)),
    ]:
        full = [*cells, 1 - sum(cells)]

        def draw(rng: np.random.Generator, n: int = n, full: list[float] = full) -> dict[str, Ends]:
            e, f, g, h = (int(v) for v in rng.multinomial(n, full))
            m = ours.paired_rate_difference(
                np.repeat([True, True, False, False], [e, f, g, h]),
                np.repeat([True, False, True, False], [e, f, g, h]),
            )
            d, half = (f - g) / n, Z * np.sqrt(f + g - (f - g) ** 2 / n) / n
            return {
                "rows that differ, exact limits (ours)": (m.low, m.high),
                "Newcombe paired method 10": ours.newcombe_paired(e, f, g, h),
                "Wald": (d - half, d + half),
            }

        rows += _simulate("paired", f"n={n} {cells}", draw, cells[1] - cells[2], runs)
    return rows


def means(runs: int) -> list[Row]:
    def brier(rng: np.random.Generator, n: int) -> np.ndarray:
        rare = rng.random(n) < 0.03
        return np.where(rare, rng.uniform(0.5, 1, n), rng.uniform(0, 0.02, n))

    kinds: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
        "normal": (lambda rng, n: rng.normal(1, 1, n), 1.0),
        "exponential": (lambda rng, n: rng.exponential(1, n), 1.0),
        "log-normal": (lambda rng, n: rng.lognormal(0, 1, n), float(np.exp(0.5))),
        "rare large losses": (brier, 0.03 * 0.75 + 0.97 * 0.01),
    }
    rows = []
    for name, (sample, truth) in kinds.items():
        for n in (30, 100, 300, 1000):

            def draw(
                rng: np.random.Generator,
                n: int = n,
                sample: Callable[[np.random.Generator, int], np.ndarray] = sample,
                bounded: bool = name == "rare large losses",
            ) -> dict[str, Ends]:
                x = sample(rng, n)
                m = ours.mean(x, unit="", bounds=(0, 1) if bounded else None)
                half = stats.t.ppf(0.975, n - 1) * x.std(ddof=1) / np.sqrt(n)
                return {
                    "t corrected for skewness (ours)": (m.low, m.high),
                    "t": (x.mean() - half, x.mean() + half),
                }

            rows += _simulate("mean", f"{name} n={n}", draw, truth, runs)
    return rows


def areas(runs: int) -> list[Row]:
    rows = []
    for area in (0.8, 0.95, 0.99):
        for m, n in ((20, 200), (50, 50), (100, 1000)):
            shift = np.sqrt(2) * ndtri(area)
            positive = np.arange(m + n) < m

            def draw(
                rng: np.random.Generator, shift: float = shift, positive: np.ndarray = positive
            ) -> dict[str, Ends]:
                from roadworthy.statistics.auc import delong

                scores = rng.normal(size=positive.size) + shift * positive
                found = ours.auc(scores, positive)
                plain = delong(scores, positive)
                half = Z * np.sqrt(plain.variance)
                return {
                    "DeLong, logit, added pair (ours)": (found.low, found.high),
                    "DeLong": (plain.value - half, plain.value + half),
                }

            rows += _simulate("auc", f"{area} m={m} n={n}", draw, area, max(runs // 4, 200))
    return rows


def gaps(runs: int) -> list[Row]:
    rows = []
    for name, sizes, p in [
        ("2 groups", [1000, 100], [0.95, 0.9]),
        ("4 groups equal", [2000, 500, 100, 50], [0.2] * 4),
        ("4 groups", [2000, 500, 100, 50], [0.9, 0.9, 0.85, 0.85]),
        ("8 groups equal", [2000, 1000, 500, 200, 100, 50, 30, 20], [0.3] * 8),
        ("12 groups", [50] * 12, [0.55, 0.45] * 6),
        ("40 groups", [300] * 40, [0.55, 0.5] * 20),
    ]:

        def draw(
            rng: np.random.Generator, sizes: list[int] = sizes, p: list[float] = p
        ) -> dict[str, Ends]:
            hits = rng.binomial(sizes, p)
            m = ours.largest_gap(hits, sizes)
            share = rng.binomial(sizes, hits / sizes, (299, len(sizes))) / sizes
            drawn = np.quantile(share.max(axis=1) - share.min(axis=1), [0.025, 0.975])
            return {
                "inverted test (ours)": (m.low, m.high),
                "percentile bootstrap": (drawn[0], drawn[1]),
            }

        rows += _simulate("largest gap", name, draw, max(p) - min(p), max(runs // 4, 200))
    return rows


def bootstraps(runs: int) -> list[Row]:
    rows = []
    for n in (30, 100, 300):

        def draw(rng: np.random.Generator, n: int = n) -> dict[str, Ends]:
            x = rng.exponential(size=n)
            m = ours.bootstrap(np.mean, [x], rng, 399, unit="")
            drawn = np.quantile(x[rng.integers(0, n, (399, n))].mean(axis=1), [0.025, 0.975])
            return {"BCa, widened (ours)": (m.low, m.high), "percentile": (drawn[0], drawn[1])}

        rows += _simulate("bootstrap", f"mean of exponential n={n}", draw, 1.0, max(runs // 5, 200))
    return rows


def excesses(runs: int) -> list[Row]:
    rows, bins, n = [], 15, 1000
    for pattern in ("even", "one bin"):
        for truth in (0.0, 0.05, 0.1):
            shift = np.full(bins, truth) if pattern == "even" else np.eye(bins)[0] * truth * bins
            error = 0.4 / np.sqrt(n / bins)
            start = np.random.default_rng(0)
            null = np.abs(start.normal(0, error, (2000, bins))).mean(axis=1)

            def draw(
                rng: np.random.Generator,
                shift: np.ndarray = shift,
                error: float = error,
                null: np.ndarray = null,
            ) -> dict[str, Ends]:
                observed = np.abs(shift + rng.normal(0, error, bins)).mean()
                spread = np.abs(shift + rng.normal(0, error, (200, bins))).mean(axis=1)
                m = ours.excess_over_null(float(observed), null, n=n, unit="", replicates=spread)
                moved = np.quantile(spread, [0.025, 0.975]) - null.mean()
                return {
                    "inverted test (ours)": (m.low, m.high),
                    "percentile less the null's mean": (moved[0], moved[1]),
                }

            setting = f"{pattern}, truth {truth}"
            rows += _simulate("excess over null", setting, draw, truth, max(runs // 4, 200))
    return rows


def _exact(
    what: str,
    setting: str,
    method: str,
    chance: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    truth: float,
) -> Row:
    return Row(
        what,
        setting,
        method,
        float(chance[low > truth + 1e-9].sum()),
        float(chance[high < truth - 1e-9].sum()),
        float(np.sum(chance * (high - low)) / chance.sum()),
    )


def _simulate(
    what: str,
    setting: str,
    draw: Callable[[np.random.Generator], dict[str, Ends]],
    truth: float,
    runs: int,
) -> list[Row]:
    rng = np.random.default_rng(1)
    found: dict[str, list[Ends]] = {}
    for _ in range(runs):
        for method, ends in draw(rng).items():
            found.setdefault(method, []).append(ends)
    rows = []
    for method, pairs in found.items():
        low, high = np.array(pairs).T
        above, below = np.mean(low > truth + 1e-12), np.mean(high < truth - 1e-12)
        rows.append(Row(what, setting, method, above, below, float(np.mean(high - low))))
    return rows


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{'what':17}{'setting':32}{'method':38}{'above':>8}{'below':>8}{'width':>9}")
    for rows in (
        rates(),
        differences(),
        paired(runs),
        means(runs),
        areas(runs),
        gaps(runs),
        bootstraps(runs),
        excesses(runs),
    ):
        for row in rows:
            marks = "".join("*" if error > 0.035 else " " for error in (row.above, row.below))
            print(
                f"{row.what:17}{row.setting:32}{row.method:38}"
                f"{row.above:8.4f}{row.below:8.4f}{row.width:9.4f} {marks}".rstrip()
            )
    print("above, below: share of intervals wholly above or below the truth; * more than 3.5 %.")


if __name__ == "__main__":
    main()
