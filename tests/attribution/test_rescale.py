"""DeepLift: as captum's where captum is right, complete everywhere, and refused where it has no rule."""

import gc
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.attribution.rescale import DeepLift
from roadworthy.errors import NotApplicable

CAPTUM = {
    "convolutions": nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 8),
        nn.Tanh(),
        nn.Linear(8, 3),
    ),
    "pooling": nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3),
        nn.LeakyReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ),
    "smooth": nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.ELU(), nn.Linear(8, 3)
    ),
}


@pytest.mark.parametrize("name", CAPTUM)
def test_as_captum_where_it_knows_the_layers(
    explained, reference_of, centred, seeded, built, name
) -> None:
    captum = pytest.importorskip("captum.attr")
    network = built(CAPTUM[name])
    inputs, reference = seeded((6, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = DeepLift()(model, points, reference)
        theirs = captum.DeepLift(centred(network)).attribute(
            inputs, reference.point, target=points.labels
        )
    assert torch.allclose(ours.values, theirs.detach(), atol=1e-5)
    assert ours.incompleteness().max() < 1e-4


def test_by_hand_one_unit_that_is_switched_on(explained, reference_of) -> None:
    # relu(x + y - 1): at (2, 1) it gives 2, at the reference (0, 0) nothing, from inputs of 2 and -1 to the unit.
    # Its multiplier is (2 - 0) / (2 - -1) = 2/3, where the slope is 1: x gets 2 x 2/3, y gets 2/3.
    unit = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    unit[0].weight.data, unit[0].bias.data = torch.ones(1, 2), torch.tensor([-1.0])
    with explained(unit, torch.tensor([[2.0, 1.0]])) as (model, points):
        found = DeepLift()(model, points, reference_of(torch.zeros(1, 2)))
    assert found.values[0].tolist() == pytest.approx([4 / 3, 2 / 3])


def test_a_product_is_shared_equally(explained, reference_of) -> None:
    class Product(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs[:, :1] * inputs[:, 1:]

    # 3 x 4 = 12 against 1 x 2 = 2: x gets 2 x (4 + 2) / 2 = 6, y gets 2 x (3 + 1) / 2 = 4; in all 10.
    with explained(Product(), torch.tensor([[3.0, 4.0]])) as (model, points):
        found = DeepLift()(model, points, reference_of(torch.tensor([[1.0, 2.0]])))
    assert found.values[0].tolist() == pytest.approx([6.0, 4.0])


class Reused(nn.Module):
    """One ReLU module and one linear layer, each called twice; then functions and work in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(6, 6), nn.Linear(6, 3), nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu(self.first(inputs))
        hidden = self.relu(self.first(hidden))
        hidden = functional.relu(self.first(hidden), inplace=True)
        hidden += 1.0
        hidden = hidden.sub_(0.5).relu_()
        return self.second(hidden.clamp(max=0.9))


class Unrolled(nn.Module):
    """The same computation, as a library of module hooks needs it: a module for each step."""

    def __init__(self, reused: Reused) -> None:
        super().__init__()
        self.reused = reused
        self.steps = nn.ModuleList(nn.ReLU() for _ in range(4))
        self.last = nn.Hardtanh(-1e9, 0.9)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for step in self.steps[:3]:
            hidden = step(self.reused.first(hidden))
        return self.reused.second(self.last(self.steps[3](hidden + 0.5)))


def test_a_module_that_is_called_twice_and_functions_in_place_are_right(
    explained, reference_of, seeded, built
) -> None:
    network = built(Reused)
    inputs, reference = 2 * seeded((8, 6)), reference_of(seeded((5, 6), 1))
    with explained(network, inputs) as (model, points):
        once = DeepLift()(model, points, reference)
    with explained(Unrolled(network), inputs) as (model, points):
        unrolled = DeepLift()(model, points, reference)
    assert once.incompleteness().max() < 1e-4
    assert torch.allclose(once.values, unrolled.values, atol=1e-6)


class Attention(nn.Module):
    """Attention over six steps by hand, normalised, with a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))
        self.norm, self.last = nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        q, k, v = self.query(inputs), self.key(inputs), self.value(inputs)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        by_hand = torch.softmax(torch.einsum("nqd,nkd->nqk", q, k) / 2.0, -1) @ v
        joined = self.norm(mixed + by_hand + inputs)
        gated = functional.gelu(joined) * torch.sigmoid(joined)
        return self.last(functional.normalize(gated.mean(1), dim=1)).log_softmax(1)


class Folded(nn.Module):
    """Rows folded into another dimension, as heads of attention are."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), nn.Linear(24, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        folded = inputs.reshape(-1, 4)  # (n * 6, 4)
        return self.last(self.layer(folded).tanh().reshape(len(inputs), -1))


class Mixture(nn.Module):
    """Members whose probabilities are averaged, of a rescaled and clipped input."""

    def __init__(self) -> None:
        super().__init__()
        self.members = nn.Parameter(torch.zeros(2, 24, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        flat = inputs.flatten(1)
        clipped = flat / (1 + (flat / 3.0) ** 2).sqrt()
        outputs = torch.einsum("nd,mdc->nmc", clipped, self.members)
        return functional.log_softmax(outputs, dim=-1).logsumexp(dim=1) - 0.7


@pytest.mark.parametrize("kind", [Attention, Folded, Mixture])
def test_sums_are_exact_through_attention_products_and_mixtures(
    explained, reference_of, seeded, built, kind
) -> None:
    network = built(kind)
    inputs, reference = 2 * seeded((8, 6, 4)), reference_of(seeded((5, 6, 4), 1))
    with explained(network, inputs) as (model, points):
        found = DeepLift()(model, points, reference)
        slopes = model.gradient(points.inputs, points.labels, lambda a, b: a[:, 0] + 0 * b)[1]
    assert found.incompleteness().max() < 1e-3
    assert not torch.allclose(found.values, slopes * (inputs - reference.point), atol=1e-3)


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(3, 1), nn.MaxPool2d(3, 2, 1), nn.AdaptiveMaxPool2d(3)]
)
def test_sums_are_exact_where_windows_overlap(explained, reference_of, seeded, built, pool) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.pool, self.last = nn.Conv2d(1, 3, 3), pool, nn.LazyLinear(3)
            self.last(self.pool(self.first(torch.zeros(1, 1, 8, 8))).flatten(1))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.last(self.pool(self.first(inputs).relu()).flatten(1))

    network = built(Pooled())
    inputs, reference = seeded((6, 1, 8, 8)), reference_of(seeded((9, 1, 8, 8), 1))
    with explained(network, inputs) as (model, points):
        assert DeepLift()(model, points, reference).incompleteness().max() < 1e-4


class Sorted(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.sort(dim=1).values


class Branched(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.where(inputs > 0, inputs, 0.1 * inputs)


class Masked(nn.Module):
    """A ReLU by hand: the mask carries no gradient, and differs from the reference's."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * (inputs > 0)


class WeightedByInput(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, inputs[:3] * 2)


class Cut(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.detach() + 1.0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Sorted, "no rule for the step sort"),
        (Branched, "chooses otherwise"),
        (Masked, "step mul the network chooses otherwise"),
        (WeightedByInput, "no rule for the step linear"),
        (Cut, "no gradients"),
    ],
)
def test_what_has_no_rule_is_refused_and_never_wrong(
    explained, reference_of, seeded, kind, words
) -> None:
    inputs = seeded((4, 4))
    with explained(kind(), inputs) as (model, points), pytest.raises(NotApplicable, match=words):
        DeepLift()(model, points, reference_of(seeded((3, 4), 1)))


def test_it_costs_one_pass_there_and_back(explained, reference_of, seeded, built) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.rows = nn.Linear(4, 3), 0

        def forward(self, inputs: Tensor) -> Tensor:
            self.rows += len(inputs)
            return self.layer(inputs).relu()

    network = built(Counting)
    inputs = seeded((50, 4))
    with explained(network, inputs) as (model, points):
        network.rows = 0
        DeepLift()(model, points, reference_of(seeded((3, 4), 1)))
    assert network.rows == 50 + 1 + 1  # the rows; the reference, and its score


class InPlace(nn.Module):
    """Steps whose values are changed in place later, as ordinary code does."""

    def __init__(self, mixed) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.LazyLinear(3)
        self.mixed = mixed
        self.last(mixed(self, torch.zeros(2, 6)))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.mixed(self, inputs))


def gelu_and_more(net: InPlace, inputs: Tensor) -> Tensor:
    hidden = functional.gelu(net.first(inputs))
    hidden += net.second(inputs)
    return hidden


def leaky_and_more(net: InPlace, inputs: Tensor) -> Tensor:
    hidden = functional.leaky_relu(net.first(inputs), 0.1)
    hidden += net.second(inputs)
    return functional.relu(hidden, inplace=True)


def pooled_and_one(net: InPlace, inputs: Tensor) -> Tensor:
    hidden = functional.max_pool1d(net.first(inputs)[:, None], 2)
    hidden += 1
    return hidden.flatten(1)


def softmax_doubled(net: InPlace, inputs: Tensor) -> Tensor:
    return net.first(inputs).softmax(1).mul_(2.0)


def changed_after_it_was_used(net: InPlace, inputs: Tensor) -> Tensor:
    hidden = net.first(inputs)
    used = functional.relu(hidden)
    hidden += 0.005 * torch.sin(net.second(inputs))
    return hidden + used


def written_into_zeros(net: InPlace, inputs: Tensor) -> Tensor:
    hidden = torch.zeros(len(inputs), 9)
    hidden[:, :8] = net.first(inputs)
    return hidden.tanh()


@pytest.mark.parametrize(
    "mixed",
    [
        gelu_and_more,
        leaky_and_more,
        pooled_and_one,
        softmax_doubled,
        changed_after_it_was_used,
        written_into_zeros,
    ],
)
def test_what_is_changed_in_place_later_is_handed_back_exactly(
    explained, reference_of, seeded, built, mixed
) -> None:
    network = built(InPlace(mixed))
    inputs, reference = 2 * seeded((8, 6)), reference_of(seeded((5, 6), 1))
    with explained(network, inputs) as (model, points):
        found = DeepLift()(model, points, reference)
    assert found.incompleteness().max() < 1e-4


def test_values_that_were_handed_back_are_freed(explained, reference_of, seeded, built) -> None:
    network = built(Attention)
    inputs, reference = seeded((4, 6, 4)), reference_of(seeded((5, 6, 4), 1))
    gc.collect()
    gc.disable()
    try:
        with explained(network, inputs) as (model, points):
            DeepLift()(model, points, reference)
            before = sum(type(o) is Tensor for o in gc.get_objects())
            DeepLift()(model, points, reference)
            after = sum(type(o) is Tensor for o in gc.get_objects())
    finally:
        gc.enable()
    assert after <= before


class Causal(nn.Module):
    """Attention to earlier steps alone, later ones masked by minus infinity in one of three ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.last = way, nn.Linear(4, 3)
        self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, inputs: Tensor) -> Tensor:
        q, k, v = self.query(inputs), self.key(inputs), self.value(inputs)
        later = torch.ones(6, 6, dtype=torch.bool).triu(1)
        if self.way == "by torch":
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif self.way == "filled":
            mixed = (q @ k.transpose(1, 2)).masked_fill(later, -torch.inf).softmax(-1) @ v
        else:
            mask = torch.zeros(6, 6).masked_fill(later, -torch.inf)
            mixed = (q @ k.transpose(1, 2) + mask).softmax(-1) @ v
        return self.last(mixed[:, 3])


@pytest.mark.parametrize("way", ["by torch", "filled", "added"])
def test_masks_of_minus_infinity_are_the_same_here_and_there(
    explained, reference_of, seeded, built, way
) -> None:
    network = built(Causal(way))
    inputs, reference = 2 * seeded((8, 6, 4)), reference_of(seeded((5, 6, 4), 1))
    with explained(network, inputs) as (model, points):
        found = DeepLift()(model, points, reference)
    assert found.incompleteness().max() < 1e-3
    assert bool((found.values[:, 4:] == 0).all())  # later steps are masked


def test_factors_that_are_named_are_handed_back_as_others(
    explained, reference_of, seeded, built
) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.layer(inputs)
            gated = torch.mul(hidden, other=hidden.sigmoid())
            return self.last(torch.div(input=gated, other=1 + hidden.sigmoid()))

    network = built(Named)
    inputs, reference = 2 * seeded((8, 6)), reference_of(seeded((5, 6), 1))
    with explained(network, inputs) as (model, points):
        assert DeepLift()(model, points, reference).incompleteness().max() < 1e-4
