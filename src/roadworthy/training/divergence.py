"""Training that breaks down: the loss is no longer finite."""

from math import isfinite

import numpy as np

from roadworthy.subject import Recipe
from roadworthy.training.jobs import Diverged, Examples
from roadworthy.training.running import rows_at_a_time


def refuse_divergence(loss: float, epoch: int, recipe: Recipe, training: Examples) -> None:
    """Raise where the loss of an epoch, counted from 1, is not finite.

    Raises
    ------
    Diverged
        With what in the recipe or the rows may be the reason.
    """
    if isfinite(loss):
        return
    missing = _missing_values(training)
    way_out = (
        f"the training inputs hold {missing} missing values: fill them inside the module"
        if missing
        else ", or ".join(_ways_out(recipe))
    )
    raise Diverged(
        f"Training broke down in epoch {epoch} of {recipe.epochs}: the loss is {loss} at learning "
        f"rate {recipe.learning_rate:g}; a finite loss was expected. Way out: {way_out}."
    )


def _ways_out(recipe: Recipe) -> list[str]:
    found = ["lower the learning rate of the recipe"]
    if recipe.clip_norm is None:
        found.append("set its clip_norm (1 is usual)")
    if recipe.l1 > 0:
        found.append(f"lower its l1 of {recipe.l1:g}")
    if recipe.mixed_precision:
        found.append("set its mixed_precision to false")
    return [*found, "scale the inputs inside the module"]


def _missing_values(training: Examples) -> int:
    if training.inputs.dtype.kind != "f":
        return 0
    size = rows_at_a_time(training.inputs.shape)
    starts = range(0, len(training.inputs), size)
    return sum(int(np.isnan(training.inputs[start : start + size]).sum()) for start in starts)
