"""The default network for tables, on small and awkward tables."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from roadworthy.subject import Column, Network, Recipe
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train
from roadworthy.training.running import evaluate, load
from roadworthy.training.tables import TableNetwork, TableShape

QUICK = Recipe(epochs=10, batch_size=32, learning_rate=2e-3, patience=None)
NUMERIC = Column("age", "numeric")
COLOUR = Column("colour", "category", ("red", "green", "blue"))


def fitted_outputs(
    columns: Sequence[Column], rows: Examples, test: np.ndarray, recipe: Recipe = QUICK
) -> np.ndarray:
    classes = 0 if rows.target.dtype.kind == "f" else int(rows.target.max()) + 1
    network = Network(partial(TableNetwork, TableShape.of(tuple(columns), classes)))
    return evaluate(load(network, train(network, recipe, rows)), test)


def test_the_shape_is_read_from_the_columns() -> None:
    assert TableShape.of((COLOUR, NUMERIC, COLOUR), 4) == TableShape((1,), (0, 2), (3, 3), 4)


def test_the_shape_counts_the_levels_of_rows_that_are_in_memory(tmp_path: Path) -> None:
    inputs = np.column_stack([np.arange(400) % 3, np.arange(400) % 2]).astype(np.float32)
    assert TableShape.of((COLOUR, NUMERIC), 2, inputs).levels == (2,)
    inputs.tofile(tmp_path / "rows")
    read = np.memmap(tmp_path / "rows", np.float32, "r", shape=(400, 2))
    assert TableShape.of((COLOUR, NUMERIC), 2, read).levels == ()
    assert TableShape.of((COLOUR, NUMERIC), 2).encoding(3, 8).room == [8]


def test_outputs_in_evaluation_mode_are_log_probabilities_averaged_over_members() -> None:
    torch.manual_seed(0)
    module = TableNetwork(TableShape.of((NUMERIC, COLOUR), 3), members=4, dropout=0.0)
    inputs = torch.tensor([[1.0, 2], [float("nan"), 0]])
    each = module.train()(inputs)
    assert each.shape == (2, 4, 3)
    mean = each.softmax(dim=-1).mean(dim=1)
    torch.testing.assert_close(module.eval()(inputs).exp(), mean)


def test_it_learns_from_a_number_a_category_and_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    number, code, gap = rng.normal(size=2_000), rng.integers(0, 3, 2_000), rng.random(2_000) < 0.2
    label = ((np.abs(number) > 0.7) ^ (code == 1) | gap).astype(np.int64)
    inputs = np.column_stack([np.where(gap, np.nan, number), code])
    found = fitted_outputs((NUMERIC, COLOUR), Examples(inputs[:1500], label[:1500]), inputs[1500:])
    assert (found.argmax(axis=1) == label[1500:]).mean() > 0.95


def test_numbers_are_predicted_in_the_unit_of_the_target() -> None:
    rng = np.random.default_rng(0)
    inputs = np.column_stack([rng.normal(size=600), rng.integers(0, 3, 600)])
    target = 1e4 + 300 * inputs[:, 0] ** 2 + 500 * inputs[:, 1]
    rows = Examples(inputs[:500], target[:500])
    found = fitted_outputs((NUMERIC, COLOUR), rows, inputs[500:])
    assert found.shape == (100,)
    assert 1 - ((found - target[500:]) ** 2).mean() / target[500:].var() > 0.9


@pytest.mark.parametrize(
    "columns",
    [
        (NUMERIC,),
        (COLOUR,),
        (NUMERIC, NUMERIC, COLOUR),
        (Column("never", "category", ()),),
    ],
    ids=["numbers", "categories", "both", "no category known"],
)
def test_ten_rows_train_and_predict(columns: tuple[Column, ...]) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 3, (10, len(columns))).astype(float)
    found = fitted_outputs(columns, Examples(inputs, np.arange(10) % 2), inputs)
    assert found.shape == (10, 2)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)


def test_awkward_columns_and_test_rows_give_finite_outputs() -> None:
    rng = np.random.default_rng(0)
    n = 60
    inputs = np.column_stack(
        [
            np.full(n, 7.0),  # constant
            np.full(n, np.nan),  # wholly missing
            rng.normal(size=n) * 1e30,
            np.r_[np.full(n - 1, np.nan), 3.0],  # once present
            np.zeros(n),  # one category of three
            np.full(n, np.nan),  # a category wholly missing
        ]
    )
    columns = (NUMERIC,) * 4 + (COLOUR,) * 2
    test = np.array([[np.nan] * 6, [np.inf, 1e9, -1e300, -np.inf, 99, -3], [8, 1, 0, 4, 2, 1]])
    for target in (rng.integers(0, 2, n), rng.normal(size=n)):
        assert np.isfinite(fitted_outputs(columns, Examples(inputs, target), test)).all()


def test_a_target_without_spread_is_predicted_as_it_is() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 1))
    found = fitted_outputs((NUMERIC,), Examples(inputs, np.full(40, 12.0)), inputs)
    assert found == pytest.approx(12, abs=0.5)


def test_adding_a_constant_column_or_shifting_a_number_changes_little() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 1))
    label = (inputs[:, 0] > 0).astype(np.int64)
    plain = fitted_outputs((NUMERIC,), Examples(inputs, label), inputs)
    shifted = fitted_outputs((NUMERIC,), Examples(inputs * 50 + 1e4, label), inputs * 50 + 1e4)
    assert shifted == pytest.approx(plain, abs=0.05)
