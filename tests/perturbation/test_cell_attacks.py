"""Attacks on tables against worst cases in closed form, plain random search, and any cut into shards."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import NotApplicable
from roadworthy.perturbation import cell_attacks
from roadworthy.perturbation.attack import Points, margin
from roadworthy.perturbation.cascade import Outcomes, cascade, remade
from roadworthy.perturbation.cell_attacks import (
    CellSearch,
    NumberAscent,
    SwapSearch,
    attacks_on_cells,
    needed,
)
from roadworthy.perturbation.cell_budgets import cells_within
from roadworthy.perturbation.cells import Cells
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball

NUMBERS, CATEGORIES, CODES = 6, 4, 5


class Additive(nn.Module):
    """Logits are sums of what each column says: numbers by a slope, categories by a table."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.slope = nn.Parameter(torch.randn(NUMBERS, classes, generator=generator))
        self.table = nn.Parameter(torch.randn(CATEGORIES, CODES, classes, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        codes = inputs[:, NUMBERS:].long()
        said = self.table[torch.arange(CATEGORIES), codes].sum(1)
        return inputs[:, :NUMBERS] @ self.slope + said


def table(n: int = 150) -> np.ndarray:
    rng = np.random.default_rng(2)
    numbers = rng.normal(size=(n, NUMBERS)) * 3
    numbers[:, 1] = np.round(numbers[:, 1] * 10)
    return np.column_stack([numbers, rng.integers(0, CODES, (n, CATEGORIES))])


def threat(spreads: float = 0.2, swaps: int = 1) -> Cells:
    numeric = np.arange(NUMBERS + CATEGORIES) < NUMBERS
    return cells_within(table(), numeric, np.where(numeric, spreads, 1.0), swaps=swaps)


def points(module: nn.Module, n: int = 150) -> Points:
    inputs = torch.from_numpy(table(n).astype(np.float32))
    noise = RowNoise(np.arange(n, dtype=np.uint64) * 977 + 5, 0)
    return Points(inputs, module(inputs).argmax(1), noise)


def worst(module: Additive, rows: Points, cells: Cells) -> np.ndarray:
    """The least lead of a row's class over the other one, exactly: every column by itself, the k best swaps."""
    inputs = rows.inputs.double().numpy()
    toward = (
        1 - 2 * rows.labels.numpy()[:, None]
    )  # lead = toward-signed difference of logits 0 and 1
    slope = np.diff(-module.slope.detach().double().numpy(), axis=1)[
        :, 0
    ]  # of logit 0 minus logit 1
    said = -np.diff(module.table.detach().double().numpy(), axis=2)[..., 0]
    numbers, codes = inputs[:, :NUMBERS], inputs[:, NUMBERS:].astype(int)
    lead = (numbers @ slope + said[np.arange(CATEGORIES), codes].sum(1)) * toward[:, 0]
    pull = -toward * slope
    low = np.maximum(-cells.down, np.minimum(cells.low - inputs, 0))[:, :NUMBERS]
    high = np.minimum(cells.up, np.maximum(cells.high - inputs, 0))[:, :NUMBERS]
    low[:, 1], high[:, 1] = np.trunc(low[:, 1]), np.trunc(high[:, 1])
    lead = lead - np.maximum(pull * low, pull * high).sum(1)
    of = said[np.arange(CATEGORIES), codes]
    gain = ((of[:, :, None] - said[None]) * toward[:, :, None]).max(2)
    return lead - np.sort(np.maximum(gain, 0), axis=1)[:, ::-1][:, : cells.swaps].sum(1)


@pytest.mark.parametrize("swaps", [0, 1, 2])
def test_gradients_and_swaps_find_the_worst_case_of_an_additive_model_exactly(swaps: int) -> None:
    module, cells = Additive(), threat(swaps=swaps)
    rows = points(module)
    truth = worst(module, rows, cells)
    assert 0.1 < (truth < 0).mean() < 0.9
    model = AttackedModel(module, 2)
    found = Outcomes(cascade(model, rows, cells, [NumberAscent(20), SwapSearch(3, 64, 10)]))
    np.testing.assert_array_equal(found.broken, truth < 0)
    standing = found.standing
    np.testing.assert_allclose(found.column("margin")[standing], truth[standing], atol=2e-3)


def test_numbers_alone_are_the_threat_without_swaps() -> None:
    module, cells = Additive(), threat(0.5, 0)
    rows = points(module)
    found = NumberAscent(20)(AttackedModel(module, 2), rows, cells)
    np.testing.assert_array_equal(found.margin < 0, worst(module, rows, cells) < 0)
    assert torch.equal(found.inputs[:, NUMBERS:], rows.inputs[:, NUMBERS:])


def random_points(model: AttackedModel, rows: Points, cells: Cells, queries: int) -> Tensor:
    """Return the least margin over points drawn by chance, each anew: half of the numbers at an end, k swaps."""
    generator, best = torch.Generator().manual_seed(0), torch.full((len(rows),), torch.inf)
    legal, options = cells.legal(rows.inputs), cells.options
    for query in range(queries):
        change = torch.rand(rows.inputs.shape, generator=generator) * 2 - 1
        change = change.sign() if query % 2 else change
        moved = cells.project(rows.inputs, rows.inputs + change * torch.from_numpy(cells.up))
        for _ in range(cells.swaps):
            key = torch.where(legal, torch.rand(legal.shape, generator=generator), -1.0)
            moved = options.put(moved, key.argmax(1))
        best = torch.minimum(best, margin(model.logits(moved), rows.labels))
    return best


def test_the_search_by_outputs_alone_beats_plain_random_search_at_the_same_queries() -> None:
    module, cells = Additive(), threat(swaps=2)
    rows = points(module)
    truth = worst(module, rows, cells) < 0
    model = AttackedModel(lambda inputs: module(inputs).detach(), 2)
    ours, theirs = CellSearch(300)(model, rows, cells), random_points(model, rows, cells, 300)
    assert (ours.margin < 0).sum() >= 0.97 * truth.sum()
    assert (ours.margin < 0).sum() > (theirs < 0).sum()
    both = (ours.margin >= 0) & (theirs >= 0)
    assert ours.margin[both].mean() < theirs[both].mean() - 0.2
    assert not ((ours.margin < 0).numpy() & ~truth).any()
    assert cells.allows(rows.inputs, ours.inputs).all()


def test_the_black_box_budget_is_as_good_on_an_additive_model() -> None:
    module, cells = Additive(), threat(swaps=1)
    rows = points(module)
    truth = worst(module, rows, cells) < 0
    model = AttackedModel(lambda inputs: module(inputs).detach(), 2)
    found = Outcomes(cascade(model, rows, cells, attacks_on_cells("quick", has_gradients=False)))
    assert found.broken.sum() >= 0.97 * truth.sum()
    assert (found.column("backward") == 0).all()


class Steps(nn.Module):
    """An additive model of rounded numbers: no slope anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Additive()

    def forward(self, inputs: Tensor) -> Tensor:
        rounded = torch.cat([(inputs[:, :NUMBERS] * 4).round() / 4, inputs[:, NUMBERS:]], 1)
        return self.inner(rounded) + 0 * inputs.sum(1, keepdim=True)


def test_what_hides_its_slope_is_broken_by_the_search() -> None:
    module, cells = Steps(), threat(0.5, 0)
    rows = points(module)
    found = Outcomes(
        cascade(
            AttackedModel(module, 2), rows, cells, attacks_on_cells("quick", has_gradients=True)
        )
    )
    assert found.broken_by(2).sum() > 10


def test_the_cut_into_shards_and_the_order_of_rows_change_nothing() -> None:
    torch.manual_seed(0)
    d = NUMBERS + CATEGORIES
    module = nn.Sequential(nn.Linear(d, 24), nn.Tanh(), nn.Linear(24, 3))
    cells, rows = threat(0.3, 2), points(module, 60)
    model, attacks = AttackedModel(module, 3), attacks_on_cells("quick", has_gradients=True)
    whole = cascade(model, rows, cells, attacks)
    assert 3 < Outcomes(whole).broken.sum() < 57
    for cut in (torch.arange(0, 7), torch.tensor([59, 3, 11]), torch.arange(7, 60)):
        part = cascade(model, rows.take(cut), cells, attacks)
        np.testing.assert_allclose(part, whole[cut.numpy()], rtol=1e-3, atol=1e-4)


def test_rows_are_searched_in_blocks_that_fit_and_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, cells = Additive(3), threat(0.2, 2)
    rows, model = points(module, 50), AttackedModel(module, 3)
    whole = SwapSearch(3, 16, 4)(model, rows, cells)
    monkeypatch.setattr(cell_attacks, "VALUES_AT_A_TIME", 1000)
    blocks = SwapSearch(3, 16, 4)(model, rows, cells)
    torch.testing.assert_close(blocks.margin, whole.margin)
    torch.testing.assert_close(blocks.inputs, whole.inputs)
    assert torch.equal(blocks.forward, whole.forward)


def test_what_is_needed_of_a_change_still_turns_the_answer_and_cannot_be_spared() -> None:
    module, cells = Additive(), threat(0.4, 2)
    rows, model = points(module), AttackedModel(module, 2)
    attacks = attacks_on_cells("quick", has_gradients=True)
    table = cascade(model, rows, cells, attacks)
    broken = torch.from_numpy(np.flatnonzero(Outcomes(table).broken))
    moved = remade(model, rows, cells, attacks, table)[broken]
    of = rows.take(broken)
    spared = needed(model, of, cells, moved)
    assert cells.allows(of.inputs, spared).all()
    assert (margin(module(spared), of.labels) < 0).all()
    assert (spared != of.inputs).sum() < (moved != of.inputs).sum()
    for column in range(NUMBERS, NUMBERS + CATEGORIES):
        back = spared.clone()
        back[:, column] = of.inputs[:, column]
        is_moved = spared[:, column] != of.inputs[:, column]
        assert (margin(module(back), of.labels)[is_moved] >= 0).all()


def test_missing_values_pass_through_all_attacks() -> None:
    class Forgiving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Additive()

        def forward(self, inputs: Tensor) -> Tensor:
            return self.inner(torch.where(inputs.isnan(), 0.0, inputs))

    module, cells = Forgiving(), threat(0.4, 1)
    inputs = points(module).inputs.clone()
    inputs[::3, 0] = inputs[::4, NUMBERS] = torch.nan
    rows = replace(points(module), inputs=inputs, labels=module(inputs).argmax(1))
    found = Outcomes(
        cascade(
            AttackedModel(module, 2), rows, cells, attacks_on_cells("quick", has_gradients=True)
        )
    )
    assert 0.1 < found.broken.mean() < 0.95
    assert np.isfinite(found.column("margin")).all()


def test_without_any_budget_nothing_moves_and_what_raises_goes_up() -> None:
    module, rows = Additive(), points(Additive())
    nothing = threat(0.0, 0)
    found = Outcomes(cascade(AttackedModel(module, 2), rows, nothing, [NumberAscent(5)]))
    assert not found.broken.any()

    def fails(inputs: Tensor) -> Tensor:
        raise RuntimeError("half-way")

    for attack in (SwapSearch(2, 10, 0), CellSearch(5)):
        with pytest.raises(RuntimeError, match="half-way"):
            attack(AttackedModel(fails, 2), rows, threat())
    with pytest.raises(NotApplicable, match="rows of tables"):
        CellSearch(5)(AttackedModel(module, 2), rows, Ball("linf", 0.1, 0, 1))
