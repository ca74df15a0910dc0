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


def test_a_concept_that_means_nothing_is_seldom_called_an_influence() -> None:
    # The directions share the luck of the examples: taken as independent, 36 of 100 such concepts were called one.
    called = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        fifth = rng.normal(size=(60, 5)) + np.array([0, 0, 0, 0, 2.0])
        found = concept_scores(MODEL, TASK, {"fifth": fifth}, TRAIN, TEST, ANSWERS, rng)
        called += concept_influence(found, TASK).low > 0
    assert called <= 1


def test_units_that_hardly_ever_fire_do_not_lead() -> None:
    """Of 40 more units with tiny signals, some tell examples from others by luck; the answer heeds each of them backwards."""
    module = nn.Sequential(nn.Linear(45, 44), nn.ReLU(), nn.Linear(44, 2))
    with torch.no_grad():
        for part in module.parameters():
            part.zero_()
        inner = network()
        module[0].weight[:4, :5], module[2].weight[:, :4] = inner[0].weight, inner[2].weight
        module[0].weight[4:, 5:] = 1e-3 * torch.eye(40)
        module[2].weight[1, 4:], module[2].weight[0, 4:] = -3.0, 3.0
    rng = np.random.default_rng(0)

    def wide(rows: np.ndarray) -> np.ndarray:
        rare = (rng.random((len(rows), 40)) < 0.05) * rng.random((len(rows), 40))
        return np.concatenate([rows, rare], axis=1)

    found = of(module, {"first": wide(FIRST)}, wide(TRAIN), wide(TEST))
    assert found["first"][:, 1].mean() > 0.95
    assert found["first"][:, 0].mean() < 0.05


def test_where_nothing_is_shown_no_concept_is_named_and_a_share_stays_one() -> None:
    rng = np.random.default_rng(0)
    chance = {"striped": rng.random((20, 2)), "": rng.random((20, 2))}
    told = concept_influence(chance, TASK)
    assert "striped" not in told.details
    assert told.details.startswith("No concept is shown")
    assert told.high <= 1.0


def test_few_examples_black_boxes_and_no_concepts_are_said() -> None:
    with pytest.raises(UserError, match="at least 20"):
        scores({"first": FIRST[:5]})
    with pytest.raises(NotApplicable, match="with_given"):
        concepts()
    with pytest.raises(UserError, match="mapping of concepts is empty"):
        scores({})
    with pytest.raises(NotApplicable, match="3 training rows; 80 are needed"):
        concept_scores(MODEL, TASK, {"first": FIRST}, TRAIN[:3], TEST, ANSWERS, RNG)
    black = Predictor(lambda x: x[:, :2], "logits", None)
    with pytest.raises(NotApplicable, match="black box"):
        concept_scores(black, TASK, {"first": FIRST}, TRAIN, TEST, ANSWERS, RNG)


def of(module: nn.Module, named: dict[str, np.ndarray], train=TRAIN, test=TEST):
    model = Predictor(lambda x: x, "logits", None, module)
    with torch.no_grad():
        answers = module.eval()(torch.tensor(test, dtype=torch.float32)).argmax(1).numpy()
    module.train()
    return concept_scores(model, TASK, named, train, test, answers, np.random.default_rng(1))


def test_a_concept_is_found_where_the_first_unit_is_dead() -> None:
    turned = network()  # of the last value, in place of the first
    with torch.no_grad():
        turned[0].weight[:] = turned[0].weight.flip(1)
    live = np.array([0, 1, 1, 1, 1])
    found = of(turned, {"last": FIRST[:, ::-1] * live}, TRAIN * live, TEST * live)
    assert found["last"][:, 1].mean() > 0.95
    assert found["last"][:, 0].mean() < 0.05
    assert 0.1 < found[""][:, 1].mean() < 0.9  # random directions go either way


def test_modes_and_gradients_are_what_they_were() -> None:
    module = network().insert(1, nn.Dropout(0.5))
    module[0].weight.requires_grad_(False)
    of(module, {"first": FIRST})
    assert all(part.training for part in module.modules())
    assert [p.requires_grad for p in module.parameters()] == [False, True, True, True]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_shortcut_that_is_called_last_does_not_hide_the_long_way(sign) -> None:
    class Residual(nn.Module):
        """The network of before, with a shortcut of another value, registered and called last."""

        def __init__(self) -> None:
            super().__init__()
            self.long, self.shortcut, self.last = network(), nn.Linear(5, 2), nn.Linear(2, 2)
            with torch.no_grad():
                self.shortcut.weight.zero_()
                self.shortcut.weight[0, 4], self.shortcut.weight[1, 4] = -0.01 * sign, 0.01 * sign
                self.last.weight.copy_(torch.eye(2))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.last(self.long(inputs) + self.shortcut(inputs))

    found = of(Residual(), {"first": FIRST})
    assert found["first"][:, 1].mean() > 0.95  # by the shortcut alone, the sign of it would decide
    assert found["first"][:, 0].mean() < 0.05


def test_codes_that_are_looked_up_have_directions_too() -> None:
    class Codes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.codes, self.rest = nn.Embedding(2, 5), network()
            self.codes.weight.data = torch.tensor([[-1.0] * 5, [1.0] * 5])

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.rest(self.codes(inputs[:, 0].long()))

    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 2, (n, 1)).astype(float) for n in (400, 200))
    found = of(Codes(), {"one": np.ones((60, 1))}, train, test)
    assert found["one"][:, 1].mean() > 0.9


def test_less_memory_takes_smaller_chunks_and_gives_the_same() -> None:
    class Narrow(nn.Module):
        def __init__(self, most: int) -> None:
            super().__init__()
            self.network, self.most = network(), most

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if len(inputs) > self.most and torch.is_grad_enabled():
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return self.network(inputs)

    wide, narrow = (of(Narrow(most), {"first": FIRST}) for most in (10_000, 7))
    assert all(np.allclose(wide[name], narrow[name], equal_nan=True) for name in wide)
