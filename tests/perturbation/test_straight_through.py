"""Gradients through steps, and the mean of random answers."""

import pytest
import torch
from torch import nn

from roadworthy.perturbation.straight_through import Averaged, StraightThrough, has_steps, is_random

INPUTS = torch.rand(5, 4, generator=torch.Generator().manual_seed(0))


class Rounded(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        scaled = inputs * 7
        if self.how == "method":
            return scaled.round() / 7
        if self.how == "function":
            return torch.floor(scaled) / 7
        if self.how == "in place":
            return scaled.clone().round_() / 7
        return scaled / 7


@pytest.mark.parametrize("how", ["method", "function", "in place"])
def test_steps_are_taken_forwards_and_gradients_pass(how: str) -> None:
    module = Rounded(how)
    assert has_steps(module, INPUTS)
    at = INPUTS.clone().requires_grad_()
    with StraightThrough():
        found = module(at)
    assert torch.equal(found, module(INPUTS))
    found.sum().backward()
    torch.testing.assert_close(at.grad, torch.ones_like(at))


def test_a_smooth_network_has_no_steps() -> None:
    assert not has_steps(Rounded("smooth"), INPUTS)
    assert not has_steps(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), INPUTS)


def test_a_network_that_draws_is_random_and_its_mean_is_steady() -> None:
    noisy = nn.Dropout(0.5).train()
    assert is_random(noisy, torch.ones(3, 50))
    assert not is_random(noisy.eval(), torch.ones(3, 50))
    mean = Averaged(noisy.train(), 4000)(torch.ones(1, 5))
    torch.testing.assert_close(mean, torch.ones(1, 5), atol=0.1, rtol=0)
