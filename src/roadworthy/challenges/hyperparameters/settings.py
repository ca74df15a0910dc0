"""The settings of a recipe as numbers: which can be searched, in what range, and small changes of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, log
from typing import Literal

import numpy as np

from roadworthy.subject import Recipe

Setting = Mapping[str, float]

LEAST = 1e-7  # stands for 0 where a logarithm is needed
SMALL_BATCH, LARGE_BATCH = 32, 256


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter of a search.

    Parameters
    ----------
    name : str
        A field of `Recipe`.
    low, high : float
    scale : {"log", "linear", "doubling"}
        "doubling": whole numbers, low times a power of two.
    """

    name: str
    low: float
    high: float
    scale: Literal["log", "linear", "doubling"]

    def at(self, position: float) -> float:
        """Return the value at a position between 0 (low) and 1 (high)."""
        if self.scale == "linear":
            return self.low + position * (self.high - self.low)
        if self.scale == "log":
            return exp(log(self.low) + position * log(self.high / self.low))
        doublings = round(log(self.high / self.low, 2))
        return self.low * 2.0 ** min(int(position * (doublings + 1)), doublings)

    def position(self, value: float) -> float:
        """Return where a value lies: 0 to 1, a value outside of the range at its nearer end."""
        if self.scale == "linear":
            found = (value - self.low) / (self.high - self.low)
        else:
            found = log(max(value, LEAST) / self.low) / log(self.high / self.low)
        return float(np.clip(found, 0.0, 1.0))


@dataclass(frozen=True)
class Change:
    """One hyperparameter changed alone.

    Parameters
    ----------
    name : str
        A field of `Recipe`.
    label : str
        In words, with the value: "learning rate x 2 (0.004)".
    step : int
        Steps from the recipe's own value, below 0 for less.
    recipe : Recipe
        The changed one.
    """

    name: str
    label: str
    step: int
    recipe: Recipe


def space_of(recipe: Recipe, n: int, *, is_class: bool) -> tuple[Dimension, ...]:
    """Return what can be searched for a recipe and `n` training rows.

    The ranges rest on the optimizer and the number of rows, not on the recipe's own values: settings that
    are far off must not draw the search after them, and a better recipe is searched in the same place.
    """
    is_sgd = recipe.optimizer == "sgd"
    batch = int(np.clip(2 ** round(log(max(n, 1) / 100, 2)), SMALL_BATCH, LARGE_BATCH))
    dimensions = [
        Dimension("learning_rate", *((1e-3, 1.0) if is_sgd else (1e-4, 3e-2)), "log"),
        Dimension("weight_decay", 1e-6, 1e-2 if is_sgd else 1e-1, "log"),
        Dimension("batch_size", batch, 4 * batch, "doubling"),
    ]
    if is_sgd:
        dimensions.append(Dimension("momentum", 0.8, 0.98, "linear"))
    if is_class:
        dimensions.append(Dimension("label_smoothing", 0.0, 0.2, "linear"))
    if recipe.dropout is not None:
        dimensions.append(Dimension("dropout", 0.0, 0.5, "linear"))
    return tuple(dimensions)


def setting_of(recipe: Recipe, space: tuple[Dimension, ...]) -> dict[str, float]:
    """Return the recipe's own values in a space."""
    return {d.name: float(getattr(recipe, d.name)) for d in space}


def with_setting(recipe: Recipe, setting: Setting) -> Recipe:
    """Return the recipe with these values."""
    whole = {"batch_size", "epochs"}
    return replace(recipe, **{n: round(v) if n in whole else v for n, v in setting.items()})


def between(recipe: Recipe, setting: Setting, share: float) -> Recipe:
    """Return the recipe moved by a share of the way to a setting, on the scale that each number has."""
    if share == 0.0:
        return recipe
    linear = {"label_smoothing", "dropout", "momentum"}
    moved: dict[str, float] = {}
    for name, there in setting.items():
        here = float(getattr(recipe, name))
        if share == 1.0 or name in linear:
            moved[name] = here + share * (there - here)
        else:
            ends = log(max(here, LEAST)), log(max(there, LEAST))
            moved[name] = exp(ends[0] + share * (ends[1] - ends[0]))
    return with_setting(recipe, moved)


def changes_of(recipe: Recipe, n: int, *, is_class: bool, steps: int = 1) -> tuple[Change, ...]:
    """Return each hyperparameter that the recipe has, changed alone.

    Learning rate, batch size and number of epochs are halved and doubled, and so is the distance of the momentum
    from 1; weight decay and L1 change tenfold (their usual range is a million wide); rates change by
    0.1, label smoothing by 0.05. With `steps` = 2 the learning rate is also changed fourfold.
    """
    found = [*_factors(recipe, n, steps), *_amounts(recipe, is_class)]
    return tuple(change for change in found if change.recipe != recipe)


def _factors(recipe: Recipe, n: int, steps: int) -> Iterator[Change]:
    factors: dict[str, float] = {"learning_rate": 2, "epochs": 2, "batch_size": 2}
    factors |= {name: 10 for name in ("weight_decay", "l1") if getattr(recipe, name) > 0}
    if recipe.clip_norm is not None:
        factors["clip_norm"] = 2
    for name, factor in factors.items():
        most = steps if name == "learning_rate" else 1
        for step in (*range(-most, 0), *range(1, most + 1)):
            value = float(getattr(recipe, name)) * factor**step
            if name == "batch_size":
                value = float(np.clip(value, min(2, n), n))
            sign, times = ("÷", factor**-step) if step < 0 else ("×", factor**step)
            yield _change(
                recipe,
                name,
                max(value, 1.0) if name == "epochs" else value,
                step,
                f"{sign} {times:g}",
            )
    if recipe.optimizer == "sgd" and recipe.momentum > 0:
        for step in (-1, 1):
            value = 1.0 - (1.0 - recipe.momentum) * 2.0**-step
            yield _change(recipe, "momentum", max(value, 0.0), step, "")


def _amounts(recipe: Recipe, is_class: bool) -> Iterator[Change]:
    amounts: dict[str, float] = {"label_smoothing": 0.05} if is_class else {}
    if recipe.dropout is not None:
        amounts["dropout"] = 0.1
    for name, amount in amounts.items():
        here = float(getattr(recipe, name))
        for step in (-1, 1):
            value = round(max(here + step * amount, 0.0), 6)
            yield _change(recipe, name, value, step, f"{step * amount:+g}")


def _change(recipe: Recipe, name: str, value: float, step: int, how: str) -> Change:
    changed = with_setting(recipe, {name: value})
    words = f"{name.replace('_', ' ')} {how}".rstrip()
    return Change(name, f"{words} ({getattr(changed, name):.3g})", step, changed)
