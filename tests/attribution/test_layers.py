"""Grad-CAM as captum's, attention rollout by hand, and both refused where there is nothing of the kind."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.attribution.layers import AttentionRollout, GradCam
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
        theirs = captum.LayerGradCam(centred(network), network[2]).attribute(
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


def test_a_convolution_that_is_called_twice_has_no_map_of_its_own(
    explained, reference_of, seeded, built
) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.last = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.last(self.layer(self.layer(inputs)).flatten(1))

    inputs = seeded((3, 1, 8, 8))
    with (
        explained(built(Twice), inputs) as (model, points),
        pytest.raises(NotApplicable, match="2 times"),
    ):
        GradCam()(model, points, reference_of(inputs))


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
