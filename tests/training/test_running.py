"""Modules on arrays."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.training.running import evaluate, reproducible, tensor_of, threads


def test_batches_change_no_output() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    inputs = np.random.default_rng(0).normal(size=(3_000, 3))
    whole = module.eval()(torch.tensor(inputs, dtype=torch.float32)).detach().numpy()
    found = evaluate(module.train(), inputs)
    assert found == pytest.approx(whole, abs=1e-6)
    assert module.training
    assert evaluate(module, inputs[:0]).shape == (0, 4)


def test_codes_stay_whole_numbers_for_a_module_that_looks_them_up() -> None:
    embeds, dense = nn.Sequential(nn.Embedding(5, 2)), nn.Linear(8, 2)
    assert tensor_of(np.array([[3, 4]], np.int32), embeds).dtype == torch.int64
    assert tensor_of(np.array([[3.5, 4]]), embeds).dtype == torch.float32
    for kind in (np.int64, np.uint8, np.float64, np.float32, bool):
        assert tensor_of(np.zeros((2, 8), kind), dense).dtype == torch.float32


def test_numbers_beyond_float32_become_infinite_in_silence() -> None:
    assert tensor_of(np.array([1e300, -1e300]), nn.Linear(1, 1)).tolist() == [np.inf, -np.inf]


def test_a_model_that_returns_no_tensor_or_raises_is_told() -> None:
    class Wrong(nn.Module):
        def forward(self, inputs: Tensor) -> dict[str, Tensor]:
            return {"logits": inputs}

    with pytest.raises(UserError, match=r"\(Wrong\) returned a dict"):
        evaluate(Wrong(), np.zeros((2, 3)))
    with pytest.raises(UserError, match=r"shape \(2, 3\), float32: mat1 and mat2"):
        evaluate(nn.Linear(4, 1), np.zeros((2, 3)))


def test_random_state_comes_back_even_after_an_error() -> None:
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="inside"), reproducible(3):  # noqa: PT012 # one block
        torch.rand(1)
        raise ValueError("inside")
    assert (torch.get_rng_state() == state).all()


def test_a_small_module_runs_on_one_thread_and_gives_the_others_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    rows, images = np.zeros((5, 12)), np.zeros((5, 3, 32, 32))
    with threads(nn.Linear(2, 2), rows):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    for module, inputs in ((nn.Linear(1000, 1001), rows), (nn.Linear(2, 2), images)):
        with threads(module, inputs):
            assert torch.get_num_threads() >= 2
    torch.set_num_threads(before)
