"""Memory that does not suffice inside an attack: smaller chunks, or an error; never the score without an attack."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.challenges.evasion import artifacts, checks
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.quantities import identity, outputs
from roadworthy.subject import fields_of, subject_from
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(artifacts, checks, identity, outputs, training)
LINEAR = nn.functional.linear


def attacked() -> dict[str, Outcome]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 3))
    inputs = torch.rand(60, 1, 5, 5)
    labels = net(inputs).argmax(1).numpy()
    subject = subject_from(net, test=(inputs.numpy(), labels), input_range=(0, 1))
    names = ["adversarial_error", "attack_conduct"]
    return compute(REGISTRY, fields_of(subject), names)


class Allocator:
    """Gives memory for so many rows at a time, once a network is frozen as it is under attack."""

    def __init__(self, rows: int, *, only_backward: bool = False) -> None:
        self.rows = rows
        self.only_backward = only_backward
        self.refused = 0

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        is_backward = torch.is_grad_enabled() or not self.only_backward
        if not weight.requires_grad and is_backward and len(inputs) > self.rows:
            self.refused += 1
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: can't allocate memory: "
                f"you tried to allocate {len(inputs) * 100} bytes. Error code 12 (Cannot allocate memory)"
            )
        return LINEAR(inputs, weight, bias)


@pytest.mark.parametrize("rows", [40, 5, 1])
@pytest.mark.parametrize("only_backward", [False, True])
def test_smaller_chunks_find_the_same(
    rows: int, only_backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attacked()["adversarial_error"].value
    assert whole.value > 0.1
    allocator = Allocator(rows, only_backward=only_backward)
    monkeypatch.setattr(nn.functional, "linear", allocator)
    found = attacked()
    assert allocator.refused > 0
    assert found["attack_conduct"].value["gradients"]
    assert found["adversarial_error"].value.value == whole.value


@pytest.mark.parametrize("only_backward", [False, True])
def test_where_not_one_row_fits_it_is_an_error(
    only_backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.functional, "linear", Allocator(0, only_backward=only_backward))
    found = attacked()["adversarial_error"]
    assert found.state == "dependency_failed"
    assert found.value is None
    assert "can't allocate memory" in (found.reason or "")


def test_memory_that_numpy_lacks_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> np.ndarray:
        raise MemoryError("Unable to allocate 9.31 GiB for an array")

    monkeypatch.setattr("roadworthy.perturbation.noise.RowNoise.bits", full)
    found = attacked()["adversarial_error"]
    assert (found.state, found.value) == ("dependency_failed", None)
    assert "Unable to allocate" in (found.reason or "")
