"""Power laws are recovered, their intervals cover what is known, and odd curves are named."""

import numpy as np
import pytest
from scipy.optimize import nnls

from roadworthy.statistics.learning_curve import EXPONENTS, fit_power_law, learning_curve

SIZES = np.array([31, 62, 125, 250, 500, 1000])


def drawn(
    rng: np.random.Generator, law: np.ndarray, rows: int = 1500, draws: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Return sizes and errors of trainings with these expected errors; rows are alike for all models."""
    p = np.tile(law, draws)[:, None]
    hard = rng.normal(size=rows) * np.sqrt(0.8)
    luck = rng.normal(size=(p.size, rows)) * np.sqrt(0.2)
    cut = np.quantile(rng.normal(size=200_000), np.clip(p, 0, 1))
    return np.tile(SIZES, draws), (hard + luck < cut).astype(float)


@pytest.mark.parametrize(("c", "a", "b"), [(0.05, 2.0, 0.5), (0.0, 1.0, 0.3), (0.2, 5.0, 1.0)])
def test_a_curve_without_noise_is_recovered(c: float, a: float, b: float) -> None:
    law = fit_power_law(SIZES, c + a * SIZES**-b)
    assert law.at(2000) == pytest.approx(c + a * 2000**-b, abs=1e-3)
    assert law.exponent == pytest.approx(b, rel=0.04)  # the step of the grid


def test_the_fit_is_the_best_of_scipys_over_the_same_grid() -> None:
    rng = np.random.default_rng(0)
    y = 0.1 + 1.5 * SIZES**-0.4 + 0.02 * rng.normal(size=6)
    w = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = []
    for b in EXPONENTS:
        x = np.column_stack([np.ones(6), SIZES**-b])
        (c, a), rest = nnls(x * np.sqrt(w)[:, None], y * np.sqrt(w))
        found.append((rest, c, a, b))
    _, c, a, b = min(found)
    law = fit_power_law(SIZES, y, w)
    assert law == pytest.approx((c, a, b), rel=1e-6)


def test_without_a_floor_a_rising_curve_and_one_that_falls_to_zero_stay_within_bounds() -> None:
    assert fit_power_law(SIZES, SIZES / 1e4).amplitude == 0.0
    flat = fit_power_law(SIZES, np.full(6, 0.3))
    assert flat.at(1e6) == pytest.approx(0.3)
    assert fit_power_law(SIZES, 3.0 * SIZES**-0.7, floor=False).floor == 0.0


@pytest.mark.parametrize(("c", "b"), [(0.05, 0.5), (0.0, 0.3), (0.15, 0.8)])
def test_intervals_cover_the_known_error_and_saving(c: float, b: float) -> None:
    a = 0.03 * 1000**b  # 0.51 at most
    law = c + a * SIZES**-b
    now, doubled = c + a * 1000.0**-b, c + a * 2000.0**-b
    covered = {"error": 0, "saved": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        curve = learning_curve(*drawn(rng, law), rng, 199)
        error = curve.error_at(2000, unit="share of rows")
        saved = curve.saved(1000, 2000, unit="share of rows")
        covered["error"] += error.low <= doubled <= error.high
        covered["saved"] += saved.low <= now - doubled <= saved.high
    # with a coverage of 95 %, 52 of 60 or fewer have a chance of 1 %
    assert min(covered.values()) >= 53, covered


def test_a_curve_that_grows_is_named_and_a_falling_one_is_not() -> None:
    rng = np.random.default_rng(1)
    falling = np.array([0.4, 0.3, 0.24, 0.2, 0.17, 0.15])
    peak = np.array([0.4, 0.3, 0.2, 0.3, 0.2, 0.15])
    assert not learning_curve(*drawn(rng, falling), rng, 199).rises()
    assert (125.0, 250.0) in learning_curve(*drawn(rng, peak), rng, 199).rises()


def test_a_flat_curve_is_seldom_called_ill_behaved() -> None:
    called = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        called += bool(learning_curve(*drawn(rng, np.full(6, 0.2), 500, 2), rng, 199).rises())
    assert called <= 12  # 5 % of 100 and what chance adds


def test_rows_of_one_person_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    sizes, errors = drawn(rng, 0.1 + SIZES**-0.5, 300)
    copied, person = np.repeat(errors, 5, axis=1), np.repeat(np.arange(300), 5)
    apart = learning_curve(sizes, copied, np.random.default_rng(0), 199)
    together = learning_curve(sizes, copied, np.random.default_rng(0), 199, person)
    once = learning_curve(sizes, errors, np.random.default_rng(0), 199)
    assert together.errors == pytest.approx(once.errors, rel=1e-3)
    assert (apart.errors < together.errors).all()


def test_no_mistake_at_all_leaves_doubt() -> None:
    rng = np.random.default_rng(3)
    curve = learning_curve(SIZES, np.zeros((6, 100)), rng, 199)
    error = curve.error_at(1000, unit="share of rows")
    assert error.value == 0.0
    assert error.high > 0.0


def test_what_the_backtest_missed_widens_what_lies_ahead_and_nothing_within() -> None:
    sizes = np.array([50, 100, 200, 400, 800, 1600])
    kinked = np.array([0.40, 0.36, 0.33, 0.31, 0.20, 0.12])  # no power law foresees the last two
    rng = np.random.default_rng(0)
    curve = learning_curve(sizes, rng.random((6, 5000)) < kinked[:, None], rng)
    ahead, within = (curve.error_at(n, unit="share of rows") for n in (3200, 1600))

    # by hand: the outer of both fits' resampled quantiles, and half of the miss for one doubling
    def ends(n: float) -> tuple[float, float]:
        needs_floor = float(np.mean(curve.replicates[0].floor > 0)) >= 0.975
        drawn = [laws.at(n) for laws in curve.replicates[: 1 if needs_floor else 2]]
        return min(np.quantile(d, 0.025) for d in drawn), max(np.quantile(d, 0.975) for d in drawn)

    miss = curve.miss_per_doubling(of_changes=False)
    assert miss > 0.02
    assert ahead.high - ends(3200)[1] == pytest.approx(0.5 * miss, rel=0.02)
    assert ends(3200)[0] - ahead.low == pytest.approx(0.5 * miss, rel=0.02)
    assert (within.low, within.high) == pytest.approx(ends(1600), abs=2e-3)
    # of what is saved, a quarter at the lower end
    saved = curve.saved(1600, 3200, unit="share of rows")
    fits = (
        curve.replicates[:1]
        if float(np.mean(curve.replicates[0].floor > 0)) >= 0.975
        else curve.replicates
    )
    gains = [laws.at(1600) - laws.at(3200) for laws in fits]
    change = curve.miss_per_doubling(of_changes=True)
    least = min(np.quantile(g, 0.025) for g in gains)
    most = max(np.quantile(g, 0.975) for g in gains)
    assert least - saved.low == pytest.approx(0.25 * change, rel=0.02)
    assert saved.high - most == pytest.approx(0.5 * change, rel=0.02)


def test_farther_ahead_is_less_sure() -> None:
    rng = np.random.default_rng(4)
    curve = learning_curve(*drawn(rng, 0.05 + 2.0 * SIZES**-0.5), rng, 199)
    widths = [
        (m := curve.error_at(n, unit="share of rows")).high - m.low for n in (1000, 2000, 8000)
    ]
    assert widths == sorted(widths)


def test_the_order_of_trainings_and_of_test_rows_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    sizes, errors = drawn(rng, 0.05 + 2.0 * SIZES**-0.5, 400)
    models, rows = rng.permutation(len(sizes)), rng.permutation(400)
    found = [
        learning_curve(s, e, np.random.default_rng(0), 199).saved(1000, 2000, unit="share of rows")
        for s, e in ((sizes, errors), (sizes[models], errors[models][:, rows]))
    ]
    ends = [(m.value, m.low, m.high) for m in found]
    assert ends[0] == pytest.approx(ends[1], abs=1e-9)
