"""The place inside a network: all of an answer passes through it, and rows have slopes of their own there."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.challenges.interpretability.inside import Inside
from roadworthy.errors import NotApplicable

ROWS = np.random.default_rng(0).normal(size=(50, 5))


class Two(nn.Module):
    """Two layers: the place of the first is 0, that of the head 1."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head, self.other = nn.Linear(5, 24), nn.Linear(24, 2), nn.Linear(24, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.first(inputs).relu())


class Three(Two):
    """Three layers: 1 is what comes before the head."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Linear(24, 24)

    def hidden(self, inputs: Tensor) -> Tensor:
        return self.second(self.first(inputs).relu()).relu()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.hidden(inputs))


class Auxiliary(Three):
    """Calls a layer after the head, whose outputs are not used."""

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.hidden(inputs)
        found = self.head(hidden)
        self.other(hidden)
        return found


class Probable(Auxiliary):
    """The same, with probabilities: their slopes are not equally steep, and all point one way."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).softmax(1)


class TwoHeads(Two):
    """Adds the outputs of two heads."""

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs).relu()
        return self.head(hidden) + self.other(hidden)


class Branches(Two):
    """Two ways of two layers, which meet before the head."""

    def __init__(self) -> None:
        super().__init__()
        self.ways = nn.ModuleList(
            nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24)) for _ in range(2)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs).relu()
        return self.head(sum((way(hidden) for way in self.ways), torch.zeros(())).relu())


class Named(Two):
    """Gives its layers their inputs by name."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(input=self.first(input=inputs).relu())


def made(kind: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind()


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (Two, 0),
        (Three, 1),
        (Auxiliary, 1),  # 2 is the head itself
        (Probable, 1),
        (TwoHeads, 0),  # 1 and 2 are the heads
        (Branches, 3),  # what both ways are given; 4 lies within one of them, 5 is the head
        (Named, 0),
    ],
)
def test_all_of_an_answer_passes_through_the_place_and_rows_have_slopes_of_their_own(
    kind, place
) -> None:
    with Inside.before_the_last(made(kind), ROWS, 2) as inside:
        assert inside.place == place
        slopes = inside.slopes(ROWS, np.ones(50, np.int64))
    steep = np.linalg.norm(slopes, axis=1, keepdims=True)
    assert len(np.unique((slopes / steep).round(4), axis=0)) > 10


def test_slopes_and_what_is_held_are_those_of_the_network() -> None:
    module = made(Three)
    hidden = module.first(torch.tensor(ROWS, dtype=torch.float32)).relu()
    gates = module.second(hidden) > 0
    with Inside.before_the_last(module, ROWS, 2) as inside:
        held = inside.activations(ROWS)
        slopes = inside.slopes(ROWS, np.ones(50, np.int64))
    assert np.allclose(held, hidden.detach().numpy(), atol=1e-6)
    # By hand: the weights of the class, through the open gates, back through the second layer.
    expected = (gates * module.head.weight[1]) @ module.second.weight
    assert np.allclose(slopes, expected.detach().numpy(), atol=1e-6)


def test_a_network_whose_slopes_are_the_same_everywhere_has_no_such_place() -> None:
    line = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2))
    with (
        pytest.raises(NotApplicable, match="slopes of their own"),
        Inside.before_the_last(line, ROWS, 2),
    ):
        pass


def test_rows_that_differ_are_found_wherever_they_stand() -> None:
    rows = np.concatenate([np.zeros((500, 5)), ROWS])
    with Inside.before_the_last(made(Auxiliary), rows, 2) as inside:
        assert inside.place == 1
