"""Training several jobs: those of one architecture together where that is faster."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from roadworthy.engine import advance
from roadworthy.training.choice import fleet_is_faster
from roadworthy.training.conduct import Unstackable, size_of
from roadworthy.training.fleet import train_fleet
from roadworthy.training.fleet_checkpoint import Trained, begun_fleets
from roadworthy.training.jobs import Diverged, Job
from roadworthy.training.single import is_plain, trained
from roadworthy.training.streaming import is_streamed

FEWEST, MOST = 3, 32  # models in a fleet
BYTES = 1 << 30  # of parameters with what belongs to them, and of intermediate values


def train_together(jobs: Sequence[Job]) -> Iterator[tuple[int, Trained]]:
    """Yield the position of a job and its trained weights, or why its training diverged.

    Jobs of one architecture (the same `Network`) are trained in fleets of at most 32 where a few timed steps say that
    this is faster; all others one after the other. Which other jobs were in the call changes the
    weights of a job by the rounding of float32 alone.

    Each is yielded as soon as it is there, so that what is done is kept when the rest is cancelled. A fleet
    that was killed goes on first, with the same models in it.
    """
    total = sum(job.recipe.epochs for job in jobs)
    before = 0
    begun = begun_fleets(jobs)
    under_way = {k for chunk in begun for k in chunk}
    fresh = [k for k in range(len(jobs)) if k not in under_way]
    chunks = [[fresh[k] for k in chunk] for chunk in _chunks([jobs[k] for k in fresh])]
    for chunk in (*begun, *chunks):
        tell = partial(_advance, before, total)
        together = [jobs[k] for k in chunk]
        for position, found in _trained_chunk(together, tell, is_begun=chunk in begun):
            yield chunk[position], found
        before += sum(jobs[k].recipe.epochs for k in chunk)


def _trained_chunk(
    jobs: Sequence[Job], tell: Callable[[int], None], *, is_begun: bool
) -> Iterator[tuple[int, Trained]]:
    if is_begun or (len(jobs) >= FEWEST and fleet_is_faster(jobs)):
        try:
            yield from train_fleet(jobs, progress=lambda epoch, _: tell(epoch * len(jobs)))
        except Unstackable:
            pass  # before anything was yielded
        else:
            return
    before = 0
    for position, job in enumerate(jobs):
        epochs = job.recipe.epochs
        try:
            found: Trained = trained(job, partial(_tell_one, tell, before, epochs))
        except Diverged as error:
            found = error
        yield position, found
        before += epochs


def _chunks(jobs: Sequence[Job]) -> Iterator[list[int]]:
    """Yield positions of jobs that may be trained together."""
    groups: dict[object, list[int]] = {}
    for position, job in enumerate(jobs):
        key = (id(job.network), *_alike(job)) if _suits_a_fleet(job) else ("alone", position)
        groups.setdefault(key, []).append(position)
    for group in groups.values():
        # Models of similar size beside each other: fewer steps are masked, fewer rows filled up.
        group.sort(key=lambda k: -_rows(jobs[k]))
        size = _most(jobs[group[0]]) if len(group) >= FEWEST else 1
        for chunk in np.array_split(group, -(-len(group) // size)):
            yield chunk.tolist()


def _suits_a_fleet(job: Job) -> bool:
    recipe = job.recipe
    extras = recipe.augmentation or recipe.mixed_precision or recipe.adversarial or recipe.groups
    return is_plain(recipe) and not extras and not is_streamed(job.training.inputs)


def _alike(job: Job) -> tuple[object, ...]:
    """Return what jobs of one fleet have in common beside the architecture."""
    inputs, target = job.training.inputs, job.training.target
    return (
        job.recipe.batch_size,
        job.recipe.optimizer,
        # Where there is no dropout layer, a rate adds one.
        None if job.recipe.dropout is None else job.recipe.dropout > 0,
        id(job.validation),
        job.device,
        inputs.shape[1:],
        inputs.dtype.kind,
        target.dtype.kind,
        id(inputs) if inputs.nbytes > BYTES // MOST else None,
    )


def _most(job: Job) -> int:
    """Return how many models of this kind may be in memory at once."""
    try:
        size = size_of(job.network, job.training.inputs)
    except Unstackable:
        return 1
    batch = min(job.recipe.batch_size * 3 // 2, _rows(job))
    # Parameters, their gradient, two moments, the best so far and a copy of the gradient.
    needed = 4 * max(6 * size.parameters, 3 * batch * size.values_a_row)
    return max(1, min(MOST, BYTES // max(needed, 1)))


def _rows(job: Job) -> int:
    return len(job.training.target) if job.rows is None else len(job.rows)


def _advance(before: int, total: int, within: int) -> None:
    advance(before + within, total)


def _tell_one(
    tell: Callable[[int], None], before: int, of: int, epoch: int, epochs: int, _: float | None
) -> None:
    # What a recipe asks for beside the loop has epochs of its own.
    tell(before + epoch * of // epochs)
