"""Directions of concepts: a concept that answers rest on is told from random ones, and random ones from none."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.interpretability.concepts import (
    concept_influence,
    concept_scores,
    concepts,
)
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Predictor, Task

TASK = Task("binary", ("no", "yes"), positive=1)
RNG = np.random.default_rng(0)
TRAIN, TEST = RNG.normal(size=(800, 5)), RNG.normal(size=(400, 5))


def network() -> nn.Module:
    """Says yes with the first value: a hidden layer of its two signs, and one of another value that cancels out."""
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.zero_()
        module[2].weight.zero_()
        module[2].bias.zero_()
        module[0].weight[:2, 0] = torch.tensor([1.0, -1.0])
        module[0].weight[2:, 3] = torch.tensor([1.0, -1.0])
        module[2].weight[1, :2] = torch.tensor([1.0, -1.0])
        module[2].weight[0, :2] = torch.tensor([-1.0, 1.0])
        module[2].weight[:, 2:] = 0.3
    return module


MODULE = network()
MODEL = Predictor(
    lambda x: MODULE(torch.tensor(x, dtype=torch.float32)).detach().numpy(), "logits", None, MODULE
)
ANSWERS = MODEL(TEST).argmax(axis=1)
FIRST = RNG.normal(size=(60, 5)) + np.array([2.0, 0, 0, 0, 0])
FIFTH = RNG.normal(size=(60, 5)) + np.array([0, 0, 0, 0, 2.0])


def scores(named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return dict(concept_scores(MODEL, TASK, named, TRAIN, TEST, ANSWERS, rng))


def test_a_concept_that_answers_rest_on_stands_out_and_another_does_not() -> None:
    found = scores({"first": FIRST, "fifth": FIFTH})
    assert found["first"][:, 1].mean() > 0.95  # yes grows with it
    assert found["first"][:, 0].mean() < 0.05  # no shrinks
    told = concept_influence(found, TASK)
    assert told.low > 0.1
    assert "first" in told.details
    alone = concept_influence(scores({"fifth": FIFTH}), TASK)
    assert alone.low <= 0.0


def test_few_examples_black_boxes_and_no_concepts_are_said() -> None:
    with pytest.raises(UserError, match="at least 20"):
        scores({"first": FIRST[:5]})
    with pytest.raises(NotApplicable, match="with_given"):
        concepts()
    black = Predictor(lambda x: x[:, :2], "logits", None)
    with pytest.raises(NotApplicable, match="black box"):
        concept_scores(black, TASK, {"first": FIRST}, TRAIN, TEST, ANSWERS, RNG)
