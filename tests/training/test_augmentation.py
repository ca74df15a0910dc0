"""Every kind of augmentation, by what it must leave and what it must change."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.subject import Augmentation, Column, Network, Recipe
from roadworthy.training.augmentation import Augmenter, Batch, Part, augmenter
from roadworthy.training.geometry import Warp, warped
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train
from roadworthy.training.objective import cross_entropy, squared_error
from roadworthy.training.streaming import rows_on

RNG = np.random.default_rng(0)
KINDS = (
    *("rotation", "scaling", "flip", "vertical_flip", "shift", "noise", "mixup", "cutmix"),
    *("mask", "jitter"),
)
SHAPES = {
    "images": (9, 12),
    "channels first": (3, 9, 12),
    "channels last": (9, 12, 3),
    "series": (16,),
    "series of channels": (2, 16),
}
COLUMNS = (
    Column("age", "numeric"),
    Column("colour", "category", ("red", "green")),
    Column("income", "numeric"),
)


def given(
    inputs: np.ndarray,
    *wanted: tuple[str, float],
    columns: Sequence[Column] = (),
    module: nn.Module | None = None,
    seed: int = 0,
) -> Augmenter:
    recipe = Recipe(augmentation=tuple(Augmentation(*each) for each in wanted), seed=seed)
    module = module or nn.Linear(2, 2)
    rows = rows_on(Examples(inputs, np.zeros(len(inputs), np.int64)), module, "cpu")
    return augmenter(recipe, rows, module, columns)


def batch_of(inputs: np.ndarray, target: Tensor | None = None) -> Batch:
    target = torch.arange(len(inputs)) if target is None else target
    return Batch(torch.tensor(inputs, dtype=torch.float32), (Part(target),))


def changed(
    inputs: np.ndarray, *wanted: tuple[str, float], columns: Sequence[Column] = ()
) -> np.ndarray:
    return given(inputs, *wanted, columns=columns)(batch_of(inputs)).inputs.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_an_amount_of_zero_trains_the_same_weights(kind: str) -> None:
    rows = Examples(RNG.normal(size=(40, 8)), RNG.integers(0, 2, 40))
    network = Network(lambda: nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.2), nn.Linear(4, 2)))
    plain = Recipe(epochs=2, batch_size=16, patience=None)
    none = replace(plain, augmentation=(Augmentation(kind, 0.0),))  # type: ignore[arg-type]
    first, again = train(network, plain, rows), train(network, none, rows)
    assert all((first[name] == again[name]).all() for name in first)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", ["rotation", "scaling", "flip", "shift", "noise", "cutmix"])
def test_shape_and_input_stay_and_values_change(kind: str, shape: tuple[int, ...]) -> None:
    inputs = RNG.normal(size=(20, *shape))
    if kind == "rotation" and "series" in {v: k for k, v in SHAPES.items()}[shape]:
        with pytest.raises(UserError, match=r'"rotation", but .* of shape \(n, .*flip, '):
            given(inputs, (kind, 0.5))
        return
    batch = batch_of(inputs)
    before = batch.inputs.clone()
    found = given(inputs, (kind, 0.5))(batch)
    assert found.inputs.shape == before.shape
    assert torch.equal(batch.inputs, before)
    assert not torch.equal(found.inputs, before)


def test_flips_are_exact_mirror_images_of_the_share_of_rows() -> None:
    for shape, across, down in ((SHAPES["images"], 2, 1), (SHAPES["channels first"], 3, 2)):
        inputs = RNG.normal(size=(4, *shape)).astype(np.float32)
        assert (changed(inputs, ("flip", 1.0)) == np.flip(inputs, across)).all()
        assert (changed(inputs, ("vertical_flip", 1.0)) == np.flip(inputs, down)).all()
    last = RNG.normal(size=(2000, *SHAPES["channels last"])).astype(np.float32)
    assert (changed(last, ("flip", 1.0)) == np.flip(last, 2)).all()
    found = changed(last, ("flip", 0.3))
    mirrored = (found == np.flip(last, 2)).all(axis=(1, 2, 3))
    assert (mirrored | (found == last).all(axis=(1, 2, 3))).all()
    assert mirrored.mean() == pytest.approx(0.3, abs=0.03)
    series = RNG.normal(size=(3, 2, 16)).astype(np.float32)
    assert (changed(series, ("flip", 1.0)) == series[:, :, ::-1]).all()


def test_neighbouring_moves_are_one_interpolation() -> None:
    inputs = RNG.normal(size=(5, 9, 12))
    augment = given(inputs, ("rotation", 20.0), ("shift", 0.2), ("scaling", 0.3))
    generator = torch.Generator()
    generator.set_state(augment.generator.get_state())
    matrices = torch.eye(3)
    for warp in (Warp("rotation", 20.0), Warp("shift", 0.2), Warp("scaling", 0.3)):
        matrices = matrices @ warp.matrices(5, 9, 12, generator)
    expected = warped(torch.tensor(inputs, dtype=torch.float32)[:, None], matrices)[:, 0]
    assert torch.allclose(augment(batch_of(inputs)).inputs, expected, atol=1e-5)


def test_a_series_is_shifted_in_time() -> None:
    ramp = np.tile(np.arange(50.0), (30, 1))
    found = changed(ramp, ("shift", 0.1))
    steps = ramp - found
    middle = steps[:, 10:40]
    assert np.ptp(middle, axis=1).max() < 1e-3  # all of a row by the same time
    assert 4 < np.abs(middle).max() <= 5.001


def test_noise_has_its_spread_in_standard_deviations_of_each_channel() -> None:
    inputs = RNG.normal(size=(500, 3, 9, 12)) * np.array([1, 10, 100])[:, None, None]
    noise = changed(inputs, ("noise", 0.5)) - inputs
    assert noise.std(axis=(0, 2, 3)) == pytest.approx([0.5, 5, 50], rel=0.05)
    flat = inputs[:, :, 0, 0]
    assert (changed(flat, ("noise", 0.1)) - flat).std(axis=0) == pytest.approx(
        0.1 * flat.std(axis=0), rel=0.15
    )


def test_mixup_is_convex_and_targets_share_as_inputs_do() -> None:
    batch = batch_of(np.eye(8))
    found = given(np.eye(8), ("mixup", 1.0))(batch)
    mixed = found.inputs
    assert mixed.sum(dim=1) == pytest.approx(torch.ones(8), abs=1e-6)
    assert bool((mixed >= 0).all())
    own, other = found.parts
    # Row i of the unit matrix: the share of row j in it is its value at j.
    shares = torch.zeros(8, 8)
    for part in (own, other):
        assert part.weights is not None
        shares[torch.arange(8), part.target] += part.weights
    assert torch.allclose(shares, mixed, atol=1e-6)
    assert float((mixed.diagonal() < 0.999).float().mean()) > 0.5


def test_shares_of_mixup_follow_the_beta_distribution() -> None:
    found = given(np.zeros((4000, 4)), ("mixup", 0.4))(batch_of(np.zeros((4000, 4))))
    share = found.parts[0].weights
    assert share is not None
    assert float(share.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(share.var()) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)


def test_the_loss_of_a_mixture_is_the_mixture_of_losses_or_targets() -> None:
    outputs, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    batch = given(np.eye(6), ("mixup", 1.0))(batch_of(np.eye(6), labels))
    own, other = batch.parts
    assert own.weights is not None
    each = [
        float(w) * float(cross_entropy(outputs[i : i + 1], own.target[i : i + 1], 0.1))
        + (1 - float(w)) * float(cross_entropy(outputs[i : i + 1], other.target[i : i + 1], 0.1))
        for i, w in enumerate(own.weights)
    ]
    assert float(batch.loss(outputs, cross_entropy, 0.1)) == pytest.approx(np.mean(each), rel=1e-5)
    numbers = torch.arange(6.0)
    mixed = given(np.eye(6), ("mixup", 1.0))(batch_of(np.eye(6), numbers))
    target = mixed.inputs @ numbers
    expected = float(((outputs[:, 0] - target) ** 2).mean())
    found = float(mixed.loss(outputs[:, 0], squared_error(1.0), 0.0))
    assert found == pytest.approx(expected, rel=1e-5)


def test_weights_of_rows_go_with_their_targets() -> None:
    weights = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8])
    inputs = torch.eye(8)
    labels = torch.arange(8)
    augment = given(np.eye(8), ("mixup", 1.0), ("cutmix", 1.0))
    found = augment(Batch(inputs, (Part(labels, weights),)))
    assert len(found.parts) == 4
    # Each part's weight over that of the row whose target it is: shares, which sum to 1.
    shares = torch.stack(
        [p.weights / weights[p.target] for p in found.parts if p.weights is not None]
    )
    assert torch.allclose(shares.sum(dim=0), torch.ones(8), atol=1e-6)


@pytest.mark.parametrize("shape", [(9, 12), (2, 9, 12), (9, 12, 3), (40,), (2, 40)])
def test_cutmix_pastes_one_box_and_shares_by_its_area(shape: tuple[int, ...]) -> None:
    values = np.arange(1.0, 31.0)
    inputs = np.ones((30, *shape)) * values.reshape(-1, *[1] * len(shape))
    found = given(inputs, ("cutmix", 1.0))(batch_of(inputs))
    own, other = found.parts
    assert own.weights is not None
    for i in range(30):
        pixels = found.inputs[i]
        is_own = pixels == values[i]
        assert bool((is_own | (pixels == values[other.target[i]])).all())
        if other.target[i] != i:
            assert float(is_own.float().mean()) == pytest.approx(float(own.weights[i]), abs=1e-5)
        if shape == (9, 12) and not bool(is_own.all()) and other.target[i] != i:
            rows, columns = np.nonzero(~is_own.numpy())
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert 0.05 < 1 - float(own.weights.mean()) < 0.6


def test_a_mask_takes_cells_from_other_rows_of_the_same_column() -> None:
    inputs = np.arange(2000.0)[:, None] + 10_000 * np.arange(3)
    found = changed(inputs, ("mask", 0.2), columns=COLUMNS)
    assert (found // 10_000 == np.arange(3)).all()
    assert (found != inputs).mean(axis=0) == pytest.approx(np.full(3, 0.2), abs=0.03)


def test_jitter_moves_numeric_columns_alone() -> None:
    inputs = RNG.normal(size=(3000, 3)) * [1, 1, 50]
    inputs[:, 1] = RNG.integers(0, 2, 3000)
    inputs[7, 0] = np.nan
    for columns in (COLUMNS, ()):
        moved = changed(inputs, ("jitter", 0.1), columns=columns) - inputs
        assert np.nanstd(moved[:, 0]) == pytest.approx(0.1, rel=0.06)
        assert moved[:, 2].std() == pytest.approx(5, rel=0.06)
        assert (moved[:, 1] == 0).all()
        assert np.isnan(moved[7, 0])
        assert np.isnan(moved).sum() == 1


def test_mixup_of_a_table_leaves_categories_and_missing_values() -> None:
    inputs = RNG.normal(size=(50, 3))
    inputs[:, 1] = RNG.integers(0, 2, 50)
    inputs[3, 0] = np.nan
    found = changed(inputs, ("mixup", 1.0), columns=COLUMNS)
    assert (found[:, 1] == inputs[:, 1]).all()
    assert np.isnan(found[3, 0])
    assert np.isnan(found).sum() == 1
    assert (found[:, 2] != inputs[:, 2]).mean() > 0.8


def test_the_default_network_tells_its_columns() -> None:
    from roadworthy.training.tables import TableNetwork, TableShape

    module = TableNetwork(TableShape((0, 2), (1,), (2,), 2))
    whole = np.tile(np.arange(10.0), (3, 1)).T  # numbers that look like categories
    moved = given(whole, ("jitter", 0.1), module=module)(batch_of(whole)).inputs.numpy() - whole
    assert ((moved != 0).any(axis=0) == [True, False, True]).all()


@pytest.mark.parametrize(
    ("inputs", "columns", "kind", "fits"),
    [
        (np.zeros((5, 3)), COLUMNS, "rotation", "a table of shape \\(n, 3\\).*jitter, mask, mixup"),
        (np.zeros((5, 3)), COLUMNS, "noise", "jitter, mask"),
        (np.zeros((5, 9, 9)), (), "jitter", "images of shape .n, 9, 9.*noise, rotation"),
        (np.zeros((5, 2, 4, 9, 9)), (), "flip", "without a known layout.*mixup, noise"),
        (np.zeros((5, 3)), (), "jitter", "no column of the inputs .n, 3. is numeric"),
    ],
)
def test_kinds_that_make_no_sense_are_refused_with_those_that_do(
    inputs: np.ndarray, columns: Sequence[Column], kind: str, fits: str
) -> None:
    with pytest.raises(UserError, match=f'"{kind}", but .*{fits}'):
        given(inputs, (kind, 0.1), columns=columns)


def test_looked_up_codes_may_be_masked_and_nothing_else() -> None:
    codes, module = np.arange(20).reshape(10, 2), nn.Embedding(20, 2)
    found = given(codes, ("mask", 0.5), module=module)(
        Batch(torch.tensor(codes), (Part(torch.zeros(10)),))
    )
    assert found.inputs.dtype == torch.int64
    with pytest.raises(UserError, match="codes that the model looks up"):
        given(codes, ("noise", 0.5), module=module)


@pytest.mark.parametrize(
    ("kind", "amount"), [("noise", -1.0), ("flip", 1.5), ("scaling", 1.0), ("mixup", float("inf"))]
)
def test_amounts_out_of_range_are_refused(kind: str, amount: float) -> None:
    with pytest.raises(UserError, match=f'"{kind}" by {amount:g}; a finite amount'):
        given(np.zeros((5, 9, 9)), (kind, amount))


def test_random_numbers_depend_on_the_seed_of_the_recipe_alone() -> None:
    inputs = RNG.normal(size=(20, 6))
    augment, again = given(inputs, ("noise", 1.0)), given(inputs, ("noise", 1.0))
    torch.rand(3)
    assert torch.equal(augment(batch_of(inputs)).inputs, again(batch_of(inputs)).inputs)
    other = given(inputs, ("noise", 1.0), seed=1)
    assert not torch.equal(
        other(batch_of(inputs)).inputs, given(inputs, ("noise", 1.0))(batch_of(inputs)).inputs
    )


def test_validation_changes_nothing_in_an_augmented_training() -> None:
    network = Network(lambda: nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 2)))
    rows = Examples(RNG.normal(size=(60, 6)), RNG.integers(0, 2, 60))
    recipe = Recipe(
        epochs=1,
        batch_size=16,
        augmentation=(Augmentation("noise", 0.3), Augmentation("mixup", 0.2)),
    )
    alone, with_validation = train(network, recipe, rows), train(network, recipe, rows, rows)
    assert all((alone[name] == with_validation[name]).all() for name in alone)
