"""Networks with a defence built in."""

from functools import partial

import pytest
import torch
from scipy import ndimage
from torch import nn

from roadworthy.errors import NotApplicable
from roadworthy.subject import Network
from roadworthy.subject.blueprint import blueprint_of, network_from, refused
from roadworthy.subject.builtin import small_conv_net
from roadworthy.subject.defences import cleaned, ensemble, with_layer_noise, with_layer_smoothing

PLAIN = Network(small_conv_net, "small")
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_an_ensemble_answers_with_the_mean_probability_of_its_members() -> None:
    module = ensemble(PLAIN, 3).build()
    assert module(IMAGES).shape == (6, 3, 10)
    module.eval()
    members = [member(IMAGES).softmax(1) for member in module.members]
    torch.testing.assert_close(module(IMAGES).softmax(1), torch.stack(members).mean(0))
    assert not torch.equal(members[0], members[1])


def test_an_ensemble_of_numbers_answers_with_their_mean() -> None:
    module = ensemble(Network(partial(nn.Linear, 4, 1)), 2).build()
    rows = torch.randn(5, 4)
    assert module(rows).shape == (5, 2, 1)
    expected = torch.stack([member(rows) for member in module.members]).mean(0)
    torch.testing.assert_close(module.eval()(rows), expected)


def test_inputs_are_rounded_to_levels_and_gradients_go_through() -> None:
    module = cleaned(PLAIN, "rounding", 5, 0.0, 1.0).build()
    found = module.clean(IMAGES)
    torch.testing.assert_close(found, (IMAGES * 4).round() / 4)
    at = IMAGES.clone().requires_grad_()
    module.eval()(at).sum().backward()
    assert bool((at.grad != 0).any())


@pytest.mark.parametrize("by", ["smoothing", "median"])
def test_inputs_are_smoothed_over_their_neighbours(by: str) -> None:
    module = cleaned(PLAIN, by, 1.0, 0.0, 1.0).build()  # type: ignore[arg-type]  # a literal
    found = module.clean(IMAGES)[0, 0].numpy()
    image = IMAGES[0, 0].numpy()
    if by == "median":
        expected = ndimage.median_filter(image, size=3, mode="nearest")
        assert abs(found - expected).max() < 1e-6
    else:
        expected = ndimage.uniform_filter(image, size=3, mode="constant")
        assert abs(found - expected)[1:-1, 1:-1].max() < 1e-6
    assert torch.equal(cleaned(PLAIN, by, 0.0, 0, 1).build().clean(IMAGES), IMAGES)  # type: ignore[arg-type]


def test_noise_in_the_layers_is_there_in_training_alone() -> None:
    module = with_layer_noise(PLAIN, 0.5).build()
    assert not torch.equal(module(IMAGES), module(IMAGES))
    module.eval()
    assert torch.equal(module(IMAGES), module(IMAGES))
    plain = PLAIN.build().eval()
    plain.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(IMAGES), plain(IMAGES))


def test_smoothed_layers_answer_otherwise_with_the_same_weights() -> None:
    module = with_layer_smoothing(PLAIN, 0.5).build().eval()
    plain = PLAIN.build().eval()
    plain.load_state_dict(module.state_dict())
    assert not torch.allclose(module(IMAGES), plain(IMAGES))
    none = with_layer_smoothing(PLAIN, 0.0).build().eval()
    none.load_state_dict(module.state_dict())
    torch.testing.assert_close(none(IMAGES), plain(IMAGES))


def test_layers_that_are_not_there_are_said() -> None:
    linear = Network(partial(nn.Linear, 4, 2))
    with pytest.raises(NotApplicable, match="no hidden"):
        with_layer_noise(linear, 0.1).build()
    dense = Network(lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    with pytest.raises(NotApplicable, match="no hidden convolution"):
        with_layer_smoothing(dense, 0.1).build()
    with pytest.raises(NotApplicable, match="no neighbours"):
        cleaned(dense, "median", 0.5, 0, 1).build()(torch.rand(3, 4))


@pytest.mark.parametrize(
    "network",
    [
        ensemble(PLAIN, 2),
        cleaned(PLAIN, "rounding", 8, 0.0, 1.0),
        with_layer_noise(PLAIN, 0.2),
        with_layer_smoothing(PLAIN, 0.2),
    ],
    ids=lambda network: network.source,
)
def test_a_defended_network_is_built_again_from_its_blueprint(network: Network) -> None:
    again = network_from(blueprint_of(network), refused)
    module, other = network.build().eval(), again.build().eval()
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(IMAGES), other(IMAGES))
    assert again.source == network.source
