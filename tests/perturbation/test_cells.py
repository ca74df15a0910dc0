"""Threats on tables: what may change, what may not, and nothing beyond after any projection."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.cell_budgets import cells_within
from roadworthy.perturbation.cells import Cells, as_facts, from_facts
from roadworthy.perturbation.noise import RowNoise

NUMERIC = np.array([True, True, False, True, True, True, True, True, False])
"""age (whole), weight, colour (a category of 3), one-hot of 3, a flag, a large number, a constant category."""


def training(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    hot = np.eye(3)[rng.integers(0, 3, n)]
    found = np.column_stack(
        [
            rng.integers(18, 80, n),
            rng.normal(70, 10, n),
            rng.integers(0, 3, n),
            hot,
            rng.integers(0, 2, n),
            1e7 + rng.normal(0, 3, n),
            np.zeros(n),
        ]
    ).astype(float)
    found[5, 1] = found[6, 2] = np.nan
    return found


def threat(spreads: float = 0.1, swaps: int = 1, **direction: list[int]) -> Cells:
    return cells_within(training(), NUMERIC, np.full(9, spreads), swaps=swaps, **direction)


def rows(n: int = 50) -> Tensor:
    return torch.from_numpy(training()[:n].astype(np.float32))


def same(a: Tensor, b: Tensor) -> Tensor:
    return (a == b) | (a.isnan() & b.isnan())


def test_budgets_are_spreads_of_the_training_rows_and_switches_are_recognised() -> None:
    cells = threat()
    inputs = training()
    low, high = np.nanquantile(inputs[:, 1], [0.25, 0.75])
    assert cells.up[1] == pytest.approx(0.1 * (high - low) / 1.349)
    assert cells.up[0] == np.floor(
        0.1 * np.subtract(*np.quantile(inputs[:, 0], [0.75, 0.25])) / 1.349
    )
    assert cells.whole.tolist()[:2] == [True, False]
    assert [s.columns for s in cells.switches] == [(2,), (3, 4, 5), (6,)]
    assert [len(s.patterns) for s in cells.switches] == [3, 3, 2]
    assert (cells.up[[2, 3, 4, 5, 6, 8]] == 0).all()
    assert "3 numbers" in cells.name
    assert cells.size == 1.0


@given(
    seed=st.integers(0, 10_000), far=st.sampled_from([0.001, 1.0, 30.0]), swaps=st.integers(0, 3)
)
def test_whatever_is_projected_is_allowed_and_what_is_allowed_stays(
    seed: int, far: float, swaps: int
) -> None:
    cells, origin = threat(0.3, swaps), rows()
    moved = origin + far * torch.randn(origin.shape, generator=torch.Generator().manual_seed(seed))
    found = cells.project(origin, moved)
    assert cells.allows(origin, found).all()
    assert same(cells.project(origin, found), found).all()
    assert (cells.distance(origin, found) <= 1 + 1e-6).all()
    assert (cells.swapped(origin, found).sum(1) <= swaps).all()
    assert (found[:, 3:6].sum(1) == 1).all()
    change = found[:, 0] - origin[:, 0]
    assert torch.equal(change, change.round())
    assert torch.equal(found.isnan(), origin.isnan())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 0.5),
        (0, 30.0),
        (1, 50.0),
        (2, 7.0),
        (3, 0.5),
        (6, 0.3),
        (7, 5.0),
        (8, 1.0),
        (1, np.nan),
        (1, np.inf),
    ],
)
def test_what_breaks_a_constraint_is_not_allowed(column: int, value: float) -> None:
    cells, origin = threat(), rows(1)
    moved = origin.clone()
    moved[0, column] = value if column in (2, 3, 6, 8) else moved[0, column] + value
    assert not cells.allows(origin, moved).any()
    assert cells.allows(origin, cells.project(origin, moved)).all()


def test_missing_stays_missing_and_is_never_made() -> None:
    cells, origin = threat(5.0, 3), rows(10)
    filled = origin.nan_to_num(nan=1.0)
    assert cells.allows(origin, filled).tolist() == [i not in (5, 6) for i in range(10)]
    assert torch.equal(cells.project(origin, filled).isnan(), origin.isnan())
    assert not cells.legal(origin)[6, :3].any()
    assert cells.legal(origin)[5, :3].sum() == 2


def test_rising_columns_never_fall_and_fixed_ones_stay() -> None:
    cells = threat(1.0, 3, rising=[1, 6], falling=[0])
    origin = rows()
    for sign in (-1.0, 1.0):
        found = cells.project(origin, origin + sign * 100)
        change = (found - origin).nan_to_num()
        assert (change[:, 1] >= 0).all()
        assert (change[:, 0] <= 0).all()
        assert (change[:, 6] >= 0).all()
    put = origin.clone()
    put[:, 6] = 1.0
    assert cells.allows(origin, put).all()
    assert not cells.allows(put, origin)[origin[:, 6] == 0].any()
    fixed = cells_within(training(), NUMERIC, np.zeros(9), swaps=2)
    assert fixed.size == 0
    assert same(fixed.project(origin, origin + 3), origin).all()


def test_nothing_leaves_the_range_of_training_but_what_was_outside_may_stay() -> None:
    cells, origin = threat(3.0), rows(20)
    high = np.nanmax(training()[:, 1])
    assert (cells.project(origin, origin + 100)[:, 1].nan_to_num() <= high).all()
    origin[3, 1] = 500.0
    up, down = (cells.project(origin, origin + s * 100)[3, 1] for s in (1, -1))
    assert up == 500.0
    assert 400 < down < 500


def test_swaps_are_counted_by_group_and_distance_is_the_share_of_the_budget() -> None:
    cells, origin = threat(0.1, 2), rows(1)
    moved = origin.clone()
    moved[0, 3:6] = origin[0, 3:6].roll(1)
    assert cells.swapped(origin, moved).sum() == 1
    assert cells.distance(origin, moved) == 0.5
    moved[0, 1] += 0.75 * float(cells.up[1])
    assert cells.distance(origin, moved) == pytest.approx(0.75, rel=1e-3)
    assert cells.used(origin, moved)[0, 1] == pytest.approx(0.75, rel=1e-3)
    assert (cells.used(origin, moved)[0, 3:6] != 0).sum() == 2


def test_columns_of_flags_that_are_not_exclusive_are_no_group() -> None:
    rng = np.random.default_rng(1)
    loose = rng.integers(0, 2, (100, 4)).astype(float)
    pair = np.column_stack([loose, 1 - loose[:, 3]])
    cells = cells_within(pair, np.full(5, True), np.ones(5), swaps=1)
    assert [s.columns for s in cells.switches] == [(0,), (1,), (2,), (3, 4)]
    with pytest.raises(UserError, match=r"column 3 \(from 0\) cannot rise"):
        cells_within(pair, np.full(5, True), np.ones(5), swaps=1, rising=[3])


def test_groups_of_flags_are_found_wherever_their_columns_lie() -> None:
    rng = np.random.default_rng(2)
    job, town = rng.integers(0, 3, 400), rng.choice(4, 400, p=[0.4, 0.4, 0.15, 0.05])
    jobs, towns = np.eye(3)[job], np.eye(4)[town]
    free = rng.integers(0, 2, (400, 1)).astype(float)
    # Two categories whose columns alternate, a flag of its own between them.
    mixed = np.column_stack(
        [jobs[:, 0], towns[:, 0], jobs[:, 1], free, towns[:, 1:3], jobs[:, 2], towns[:, 3]]
    )
    cells = cells_within(mixed, np.full(8, True), np.ones(8), swaps=1)
    assert [s.columns for s in cells.switches] == [(0, 2, 6), (1, 4, 5, 7), (3,)]
    assert cells.switches[0].patterns == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert cells.switches[2].patterns == ((0.0,), (1.0,))


def test_a_category_without_a_column_for_its_first_value_is_a_group_where_luck_does_not_explain_it() -> (
    None
):
    rng = np.random.default_rng(3)
    job = np.eye(4)[rng.choice(4, 400, p=[0.4, 0.3, 0.2, 0.1])][:, 1:]
    cells = cells_within(job, np.full(3, True), np.ones(3), swaps=1)
    (switch,) = cells.switches
    assert switch.columns == (0, 1, 2)
    assert switch.patterns[0] == (0.0, 0.0, 0.0)
    assert len(switch.patterns) == 4
    # Two rare flags that never meet in so few rows are no group.
    rare = np.zeros((400, 2))
    rare[:20, 0], rare[20:40, 1] = 1.0, 1.0
    found = cells_within(rare, np.full(2, True), np.ones(2), swaps=1)
    assert [s.columns for s in found.switches] == [(0,), (1,)]


def test_random_starts_are_allowed_and_belong_to_the_row() -> None:
    cells, origin = threat(0.5), rows()
    noise = RowNoise(np.arange(50, dtype=np.uint64), 3)
    whole = cells.start(origin, noise, "start")
    assert cells.allows(origin, whole).all()
    assert (whole[:, 1] != origin[:, 1]).any()
    cut = np.array([9, 2])
    assert same(cells.start(origin[cut], noise.take(cut), "start"), whole[cut]).all()


def test_a_threat_is_stored_and_made_again() -> None:
    cells, origin = threat(0.4, 2, rising=[6]), rows()
    again = from_facts(as_facts(cells))
    moved = origin + torch.randn(origin.shape, generator=torch.Generator().manual_seed(0))
    assert same(cells.project(origin, moved), again.project(origin, moved)).all()


def test_budgets_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UserError, match="at least 0"):
        threat(-1.0)
    with pytest.raises(UserError, match="swaps"):
        threat(swaps=-1)
    with pytest.raises(NotApplicable, match="no training rows"):
        cells_within(np.empty((0, 2)), np.array([True, True]), np.ones(2), swaps=1)
