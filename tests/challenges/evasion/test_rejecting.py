"""Rejection as a remedy: as many clean rows are held back as stated, far rows are, and no class changes."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion.mitigations.rejecting import (
    rejection,
    rejection_at_random_places,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject, subject_from
from roadworthy.subject.guarded import Guard, distances_to, threshold_at
from roadworthy.subject.guarded_module import Guarded

RNG = np.random.default_rng(0)
CLASSES, WIDTH = 3, 6
CENTERS = np.eye(CLASSES, WIDTH) * 3


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % CLASSES
    return (CENTERS[labels] + RNG.normal(scale=0.3, size=(n, WIDTH))).astype(np.float32), labels


TRAIN, VALIDATION, TEST = rows(300), rows(200), rows(400)


def net() -> nn.Module:
    found = nn.Linear(WIDTH, CLASSES)
    found.weight.data = torch.from_numpy(CENTERS.astype(np.float32))
    found.bias.data.zero_()
    return found


def made(strength: float, *, is_sham: bool = False) -> tuple[Subject, Subject]:
    subject = subject_from(net(), train=TRAIN, validation=VALIDATION, test=TEST)
    assert subject.network is not None
    assert subject.weights is not None
    logits = VALIDATION[0] @ CENTERS.T.astype(np.float32)
    fitted = (TRAIN[0], VALIDATION[0], logits, "logits", subject.network, subject.weights)
    if is_sham:
        return subject, rejection_at_random_places(subject, strength, RNG, *fitted)
    return subject, rejection(subject, strength, *fitted)


def answers(subject: Subject, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and which rows get an answer."""
    assert subject.network is not None
    assert subject.weights is not None
    assert subject.decision_rule is not None
    module = subject.network.build()
    module.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in subject.weights.items()})
    with torch.no_grad():
        sure, found = module.eval()(torch.from_numpy(inputs)).softmax(1).max(1)
    return found.numpy(), sure.numpy() >= subject.decision_rule.threshold


@pytest.mark.parametrize("rate", [0.01, 0.04])
@pytest.mark.parametrize("is_sham", [False, True])
def test_as_many_ordinary_rows_are_held_back_as_stated_and_no_class_changes(
    rate: float, is_sham: bool
) -> None:
    _, held = made(rate, is_sham=is_sham)
    classes, given = answers(held, VALIDATION[0])
    assert (~given).sum() == int(rate * len(given))
    assert (classes == (VALIDATION[0] @ CENTERS.T).argmax(1)).all()
    _, given = answers(held, TEST[0])
    assert 1 - given.mean() < 0.1


def test_rows_far_from_the_training_rows_are_held_back_and_from_random_places_not() -> None:
    far = (-np.abs(RNG.normal(size=(50, WIDTH)))).astype(np.float32) * 3
    _, given = answers(made(0.04)[1], far)
    assert not given.any()
    _, by_chance = answers(made(0.04, is_sham=True)[1], far)
    assert by_chance.any()


def test_at_strength_0_nothing_changes_and_few_rows_set_no_rate() -> None:
    subject, held = made(0.0)
    assert held is subject
    assert subject.network is not None
    assert subject.weights is not None
    few = VALIDATION[0][:20]
    with pytest.raises(NotApplicable, match="20 validation rows"):
        rejection(
            subject, 0.04, TRAIN[0], few, few[:, :3], "logits", subject.network, subject.weights
        )


def test_distances_are_those_of_the_module_and_of_a_sort() -> None:
    places = RNG.normal(size=(40, WIDTH)).astype(np.float32)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    found = distances_to(places, TEST[0])
    unit = TEST[0] / np.linalg.norm(TEST[0], axis=1, keepdims=True)
    by_hand = np.sort(np.linalg.norm(unit[:, None] - places[None], axis=2), axis=1)[:, 9]
    np.testing.assert_allclose(found, by_hand, atol=1e-3)
    module = Guarded(net(), "logits", CLASSES, 40, WIDTH)
    module.neighbours.copy_(torch.from_numpy(places))
    np.testing.assert_allclose(found, module._distance(torch.from_numpy(TEST[0])), atol=1e-3)
    assert Guard(places, 1.0, 10.0).factors(np.array([0.5, 1.1]))[0] == 1.0


def test_the_threshold_is_the_conformal_one() -> None:
    values = np.arange(1.0, 100.0)  # 99 values: the 95th of 100 places
    assert threshold_at(values, 0.95) == 95.0
    assert threshold_at(values, 1.0) == 99.0
