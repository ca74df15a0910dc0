"""The place inside a network: passed by all of an answer, and with slopes that are not the same in every row."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.interpretability.inside import Inside
from roadworthy.errors import NotApplicable

ROWS = np.random.default_rng(0).normal(size=(50, 5))


def two_layers(taken: int, given: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(taken, 8), nn.ReLU(), nn.Linear(8, given))


class Net(nn.Module):
    """A body of two layers, calls 0 and 1, and behind it what a subclass does with one more: its head, call 2."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = two_layers(5, 8), nn.Linear(8, 2)
        self.other = nn.Linear(8, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).relu())


class ByName(Net):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(input=self.body(inputs).relu())


class WithAnUnusedLayerBehind(Net):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        held = self.body(inputs).relu()
        outputs = self.head(held)
        self.other(held)
        return outputs


class WithProbabilities(WithAnUnusedLayerBehind):
    """In the head slopes of the rows differ in size and not in direction."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs).softmax(1)


class WithTwoHeads(Net):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        held = self.body(inputs).relu()
        return self.head(held) + self.other(held)


class WithOneScore(Net):
    """The output of the first class is always 0."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        score = super().forward(inputs)[:, :1]
        return torch.cat([torch.zeros_like(score), score], dim=1)


class WithOppositeScores(Net):
    """The outputs of both classes sum to 0."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        score = super().forward(inputs)[:, :1]
        return torch.cat([-score, score], dim=1)


class WithTwoBranches(nn.Module):
    """Calls: 0 the stem, 1 and 2 one branch, 3 and 4 the other, 5 the head; 1 and 3 are given what the stem gives."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(5, 8), nn.Linear(8, 2)
        self.one, self.other = two_layers(8, 8), two_layers(8, 8)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        held = self.stem(inputs).relu()
        return self.head((self.one(held) + self.other(held)).relu())


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (Net, 1),
        (ByName, 1),
        (WithAnUnusedLayerBehind, 1),
        (WithProbabilities, 1),
        (WithTwoHeads, 1),
        (WithOneScore, 1),
        (WithOppositeScores, 1),
        (WithTwoBranches, 3),
    ],
)
def test_the_place_is_the_last_that_all_passes_and_at_which_slopes_point_elsewhere_by_row(
    kind: type[nn.Module], place: int
) -> None:
    torch.manual_seed(0)
    with Inside.before_the_last(kind(), ROWS, 2) as inside:
        assert inside.place == place
        slopes = inside.slopes(ROWS, np.ones(len(ROWS), np.int64))
        held = inside.activations(ROWS)
    assert held.shape == slopes.shape == (50, 8)
    ways = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    assert len(np.unique(ways.round(4), axis=0)) > 10


def test_a_network_with_one_slope_for_every_row_has_no_such_place() -> None:
    straight = nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    with (
        pytest.raises(NotApplicable, match="from row to row"),
        Inside.before_the_last(straight, ROWS, 2),
    ):
        pass
    with (
        pytest.raises(NotApplicable, match="one layer"),
        Inside.before_the_last(straight[0], ROWS, 8),
    ):
        pass


def test_rows_without_a_number_do_not_hide_the_place() -> None:
    torch.manual_seed(0)
    rows = ROWS.copy()
    rows[::3] = np.nan
    curved = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), two_layers(8, 2))
    curved[2][1] = nn.Tanh()  # whose slope at what is no number is none either
    with Inside.before_the_last(curved, rows, 2) as inside:
        assert inside.place == 1
