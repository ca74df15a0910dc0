"""Loop or fleet: both are timed on a few real steps, and the choice is kept with the results."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter, process_time
from typing import Any

import numpy as np

from roadworthy.engine import Lacking, recall
from roadworthy.training.conduct import Unstackable
from roadworthy.training.fleet import train_fleet
from roadworthy.training.jobs import Job
from roadworthy.training.loop import train

BATCHES = 2  # of the epochs that are timed
SECONDS = 0.01  # at least, for each way; and no less than one epoch after the first
GAIN = 1.1  # what the fleet must win; timings of the same steps differ by as much on a busy machine
FEW_STEPS = 60  # of one model: timing would cost more than a tenth of the training
PRICE = 5  # steps of each model that timing a fleet costs
DISPATCH = (
    4e-4  # seconds of a step that a fleet can save: the price of small operations, not arithmetic
)
RISK = 0.1  # of what can be saved at most is staked on timing


def fleet_is_faster(jobs: Sequence[Job]) -> bool:
    """Whether these jobs are sooner done in one fleet than one after the other.

    Within a run the answer is kept, so that a later run on the same store trains the same way and
    gives the same bytes.
    """
    if max(_steps(job) for job in jobs) < FEW_STEPS:
        return False
    return timings(jobs)["choice"] == "fleet"


def timings(jobs: Sequence[Job]) -> dict[str, Any]:  # Any: a name, two numbers, a text
    """Return the choice with what it rests on: seconds for one epoch of all jobs by each way."""
    import torch

    job = jobs[0]
    shared = (
        job.network,
        job.recipe.batch_size,
        job.recipe.optimizer,
        len(jobs),
        job.training.inputs.shape[1:],
        torch.get_num_threads(),
        job.device,
    )

    def make(lacking: Sequence[Lacking]) -> Iterator[tuple[int, Any]]:  # Any: see above
        yield lacking[0].position, time_both(jobs)

    return recall(time_both, shared, [()], make)[0]


def time_both(jobs: Sequence[Job]) -> dict[str, Any]:  # Any: see `timings`
    """Time loop and fleet on the first rows of each job; the fleet only where that can pay."""
    most = max(_rows(job) for job in jobs)
    small = [_shortened(job, most) for job in jobs]
    clock = partial(_now, jobs[0].device)
    first = small[0]
    loop = _seconds_an_epoch(clock, lambda told: _run_loop(first, told))
    can_pay = _can_pay(loop / BATCHES, jobs)
    loop *= sum(_rows(job) for job in small) / _rows(first)
    if not can_pay:
        return {"choice": "loop", "loop": loop, "fleet": None, "reason": "mostly arithmetic"}
    try:
        fleet = _seconds_an_epoch(clock, lambda told: _run_fleet(small, told))
    except Unstackable as error:
        return {"choice": "loop", "loop": loop, "fleet": None, "reason": str(error)}
    choice = "fleet" if fleet * GAIN < loop else "loop"
    return {"choice": choice, "loop": loop, "fleet": fleet, "reason": "timed"}


def _can_pay(step: float, jobs: Sequence[Job]) -> bool:
    """Whether what a fleet may save is worth timing it, for jobs of which a step takes so many seconds alone.

    A fleet saves what it costs to start small operations. Where a step is mostly arithmetic, that
    is less than the wasted steps of all models, unless the training is long.
    """
    if jobs[0].device != "cpu":  # elsewhere starting operations is most of a step
        return True
    return PRICE * step < RISK * DISPATCH * max(_steps(job) for job in jobs)


class _Enough(Exception):
    """Enough epochs were timed."""


def _seconds_an_epoch(
    clock: Callable[[], float], run: Callable[[Callable[[], None]], None]
) -> float:
    """Return the least time between two calls of what `run` is given to call after each epoch."""
    times: list[float] = []

    def told() -> None:
        times.append(clock())
        if len(times) >= 2 and times[-1] - times[0] >= SECONDS:
            raise _Enough

    with suppress(_Enough):
        run(told)
    return float(np.diff(times).min())


def _run_loop(job: Job, told: Callable[[], None]) -> None:
    train(job.network, job.recipe, job.examples, device=job.device, progress=lambda *_: told())


def _run_fleet(jobs: Sequence[Job], told: Callable[[], None]) -> None:
    for _ in train_fleet(jobs, progress=lambda *_: told()):
        pass


def _shortened(job: Job, most: int) -> Job:
    """Return the job on its first rows, as many as suit its size, for as long as it is let."""
    n = max(2, round(BATCHES * job.recipe.batch_size * _rows(job) / most))
    rows = np.arange(_rows(job)) if job.rows is None else job.rows
    # The rate must not matter: a training that diverges ends before it is timed.
    recipe = replace(job.recipe, epochs=1000, patience=None, learning_rate=0.0)
    return replace(job, rows=rows[:n], recipe=recipe, validation=None, unfinished=None)


def _rows(job: Job) -> int:
    return len(job.training.target) if job.rows is None else len(job.rows)


def _steps(job: Job) -> int:
    from roadworthy.training.schedule import batch_count

    return job.recipe.epochs * batch_count(_rows(job), job.recipe)


def _now(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
        return perf_counter()
    return process_time()
