"""The loop that trains one network by a recipe: the only place where weights come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject import Network, Recipe
from roadworthy.training.jobs import Examples
from roadworthy.training.objective import (
    Objective,
    cross_entropy,
    cross_entropy_of_probabilities,
    gives_probabilities,
    squared_error,
    with_classes,
)
from roadworthy.training.running import ROWS_AT_A_TIME, forward, reproducible, tensor_of, threads
from roadworthy.training.schedule import batch_count, learning_rate, orders

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

Progress = Callable[[int, int, float | None], None]


def train(
    network: Network,
    recipe: Recipe,
    training: Examples,
    validation: Examples | None = None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Train a fresh module of `network` and return its weights and buffers by name.

    The loss is cross-entropy for class codes (a single output: log odds of code 1) and squared
    error in standard deviations of the training target for numbers. A module may return one output
    per member of an ensemble while it trains, (n, members, classes) or (n, members): the loss is
    the mean over members. With `validation` the weights of the epoch with the least validation loss
    are returned, and training stops `recipe.patience` epochs after it.

    The seed of the recipe decides everything random; torch's own generators are left as they were.

    Parameters
    ----------
    network : Network
        Its module may have `prepare(inputs)` and, for numbers, `prepare_target(target)`: each is
        called once with the training rows, to fit scaling into buffers.
    recipe : Recipe
    training, validation : Examples
    device : str
        As torch names it.
    progress : callable, optional
        Called after each epoch with its number from 1, `recipe.epochs` and the validation loss.

    Raises
    ------
    UserError
        Where the loss is no longer finite, or the module cannot take the inputs.
    """
    import torch

    _refuse_untrainable(training)
    with reproducible(recipe.seed, device):
        module = network.build().to(device, torch.float32)
        with threads(module, training.inputs):
            rows = _on_device(training, module, device)
            held_out = validation and _on_device(validation, module, device)
            objective = _prepared(module, rows)
            best = _Best(module, recipe.patience)
            for epoch, loss in enumerate(_epochs(module, recipe, rows, objective), start=1):
                _refuse_divergence(loss, epoch, recipe, training)
                found = None
                if held_out is not None and len(held_out.inputs) > 0:
                    found = _mean_loss(module, held_out, objective)
                    _refuse_divergence(found, epoch, recipe, training)
                best.see(found)
                if progress is not None:
                    progress(epoch, recipe.epochs, found)
                if best.is_over:
                    break
        return {name: value.cpu().numpy() for name, value in best.state.items()}


@dataclass(frozen=True, eq=False)
class _Rows:
    inputs: "Tensor"
    target: "Tensor"


class _Best:
    """The best state of a module so far, and for how many epochs it has been the best."""

    def __init__(self, module: "nn.Module", patience: int | None) -> None:
        self.module = module
        self.patience = patience
        self.loss = inf
        self.epochs_without = 0
        self.see(None)

    def see(self, loss: float | None) -> None:
        """Take note of the validation loss of an epoch; without one the last state is the best."""
        if loss is None or loss < self.loss:
            self.loss = inf if loss is None else loss
            self.epochs_without = 0
            self.state = {n: v.detach().clone() for n, v in self.module.state_dict().items()}
        else:
            self.epochs_without += 1

    @property
    def is_over(self) -> bool:
        return self.patience is not None and self.epochs_without >= self.patience


def _on_device(examples: Examples, module: "nn.Module", device: str) -> _Rows:
    import torch

    kind = torch.float32 if examples.target.dtype.kind == "f" else torch.int64
    target = torch.from_numpy(np.array(examples.target)).to(device, kind)
    return _Rows(tensor_of(examples.inputs, module, device), target)


def _prepared(module: "nn.Module", rows: _Rows) -> Objective:
    """Let the module fit its preprocessing, then choose the loss that suits its outputs."""
    import torch

    is_regression = rows.target.is_floating_point()
    with torch.no_grad():
        if hasattr(module, "prepare"):
            module.prepare(rows.inputs)  # type: ignore[operator]  # a hook, see Network
        if is_regression:
            if hasattr(module, "prepare_target"):
                module.prepare_target(rows.target)  # type: ignore[operator]  # a hook
            return squared_error(float(rows.target.std()) or 1.0)
        module.eval()
        some = forward(module, rows.inputs[:ROWS_AT_A_TIME])
    _refuse_labels_beyond(with_classes(some).shape[-1], rows.target)
    return cross_entropy_of_probabilities if gives_probabilities(some) else cross_entropy


def _epochs(
    module: "nn.Module", recipe: Recipe, rows: _Rows, objective: Objective
) -> Iterator[float]:
    """Train one epoch after the other; yield the mean training loss of each."""
    import torch

    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise UserError(
            f"The model ({type(module).__name__}) has nothing to train: no parameter asks for a "
            "gradient. Give a model with parameters, or its predictions."
        )
    optimizer = _optimizer(parameters, recipe)
    n = len(rows.inputs)
    batches = batch_count(n, recipe)
    steps = recipe.epochs * batches
    for epoch, order in zip(range(recipe.epochs), orders(n, recipe), strict=False):
        module.train()
        total = torch.zeros((), device=rows.inputs.device)
        split = order.to(rows.inputs.device).tensor_split(batches)
        for step, chosen in enumerate(split, start=epoch * batches):
            optimizer.param_groups[0]["lr"] = learning_rate(recipe, step, steps)
            outputs = forward(module, rows.inputs[chosen])
            loss = objective(outputs, rows.target[chosen], recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        yield float(total) / batches


def _optimizer(parameters: "list[nn.Parameter]", recipe: Recipe) -> "Optimizer":
    import torch

    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
    return torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )


def _mean_loss(module: "nn.Module", rows: _Rows, objective: Objective) -> float:
    import torch

    module.eval()
    total = 0.0
    with torch.inference_mode():
        for inputs, target in zip(
            rows.inputs.split(ROWS_AT_A_TIME), rows.target.split(ROWS_AT_A_TIME), strict=True
        ):
            total += float(objective(forward(module, inputs), target, 0.0)) * len(target)
    return total / len(rows.target)


def _refuse_untrainable(training: Examples) -> None:
    if len(training.target) < 2:
        raise UserError(
            f"Training needs at least 2 rows, but the training split has {len(training.target)}. "
            "Give more rows, or a trained model."
        )


def _refuse_labels_beyond(c: int, target: "Tensor") -> None:
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= c:
        raise UserError(
            f"The model gives outputs for {c} classes, but training labels run from {low} to "
            f"{high}; codes 0 to {c - 1} were expected. Let it give one output for each class."
        )


def _refuse_divergence(loss: float, epoch: int, recipe: Recipe, training: Examples) -> None:
    if isfinite(loss):
        return
    missing = int(np.isnan(training.inputs).sum()) if training.inputs.dtype.kind == "f" else 0
    way_out = (
        f"the training inputs hold {missing} missing values: fill them inside the module"
        if missing
        else "lower the learning rate of the recipe, or scale the inputs inside the module"
    )
    raise UserError(
        f"Training broke down in epoch {epoch} of {recipe.epochs}: the loss is {loss} at learning "
        f"rate {recipe.learning_rate:g}; a finite loss was expected. Way out: {way_out}."
    )
