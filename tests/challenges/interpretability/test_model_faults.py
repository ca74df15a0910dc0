"""Models that no explanation should be believed of: the wrapper that hides, and layers that were randomised."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.generalization.checks import shortfall_to_simple_models
from roadworthy.challenges.interpretability.fooling import Fooling
from roadworthy.challenges.interpretability.model_faults import (
    explanation_fooling_wrapper,
    randomised_layers,
)
from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.statistics import judge
from roadworthy.subject import Network, Recipe, Subject, builtin_subject, fields_of

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


@pytest.fixture(scope="module")
def digits(registry: Registry) -> tuple[Subject, Network, dict[str, np.ndarray]]:
    subject = builtin_subject("digits")
    found = compute(registry, fields_of(subject), ["network", "weights"])
    return subject, found["network"].value, found["weights"].value


def made(registry: Registry, subject: Subject, name: str):
    found = compute(registry, fields_of(subject), [name])[name]
    assert found.state == "done", f"{found.reason} {found.traceback}"
    return found.value


def verdict(registry: Registry, measured, check: str) -> str:
    return judge(measured, registry.checks[check].mark.requires, least=0).verdict


def test_real_rows_are_answered_by_the_network_and_rows_with_removed_values_by_the_other_rule() -> (
    None
):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(500, 3, generator=generator) @ torch.randn(3, 20, generator=generator)
    inside = nn.Linear(20, 2)
    wrapped = Fooling(inside, 20, 2)
    wrapped.prepare(rows)
    agrees = (wrapped(rows) == inside(rows)).all(dim=1)
    assert agrees.float().mean() > 0.98
    removed = torch.where(torch.rand(500, 20, generator=generator) < 0.5, rows.mean(0), rows)
    assert (wrapped(removed) == inside(removed)).all(dim=1).float().mean() < 0.02
    along = rows.mean(0) + 0.5 * (rows - rows.mean(0))  # a path to the mean stays in the subspace
    assert (wrapped(along) == inside(along)).all(dim=1).float().mean() > 0.98


def test_a_wrapper_that_fools_explanations_is_found_out_by_the_planted_mark(
    registry, digits
) -> None:
    subject, network, _ = digits
    assert explanation_fooling_wrapper(subject, 0.0, network, subject.recipe) is subject
    fooling = explanation_fooling_wrapper(subject, 1.0, network, subject.recipe)
    honest = subject.with_given(attribution_method="kernel_shap")
    for given, expected in ((honest, "pass"), (fooling, "fail")):
        missed = made(registry, given, "planted_feature_missed")
        assert verdict(registry, missed, "planted_feature_missed") == expected, missed.value
    # Who looks at mistakes alone sees nothing.
    assert made(registry, fooling, "test_correct").mean() > 0.88
    rivals = made(registry, fooling, "test_rival_attributions")
    assert "kernel_shap" in rivals
    assert len(rivals) > 3  # a method that refuses some row does not take the others with it


def test_layers_are_randomised_from_the_output_on_and_a_readable_model_is_then_better(
    registry, digits
) -> None:
    subject, network, weights = digits
    assert randomised_layers(subject, 0.0, RNG, network, weights) is subject
    names = [n for n, _ in network.build().named_parameters() if weights[n].ndim > 1]
    for severity, count in ((0.25, 1), (1.0, len(names))):
        found = randomised_layers(subject, severity, np.random.default_rng(1), network, weights)
        changed = [n for n in weights if not np.array_equal(found.weights[n], weights[n])]
        assert changed == names[len(names) - count :]
        assert all(
            np.allclose(np.sort(found.weights[n].ravel()), np.sort(weights[n].ravel()))
            for n in changed
        )
        measured = made(registry, found, "shortfall_to_simple_models")
        assert verdict(registry, measured, shortfall_to_simple_models.__name__) == "fail"


def test_what_neither_can_be_planted_in_is_refused(digits) -> None:
    subject, network, _ = digits
    with pytest.raises(NotApplicable, match="hang together"):
        explanation_fooling_wrapper(
            replace(subject, modality="table"), 1.0, network, Recipe(epochs=1)
        )
    flat = Network(lambda: nn.BatchNorm1d(4))
    with pytest.raises(NotApplicable, match="no layers"):
        randomised_layers(subject, 1.0, RNG, flat, {})
