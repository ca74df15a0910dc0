"""Attacks that follow gradients: one step, many steps of one size, and Auto-PGD plain and towards targets."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

import torch
from torch import Tensor

from roadworthy.perturbation.ascent import Climb, leaders, movable
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.losses import cross_entropy, dlr, lost_margin, targeted_dlr
from roadworthy.perturbation.model import AttackedModel, Loss
from roadworthy.perturbation.search import Search
from roadworthy.perturbation.threat import Threat

LossName = Literal["cross-entropy", "DLR", "margin"]
LOSSES: dict[LossName, Loss] = {"cross-entropy": cross_entropy, "DLR": dlr, "margin": lost_margin}

VALUES_AT_A_TIME = (
    1 << 20
)  # of all copies together: about a dozen arrays of this size are held, 50 MB


@dataclass(frozen=True)
class Fgsm:
    """One step of the whole size along the gradient of the cross-entropy (Goodfellow et al. 2015)."""

    @property
    def name(self) -> str:
        """See `Attack`."""
        return "FGSM"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        search = Search(model, points)
        rows = torch.arange(len(points), device=points.inputs.device)
        at = points.inputs
        _, slope, logits = model.gradient(at, points.labels, cross_entropy)
        on = search.see(rows, at, logits, with_gradient=True)
        rows, at = rows[on], at[on]
        step = threat.ascend(movable(threat, at, slope[on])) * threat.size
        ahead = threat.project(at, at + step)
        search.see(rows, ahead, model.logits(ahead), with_gradient=False)
        return search.found()


@dataclass(frozen=True)
class Pgd:
    """Steps of one size along the gradient from random starts (Madry et al. 2018).

    Parameters
    ----------
    steps : int
    step : float
        In the size of the threat.
    restarts : int
    loss : LossName
    """

    steps: int = 40
    step: float = 0.1
    restarts: int = 1
    loss: LossName = "cross-entropy"

    @property
    def name(self) -> str:
        """See `Attack`."""
        times = f", {self.restarts} starts" if self.restarts > 1 else ""
        return f"PGD on {self.loss}, {self.steps} steps{times}"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        search = Search(model, points)
        for start in range(self.restarts):
            left = (~search.wrong).nonzero()[:, 0]
            if len(left):
                self._climb(model, points.take(left), threat, search, left, f"{self.name} {start}")
        return search.found()

    def _climb(
        self,
        model: AttackedModel,
        points: Points,
        threat: Threat,
        search: Search,
        rows: Tensor,
        draw: str,
    ) -> None:
        origin, labels = points.inputs, points.labels
        at = threat.start(origin, points.noise, draw)
        for _ in range(self.steps):
            _, slope, logits = model.gradient(at, labels, LOSSES[self.loss])
            on = search.see(rows, at, logits, with_gradient=True)
            rows, origin, labels, at, slope = (t[on] for t in (rows, origin, labels, at, slope))
            if len(rows) == 0:
                return
            step = threat.ascend(movable(threat, at, slope)) * (self.step * threat.size)
            at = threat.project(origin, at + step)
        search.see(rows, at, model.logits(at), with_gradient=False)


@dataclass(frozen=True)
class Apgd:
    """Auto-PGD away from the label (Croce & Hein 2020).

    Parameters
    ----------
    steps : int
    loss : LossName
    restarts : int
    """

    steps: int = 100
    loss: LossName = "cross-entropy"
    restarts: int = 1

    @property
    def name(self) -> str:
        """See `Attack`."""
        times = f", {self.restarts} starts" if self.restarts > 1 else ""
        return f"APGD on {self.loss}, {self.steps} steps{times}"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return confirmed(self._run, model, points, threat)

    def _run(self, model: AttackedModel, points: Points, threat: Threat) -> Search:
        search = Search(model, points)
        climb = Climb(model, threat, LOSSES[self.loss], self.steps)
        for start in range(self.restarts):
            for rows in blocks((~search.wrong).nonzero()[:, 0], points):
                of = points.take(rows)
                at = threat.start(of.inputs, of.noise, f"{self.name} {start}")
                climbers = climb.begin(search, rows, of.inputs, of.labels, at)
                climb.climb(search, climbers, 0, self.steps)
        return search


@dataclass(frozen=True)
class Round:
    """So many targets of a row are followed up to this step."""

    targets: int
    until: int


HALVING = (Round(9, 6), Round(4, 14), Round(2, 26), Round(1, 40))
"""Measured to break what 9 times 100 steps break on small networks, at a seventh of the cost."""


@dataclass(frozen=True)
class TargetedApgd:
    """Auto-PGD towards the likeliest other classes, all at once; the less promising are given up on the way.

    Parameters
    ----------
    rounds : tuple of Round
        Fewer and fewer targets; the first may exceed the number of other classes.
    draw : str
        Tells the random starts of one such attack from those of another.
    """

    rounds: tuple[Round, ...] = HALVING
    draw: str = ""

    @property
    def name(self) -> str:
        """See `Attack`."""
        laid_out = ", ".join(f"{r.targets} to step {r.until}" for r in self.rounds)
        return f"APGD towards targets ({laid_out}){self.draw}"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return confirmed(self._run, model, points, threat)

    def _run(self, model: AttackedModel, points: Points, threat: Threat) -> Search:
        search = Search(model, points)
        every = torch.arange(len(points), device=points.inputs.device)
        count = min(self.rounds[0].targets, model.classes - 1)
        for rows in blocks(every, points, count):
            of = points.take(rows)
            logits = model.logits(of.inputs)
            on = search.see(rows, of.inputs, logits, with_gradient=False)
            if bool(on.any()):
                self._block(model, threat, search, rows[on], of.take(on), logits[on])
        return search

    def _block(
        self,
        model: AttackedModel,
        threat: Threat,
        search: Search,
        rows: Tensor,
        points: Points,
        logits: Tensor,
    ) -> None:
        count = min(self.rounds[0].targets, model.classes - 1)
        others = logits.scatter(1, points.labels[:, None], float("-inf"))
        targets = others.topk(count, dim=1).indices.T  # (targets, n)
        starts = [
            threat.start(points.inputs, points.noise, f"{self.name} {t}") for t in range(count)
        ]
        pairs = torch.stack([points.labels.expand(count, -1), targets], dim=2).flatten(0, 1)
        repeated = points.inputs.repeat(count, *([1] * (points.inputs.ndim - 1)))
        climb = Climb(model, threat, targeted_dlr, self.rounds[-1].until)
        climbers = climb.begin(search, rows.repeat(count), repeated, pairs, torch.cat(starts))
        first = 0
        for each in self.rounds:
            climbers = climbers.take(leaders(climbers.rows, climbers.best_loss, each.targets))
            climbers = climb.climb(search, climbers, first, each.until)
            first = each.until


def confirmed(run: "Run", model: AttackedModel, points: Points, threat: Threat) -> Found:
    """Search; where float32 contradicted what lower precision found wrong, search those rows once more in float32."""
    search = run(model, points, threat)
    again = (search.disputed & ~search.wrong).nonzero()[:, 0]
    if len(again):
        search.adopt(again, run(model.exact(), points.take(again), threat))
    return search.found()


class Run(Protocol):
    """One run of a search."""

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Search:
        """Search."""
        ...


def blocks(rows: Tensor, points: Points, copies: int = 1) -> Iterator[Tensor]:
    """Yield so many rows at a time that their copies fit into memory."""
    values = prod(points.inputs.shape[1:]) * copies
    if len(rows):
        yield from rows.split(max(1, VALUES_AT_A_TIME // max(values, 1)))
