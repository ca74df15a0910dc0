"""The state of an unfinished fleet in a file: that of all its models, and what came of those that are done.

A fleet is taken up as a whole, since who else is in it changes a model's weights by their rounding. So nothing that
is done is handed on before a file says what the others were doing then: whoever keeps it and is killed asks for
the others alone the next time, finds them in the file, and ends with the same bits.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.training.checkpoint import (
    Checkpoint,
    State,
    digest_of,
    digest_of_array,
    digests_of_examples,
    numbers_in,
)
from roadworthy.training.jobs import Diverged, Job

if TYPE_CHECKING:
    from torch import Tensor

    from roadworthy.training.fleet import Fleet

IDENTITY = "a fleet"  # its jobs are told apart one by one
Trained = dict[str, np.ndarray] | Diverged
Done = tuple[int, Trained]


class FleetCheckpoint:
    """Lays down the state of a fleet, and holds back what is done until it has.

    Parameters
    ----------
    fleet : Fleet
        Before its first step.
    jobs : sequence of Job
        Where each has a file for its unfinished work, the state goes to that of one that is still under way: the
        file of a job is removed when its weights are kept. Where one has none, nothing is laid down or held back.
    """

    def __init__(self, fleet: "Fleet", jobs: Sequence[Job]) -> None:
        self._fleet = fleet
        self._files = [job.unfinished for job in jobs if job.unfinished is not None]
        self._checkpoint = Checkpoint(None, IDENTITY)
        self._held: list[Done] = []
        self._laid_down = 0  # of those that are held
        if len(self._files) < len(jobs):
            return
        self._checkpoint.file = self._files[0]
        self._identities = _identities(fleet, jobs)
        if len(set(self._identities)) < len(jobs):  # which of two would go on is not to be told
            self._checkpoint.file = None
            return
        self._take_up()

    def after_step(self) -> None:
        """Lay the state down when it is time to."""
        if self._checkpoint.is_due:
            self._lay_down()

    def passed_on(self, done: Sequence[Done], *, is_last: bool) -> list[Done]:
        """Take what is done with an epoch; return what may be handed on."""
        self._held += done
        # Of the last ones, all but one could be kept before a kill, and that one would be trained anew alone.
        is_new = len(self._held) > max(1, self._laid_down)
        if is_last and is_new and self._checkpoint.file is not None:
            self._lay_down()
        if is_last or self._checkpoint.file is None:
            self._laid_down = len(self._held)
        handed, self._held = self._held[: self._laid_down], self._held[self._laid_down :]
        self._laid_down = 0
        return handed

    def _lay_down(self) -> None:
        going = [self._files[member.position] for member in self._fleet.members]
        if not going:
            self._checkpoint.file = self._files[self._held[-1][0]]
        elif self._checkpoint.file not in going:
            self._checkpoint.file = going[0]
        state = self._fleet.state()
        tensors = dict(state.tensors)
        for position, found in self._held:
            if not isinstance(found, Diverged):
                tensors |= _tensors_of(position, found)
        numbers = {
            **state.numbers,
            "files": [file.name for file in self._files],
            "identities": self._identities,
            "going": [member.position for member in self._fleet.members],
            "done": [position for position, _ in self._held],
            "diverged": {
                str(k): str(found) for k, found in self._held if isinstance(found, Diverged)
            },
        }
        self._checkpoint.lay_down(State(tensors, numbers))
        self._laid_down = len(self._held)

    def _take_up(self) -> None:
        """Go on from the latest state of these jobs, where there is one that is whole and of the same trainings."""
        found = [state for file in self._files if (state := self._state_in(file)) is not None]
        if not found:
            return
        state = max(found, key=lambda each: (each.numbers["epochs"], each.numbers["step"]))
        here = {name: k for k, name in enumerate(self._identities)}
        then: list[str] = state.numbers["identities"]
        self._held = [
            (here[then[k]], _trained_in(state, k)) for k in state.numbers["done"] if then[k] in here
        ]
        self._laid_down = len(self._held)
        self._fleet.take_up(state, [here[then[k]] for k in state.numbers["going"]])

    def _state_in(self, file: Path) -> State | None:
        """Return a state in which each of these jobs is, and no other one is under way."""
        state = Checkpoint(file, IDENTITY).read()
        if state is None:
            return None
        then: list[str] = state.numbers["identities"]
        going = {then[k] for k in state.numbers["going"]}
        done = {then[k] for k in state.numbers["done"]}
        asked = set(self._identities)
        return state if going <= asked <= going | done else None


def begun_fleets(jobs: Sequence[Job]) -> list[list[int]]:
    """Return positions of jobs that were under way together in a fleet that was killed."""
    places = {job.unfinished.name: k for k, job in enumerate(jobs) if job.unfinished is not None}
    found: list[list[int]] = []
    taken: set[int] = set()
    for job in jobs:
        numbers = None if job.unfinished is None else numbers_in(job.unfinished, IDENTITY)
        if numbers is None:
            continue
        of_state = (*numbers["going"], *numbers["done"])
        names = [numbers["files"][k] for k in sorted(of_state)]
        together = [places[name] for name in names if name in places]
        if together and not taken & set(together):
            found.append(together)
            taken |= set(together)
    return found


def _identities(fleet: "Fleet", jobs: Sequence[Job]) -> list[str]:
    """Return what tells each training from others: see `checkpoint.identity_of_training`."""
    import torch

    known: dict[int, str] = {}

    def digest(job: Job) -> list[str]:
        for examples in (job.training, job.validation):
            if id(examples) not in known:
                known[id(examples)] = b" ".join(digests_of_examples(examples)).decode()
        rows = "all" if job.rows is None else digest_of_array(job.rows)
        return [known[id(job.training)], known[id(job.validation)], rows]

    found = [""] * len(jobs)
    for member, module in zip(fleet.members, fleet.stack.modules, strict=True):
        job = member.job
        settings = [torch.__version__, asdict(job.recipe), job.device, *digest(job)]
        start = digest_of(module.state_dict())
        text = json.dumps([*settings, start], sort_keys=True, default=str)
        found[member.position] = sha256(text.encode()).hexdigest()
    return found


def _tensors_of(position: int, weights: Mapping[str, np.ndarray]) -> "dict[str, Tensor]":
    import torch

    return {f"done/{position}/{name}": torch.from_numpy(v) for name, v in weights.items()}


def _trained_in(state: State, position: int) -> Trained:
    message = state.numbers["diverged"].get(str(position))
    if message is not None:
        return Diverged(message)
    prefix = f"done/{position}/"
    return {
        name.removeprefix(prefix): value.numpy()
        for name, value in state.tensors.items()
        if name.startswith(prefix)
    }
