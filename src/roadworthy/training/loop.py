"""The loop that trains one network by a recipe: the only place where weights come from."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import pause
from roadworthy.subject import Column, Network, Recipe
from roadworthy.training.augmentation import Augmenter, Batch, Part, augmenter
from roadworthy.training.checkpoint import Checkpoint, identity_of_training
from roadworthy.training.course import Course, Teacher
from roadworthy.training.divergence import refuse_divergence
from roadworthy.training.jobs import Examples, Judged
from roadworthy.training.objective import Objective
from roadworthy.training.preparation import prepared, refuse_untrainable
from roadworthy.training.regularisation import absolute_sum, set_dropout
from roadworthy.training.running import (
    forward,
    half_precision,
    reproducible,
    rows_at_a_time,
    threads,
)
from roadworthy.training.schedule import batch_count, learning_rate, orders
from roadworthy.training.streaming import Rows, rows_on

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.training.adversarial import Adversary
    from roadworthy.training.group_aware import GroupAware

Progress = Callable[[int, int, float | None], None]


def train(
    network: Network,
    recipe: Recipe,
    training: Examples,
    validation: Examples | None = None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    unfinished: Path | None = None,
    columns: Sequence[Column] = (),
    teacher: Teacher | None = None,
    judged: Judged | None = None,
) -> dict[str, np.ndarray]:
    """Train a fresh module of `network` and return its weights and buffers by name.

    The loss is cross-entropy for class codes (a single output: log odds of code 1) and squared
    error in standard deviations of the training target for numbers. A module may return one output
    per member of an ensemble while it trains, (n, members, classes) or (n, members): the loss is
    the mean over members. With `validation` the weights of the epoch with the least validation loss
    (of the same kind, without label smoothing and penalties) are returned, and training stops
    `recipe.patience` epochs after it. Without patience they are not looked at, and the last epoch counts.

    Inputs that are memory-mapped, in a `ParquetRows` or too large to be copied are read batch by
    batch; preprocessing is then fitted to a random subset of at most 65,536 training rows.

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
    unfinished : Path, optional
        A file where the state is laid down every few seconds. A later call for the same training goes
        on from it and ends with the same weights, bit for bit (on the same machine with as many
        threads); a file that is damaged or of another training is not read. The caller removes it.
    columns : sequence of Column
        Of a table's inputs, for augmentation.
    teacher : callable, optional
        Inputs of a batch to probabilities (n, c) that take the place of its targets.
    judged : callable, optional
        Called once at the end with the loss that each epoch was judged by, also of those before a kill; None for one that was not.

    Raises
    ------
    Diverged
        Where the loss is no longer finite.
    UserError
        Where the module cannot take the inputs, or the recipe asks for what makes no sense for them.
    """
    import torch

    refuse_untrainable(training)
    with reproducible(recipe.seed, device):
        module = network.build().to(device, torch.float32)
        set_dropout(module, recipe.dropout)
        with threads(module, training.inputs):
            rows = rows_on(training, module, device)
            kept = None if recipe.patience is None else validation
            held_out = kept and rows_on(kept, module, device)
            objective = prepared(module, rows, recipe)
            augment = augmenter(recipe, rows, module, columns)
            adversary = _adversary(recipe, module, rows, augment, columns)
            if adversary is not None:  # what an epoch is worth shows only against the adversary
                held_out = rows if held_out is None else held_out
            groups = _groups(recipe, module, rows)
            course = Course(
                module,
                recipe,
                augment,
                device,
                adversary=adversary,
                teacher=teacher,
                groups=groups,
            )
            checkpoint = _checkpoint(unfinished, course, training, validation)
            for loss in _epochs(course, rows, objective, checkpoint):
                epoch = course.epoch + 1
                refuse_divergence(loss, epoch, recipe, training)
                found = None
                if held_out is not None and len(held_out) > 0:
                    found = _held_out_loss(course, held_out, objective)
                    refuse_divergence(found, epoch, recipe, training)
                course.best.see(found)
                if progress is not None:
                    progress(epoch, recipe.epochs, found)
                if course.best.is_over:
                    break
        if judged is not None:
            judged(course.best.judged)
        return {name: value.cpu().numpy() for name, value in course.best.state.items()}


def _adversary(
    recipe: Recipe, module: "nn.Module", rows: Rows, augment: Augmenter, columns: Sequence[Column]
) -> "Adversary | None":
    if recipe.adversarial is None:
        return None
    from roadworthy.training.adversarial import adversary_of

    some = rows.sample(recipe.seed)
    return adversary_of(recipe.adversarial, module, some, augment.generator, is_table=bool(columns))


def _groups(recipe: Recipe, module: "nn.Module", rows: Rows) -> "GroupAware | None":
    if recipe.groups is None:
        return None
    from roadworthy.training.group_aware import group_aware

    return group_aware(recipe, module, rows)


def _held_out_loss(course: Course, rows: Rows, objective: Objective) -> float:
    """Return what an epoch is judged by: what is trained for, where the rows name their groups."""
    if course.groups is None or rows.groups is None:
        return mean_loss(course.module, rows, objective, course.adversary)
    from roadworthy.training.group_aware import loss_by_groups

    return loss_by_groups(course.module, course.groups, rows, objective)


def _checkpoint(
    file: Path | None, course: Course, training: Examples, validation: Examples | None
) -> Checkpoint:
    """Take up what an earlier training laid down, where there is something."""
    if file is None:
        return Checkpoint(None, "")
    start = course.best.state
    identity = identity_of_training(start, course.recipe, training, validation, course.device)
    checkpoint = Checkpoint(file, identity)
    found = checkpoint.read()
    if found is not None:
        course.take_up(found)
    return checkpoint


def _epochs(
    course: Course, rows: Rows, objective: Objective, checkpoint: Checkpoint
) -> Iterator[float]:
    """Train one epoch after the other; yield the mean training loss of each."""
    recipe = course.recipe
    batches = batch_count(len(rows), recipe)
    # The orders of epochs that are done are drawn too: those after them depend on it.
    for order in islice(orders(len(rows), recipe, rows.blocks), course.epoch, recipe.epochs):
        course.module.train()
        split = order.to(course.device).tensor_split(batches)
        for chosen in split[course.step :]:
            step = course.epoch * batches + course.step
            rate = learning_rate(recipe, step, recipe.epochs * batches)
            weights = None if rows.weights is None else rows.weights[chosen]
            groups = None if rows.groups is None else rows.groups[chosen]
            part = Part(rows.target.index_select(0, chosen), weights, groups)
            course.total += _take_step(course, Batch(rows.inputs(chosen), (part,)), objective, rate)
            course.step += 1
            if checkpoint.is_due:
                checkpoint.lay_down(course.state())
            pause()  # an epoch of many rows outlasts a budget
        yield float(course.total) / batches
        course.begin_next_epoch()


def _take_step(course: Course, batch: Batch, objective: Objective, rate: float) -> "Tensor":
    """Change the weights by one batch; return its loss."""
    recipe = course.recipe
    batch = course.augment(batch)
    if course.teacher is not None:
        batch = batch.answered(course.teacher(batch.inputs))

    def loss_of(batch: Batch) -> "Tensor":
        with half_precision(course.device, recipe.mixed_precision):
            outputs = forward(course.module, batch.inputs)
        if course.groups is None:
            loss = batch.loss(outputs.float(), objective, recipe.label_smoothing)
        else:
            loss = course.groups.loss(batch, outputs.float(), objective, recipe.label_smoothing)
        return loss + recipe.l1 * absolute_sum(course.penalised) if recipe.l1 != 0 else loss

    if course.adversary is not None:
        return course.adversary.train(
            course.module, batch, loss_of, lambda loss: _descend(course, loss, rate)
        )
    loss = loss_of(batch)
    _descend(course, loss, rate)
    return loss.detach()


def _descend(course: Course, loss: "Tensor", rate: float) -> None:
    import torch

    for parameter in course.parameters:
        parameter.grad = None
    loss.backward()
    if course.recipe.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(course.parameters, course.recipe.clip_norm)
    course.optimizer.descend(rate)


def mean_loss(
    module: "nn.Module", rows: Rows, objective: Objective, adversary: "Adversary | None" = None
) -> float:
    """Return the mean loss over rows in evaluation mode, without label smoothing.

    With an adversary over the first rows alone (`adversarial.WATCHED_ROWS`), moved by it.
    """
    import torch

    module.eval()
    total, size = 0.0, rows_at_a_time(rows.source.shape)
    n = len(rows) if adversary is None else adversary.rows_to_watch(len(rows))
    for start in range(0, n, size):
        part = slice(start, min(start + size, n))
        weights = None if rows.weights is None else rows.weights[part]
        target, inputs = rows.target[part], rows.inputs(part)

        def harm(outputs: "Tensor", target: "Tensor" = target) -> "Tensor":
            return objective(outputs, target, 0.0)

        if adversary is not None:
            inputs = adversary.watched(module, inputs, harm)
        with torch.inference_mode():
            outputs = forward(module, inputs)
            total += float(objective(outputs, target, 0.0, weights)) * len(target)
    return total / n
