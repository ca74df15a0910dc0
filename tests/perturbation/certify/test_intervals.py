"""Interval bounds: exact where they are, never too narrow elsewhere, refused where they do not apply."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import margin
from roadworthy.perturbation.certify.intervals import Bounds, Interval, certified_lead


def boxed(inputs: Tensor, eps: float) -> Interval:
    return Interval(inputs.double() - eps, inputs.double() + eps)


def corners(inputs: Tensor, eps: float) -> Tensor:
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=inputs.shape[1])))
    return inputs[:, None] + eps * signs  # (n, 2^d, d)


def test_the_lead_of_a_linear_layer_is_exact() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    inputs, labels = torch.randn(20, 5), torch.arange(20) % 3
    lead = Bounds.of(layer).lead(boxed(inputs, 0.3), labels)
    at = corners(inputs, 0.3)  # a linear function is least in a corner
    worst = margin(layer(at.flatten(0, 1)), labels.repeat_interleave(32)).view(20, 32).amin(1)
    torch.testing.assert_close(lead.float(), worst, rtol=1e-4, atol=1e-5)
    single = nn.Linear(5, 1, bias=False)
    lead = Bounds.of(single).lead(boxed(inputs, 0.3), labels % 2)
    sign = torch.where(labels % 2 == 1, 1.0, -1.0)
    worst = (single(inputs)[:, 0] * sign) - 0.3 * single.weight.abs().sum()
    torch.testing.assert_close(lead.float(), worst, rtol=1e-4, atol=1e-5)


class Small(nn.Module):
    """Preprocessing, a branch that joins again, pooling and normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.4))
        self.one = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.two = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = functional.relu(self.norm(self.one((inputs - self.mean) / -0.3)))
        hidden = self.pool(hidden + torch.tanh(self.two(hidden)))
        return self.head(self.drop(hidden).view(hidden.size(0), -1))


NETWORKS = {
    "dense": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(16, 12), nn.ReLU(inplace=True), nn.Linear(12, 3), nn.Softmax(1)
    ),
    "small": Small,
    "series": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 16)),
        nn.Conv1d(1, 3, 3, stride=2),
        nn.BatchNorm1d(3),
        nn.LeakyReLU(0.1),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(9, 3),
    ),
}


@pytest.mark.parametrize("name", ["dense", "small"])
@pytest.mark.parametrize("eps", [0.003, 0.02, 0.2])
def test_no_point_within_the_box_leads_by_less(name: str, eps: float) -> None:
    torch.manual_seed(1)
    module = NETWORKS[name]()
    for _ in range(5):  # statistics of the normalisation
        module(torch.rand(20, 1, 4, 4))
    module.eval()
    inputs, labels = torch.rand(10, 1, 4, 4), torch.arange(10) % 3
    lead = Bounds.of(module).lead(boxed(inputs, eps), labels)
    generator = torch.Generator().manual_seed(2)
    least = torch.full((10,), torch.inf)
    for trial in range(200):
        noise = torch.rand(inputs.shape, generator=generator) * 2 - 1
        logits = module(inputs + eps * (noise.sign() if trial % 2 else noise))
        logits = logits.log() if name == "dense" else logits
        least = torch.minimum(least, margin(logits, labels).detach())
    assert (lead <= least + 1e-5).all()
    if eps == 0.003:
        assert (least - lead).max() < 0.3


def test_what_is_certified_stands_and_larger_boxes_certify_less() -> None:
    torch.manual_seed(3)
    module = NETWORKS["dense"]().eval()
    inputs = torch.rand(60, 1, 4, 4)
    labels = module(inputs).argmax(1)
    bounds, shares = Bounds.of(module), []
    for eps in (0.0, 0.005, 0.02, 0.3):
        box = boxed(inputs, eps)
        lead = certified_lead(bounds, inputs, labels, box.low, box.high, chunk=7)
        shares.append(float((lead > 0).float().mean()))
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < shares[1]
    wrong = (labels + 1) % 3
    box = boxed(inputs, 0.0)
    assert not (certified_lead(bounds, inputs, wrong, box.low, box.high) > 0).any()


def test_the_network_that_is_certified_is_left_as_it_was() -> None:
    module = NETWORKS["dense"]()
    before = module[1].weight.clone()
    inputs = torch.rand(4, 1, 4, 4).double()
    kept = inputs.clone()
    box = Interval(inputs, inputs)
    certified_lead(Bounds.of(module), inputs, torch.zeros(4, dtype=torch.int64), box.low, box.high)
    assert torch.equal(inputs, kept)
    assert module.training
    assert module[1].weight.dtype == torch.float32
    assert torch.equal(module[1].weight, before)
    assert module[1].weight.requires_grad


class Branches(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum() > 0 else -inputs


class Listed(nn.Module):
    """Layers in a plain list, which no tool that reads modules sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.ReLU()]

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs


class Product(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * inputs


class Batch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.norm(inputs)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Branches(), "cannot be taken apart"),
        (Listed(), "cannot be taken apart"),
        (Product(), "a product of two values"),
        (nn.Sequential(nn.Linear(3, 3), nn.GELU()), "a layer GELU"),
        (nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), "a layer LayerNorm"),
        (nn.Sequential(nn.Softmax(1), nn.Linear(3, 3)), "a layer Softmax"),
        (Batch(), "rows beside it"),
    ],
)
def test_what_bounds_do_not_pass_through_is_named(module: nn.Module, words: str) -> None:
    inputs = torch.rand(4, 3)
    with pytest.raises(NotApplicable, match=words):
        Bounds.of(module).lead(boxed(inputs, 0.1), torch.zeros(4, dtype=torch.int64))


def test_networks_over_series_have_bounds_too() -> None:
    torch.manual_seed(0)
    module = NETWORKS["series"]()
    module[1] = nn.Identity()
    module[0] = nn.Identity()
    module.eval()
    inputs = torch.rand(6, 1, 16)
    labels = module(inputs).argmax(1)
    lead = Bounds.of(module).lead(boxed(inputs, 0.01), labels)
    moved = inputs + 0.01 * torch.from_numpy(np.random.default_rng(0).choice([-1, 1], (6, 1, 16)))
    assert (lead <= margin(module(moved.float()), labels) + 1e-5).all()
