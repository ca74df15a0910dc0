"""How attacks are run: nothing of it changes an answer."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.perturbation import forward
from roadworthy.perturbation.conduct import CHUNKS, scale_of, timed
from roadworthy.perturbation.losses import cross_entropy
from roadworthy.perturbation.model import AttackedModel


class _Times(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, inputs: Tensor) -> Tensor:
        return self.by * inputs


@pytest.mark.parametrize(("by", "is_scaled"), [(1.0, False), (10.0, False), (300.0, True)])
def test_only_logits_that_saturate_are_divided_and_answers_stay(by: float, is_scaled: bool) -> None:
    torch.manual_seed(0)
    inputs = torch.rand(100, 4)
    module = _Times(by).eval()
    plain = AttackedModel(module, 4)
    labels = plain.logits(inputs).argmax(1)
    scale = scale_of(plain, inputs, labels)
    assert (scale > 1.0) == is_scaled
    assert np.log2(scale) % 1 == 0
    divided = AttackedModel(module, 4, scale=scale)
    assert torch.equal(divided.logits(inputs) * scale, plain.logits(inputs))
    losses, slopes, _ = divided.gradient(inputs, labels, cross_entropy)
    assert float((losses == 0).float().mean()) <= 0.1
    assert bool((slopes != 0).flatten(1).any(1).all())


def test_rows_that_are_answered_wrongly_say_nothing_of_the_scale() -> None:
    inputs = torch.eye(4).repeat(5, 1)
    model = AttackedModel(_Times(300.0).eval(), 4)
    assert scale_of(model, inputs, (inputs.argmax(1) + 1) % 4) == 1.0


def test_what_is_fastest_is_found_without_counting_passes() -> None:
    model = AttackedModel(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval(), 3)
    found = timed(model, torch.rand(8, 1, 8, 8), torch.arange(8) % 3)
    assert found.chunk >= 8
    assert model.passes.forward == model.passes.backward == 0


@pytest.mark.parametrize("installed", [True, False])
def test_a_timed_conduct_gives_the_gradients_of_float32(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr(forward, "NEEDED", ("a_package_that_is_not_there",))
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    inputs, labels = torch.rand(8, 1, 8, 8), torch.arange(8) % 3
    found = timed(AttackedModel(module, 3), inputs, labels)
    assert not (found.reverse and found.precision != "float32")
    if not installed:
        assert not found.reverse
        assert found.chunk in CHUNKS
