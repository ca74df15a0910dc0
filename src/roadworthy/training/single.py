"""One training with what its recipe asks for beside the loop: pretraining, pseudo-labels, synthetic rows."""

from dataclasses import replace

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject import Recipe
from roadworthy.training.course import Teacher
from roadworthy.training.generative import with_synthetic_rows
from roadworthy.training.jobs import Job
from roadworthy.training.loop import Progress, train
from roadworthy.training.pretraining import pretrained
from roadworthy.training.semi_supervised import with_pseudo_labels
from roadworthy.training.sources import is_streamed


def is_plain(recipe: Recipe) -> bool:
    """Whether the loop alone (or a fleet) does all that the recipe asks for."""
    return (
        (recipe.pretraining is None or recipe.pretraining.epochs == 0)
        and recipe.pseudo_labels is None
        and recipe.synthetic == 0
        and recipe.distillation is None
    )


def trained(job: Job, progress: Progress | None = None) -> dict[str, np.ndarray]:
    """Train one job and return its weights and buffers by name.

    In this order: synthetic rows are added to the training rows; weights are pretrained on all inputs
    there are; the network is trained; rows that it is sure of are added with its labels, and it is
    trained once more from the same start. Each is left out where the recipe does not ask for it.

    Parameters
    ----------
    job : Job
    progress : callable, optional
        Called after each epoch with its number, the number of all epochs (pretraining and a second training
        included) and the validation loss.

    Raises
    ------
    UserError
        Where the recipe asks for what the rows or the network cannot give, and as `train` does.
    """
    recipe = job.recipe
    if is_plain(recipe):
        return _plainly(job, progress)
    _refuse_streamed(job)
    before = recipe.pretraining.epochs if recipe.pretraining is not None else 0
    rounds = 1 + (recipe.pseudo_labels is not None) + (recipe.distillation is not None)
    total = before + rounds * recipe.epochs
    if recipe.synthetic > 0:
        job = replace(job, training=with_synthetic_rows(job), rows=None)
    if before > 0:
        network = pretrained(job, _part(progress, 0, total))
        job = replace(job, network=network)
    plain = replace(
        job, recipe=replace(recipe, pretraining=None, pseudo_labels=None, synthetic=0.0, sham=False)
    )
    if recipe.pseudo_labels is None:
        return _distilled(plain, progress, before, total)
    # Looking for rows that it is sure of needs no defence yet.
    undefended = replace(plain, recipe=replace(plain.recipe, adversarial=None, distillation=None))
    first = _plainly(_beforehand(undefended), _part(progress, before, total))
    more = with_pseudo_labels(job, first)
    if more is None:
        return first
    again = replace(plain, training=more, rows=None)
    return _distilled(again, progress, before + recipe.epochs, total)


def _distilled(
    job: Job, progress: Progress | None, before: int, total: int
) -> dict[str, np.ndarray]:
    """Train a network; where the recipe has a temperature, another one on its probabilities in place of labels."""
    temperature = job.recipe.distillation
    if temperature is None:
        return _plainly(job, _part(progress, before, total))
    from roadworthy.training.distillation import teacher_of

    first = _plainly(_beforehand(job), _part(progress, before, total))
    teacher = teacher_of(job.network, first, temperature, job.device)
    return _plainly(job, _part(progress, before + job.recipe.epochs, total), teacher)


def _beforehand(job: Job) -> Job:
    """Return a training that another one follows: the state and the epochs of that one are to be kept."""
    return replace(job, unfinished=None, judged=None)


def _plainly(
    job: Job, progress: Progress | None, teacher: Teacher | None = None
) -> dict[str, np.ndarray]:
    return train(
        job.network,
        job.recipe,
        job.examples,
        job.validation,
        device=job.device,
        progress=progress,
        unfinished=job.unfinished,
        columns=job.columns,
        teacher=teacher,
        judged=job.judged,
    )


def _refuse_streamed(job: Job) -> None:
    for which, inputs in (("training", job.training.inputs), ("unlabelled", job.unlabelled)):
        if inputs is not None and is_streamed(inputs):
            raise UserError(
                f"The {which} inputs are read batch by batch (memory-mapped, in a file or large), but pretraining, "
                "pseudo-labels and synthetic rows need them in memory. Take `pretraining`, `pseudo_labels` and "
                "`synthetic` out of the recipe, or give fewer rows as an array."
            )


def _part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Return what tells the epochs of a part as epochs of the whole."""
    if progress is None:
        return None
    return lambda epoch, _, loss: progress(before + epoch, total, loss)
