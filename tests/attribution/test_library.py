"""Which methods fit a network: one that breaks on it takes no other with it."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from roadworthy.attribution import library
from roadworthy.attribution.library import METHODS, unfit
from roadworthy.attribution.method import Attributed, Gap


@dataclass(frozen=True)
class Broken:
    """A method that raises."""

    error: Exception
    name: str = "broken"

    def __call__(self, *_: object) -> Attributed:
        raise self.error


def test_a_method_that_breaks_on_a_network_says_why_and_leaves_the_others(
    explained, reference_of, seeded, monkeypatch
) -> None:
    inputs = seeded((4, 5))
    monkeypatch.setattr(library, "METHODS", {**METHODS, "broken": Broken(TypeError("two values"))})
    with explained(nn.Linear(5, 2), inputs) as (model, points):
        reason = unfit("broken", model, points, reference_of(inputs))
        assert reason == "it breaks on this model: TypeError: two values"
        assert unfit("deeplift", model, points, reference_of(inputs)) == ""


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("not enough memory: 9 bytes")])
def test_lack_of_memory_for_one_method_leaves_the_others(
    explained, reference_of, seeded, monkeypatch, error
) -> None:
    inputs = seeded((4, 5))
    monkeypatch.setattr(library, "METHODS", {**METHODS, "broken": Broken(error)})
    with explained(nn.Linear(5, 2), inputs) as (model, points):
        reason = unfit("broken", model, points, reference_of(inputs))
        assert (
            reason == "it breaks on this model: memory does not suffice for it, not even row by row"
        )
        assert unfit("deeplift", model, points, reference_of(inputs)) == ""


def test_where_memory_never_suffices_for_gradients_methods_by_answers_alone_fit(
    explained, reference_of, seeded
) -> None:
    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            if inputs.requires_grad:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            return self.layer(inputs)

    inputs = seeded((4, 5))
    with explained(Hungry(), inputs) as (model, points):
        assert "memory does not suffice" in unfit("deeplift", model, points, reference_of(inputs))
        assert unfit("kernel_shap", model, points, reference_of(inputs)) == ""


def test_a_network_that_breaks_is_an_error_of_the_network(explained, reference_of, seeded) -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.breaks = nn.Linear(5, 2), False

        def forward(self, inputs: Tensor) -> Tensor:
            if self.breaks:
                raise ValueError("broken inside")
            return self.layer(inputs)

    inputs, network = seeded((4, 5)), Fails()
    with explained(network, inputs) as (model, points):
        network.breaks = True
        with pytest.raises(ValueError, match="broken inside"):
            unfit("deeplift", model, points, reference_of(inputs))


def test_a_promised_sum_that_is_no_number_is_missed_and_not_unpromised() -> None:
    values = torch.tensor([[1.0, 1.0], [torch.nan, 1.0]])
    gap = Gap(torch.tensor([2.0, 2.0]), torch.zeros(2))
    assert Attributed(values, gap).incompleteness().tolist() == [0.0, torch.inf]
    broken = Gap(torch.tensor([torch.nan]), torch.zeros(1))
    assert broken.missed(torch.ones(1, 2)).tolist() == [torch.inf]
