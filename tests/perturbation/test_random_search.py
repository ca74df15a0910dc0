"""What a random search reads from answers, and the numbers that it draws ahead."""

import numpy as np
import pytest
import torch

from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.random_search import _apart, _standing, standing
from roadworthy.perturbation.streams import BLOCK, RowStream


@pytest.mark.parametrize(
    "logits",
    [
        [[3.0, 1.0, 2.0], [0.0, 5.0, 4.5]],  # right: by 1 and .5
        [[3.0, 3.0, 2.0], [0.0, 5.0, 4.5]],  # a tie that the lower code wins
        [[3.0, 1.0, 2.0], [5.0, 5.0, 4.5]],  # a tie that it loses
        [[3.0, 1.0, 4.0], [0.0, 5.0, 4.5]],  # wrong
        [[float("nan"), 1.0, 2.0], [0.0, 5.0, 4.5]],
        [[float("inf"), 1.0, 2.0], [0.0, 5.0, float("-inf")]],
    ],
)
def test_the_short_way_to_a_margin_agrees_with_the_long_one(logits: list[list[float]]) -> None:
    labels = torch.tensor([0, 1])
    given = torch.tensor(logits)
    short = _standing(given, labels, _apart(given, labels))
    assert torch.equal(short, standing(given, labels))


def test_a_stream_that_was_read_ahead_goes_on_where_it_was_used() -> None:
    noise = RowNoise(np.arange(6, dtype=np.uint64))
    plain = RowStream(noise, 3, "draw")
    expected = [plain.next() for _ in range(BLOCK + 20)]
    ahead = RowStream(noise, 3, "draw")
    found = list(ahead.several(50))
    ahead.back(8)
    found = found[:42] + list(ahead.several(50))  # to the end of the block, no further
    assert len(found) == BLOCK
    kept = torch.tensor([4, 1])
    ahead.take(kept)
    later = ahead.several(20)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=False))
    assert torch.equal(later, torch.stack(expected[BLOCK:])[:, kept])
