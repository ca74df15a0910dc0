"""The module around a network that draws random numbers. Apart because importing it imports torch."""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import blake2b
from math import log
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.subject.random_answers import ANSWERS

Kind = Literal["logits", "probabilities", "values"]

CALLS, COPIES = 8, 8  # to see whether rows of a batch draw apart
SHARED = 4.1  # ratio of variances: the 99.9 % point of F(7, 56), for numbers that are drawn apart


class MeanOfDraws(nn.Module):
    """A module and, in evaluation mode, the mean over draws of what it answers.

    The numbers of a row are seeded by its content, so that neither its neighbours nor the cut into shards changes an
    answer, and equal rows get equal ones.

    Parameters
    ----------
    module : nn.Module
    draws : int
    kind : {"logits", "probabilities", "values"}
        What it gives; of the first two the probabilities are averaged.
    apart : bool
        Whether rows of one batch draw numbers of their own.
    """

    def __init__(self, module: nn.Module, draws: int, kind: Kind, *, apart: bool) -> None:
        super().__init__()
        self.module = module
        self.draws = draws
        self.kind: Kind = kind
        self.apart = apart
        self.stream = ANSWERS
        self.times = 1

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def prepare_target(self, target: Tensor) -> None:
        """Let the module fit the scale of the target, where it has any."""
        if hasattr(self.module, "prepare_target"):
            self.module.prepare_target(target)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return log probabilities (n, c) or values (n, ...); in training mode what the module itself gives."""
        if self.training or len(inputs) == 0:
            return self.module(inputs)
        contents = inputs.detach().cpu().numpy()
        found: list[Tensor] = []
        with draws_of_rows(inputs.device) as begin:
            for row in range(len(inputs)):
                begin(seed_of(contents[row : row + 1], self.stream))
                found.append(log_mean(self._drawn(inputs[row : row + 1]), self.kind))
        return torch.cat(found)

    def _drawn(self, one: Tensor) -> Tensor:
        wanted = self.draws * self.times
        if self.apart:
            return self.module(one.expand(wanted, *one.shape[1:]))
        return torch.cat([self.module(one) for _ in range(wanted)])


class Redrawn(nn.Module):
    """The same network by other random numbers than those that its user's answers are drawn from.

    Parameters
    ----------
    module : nn.Module
        With a `MeanOfDraws` somewhere in it.
    stream : str
    times : int
        As many draws as its own.
    """

    def __init__(self, module: nn.Module, stream: str, times: int = 1) -> None:
        super().__init__()
        self.module = module
        self.stream = stream
        self.times = times

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the module gives by these numbers."""
        parts = [m for m in self.module.modules() if isinstance(m, MeanOfDraws)]
        before = [(part.stream, part.times) for part in parts]
        for part in parts:
            part.stream, part.times = self.stream, self.times
        try:
            return self.module(inputs)
        finally:
            for part, (stream, times) in zip(parts, before, strict=True):
                part.stream, part.times = stream, times


def draws_in(module: nn.Module | None) -> int:
    """Return how many draws an answer is the mean of; 0 of a network that was not declared to be random."""
    if module is None:
        return 0
    return max((m.draws for m in module.modules() if isinstance(m, MeanOfDraws)), default=0)


def log_mean(drawn: Tensor, kind: Kind) -> Tensor:
    """Return one row from its draws (k, c), (k, 1) or (k,): the logarithm of the mean probability, or the mean value."""
    if kind == "values":
        return drawn.mean(dim=0, keepdim=True)
    found = drawn.reshape(len(drawn), -1)
    if kind == "probabilities":
        found = torch.cat([1 - found, found], dim=1) if found.shape[1] == 1 else found
        return found.mean(dim=0, keepdim=True).clamp_min(torch.finfo(found.dtype).tiny).log()
    if found.shape[1] == 1:
        both = torch.cat([functional.logsigmoid(-found), functional.logsigmoid(found)], dim=1)
    else:
        both = found.log_softmax(dim=1)
    return both.logsumexp(dim=0, keepdim=True) - log(len(drawn))


def seed_of(row: np.ndarray, stream: str) -> int:
    """Return the seed of a row by its content and the stream."""
    content = np.ascontiguousarray(row).tobytes()
    return int.from_bytes(blake2b(content, digest_size=8, key=stream.encode()[:64]).digest(), "big")


@contextmanager
def draws_of_rows(device: torch.device | None = None) -> Generator[Callable[[int], None]]:
    """Give what seeds Python, numpy and torch inside the block; their states are set back after it."""
    before = random.getstate()
    numbers = np.random.get_state()  # noqa: NPY002 - the global one, which a foreign model may draw from
    is_elsewhere = device is not None and device.type != "cpu"
    devices = [device] if device is not None and device.type == "cuda" else []

    def begin(seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002, TID251 - see above
        if is_elsewhere:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)

    try:
        with torch.random.fork_rng(devices):
            yield begin
    finally:
        random.setstate(before)
        np.random.set_state(numbers)  # noqa: NPY002 - see above


def draws_apart(run: Callable[[Tensor], Tensor], rows: Tensor) -> bool:
    """Whether rows of one batch draw numbers of their own, by an analysis of variance over calls of copies of a row.

    A transformation drawn once for each call (a random size) makes calls differ by more than the rows within one do.
    """
    within = between = 0.0
    with torch.no_grad(), draws_of_rows(rows.device) as begin:
        for row in range(len(rows)):
            begin(row)
            copies = rows[row : row + 1].expand(COPIES, *rows.shape[1:])
            calls = torch.stack([run(copies).double().reshape(COPIES, -1) for _ in range(CALLS)])
            within += float(calls.var(dim=1).mean())
            between += COPIES * float(calls.mean(dim=1).var(dim=0).mean())
    return within > 0 and between <= SHARED * within
