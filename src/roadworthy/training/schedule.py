"""Which rows make up which batch, and how fast is learned at which step: the same in loop and fleet."""

from collections.abc import Iterator, Sequence
from math import cos, pi
from typing import TYPE_CHECKING

from roadworthy.subject import Recipe

if TYPE_CHECKING:
    from torch import Generator, Tensor

BLOCKS_TOGETHER = 4  # that a source of blocks keeps in memory


def orders(n: int, recipe: Recipe, blocks: Sequence[int] | None = None) -> "Iterator[Tensor]":
    """Yield the order of n rows in one epoch after the other: (n,) int64 positions, without end.

    Parameters
    ----------
    n : int
    recipe : Recipe
    blocks : sequence of int, optional
        Numbers of consecutive rows that are read together (row groups of a Parquet file), n in all. Each
        epoch orders the blocks at random, and then the rows within every four successive ones, so
        that no more than four have to be in memory. Rows of other blocks than these four never share
        a batch: write files whose rows are shuffled. Up to four blocks are as good as none.
    """
    import torch

    generator = torch.Generator().manual_seed(recipe.seed)
    while True:
        if blocks is None or len(blocks) <= BLOCKS_TOGETHER:
            yield torch.randperm(n, generator=generator)
        else:
            yield _order_of_blocks(torch.tensor(blocks), generator)


def batch_count(n: int, recipe: Recipe) -> int:
    """Return the number of batches that an epoch of n rows is split into by `Tensor.tensor_split`.

    Batches are of nearly equal size: a last batch of one row would break batch normalisation.
    """
    return max(1, round(n / recipe.batch_size))


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of a training of `steps` steps."""
    if recipe.schedule == "cosine":
        return recipe.learning_rate * ((1 + cos(pi * step / steps)) / 2)
    return recipe.learning_rate


def _order_of_blocks(sizes: "Tensor", generator: "Generator") -> "Tensor":
    import torch

    ends = sizes.cumsum(0)
    together: list[Tensor] = []
    for chosen in torch.randperm(len(sizes), generator=generator).split(BLOCKS_TOGETHER):
        rows = torch.cat([torch.arange(int(ends[i] - sizes[i]), int(ends[i])) for i in chosen])
        together.append(rows[torch.randperm(len(rows), generator=generator)])
    return torch.cat(together)
