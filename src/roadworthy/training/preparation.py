"""What comes before the first step: rows that can be trained on, a prepared module, the loss that suits it."""

from typing import TYPE_CHECKING

from roadworthy.errors import UserError
from roadworthy.subject import Recipe
from roadworthy.training.jobs import Examples
from roadworthy.training.objective import (
    Objective,
    adjusted_cross_entropy,
    cross_entropy,
    cross_entropy_of_probabilities,
    gives_probabilities,
    logit_shift,
    squared_error,
    tempered,
    with_classes,
)
from roadworthy.training.running import forward, rows_at_a_time
from roadworthy.training.streaming import Rows

if TYPE_CHECKING:
    from torch import Tensor, nn


def refuse_untrainable(training: Examples) -> None:
    """Raise where there are too few rows to train on."""
    if len(training.target) < 2:
        raise UserError(
            f"Training needs at least 2 rows, but the training split has {len(training.target)}. "
            "Give more rows, or a trained model."
        )


def prepared(module: "nn.Module", rows: Rows, recipe: Recipe) -> Objective:
    """Let the module fit its preprocessing, then return the loss that suits its outputs.

    Parameters
    ----------
    module : Module
    rows : Rows
        For training.
    recipe : Recipe

    Raises
    ------
    UserError
        Where labels are no class of the module, or logit adjustment is asked for numbers.
    """
    import torch

    with torch.no_grad():
        if hasattr(module, "prepare"):
            module.prepare(rows.sample(recipe.seed))  # type: ignore[operator]  # a hook, see Network
        return _objective(module, rows, recipe)


def _objective(module: "nn.Module", rows: Rows, recipe: Recipe) -> Objective:
    if rows.target.is_floating_point():
        if recipe.distillation is not None:
            raise UserError(
                "The recipe asks for distillation, but the target is a number: there are no probabilities to learn "
                "from. Set `distillation` of the recipe to None."
            )
        if recipe.logit_adjustment != 0:
            raise UserError(
                f"The recipe asks for logit adjustment ({recipe.logit_adjustment:g}), but the target is "
                "a number: there are no classes. Set `logit_adjustment` of the recipe to 0."
            )
        if hasattr(module, "prepare_target"):
            module.prepare_target(rows.target)  # type: ignore[operator]  # a hook, see Network
        return squared_error(float(rows.target.std()) or 1.0)
    module.eval()
    some = forward(module, rows.inputs(slice(0, rows_at_a_time(rows.source.shape))))
    c = with_classes(some).shape[-1]
    _refuse_labels_beyond(c, rows.target)
    probabilities = gives_probabilities(some)
    if recipe.distillation is not None:
        return _tempered(recipe.distillation, probabilities=probabilities)
    if recipe.logit_adjustment != 0:
        shift = logit_shift(rows.target, c, recipe.logit_adjustment)
        return adjusted_cross_entropy(shift, probabilities=probabilities)
    return cross_entropy_of_probabilities if probabilities else cross_entropy


def _tempered(temperature: float, *, probabilities: bool) -> Objective:
    if not temperature >= 1 or probabilities:
        raise UserError(
            f"The recipe asks for distillation at temperature {temperature:g}; a temperature of at least 1, and a "
            "model that gives logits rather than probabilities, were expected. Set `distillation` of the recipe to "
            "None, or let the model end in a linear layer."
        )
    return tempered(cross_entropy, temperature)


def _refuse_labels_beyond(c: int, target: "Tensor") -> None:
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= c:
        raise UserError(
            f"The model gives outputs for {c} classes, but training labels run from {low} to "
            f"{high}; codes 0 to {c - 1} were expected. Let it give one output for each class."
        )
