"""Order of rows and learning rates."""

from itertools import islice, pairwise

import pytest
import torch

from roadworthy.subject import Recipe
from roadworthy.training.schedule import batch_count, learning_rate, orders


def test_each_epoch_is_a_new_order_of_all_rows_decided_by_the_seed() -> None:
    first, second = islice(orders(20, Recipe()), 2)
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(20))
    assert first.tolist() != second.tolist()
    assert next(orders(20, Recipe())).tolist() == first.tolist()
    assert next(orders(20, Recipe(seed=1))).tolist() != first.tolist()


def test_blocks_are_read_four_at_a_time_and_each_row_once() -> None:
    sizes = [7, 3, 10, 5, 5, 6, 4, 10, 1]
    block = torch.repeat_interleave(torch.arange(9), torch.tensor(sizes))
    found = list(islice(orders(sum(sizes), Recipe(), sizes), 5))
    for order in found:
        assert order.sort().values.tolist() == list(range(51))
        # A block that was left is not needed again, and never are more than four open.
        visits = block[order].tolist()
        last = {each: max(i for i, v in enumerate(visits) if v == each) for each in range(9)}
        first = {each: visits.index(each) for each in range(9)}
        for i in range(51):
            assert sum(first[b] <= i <= last[b] for b in range(9)) <= 4
    assert len({tuple(order.tolist()) for order in found}) == 5
    assert len({tuple(sorted(set(block[order][:10].tolist()))) for order in found}) > 1


def test_up_to_four_blocks_are_as_good_as_none() -> None:
    assert torch.equal(next(orders(20, Recipe(), [5, 5, 5, 5])), next(orders(20, Recipe())))


def test_rates_and_batches() -> None:
    assert [batch_count(n, Recipe(batch_size=10)) for n in (2, 14, 16, 100)] == [1, 1, 2, 10]
    cosine = Recipe(learning_rate=0.2)
    rates = [learning_rate(cosine, step, 10) for step in range(10)]
    assert rates[0] == 0.2
    assert rates[5] == pytest.approx(0.1)
    assert all(a > b > 0 for a, b in pairwise(rates))
    assert learning_rate(Recipe(schedule="constant"), 7, 10) == 1e-3
