"""Optimizers of one module."""

import pytest
import torch
from torch import nn

from roadworthy.subject import Recipe
from roadworthy.training.descent import descent_of


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_steps_are_those_of_torch_and_what_has_no_gradient_stays(kind: str) -> None:
    recipe = Recipe(optimizer=kind, weight_decay=0.1, momentum=0.8)  # type: ignore[arg-type]
    torch.manual_seed(0)
    ours = [
        nn.Parameter(torch.randn(5, 3)),
        nn.Parameter(torch.randn(3)),
        nn.Parameter(torch.ones(2)),
    ]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    descent = descent_of(ours, recipe)
    torchs = (
        torch.optim.AdamW(theirs, weight_decay=0.1, fused=True)
        if kind == "adamw"
        else torch.optim.SGD(theirs, momentum=0.8, weight_decay=0.1)
    )
    for step in range(20):
        rate = 0.1 / (1 + step)
        for a, b in zip(ours[:2], theirs[:2], strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        if step % 3 == 0:
            ours[1].grad = theirs[1].grad = None
        descent.descend(rate)
        torchs.param_groups[0]["lr"] = rate
        torchs.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert ours[2].tolist() == [1, 1]
