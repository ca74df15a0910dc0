"""Training several jobs: those of one architecture together where that is faster."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from roadworthy.engine import advance
from roadworthy.training.jobs import Job
from roadworthy.training.loop import train


def train_together(jobs: Sequence[Job]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the position of a job and its trained weights, each as soon as it is there."""
    for position, job in enumerate(jobs):
        weights = train(
            job.network,
            job.recipe,
            job.examples,
            job.validation,
            device=job.device,
            progress=partial(_advance, position, len(jobs)),
        )
        yield position, weights


def _advance(done: int, total: int, epoch: int, epochs: int, _: float | None) -> None:
    advance(done * epochs + epoch, total * epochs)
