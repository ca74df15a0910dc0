"""A class or a factory with trained weights is the same subject as the trained module itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.errors import UserError
from roadworthy.subject import Network, Recipe, Subject, subject_from


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((40, 4)).astype(np.float32), np.arange(40) % 3


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def build() -> Net:
    return Net()


def made(model: object, weights: object, **more: object) -> Subject:
    return subject_from(model, weights=weights, train=rows(), test=rows(1), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", [Net, build, Network(build, "build")])
def test_a_state_dict_fits_a_class_a_function_and_a_network(model: object) -> None:
    trained = Net()
    subject = made(model, trained.state_dict(), recipe=Recipe(epochs=2))
    assert subject.weights is not None
    assert subject.predictor is None
    assert np.array_equal(subject.weights["layer.weight"], trained.layer.weight.detach().numpy())
    assert subject.recipe == Recipe(epochs=2)
    assert "everything can be audited" in subject.notes[-1] + subject.notes[-2]


def test_arrays_and_files_of_weights_are_taken_too(tmp_path: Path) -> None:
    state = Net().state_dict()
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    torch.save(state, tmp_path / "net.pt")
    for weights in (arrays, tmp_path / "net.pt", str(tmp_path / "net.pt")):
        subject = made(Net, weights)
        assert subject.weights is not None
        assert np.array_equal(subject.weights["layer.bias"], arrays["layer.bias"])
        assert any("needs a recipe" in note for note in subject.notes)


@pytest.mark.parametrize(
    ("model", "weights", "said"),
    [
        (None, {}, "weights without an architecture"),
        (Net(), Net().state_dict(), "has weights already"),
        (lambda: 3, Net().state_dict(), "returns a int, not a torch module"),
        (7, Net().state_dict(), "a class of modules or a function"),
        (Net, [1, 2], "is a list; a file"),
        (Net, {"other": torch.zeros(2)}, "layer.weight"),
        (Net, "nowhere.safetensors", "nowhere.safetensors"),
    ],
)
def test_weights_that_fit_nothing_are_refused(model: object, weights: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(model, weights)
