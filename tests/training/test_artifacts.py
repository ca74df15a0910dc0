"""Architecture, recipe and rows put together."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Column, Network, Recipe, Task
from roadworthy.subject.modules import identity_of_module
from roadworthy.training.artifacts import default_network, predictor, recipe, trainer, weights
from roadworthy.training.running import load

QUICK = Recipe(epochs=2, batch_size=16)
TABLE = (Column("age", "numeric"), Column("colour", "category", ("red", "green")))
BINARY = Task("binary", ("no", "yes"), 1)


def table(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])


@pytest.mark.parametrize(
    ("columns", "shape", "source"),
    [
        (TABLE, (20, 2), "tables"),
        (None, (20, 8, 8), "images"),
        (None, (20, 30), "arrays"),
    ],
)
def test_the_default_network_suits_the_inputs(
    columns: tuple[Column, ...] | None, shape: tuple[int, ...], source: str
) -> None:
    chosen = default_network(BINARY, "table" if columns else "array", np.zeros(shape), columns)
    assert chosen.source == f"default network for {source}"
    with pytest.raises(NotApplicable, match="'text'"):
        default_network(BINARY, "text", np.zeros(shape))


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [(10, 32, 60), (442, 32, 60), (1_000, 32, 51), (26_000, 256, 15), (1_000_000, 1024, 4)],
)
def test_the_default_recipe_grows_its_batches_with_the_data(
    n: int, batch_size: int, epochs: int
) -> None:
    found = recipe(np.empty((n, 0)))
    assert (found.batch_size, found.epochs) == (batch_size, epochs)


def test_training_changes_no_identity_of_the_architecture() -> None:
    chosen = default_network(BINARY, "table", table(40), TABLE)
    before = repr(identity_of_module(chosen.build()))
    trained = weights(trainer(chosen, QUICK, table(40), train_labels=np.arange(40) % 2))
    assert repr(identity_of_module(chosen.build())) == before
    assert repr(identity_of_module(load(chosen, trained).train())) == before


def test_preprocessing_travels_with_the_weights() -> None:
    chosen = default_network(BINARY, "table", table(40), TABLE)
    trained = weights(trainer(chosen, QUICK, table(40) * [5, 1] + [100, 0], np.arange(40) % 2))
    assert trained["numeric.median"][0] == pytest.approx(100, abs=5)
    assert all(isinstance(value, np.ndarray) for value in trained.values())


def test_validation_rows_need_their_target() -> None:
    chosen, labels = Network(lambda: nn.Linear(2, 2)), np.arange(40) % 2
    plain = weights(trainer(chosen, QUICK, table(40), labels))
    again = weights(trainer(chosen, QUICK, table(40), labels, validation_inputs=table(10)))
    assert (plain["weight"] == again["weight"]).all()
    with pytest.raises(NotApplicable, match="no target"):
        weights(trainer(chosen, QUICK, table(40)))


def test_a_predictor_is_the_module_with_its_weights_in_evaluation_mode() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    built = Network(lambda: nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)))
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    found = predictor(built, state)
    assert (torch.rand(2) == expected).all()
    with torch.no_grad():
        oracle = module.eval()(torch.tensor(table(5), dtype=torch.float32)).numpy()
    assert found(table(5)) == pytest.approx(oracle, abs=1e-6)
    assert found.module is not None
    assert not found.module.training


def test_weights_of_another_architecture_are_refused_with_every_difference() -> None:
    state = {"weight": np.zeros((3, 2), np.float32), "scale": np.zeros(1, np.float32)}
    with pytest.raises(UserError) as told:
        load(Network(lambda: nn.Linear(2, 2), "my.py:build"), state)
    for part in (
        "my.py:build",
        "bias is missing",
        "scale is not in the architecture",
        "weight has shape (3, 2), not (2, 2)",
    ):
        assert part in str(told.value)
