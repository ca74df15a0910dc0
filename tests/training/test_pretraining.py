"""Weights that start from what the inputs tell by themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.subject import Column, Network, Pretraining, Recipe
from roadworthy.subject.builtin import small_conv_net
from roadworthy.training.backbone import Backbone
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.pretext import (
    Contrast,
    HiddenCells,
    HiddenPatches,
    patches,
    views_of_arrays,
)
from roadworthy.training.pretraining import pretrained, without_structure
from roadworthy.training.running import evaluate, load
from roadworthy.training.single import trained
from roadworthy.training.tables import TableNetwork, TableShape

COLUMNS = (
    Column("age", "numeric"),
    Column("city", "category", ("a", "b", "c")),
    Column("income", "numeric"),
)
RECIPE = Recipe(epochs=5, batch_size=32, patience=None, pretraining=Pretraining("masked", 3))


def table(n: int, seed: int = 0) -> np.ndarray:
    """Income follows the city; some of either are missing."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 3, n).astype(float)
    rows = np.stack([rng.normal(40, 9, n), city, 1000 * city + rng.normal(0, 50, n)], axis=1)
    rows[rng.random(n) < 0.1, 1] = np.nan
    rows[rng.random(n) < 0.1, 2] = np.nan
    return rows


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
    )


def dense_job(recipe: Recipe = RECIPE) -> Job:
    rng = np.random.default_rng(0)
    inputs = rng.normal(3, 2, (60, 8))
    return Job(
        Network(dense), recipe, Examples(inputs, rng.integers(0, 2, 60)), unlabelled=inputs + 9
    )


def test_the_backbone_ends_where_the_last_linear_layer_begins() -> None:
    module, batch = dense().eval(), torch.randn(5, 8)
    backbone = Backbone(module)
    assert torch.equal(backbone(batch), module[:-1](batch))  # type: ignore[index]
    backbone.release()
    assert not any(layer._forward_hooks for layer in module.modules())


def test_a_head_that_is_no_linear_layer_is_left_out_alone() -> None:
    shape = TableShape.of(COLUMNS, 2)
    module = TableNetwork(shape, members=4, width=32)
    batch = torch.tensor(table(6), dtype=torch.float32)
    assert Backbone(module)(batch).shape == (6, 4 * 32)


def test_without_a_linear_layer_or_with_nothing_before_it_the_way_out_is_said() -> None:
    rows = Examples(np.zeros((6, 1, 4, 4), np.float32), np.zeros(6, np.int64))
    convolution = Network(lambda: nn.Sequential(nn.Conv2d(1, 2, 4), nn.Flatten()))
    with pytest.raises(UserError, match=r"\(Sequential\) ran without a linear layer"):
        pretrained(Job(convolution, RECIPE, rows))
    linear = Network(lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 2)))
    with pytest.raises(UserError, match="nothing to train before its last linear layer"):
        pretrained(Job(linear, RECIPE, rows))


@pytest.mark.parametrize("method", ["masked", "contrastive"])
def test_all_but_the_head_has_moved_and_a_seed_repeats_it(method: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    job = dense_job(replace(RECIPE, pretraining=Pretraining(method, 3)))  # type: ignore[arg-type]
    fresh = pretrained(replace(job, recipe=replace(RECIPE, pretraining=None)))
    assert fresh is job.network
    first, again = (pretrained(job) for _ in "ab")
    assert (torch.rand(2) == expected).all()
    torch.manual_seed(RECIPE.seed)
    start = dense().state_dict()
    torch.manual_seed(99)
    one, two = first.build().state_dict(), again.build().state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(one["4.weight"], start["4.weight"])
    assert not torch.equal(one["0.weight"], start["0.weight"])


def test_preprocessing_and_normalisation_are_those_of_the_unchanged_training_rows() -> None:
    class Prepared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(8))
            self.layers = dense()

        def prepare(self, inputs: Tensor) -> None:
            self.mean.copy_(inputs.mean(dim=0))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.layers(inputs - self.mean)

    job = replace(dense_job(), network=Network(Prepared))
    module = pretrained(job).build()
    inputs = torch.tensor(job.training.inputs, dtype=torch.float32)
    assert module.mean.numpy() == pytest.approx(inputs.mean(dim=0).numpy())  # type: ignore[union-attr]
    hidden = module.layers[0](inputs - module.mean).detach()  # type: ignore[index,operator]
    normalised = module.layers[1]  # type: ignore[index]
    assert normalised.running_mean.numpy() == pytest.approx(hidden.mean(0).numpy(), abs=1e-4)
    assert normalised.running_var.numpy() == pytest.approx(hidden.var(0).numpy(), rel=1e-3)
    assert normalised.momentum == 0.1


def test_shuffling_keeps_the_values_of_each_column_and_breaks_their_tie() -> None:
    rows = np.repeat(np.arange(200.0)[:, None], 2, axis=1).reshape(200, 1, 2)
    loose = without_structure(rows, np.random.default_rng(0))
    assert (np.sort(loose, axis=0) == rows).all()
    assert abs(np.corrcoef(loose[:, 0].T)[0, 1]) < 0.2


def test_squares_of_an_image_and_stretches_of_a_series() -> None:
    assert patches((16,)).tolist() == [k for k in range(8) for _ in range(2)]
    image = patches((8, 8)).reshape(8, 8)  # squares of 2 by 2, four in a row
    assert image[:3, :5].tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [4, 4, 5, 5, 6]]
    assert (patches((3, 8, 8)).reshape(3, 8, 8) == image).all()
    assert (patches((8, 8, 3)).reshape(8, 8, 3) == image[..., None]).all()


def test_the_contrastive_loss_of_alike_views_by_hand() -> None:
    rows = torch.eye(3)
    contrast = Contrast(lambda batch: (batch, batch), 3)
    contrast.head = nn.Identity()
    # each of 6 views: likeness 1 / .5 to its twin, 0 to the 4 others: log(1 + 4 exp(-2))
    assert float(contrast(lambda batch: batch, rows)) == pytest.approx(np.log1p(4 * np.exp(-2)))


def test_hidden_cells_are_told_from_what_goes_with_them_and_not_from_shuffled_ones() -> None:
    def left(inputs: np.ndarray) -> float:
        torch.manual_seed(0)
        rows = torch.tensor(inputs, dtype=torch.float32)
        body = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 32), nn.ReLU())
        task = HiddenCells(rows, 32, COLUMNS)
        optimizer = torch.optim.Adam([*body.parameters(), *task.parameters()], lr=0.01)
        for _ in range(150):
            loss = task(lambda batch: body(batch.nan_to_num(-1)), rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    rows = table(400)
    assert left(rows) < left(without_structure(rows, np.random.default_rng(1))) - 0.3


def test_only_what_is_hidden_and_present_counts_in_patches() -> None:
    torch.manual_seed(0)
    rows = torch.rand(50, 8, 8)
    rows[:, 0, 0] = torch.nan
    task = HiddenPatches(rows, 1)
    nn.init.zeros_(task.head[2].weight)  # type: ignore[arg-type,index]
    nn.init.zeros_(task.head[2].bias)  # type: ignore[arg-type,index]
    # guessing the mean leaves the variance, which is 1 in standard deviations (a little more is in the scale)
    assert task(lambda batch: torch.zeros(50, 1), rows).item() == pytest.approx(0.98, abs=0.06)


@pytest.mark.parametrize("size", [(8, 8), (1, 8, 8), (8, 8, 3), (20,)])
def test_views_are_changed_rows_of_the_same_shape(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    steps = torch.arange(10.0).reshape(-1, *[1] * len(size))
    rows = steps + 0.1 * torch.rand(10, *size)  # a view of a row stays nearer to it than to others
    one, other = views_of_arrays(rows)(rows)
    assert one.shape == other.shape == rows.shape
    assert not torch.equal(one, other)
    middle = one.flatten(1).median(dim=1).values.sort().values
    assert (middle[1:] > middle[:-1]).all()


@pytest.mark.parametrize("method", ["masked", "contrastive"])
def test_tables_with_missing_cells_and_codes_of_words_can_be_pretrained(method: str) -> None:
    recipe = replace(RECIPE, pretraining=Pretraining(method, 2))  # type: ignore[arg-type]
    inputs, labels = table(40), np.arange(40) % 2
    network = Network(lambda: TableNetwork(TableShape.of(COLUMNS, 2), members=2, width=16, bins=8))
    weights = trained(Job(network, recipe, Examples(inputs, labels), columns=COLUMNS))
    assert np.isfinite(evaluate(load(network, weights), inputs)).all()
    words = np.random.default_rng(0).integers(0, 30, (40, 6))
    reader = Network(
        lambda: nn.Sequential(nn.Embedding(30, 4), nn.Flatten(), nn.Linear(24, 8), nn.Linear(8, 2))
    )
    weights = trained(Job(reader, recipe, Examples(words, labels)))
    assert np.isfinite(evaluate(load(reader, weights), words)).all()


def test_pretraining_on_all_digits_helps_where_few_have_a_label_and_shuffled_ones_do_not() -> None:
    data = load_digits()
    inputs, labels = (data.images[:, None] / 16).astype(np.float32), data.target.astype(np.int64)
    known, rest = np.arange(80), np.arange(80, 1200)
    recipe = Recipe(epochs=25, batch_size=32, learning_rate=2e-3, patience=None)
    asked = replace(recipe, pretraining=Pretraining("masked", 15))
    job = Job(
        Network(small_conv_net),
        recipe,
        Examples(inputs[known], labels[known]),
        unlabelled=inputs[rest],
    )

    def right(how: Recipe) -> float:
        weights = trained(replace(job, recipe=how))
        found = evaluate(load(job.network, weights), inputs[1200:]).argmax(axis=1)
        return float((found == labels[1200:]).mean())

    helped = right(asked)
    assert helped > right(recipe) + 0.02
    assert helped > right(replace(asked, sham=True)) + 0.02
