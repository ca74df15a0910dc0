"""Rescaled logits: the known temperature is found again, and the model around it is the one that was measured."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.uncertainty.faults import drawn
from roadworthy.challenges.uncertainty.scaling import fitted_temperature, fitted_vector
from roadworthy.subject import Network
from roadworthy.subject.rescaled import rescaled


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_known_factor(factor: float) -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(20_000, 5))
    labels = drawn(softmax(logits), rng)
    assert fitted_temperature(factor * logits, labels).scale[0] == pytest.approx(
        1 / factor, rel=0.04
    )


def test_the_temperature_is_that_of_a_logistic_regression_on_one_feature() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    z = rng.normal(size=3_000)
    labels = (rng.random(3_000) < 1 / (1 + np.exp(-1.7 * z))).astype(np.int64)
    oracle = LogisticRegression(C=np.inf, fit_intercept=False).fit(z[:, None], labels)
    found = fitted_temperature(np.stack([np.zeros_like(z), z], axis=1), labels)
    assert found.scale[0] == pytest.approx(oracle.coef_[0, 0], rel=1e-2)


def test_a_scale_per_class_is_found_and_a_class_without_rows_keeps_the_temperature() -> None:
    rng = np.random.default_rng(2)
    logits = 2 * rng.normal(size=(40_000, 4))
    labels = drawn(softmax(logits), rng)
    factor = np.array([2.0, 1.0, 2.0, 1.0])
    found = fitted_vector(factor * logits, labels)
    assert found.scale * factor == pytest.approx(np.ones(4), rel=0.06)
    few = labels != 3
    alone = fitted_vector(logits[few][:200], labels[few][:200])
    assert 0.2 < alone.scale[3] < 5


def test_strength_goes_from_nothing_to_the_whole() -> None:
    scaling = fitted_temperature(
        np.array([[3.0, 0.0], [0.0, 3.0]] * 20), np.array([0, 1] * 19 + [1, 0])
    )
    assert scaling.weakened(0.0).scale == pytest.approx([1.0, 1.0])
    assert scaling.weakened(1.0).scale == pytest.approx(scaling.scale)


@pytest.mark.parametrize("outputs", [3, 1])
@pytest.mark.parametrize("ends_in_probabilities", [False, True])
def test_the_wrapped_network_gives_rescaled_logits_and_trains_as_before(
    outputs: int, ends_in_probabilities: bool
) -> None:
    end = (
        (nn.Softmax(dim=1) if outputs > 1 else nn.Sigmoid())
        if ends_in_probabilities
        else nn.Identity()
    )
    built = Network(lambda: nn.Sequential(nn.Linear(4, outputs), end), "mine")
    torch.manual_seed(0)
    module = built.build()
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    classes = max(outputs, 2)
    scale, shift = np.linspace(0.5, 2, classes), np.linspace(-1, 1, classes)
    kind = "probabilities" if ends_in_probabilities else "logits"
    network, named = rescaled(built, weights, scale, shift, kind=kind, said="rescaled")
    assert network.source == "mine, rescaled"
    wrapped = network.build()
    wrapped.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in named.items()})
    inputs = torch.randn(7, 4)
    with torch.no_grad():
        plain = module(inputs)
        assert (wrapped.train()(inputs) == plain).all()
        found = wrapped.eval()(inputs).numpy()
    z = plain.numpy().astype(float)
    if outputs == 1:
        z = np.hstack([1 - z if ends_in_probabilities else np.zeros_like(z), z])
    z = np.log(z) if ends_in_probabilities else z
    assert found == pytest.approx(z * scale + shift, abs=1e-5)
