"""Auto-PGD: gradient ascent with momentum whose step halves, row by row, where it does not get on.

Croce & Hein (2020), Reliable evaluation of adversarial robustness, algorithm 1. Several copies of a row (towards
several targets) climb side by side; a row that is answered wrongly leaves, so that no pass is spent on it.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from roadworthy.perturbation.model import AttackedModel, Loss
from roadworthy.perturbation.search import Search
from roadworthy.perturbation.threat import Ball, Threat

MOMENTUM = 0.75  # share of the step in a move; the rest goes on as before
FIRST_STEP = 2.0  # in the size of the threat
FEWEST_RISES = 0.75  # of the steps since the last look; fewer and the step halves


@dataclass(frozen=True, eq=False)
class Climbers:
    """Copies of rows on their way up; every field has a first dimension of length m."""

    rows: Tensor
    origin: Tensor
    aims: Tensor
    at: Tensor
    before: Tensor
    slope: Tensor
    loss: Tensor
    step: Tensor
    rises: Tensor
    was_halved: Tensor
    best_at: Tensor
    best_slope: Tensor
    best_loss: Tensor
    best_loss_then: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, kept: Tensor) -> "Climbers":
        """Return these copies (positions or a mask)."""
        if kept.dtype == torch.bool and bool(kept.all()):
            return self
        return Climbers(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})


@dataclass(frozen=True)
class Climb:
    """How copies of rows climb.

    Parameters
    ----------
    model : AttackedModel
    threat : Threat
    loss : Loss
        Of logits and `aims`.
    steps : int
        The whole number of steps, which the looks at the progress are laid out for.
    """

    model: AttackedModel
    threat: Threat
    loss: Loss
    steps: int

    def begin(
        self, search: Search, rows: Tensor, origin: Tensor, aims: Tensor, start: Tensor
    ) -> Climbers:
        """Evaluate the starts of copies (m, ...) of rows; those still right are the climbers."""
        loss, slope, logits = self.model.gradient(start, aims, self.loss)
        on = search.see(rows, start, logits, with_gradient=True)
        zeros = torch.zeros(len(rows), device=rows.device)
        return Climbers(
            rows=rows,
            origin=origin,
            aims=aims,
            at=start,
            before=start,
            slope=slope,
            loss=loss,
            step=torch.full_like(zeros, FIRST_STEP * self.threat.size),
            rises=zeros,
            was_halved=torch.ones_like(zeros, dtype=torch.bool),
            best_at=start,
            best_slope=slope,
            best_loss=loss,
            best_loss_then=loss,
        ).take(on)

    def climb(self, search: Search, climbers: Climbers, first: int, last: int) -> Climbers:
        """Take the steps from `first` to before `last`; return who is still right."""
        looks = checkpoints(self.steps)
        for number in range(first, last):
            if len(climbers) == 0:
                break
            climbers = self._stepped(search, climbers, is_first=number == 0)
            if number + 1 in looks:
                climbers = _looked_at(climbers, looks[number + 1])
        return climbers

    def _stepped(self, search: Search, climbers: Climbers, *, is_first: bool) -> Climbers:
        at = self._moved(climbers, 1.0 if is_first else MOMENTUM)
        loss, slope, logits = self.model.gradient(at, climbers.aims, self.loss)
        on = search.see(climbers.rows, at, logits, with_gradient=True)
        better = loss > climbers.best_loss
        wide = _beside(better, at)
        return replace(
            climbers,
            at=at,
            before=climbers.at,
            slope=slope,
            loss=loss,
            rises=climbers.rises + (loss > climbers.loss),
            best_at=torch.where(wide, at, climbers.best_at),
            best_slope=torch.where(wide, slope, climbers.best_slope),
            best_loss=torch.where(better, loss, climbers.best_loss),
        ).take(on)

    def _moved(self, climbers: Climbers, share: float) -> Tensor:
        slope = movable(self.threat, climbers.at, climbers.slope)
        step = self.threat.ascend(slope).mul_(_beside(climbers.step, slope)).add_(climbers.at)
        ahead = self.threat.project(climbers.origin, step)
        if share == 1.0:
            return ahead
        moved = climbers.at + share * (ahead - climbers.at)
        moved += (1.0 - share) * (climbers.at - climbers.before)
        return self.threat.project(climbers.origin, moved)


def checkpoints(steps: int) -> dict[int, int]:
    """Return after how many steps progress is looked at, and the steps since the look before.

    >>> list(checkpoints(100))[:4]
    [22, 41, 57, 70]
    """
    least, shorter = max(int(0.06 * steps), 1), max(int(0.03 * steps), 1)
    looks: dict[int, int] = {}
    at, since = 0, max(int(0.22 * steps), 1)
    while at + since <= steps:
        at += since
        looks[at] = since
        since = max(since - shorter, least)
    return looks


def leaders(rows: Tensor, scores: Tensor, kept: int) -> Tensor:
    """Return the positions of the `kept` copies of each row with the largest scores, in order."""
    order = scores.argsort(descending=True, stable=True)
    order = order[rows[order].argsort(stable=True)]
    of = rows[order].contiguous()
    rank = torch.arange(len(of), device=of.device) - torch.searchsorted(of, of)
    return order[rank < kept].sort().values


def movable(threat: Threat, at: Tensor, slope: Tensor) -> Tensor:
    """Set the slope to zero where the range of the inputs lets nothing move that way.

    It matters where a step is spent on few elements: without it the steepest one takes it all, and stands still.
    """
    if not isinstance(threat, Ball) or threat.norm == "linf":
        return slope
    blocked = ((at <= threat.low) & (slope < 0)) | ((at >= threat.high) & (slope > 0))
    return slope.masked_fill(blocked, 0.0)


def _looked_at(climbers: Climbers, since: int) -> Climbers:
    """Halve the step of those that rose too seldom or found nothing better, and set them back to their best."""
    seldom = climbers.rises <= FEWEST_RISES * since
    stands = ~climbers.was_halved & (climbers.best_loss_then >= climbers.best_loss)
    halved = seldom | stands
    wide = _beside(halved, climbers.at)
    return replace(
        climbers,
        step=torch.where(halved, climbers.step / 2, climbers.step),
        at=torch.where(wide, climbers.best_at, climbers.at),
        slope=torch.where(wide, climbers.best_slope, climbers.slope),
        was_halved=halved,
        rises=torch.zeros_like(climbers.rises),
        best_loss_then=climbers.best_loss,
    )


def _beside(values: Tensor, rows: Tensor) -> Tensor:
    return values.view(-1, *([1] * (rows.ndim - 1)))
