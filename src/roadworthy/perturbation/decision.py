"""Attacks that see answers alone: RayS for Linf, HopSkipJump for L2."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.nearest import Nearest, between
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.random_search import standing
from roadworthy.perturbation.threat import Ball, Threat

Answers = Callable[[Tensor], Tensor]
"""Inputs (n, ...) to class codes (n,) int64."""

SHRINKS = 7  # halvings of a radius that RayS makes: it is known to 1 in 128
BLOCK = 16  # directions that are drawn at once, so that memory does not grow with their number
FIRST_DIRECTIONS = (
    24  # of the first estimate of HopSkipJump; the paper has 100 and budgets of 25,000
)
FIRST_RADIUS = 0.1  # of the range
HALVINGS = 12
STARTS = 40  # random points that are tried to begin from


@dataclass(frozen=True)
class RayS:
    """Search for the nearest wrong answer over directions of signs (Chen & Gu 2020): Linf, answers alone.

    Blocks of the signs are flipped, halves first, then quarters and so on; a direction whose answer is wrong within
    the best radius takes over, and its radius is found by bisection.

    Parameters
    ----------
    queries : int
        At most, for each row; a bisection that has begun is finished.
    """

    queries: int = 2000

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"RayS, {self.queries:,} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return _within(self.nearest, model, points, threat)

    def nearest(
        self, answers: Answers, points: Points, ball: Ball, until: float = 0.0
    ) -> "Decided":
        """Return the nearest wrong answers; a row stops once its is within `until`. The ball's eps does not matter."""
        if ball.norm != "linf":
            raise NotApplicable("RayS searches in Linf; HopSkipJump does in L2")
        asked = _Asked(answers, points, ball)
        size = max(points.inputs[0].numel(), 1) if len(points) else 1
        signs = torch.ones(len(points), size)
        radius = torch.full((len(points),), float(ball.high - ball.low))
        level, block = 0, 0
        while True:
            rows = asked.open(self.queries, until)
            if not len(rows):
                return asked.decided()
            count = min(2**level, size)
            first, last = block * size // count, (block + 1) * size // count
            flipped = signs[rows]
            flipped[:, first:last] *= -1
            hit = asked.wrong(rows, flipped * radius[rows, None])
            found, flipped = rows[hit], flipped[hit]
            if len(found):
                signs[found] = flipped
                radius[found] = self._shrunk(asked, found, flipped, radius[found])
            block += 1
            if block == count:
                level, block = (0 if count == size else level + 1), 0

    def _shrunk(self, asked: "_Asked", rows: Tensor, signs: Tensor, high: Tensor) -> Tensor:
        low = torch.zeros_like(high)
        for _ in range(SHRINKS):
            middle = (low + high) / 2
            hit = asked.wrong(rows, signs * middle[:, None])
            high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
        return high


@dataclass(frozen=True)
class HopSkipJump:
    """Walk along the boundary by estimates of its normal (Chen, Jordan & Wainwright 2020): L2, answers alone.

    It begins at the nearest wrong answer among some random points. Then the normal is estimated from the answers
    around the boundary, a step is taken along it, and the way back to the row is halved until the boundary is met.

    Parameters
    ----------
    queries : int
        At most, for each row; a round that has begun is finished.
    draw : str
        Names the random numbers.
    """

    queries: int = 2000
    draw: str = "hop"

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"HopSkipJump, {self.queries:,} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return _within(self.nearest, model, points, threat)

    def nearest(
        self, answers: Answers, points: Points, ball: Ball, until: float = 0.0
    ) -> "Decided":
        """Return the nearest wrong answers; a row stops once its is within `until`. The ball's eps does not matter."""
        if ball.norm != "l2":
            raise NotApplicable("HopSkipJump searches in L2; RayS does in Linf")
        asked = _Asked(answers, points, ball)
        self._begin(asked, points.noise, ball)
        step = 0
        while True:
            step += 1
            rows = asked.open(self.queries, until)
            rows = rows[torch.isfinite(asked.distance[rows])]
            if not len(rows):
                return asked.decided()
            at, far = asked.change(rows), asked.distance[rows]
            normal = self._normal(asked, rows, points.noise.take(rows.numpy()), at, step)
            self._step(asked, rows, at, normal, far / sqrt(step))

    def _begin(self, asked: "_Asked", noise: RowNoise, ball: Ball) -> None:
        width = ball.high - ball.low
        for start in range(STARTS):
            rows = asked.open(self.queries, 0.0)
            rows = rows[~torch.isfinite(asked.distance[rows])]
            if not len(rows):
                break
            drawn = noise.take(rows.numpy()).uniform((asked.size,), f"{self.draw} start {start}")
            change = ball.low + torch.from_numpy(drawn) * width - asked.flat[rows]
            hit = asked.wrong(rows, change)
            asked.back(rows[hit], change[hit])

    def _normal(
        self, asked: "_Asked", rows: Tensor, noise: RowNoise, at: Tensor, step: int
    ) -> Tensor:
        """Return the direction in which answers turn wrong, from answers around the boundary: (m, size)."""
        ball, size = asked.ball, asked.size
        radius = (
            asked.distance[rows] / size
        )  # delta of the paper's section IV-C, with theta = 1 / d^1.5
        if step == 1:
            radius = torch.full_like(radius, FIRST_RADIUS * float(ball.high - ball.low))
        radius = radius.clamp_min(1e-6 * (ball.high - ball.low))[:, None]
        total, weighed = torch.zeros_like(at), torch.zeros_like(at)
        hits = torch.zeros(len(rows), 1)
        blocks = ceil(FIRST_DIRECTIONS * sqrt(step) / BLOCK)
        for block in range(blocks):
            drawn = noise.normal((BLOCK, size), f"{self.draw} {step} {block}")
            around = torch.from_numpy(drawn)
            around /= torch.linalg.vector_norm(around, dim=2, keepdim=True).clamp_min(1e-12)
            used = asked.clipped(rows, at[:, None] + around * radius[:, :, None]) - at[:, None]
            hit = asked.probed(rows, at[:, None] + used).float()[:, :, None] * 2 - 1
            used = used / radius[:, :, None]
            hits += hit.sum(1)
            total += used.sum(1)
            weighed += (hit * used).sum(1)
        mean = hits / (blocks * BLOCK)
        normal = torch.where(mean.abs() == 1, mean * total, weighed - mean * total)
        return normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True).clamp_min(1e-12)

    def _step(
        self, asked: "_Asked", rows: Tensor, at: Tensor, normal: Tensor, length: Tensor
    ) -> None:
        """Step along the normal, by half as much again and again until the answer there is wrong."""
        for _ in range(HALVINGS):
            moved = asked.clipped(rows, at + normal * length[:, None])
            hit = asked.wrong(rows, moved)
            asked.back(rows[hit], moved[hit])
            rows, at, normal, length = rows[~hit], at[~hit], normal[~hit], length[~hit] / 2
            if not len(rows):
                return


@dataclass(frozen=True, eq=False)
class Decided(Nearest):
    """Nearest wrong answers, and what they cost.

    Parameters
    ----------
    queries : (n,) int64 Tensor
        Answers asked for.
    """

    queries: Tensor


class _Asked:
    """What is known of each row from answers: the nearest change that made it wrong, and how many were asked for."""

    def __init__(self, answers: Answers, points: Points, ball: Ball) -> None:
        self.ball = ball
        self.flat = points.inputs.flatten(1)
        self.size = self.flat.shape[1]
        self._answers, self._points = answers, points
        self._best = torch.zeros_like(self.flat)
        self.distance = torch.full((len(points),), float("inf"))
        self._queries = torch.zeros(len(points), dtype=torch.int64)
        rows = torch.arange(len(points))
        self.wrong(rows, self._best)

    def open(self, queries: int, until: float) -> Tensor:
        """Return the rows that may ask and have not yet what was looked for."""
        return torch.nonzero((self._queries < queries) & (self.distance > until))[:, 0]

    def change(self, rows: Tensor) -> Tensor:
        """Return the nearest change that made these rows wrong."""
        return self._best[rows]

    def clipped(self, rows: Tensor, change: Tensor) -> Tensor:
        """Return the changes (m, size) or (m, k, size) that stay within the range."""
        origin = self.flat[rows].view(len(rows), *([1] * (change.ndim - 2)), self.size)
        return (origin + change).clamp(self.ball.low, self.ball.high) - origin

    def probed(self, rows: Tensor, changes: Tensor) -> Tensor:
        """Ask for the answers to k changes (m, k, size) of each row, without taking note of how near they are: (m, k)."""
        m, k = changes.shape[:2]
        moved = self.flat[rows][:, None] + changes
        moved = moved.clamp(self.ball.low, self.ball.high)
        answers = self._answers(moved.view(m * k, *self._points.inputs.shape[1:]))
        self._queries[rows] += k
        return answers.view(m, k) != self._points.labels[rows][:, None]

    def wrong(self, rows: Tensor, change: Tensor) -> Tensor:
        """Ask for the answers to changed rows, and take note of the nearest wrong ones: (m,) bool."""
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool)
        shape = self._points.inputs.shape[1:]
        origin = self._points.inputs[rows]
        moved = origin + change.view(-1, *shape)
        moved = moved.clamp(self.ball.low, self.ball.high)
        hit = self._answers(moved) != self._points.labels[rows]
        self._queries[rows] += 1
        far = self.ball.distance(origin, moved)
        nearer = hit & (far < self.distance[rows])
        self.distance[rows[nearer]] = far[nearer]
        self._best[rows[nearer]] = (moved - origin).flatten(1)[nearer]
        return hit

    def back(self, rows: Tensor, change: Tensor) -> None:
        """Halve the way between a wrong point and its row until the boundary is met."""
        low, high = torch.zeros(len(rows)), torch.ones(len(rows))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            hit = self.wrong(rows, between(torch.zeros_like(change), change, middle))
            high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)

    def decided(self) -> Decided:
        """Return what was found."""
        inputs = self._points.inputs + self._best.view_as(self._points.inputs)
        inputs = inputs.clamp(self.ball.low, self.ball.high)
        return Decided(inputs, self.distance, self._queries)


def _within(
    nearest: Callable[[Answers, Points, Ball, float], Decided],
    model: AttackedModel,
    points: Points,
    threat: Threat,
) -> Found:
    if not isinstance(threat, Ball):
        raise NotApplicable(f"distances are measured in Linf or L2, which {threat.name} has not")
    clean = standing(model.logits(points.inputs), points.labels)
    if threat.eps == 0:
        return Found(points.inputs.clone(), clean)
    found = nearest(lambda x: model.logits(x).argmax(1), points, threat, threat.eps)
    hit = (found.distance > 0) & threat.allows(points.inputs, found.inputs)
    inputs = points.inputs.clone()
    inputs[hit] = found.inputs[hit]
    margins = clean.clone()
    if bool(hit.any()):
        margins[hit] = standing(model.logits(inputs[hit]), points.labels[hit])
    return Found(inputs, margins, found.queries.float(), torch.zeros(len(points)))
