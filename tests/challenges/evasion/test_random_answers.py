"""Defences that answer at random, attacked by the mean over draws: what one draw at a time does not see."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from roadworthy.challenges.evasion import artifacts, checks, masking
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.cascade import Outcomes
from roadworthy.perturbation.gradient_attacks import Pgd
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.threat import Ball
from roadworthy.quantities import identity, outputs
from roadworthy.subject import Subject, fields_of, subject_from
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(artifacts, checks, masking, identity, outputs, training)
EPS, ROWS = 0.1, 40


class DroppedPixels(nn.Module):
    """The nearest class mean of digits, seen through the half of the pixels that each call draws."""

    def __init__(self, means: Tensor) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.head.weight.data = means * 4
        self.head.bias.data = -2 * means.square().sum(1)

    def forward(self, inputs: Tensor) -> Tensor:
        kept = torch.rand_like(inputs) > 0.5
        return self.head((2 * inputs * kept).flatten(1))


def digits() -> tuple[DroppedPixels, np.ndarray, np.ndarray]:
    found = load_digits()
    inputs, labels = (found.images / 16).astype(np.float32)[:, None], found.target
    means = np.stack([inputs[labels == c].mean(axis=0).ravel() for c in range(10)])
    return DroppedPixels(torch.from_numpy(means)), inputs[-ROWS:], labels[-ROWS:]


def declared(rows: slice = slice(None)) -> Subject:
    module, inputs, labels = digits()
    test = (inputs[rows], labels[rows])
    classes = tuple("0123456789")
    return subject_from(module, test=test, input_range=(0, 1), random_draws=16, classes=classes)


def measured(subject: Subject, name: str, eps: float = EPS) -> Outcome:
    options = {"attack_threat": {"eps": eps}}
    return compute(REGISTRY, fields_of(subject), [name], options=options)[name]


@pytest.fixture(scope="module")
def honest() -> dict[str, Outcome]:
    names = ["adversarial_error", "test_attack_first", "test_attack_outcomes", "predictor"]
    options = {"attack_threat": {"eps": EPS}}
    return compute(REGISTRY, fields_of(declared()), names, options=options)


def test_steps_along_single_draws_see_an_illusion_that_the_mean_over_draws_reveals(
    honest: dict[str, Outcome],
) -> None:
    module, inputs, labels = digits()
    points = Points(
        torch.from_numpy(inputs),
        torch.from_numpy(labels),
        RowNoise(np.arange(ROWS, dtype=np.uint64)),
    )
    torch.manual_seed(0)
    found = Pgd(10, 0.25)(AttackedModel(module.eval(), 10), points, Ball("linf", EPS, 0, 1)).inputs
    predictor = honest["predictor"].value
    clean, naive = (
        float((predictor(x).argmax(1) != labels).mean()) for x in (inputs, found.numpy())
    )
    measurement = honest["adversarial_error"].value
    assert measurement.n == ROWS
    assert naive < clean + 0.1  # it looks as if nothing could be turned
    assert measurement.value > naive + 0.2
    assert "answers at random" in measurement.details


def test_the_cut_into_shards_changes_no_outcome(honest: dict[str, Outcome]) -> None:
    whole = honest["test_attack_first"].value
    part = measured(declared(slice(20, 28)), "test_attack_first").value
    # By names of rows: the same rows have the same random starts and the same draws.
    np.testing.assert_array_equal(part[:, :3], whole[20:28, :3])
    assert Outcomes(whole).broken.sum() > 5


def test_at_eps_0_the_error_is_that_of_what_the_user_is_told() -> None:
    subject = declared()
    predicted = measured(subject, "test_probabilities").value.argmax(axis=1)
    wrong = float((predicted != subject.splits["test"].target).mean())
    assert measured(subject, "adversarial_error", eps=0.0).value.value == wrong
