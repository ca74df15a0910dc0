"""Grad-CAM as captum's, attention rollout by hand, and both refused where there is nothing of the kind."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.attribution.layers import AttentionRollout, GradCam
from roadworthy.attribution.library import unfit
from roadworthy.errors import NotApplicable


def test_grad_cam_as_captum(explained, reference_of, centred, seeded, built) -> None:
    captum = pytest.importorskip("captum.attr")
    network = built(
        nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(),
            nn.Conv2d(4, 5, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(5 * 64, 3),
        )
    )
    inputs = seeded((5, 3, 12, 12))
    with explained(network, inputs) as (model, points), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = GradCam()(model, points, reference_of(inputs)).values
        theirs = captum.LayerGradCam(centred(network), network[3]).attribute(
            inputs.clone().requires_grad_(), target=points.labels, relu_attributions=True
        )
    expected = functional.interpolate(
        theirs.detach(), (12, 12), mode="bilinear", align_corners=False
    )
    assert torch.allclose(ours.sum(1, keepdim=True), expected, atol=1e-6)
    assert torch.equal(ours[:, 0], ours[:, 1])  # a place is a place in every channel


class Attending(nn.Module):
    """Layers of attention over the steps of a series, read at their mean."""

    def __init__(self, layers: int = 1, *, encoder: bool = False) -> None:
        super().__init__()
        make = (
            (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True))
            if encoder
            else (lambda: nn.MultiheadAttention(4, 2, batch_first=True))
        )
        self.layers = nn.ModuleList(make() for _ in range(layers))
        self.last = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for layer in self.layers:
            if isinstance(layer, nn.MultiheadAttention):
                hidden = hidden + layer(hidden, hidden, hidden, need_weights=False)[0]
            else:
                hidden = layer(hidden)
        return self.last(hidden.mean(1))


def test_one_layer_of_rollout_is_half_its_weights_and_half_straight(
    explained, reference_of, seeded, built
) -> None:
    network = built(Attending())
    inputs = seeded((4, 6, 4))
    with explained(network, inputs) as (model, points):
        found = AttentionRollout()(model, points, reference_of(inputs)).values
        weights = network.layers[0](inputs, inputs, inputs)[1]
    # Of each step: the mean over places of (weight + 1 where it is the place itself) / 2, shared by four values.
    expected = (weights + torch.eye(6)).mean(1) / 2
    assert torch.allclose(found.sum(2), expected, atol=1e-6)
    assert torch.allclose(found.sum((1, 2)), torch.ones(4), atol=1e-5)


def test_rollout_through_layers_of_encoders_sums_to_one(
    explained, reference_of, seeded, built
) -> None:
    network = built(Attending(3, encoder=True))
    inputs = seeded((4, 6, 4))
    with explained(network, inputs) as (model, points):
        found = AttentionRollout()(model, points, reference_of(inputs)).values
    assert torch.allclose(found.sum((1, 2)), torch.ones(4), atol=1e-5)


@pytest.mark.parametrize("method", [GradCam(), AttentionRollout()])
def test_without_such_layers_it_is_refused(explained, reference_of, seeded, method) -> None:
    inputs = seeded((3, 5))
    with (
        explained(nn.Linear(5, 2), inputs) as (model, points),
        pytest.raises(NotApplicable, match="needs"),
    ):
        method(model, points, reference_of(inputs))


class Block(nn.Module):
    """A residual block whose shortcut is registered and called last."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.shortcut, self.last = nn.Conv2d(1, 4, 1), nn.Linear(4, 3)

    def maps(self, inputs: Tensor) -> Tensor:
        return (self.second(self.first(inputs).relu()) + self.shortcut(inputs)).relu()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.maps(inputs).mean((2, 3)))


class Squeezed(Block):
    """The same, its channels weighed by convolutions over what is pooled, which come last."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Conv2d(4, 4, 1)

    def maps(self, inputs: Tensor) -> Tensor:
        maps = super().maps(inputs)
        return maps * self.gate(maps.mean((2, 3), keepdim=True)).sigmoid()


class Twice(Block):
    """One convolution called twice, the second time on what the first gave, in place."""

    def maps(self, inputs: Tensor) -> Tensor:
        return self.second(self.second(self.first(inputs))).relu_()


@pytest.mark.parametrize("kind", [Block, Squeezed, Twice])
def test_grad_cam_looks_at_what_all_of_an_answer_passes_through(
    explained, reference_of, seeded, built, kind
) -> None:
    network, inputs = built(kind()), seeded((5, 1, 8, 8))
    with explained(network, inputs) as (model, points):
        found = GradCam()(model, points, reference_of(inputs)).values
        maps = network.maps(inputs)
    # The slope of the score by each value of the last map: the weight of its channel less the mean of the classes, over 64 places.
    weights = network.last.weight - network.last.weight.mean(0)
    of_class = weights[points.labels] / 64
    expected = (of_class[:, :, None, None] * maps).sum(1, keepdim=True).relu()
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.max() > 0


def test_two_ways_that_meet_behind_their_maps_have_no_map_of_an_answer(
    explained, reference_of, seeded, built
) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
            self.last = nn.Linear(8, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            ways = [way(inputs).relu().mean((2, 3)) for way in (self.one, self.other)]
            return self.last(torch.cat(ways, 1))

    inputs = seeded((3, 1, 8, 8))
    with (
        explained(built(Two()), inputs) as (model, points),
        pytest.raises(NotApplicable, match="passed by all of an answer"),
    ):
        GradCam()(model, points, reference_of(inputs))


@pytest.mark.parametrize("kind", ["maps", "attention"])
def test_less_memory_takes_smaller_chunks_and_gives_the_same(
    explained, reference_of, seeded, built, kind
) -> None:
    class Narrow(nn.Module):
        def __init__(self, network: nn.Module, most: int) -> None:
            super().__init__()
            self.network, self.most = network, most

        def forward(self, inputs: Tensor) -> Tensor:
            if len(inputs) > self.most:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return self.network(inputs)

    images = kind == "maps"
    network, method = (
        (built(Block()), GradCam()) if images else (built(Attending(2)), AttentionRollout())
    )
    inputs, found = seeded((7, 1, 8, 8) if images else (7, 6, 4)), []
    for most in (7, 2):
        with explained(Narrow(network, most), inputs) as (model, points):
            found.append(method(model, points, reference_of(inputs)).values)
    assert torch.allclose(*found, atol=1e-6)


class Latent(nn.Module):
    """Three places of the network's own that attend to the steps of a series."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(3, 4))
        self.layer = nn.MultiheadAttention(4, 2, batch_first=True)
        self.last = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        asking = self.places.expand(len(inputs), 3, 4)
        return self.last(self.layer(asking, inputs, inputs)[0].mean(1))


def test_attention_to_other_places_cannot_be_multiplied_through(
    explained, reference_of, seeded, built
) -> None:
    inputs = seeded((4, 6, 4))
    with (
        explained(built(Latent), inputs) as (model, points),
        pytest.raises(NotApplicable, match="3 places of attention look at 6 others"),
    ):
        AttentionRollout()(model, points, reference_of(inputs))


def test_weights_are_asked_for_however_attention_is_called(
    explained, reference_of, seeded, built
) -> None:
    class ByPlace(Attending):
        def forward(self, inputs: Tensor) -> Tensor:
            hidden = inputs
            for layer in self.layers:
                hidden = hidden + layer(hidden, hidden, hidden, None, False)[0]
            return self.last(hidden.mean(1))

    inputs = seeded((4, 6, 4))
    found = []
    for kind in (Attending, ByPlace):
        with explained(built(kind()), inputs) as (model, points):
            found.append(AttentionRollout()(model, points, reference_of(inputs)).values)
    assert torch.equal(*found)


class Itself(nn.MultiheadAttention):
    """Attention of a series to itself, by a forward of its own."""

    def forward(self, inputs: Tensor) -> tuple[Tensor, None]:
        return super().forward(inputs, inputs, inputs, need_weights=False)


class Unasked(nn.MultiheadAttention):
    """Takes what attention takes, but for the question for weights."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, None]:
        return super().forward(query, key, value, need_weights=False)


class Handing(nn.MultiheadAttention):
    """Hands on whatever it is given."""

    def forward(self, *args: object, **named: object) -> tuple[Tensor, Tensor | None]:
        return super().forward(*args, **named)


class Silent(Handing):
    """Gives no weights, though they are asked for."""

    def forward(self, *args: object, **named: object) -> Tensor:
        return super().forward(*args, **named)[0]


class Of(nn.Module):
    """A network with one layer of attention of this kind."""

    def __init__(self, kind: type[nn.MultiheadAttention]) -> None:
        super().__init__()
        self.layer, self.last = kind(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        given = (inputs,) if isinstance(self.layer, Itself) else (inputs, inputs, inputs)
        found = self.layer(*given)
        return self.last((found if isinstance(found, Tensor) else found[0]).mean(1))


@pytest.mark.parametrize("kind", [Itself, Unasked, Silent])
def test_attention_with_a_forward_of_its_own_that_gives_no_weights_says_so(
    explained, reference_of, seeded, built, kind
) -> None:
    inputs = seeded((4, 6, 4))
    with explained(built(Of(kind)), inputs) as (model, points):
        reason = unfit("attention_rollout", model, points, reference_of(inputs))
    assert reason.startswith("attention rollout needs the weights of attention, and a subclass of")


def test_attention_whose_forward_hands_all_on_gives_the_weights_of_the_plain_one(
    explained, reference_of, seeded, built
) -> None:
    inputs, found = seeded((4, 6, 4)), []
    for kind in (nn.MultiheadAttention, Handing):
        with explained(built(Of(kind)), inputs) as (model, points):
            found.append(AttentionRollout()(model, points, reference_of(inputs)).values)
    assert torch.equal(*found)
