"""Trainings of one subject under other seeds, in one family; and whether a seed decides anything at all."""

from dataclasses import replace

import numpy as np

from roadworthy.engine import artifact
from roadworthy.engine.isolation import Failure, attempt
from roadworthy.subject import Network, Trainer, Variant
from roadworthy.subject.variant import Weights


@artifact(cost="training")
def reseeded_weights(trainer: Trainer, *, seeds: int = 5) -> list[Weights]:
    """Trained weights under the seeds that follow the recipe's own: one mapping by name for each."""
    recipe = trainer.recipe
    following = [replace(recipe, seed=recipe.seed + 1 + i) for i in range(seeds)]
    return [dict(weights) for weights in trainer.weights([Variant(recipe=r) for r in following])]


def starts_alike(network: Network) -> bool:
    """Whether two builds under one seed begin with the same weights.

    Where they do not (a factory that seeds itself, or reads the clock), training again tells nothing of a recipe.
    """
    import torch

    from roadworthy.subject.modules import weights_of

    def build() -> dict[str, np.ndarray]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return dict(weights_of(network.build()))

    built = attempt(lambda: (build(), build()))
    if isinstance(built, Failure):
        return True  # what breaks here breaks in training, and is told there
    one, other = built.value
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=True) for name in one
    )
