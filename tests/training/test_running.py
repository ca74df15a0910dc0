"""Modules on arrays."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import LackOfMemory, UserError
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
    learning = nn.Linear(4, 1).train()
    with pytest.raises(UserError, match=r"shape \(2, 3\), float32: mat1 and mat2"):
        evaluate(learning, np.zeros((2, 3)))
    assert learning.training


class Greedy(nn.Module):
    """A layer that has memory for so many rows at once, and says so in the words of an accelerator."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.most, self.error, self.seen = most, error, []

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(len(inputs))
        if len(inputs) > self.most:
            raise self.error
        return self.layer(inputs)


LACKS = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
    MemoryError(),
)


@pytest.mark.parametrize("error", LACKS)
def test_batches_are_halved_where_memory_does_not_suffice(error: Exception) -> None:
    module = Greedy(100, error)
    inputs = np.random.default_rng(0).normal(size=(1_100, 3))
    found = evaluate(module, inputs)
    whole = module.layer(torch.tensor(inputs, dtype=torch.float32)).detach().numpy()
    assert found == pytest.approx(whole, abs=1e-6)
    assert module.seen[:5] == [1024, 512, 256, 128, 64]
    assert set(module.seen[5:]) <= {64, 1_100 % 64}


@pytest.mark.parametrize("error", LACKS)
def test_lack_of_memory_for_one_row_is_told_as_that_and_not_as_a_wrong_shape(
    error: Exception,
) -> None:
    with pytest.raises(
        LackOfMemory, match=r"shape \(1, 3\), float32: .*Memory does not suffice"
    ) as e:
        evaluate(Greedy(0, error), np.zeros((5, 3)))
    assert "shape that it takes" not in str(e.value)
    assert "batch_size" in str(e.value)


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
