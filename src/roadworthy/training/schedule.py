"""Which rows make up which batch, and how fast is learned at which step: the same in loop and fleet."""

from collections.abc import Iterator
from math import cos, pi
from typing import TYPE_CHECKING

from roadworthy.subject import Recipe

if TYPE_CHECKING:
    from torch import Tensor


def orders(n: int, recipe: Recipe) -> "Iterator[Tensor]":
    """Yield the order of n rows in one epoch after the other: (n,) int64 positions, without end."""
    import torch

    generator = torch.Generator().manual_seed(recipe.seed)
    while True:
        yield torch.randperm(n, generator=generator)


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
