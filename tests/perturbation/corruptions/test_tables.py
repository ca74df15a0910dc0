"""Corruptions of tables: the cells that are hit, by how much, and what they become."""

import numpy as np
import pytest

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.corruptions import (
    TABLE_SUITE,
    corrupted_table,
    table_facts,
    table_kinds_for,
)
from roadworthy.perturbation.noise import RowNoise
from roadworthy.subject import Column

COLUMNS = (
    Column("age", "numeric"),
    Column("income", "numeric"),
    Column("city", "category", ("a", "b", "c")),
    Column("height", "numeric"),
)
N = 4_000


def table(n: int = N) -> np.ndarray:
    rng = np.random.default_rng(1)
    columns = [
        rng.normal(40, 10, n),
        rng.normal(-3, 2, n),
        rng.integers(0, 3, n),
        rng.normal(1.7, 0.1, n),
    ]
    found = np.stack(columns, axis=1).astype(np.float64)
    found[::50, 0] = np.nan
    return found


def noise_of(n: int = N) -> RowNoise:
    return RowNoise(np.arange(n, dtype=np.uint64) * np.uint64(31))


def applied(kind: str, severity: float) -> tuple[np.ndarray, np.ndarray]:
    x = table()
    return x, corrupted_table(x, kind, severity, noise_of(), facts=table_facts(x, COLUMNS))


def changed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ~((x == y) | (np.isnan(x) & np.isnan(y)))


def test_the_suite_has_enough_kinds() -> None:
    assert len({kind.name for kind in TABLE_SUITE}) == len(TABLE_SUITE) >= 10
    assert table_kinds_for(COLUMNS) == tuple(kind.name for kind in TABLE_SUITE)
    assert "category swap" not in table_kinds_for(COLUMNS[:2])
    assert "sign flip" not in table_kinds_for(COLUMNS[2:3])
    assert "swapped columns" not in table_kinds_for(COLUMNS[:1])


@pytest.mark.parametrize("kind", [k.name for k in TABLE_SUITE])
def test_nothing_at_0_more_with_severity_and_alike_however_rows_are_cut(kind: str) -> None:
    x, same = applied(kind, 0)
    assert same is x
    hit = [changed(*applied(kind, s)) for s in (1, 3, 5)]
    assert 0 < hit[0].sum() <= hit[1].sum() <= hit[2].sum()
    if kind not in (
        "rounding",
        "stale values",
        "stuck sensor",
    ):  # there a cell may be hit without a change
        assert (hit[0] <= hit[1]).all()
        assert (hit[1] <= hit[2]).all()
    facts = table_facts(x, COLUMNS)
    order = np.array([17, 3, 2_000])
    part = corrupted_table(x[order], kind, 3, noise_of().take(order), facts=facts)
    np.testing.assert_array_equal(part, applied(kind, 3)[1][order])


@pytest.mark.parametrize(
    "kind",
    [
        "outliers",
        "unit error x 10",
        "unit error x 1000",
        "sign flip",
        "category swap",
        "unseen category",
    ],
)
def test_a_tenth_of_the_cells_at_severity_3(kind: str) -> None:
    x, y = applied(kind, 3)
    of_category = kind.endswith(("swap", "category"))
    columns = [2] if of_category else [1, 3]
    assert changed(x, y)[:, columns].mean() == pytest.approx(0.1, abs=0.012)
    others = [j for j in range(4) if (j == 2) != of_category]
    assert not changed(x, y)[:, others].any()


def test_noise_is_in_units_of_spread() -> None:
    x, y = applied("gaussian noise", 1)  # 20 dB: a tenth of the spread
    assert np.nanstd(y[:, 0] - x[:, 0]) == pytest.approx(1.0, rel=0.06)
    assert np.nanstd(y[:, 3] - x[:, 3]) == pytest.approx(0.01, rel=0.06)
    x, y = applied("rounding", 3)  # 12 dB: .251 of the spread
    assert np.sqrt(np.nanmean((y[:, 1] - x[:, 1]) ** 2)) == pytest.approx(0.5, rel=0.06)
    x, y = applied("offset", 1)
    assert np.abs(y[:, 1] - x[:, 1]) == pytest.approx(0.2, rel=0.05)


def test_what_cells_become() -> None:
    x, y = applied("unit error x 1000", 5)
    hit = changed(x, y)
    np.testing.assert_allclose(y[hit], 1000 * x[hit])
    x, y = applied("unseen category", 5)
    assert set(y[changed(x, y)[:, 2], 2]) == {3.0}
    x, y = applied("category swap", 5)
    assert set(y[:, 2]) == {0.0, 1.0, 2.0}
    x, y = applied("missing at random", 5)
    assert np.isnan(y[:, 3]).mean() == pytest.approx(0.4, abs=0.03)
    x, y = applied("missing by another column", 3)
    lost = np.isnan(y[:, 1])
    assert lost.mean() == pytest.approx(0.1, abs=0.015)
    assert (x[lost, 0] > np.nanmedian(x[:, 0])).all()
    x, y = applied("saturation", 5)
    assert y[:, 1].min() == pytest.approx(np.quantile(x[:, 1], 0.2), abs=0.01)
    x, y = applied("outliers", 5)
    assert np.abs(y[changed(x, y)[:, 1], 1] + 3).min() > 18
    x, y = applied("stuck sensor", 5)
    assert len(set(y[changed(x, y)[:, 3], 3])) == 1
    x, y = applied("stale values", 5)
    assert set(y[:, 3]) <= set(x[:, 3])


def test_swapped_columns_keep_the_values_of_a_row() -> None:
    x, y = applied("swapped columns", 5)
    rows = changed(x, y)[:, 1]
    np.testing.assert_array_equal(y[rows, 0], x[rows, 1])
    np.testing.assert_array_equal(y[rows, 1], x[rows, 0])
    assert not changed(x, y)[:, 3].any()  # the third numeric column has no neighbour


def test_constant_and_empty_columns_and_no_rows() -> None:
    x = table(50)
    x[:, 0], x[:, 1] = np.nan, 7.0
    facts = table_facts(x, COLUMNS)
    for kind in table_kinds_for(COLUMNS):
        assert corrupted_table(x, kind, 3, noise_of(50), facts=facts).shape == (50, 4)
        assert corrupted_table(x[:0], kind, 3, noise_of(0), facts=facts).shape == (0, 4)
    with pytest.raises(NotApplicable, match="no rows"):
        table_facts(x[:0], COLUMNS)
