"""Fast adaptive boundary attack: the nearest wrong answer, by steps onto the linearised boundary."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Found, Points, is_wrong
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.nearest import Nearest, between, drawn_closer
from roadworthy.perturbation.random_search import standing
from roadworthy.perturbation.threat import Ball, Threat

OVERSHOOT = 1.05  # eta, alpha_max and beta of Croce & Hein (2020b), section 3
TOWARDS_ROW = 0.1
BACK = 0.9
HALVINGS = 8
PIECES = 50  # at most; fewer than ten pass in practice
NEAR = 1e-6  # of the way; sums in float32 are no more exact
ELEMENTS = 1 << 20  # of the points that are moved at once, so that memory is flat in rows


@dataclass(frozen=True)
class Fab:
    """Targeted fast adaptive boundary attack of Croce & Hein (2020b) for Linf, L2 and L1.

    The boundary to each of the likeliest other classes is linearised where the search stands; the point and the
    row are both projected onto it within the range of the inputs, and the next point lies between the two. The
    classes are followed side by side, and whether a point is wrong is read from the same pass that linearises
    there: one pass forward and one back for each step and class, where the original takes two forward.

    Parameters
    ----------
    steps : int
    targets : int
        Other classes, by their logits on the row itself.
    """

    steps: int = 100
    targets: int = 9

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"FAB, {self.steps} steps, {self.targets} targets"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`. It stops on a row at the first wrong answer within the threat."""
        ball = _ball(threat)
        clean = standing(model.logits(points.inputs), points.labels)
        found = Found(points.inputs.clone(), clean)
        if ball.eps == 0:
            return found
        nearest = self._searched(model, points, ball, until=ball.eps)
        hit = torch.isfinite(nearest.distance) & ball.allows(points.inputs, nearest.inputs)
        hit &= nearest.distance > 0
        if bool(hit.any()):
            found.inputs[hit] = nearest.inputs[hit]
            found.margin[hit] = standing(model.logits(nearest.inputs[hit]), points.labels[hit])
        return found

    def nearest(self, model: AttackedModel, points: Points, ball: Ball) -> Nearest:
        """Return the nearest wrong answers; only norm and range of the ball matter, not its eps."""
        return self._searched(model, points, ball, until=0.0)

    def _searched(
        self, model: AttackedModel, points: Points, ball: Ball, *, until: float
    ) -> Nearest:
        logits = model.logits(points.inputs)
        others = logits.scatter(1, points.labels[:, None], float("-inf"))
        k = min(self.targets, logits.shape[1] - 1)
        targets = others.topk(k, dim=1).indices
        right = ~is_wrong(logits, points.labels)
        inputs, distance = points.inputs.clone(), torch.zeros(len(points))
        size = max(ELEMENTS // (k * max(points.inputs[0].numel(), 1)), 1) if len(points) else 1
        for rows in torch.nonzero(right)[:, 0].split(size):
            part = points.take(rows)
            found = _followed(model, part, targets[rows], ball, self.steps, until)

            def wrong(moved: Tensor, at: Tensor, labels: Tensor = part.labels) -> Tensor:
                return is_wrong(model.logits(moved), labels[at])

            if until == 0:
                found = drawn_closer(wrong, part.inputs, found, ball, HALVINGS)
            inputs[rows], distance[rows] = found.inputs, found.distance
        return Nearest(inputs, distance)


def _ball(threat: Threat) -> Ball:
    if not isinstance(threat, Ball):
        raise NotApplicable(
            f"FAB measures distances in Linf, L2 or L1, which {threat.name} has not"
        )
    return threat


def _lead(logits: Tensor, classes: Tensor) -> Tensor:
    """Logit of the target minus that of the label; classes: (n, 2) of label and target."""
    both = logits.gather(1, classes)
    return both[:, 1] - both[:, 0]


def _followed(
    model: AttackedModel, points: Points, targets: Tensor, ball: Ball, steps: int, until: float
) -> Nearest:
    """Follow every (row, target) pair; a row stops once it has a wrong answer within `until`."""
    n, k = targets.shape
    best = points.inputs.clone()
    distance = torch.full((n,), float("inf"))
    of = torch.arange(n).repeat_interleave(k)
    classes = torch.stack([points.labels[of], targets.flatten()], dim=1)
    here = points.inputs[of]
    for step in range(steps + 1):
        origin = points.inputs[of]
        lead, slope, logits = model.gradient(here, classes, _lead)
        wrong = is_wrong(logits, classes[:, 0])
        if bool(wrong.any()):
            _keep_nearest(best, distance, of, here, wrong, ball.distance(origin, here))
            going = (distance > until)[of]
            if until > 0 and not bool(going.all()):
                of, classes, here, origin = of[going], classes[going], here[going], origin[going]
                lead, slope, wrong = lead[going], slope[going], wrong[going]
        if step == steps or not len(of):
            break
        here = _next(here, origin, lead, slope, wrong, ball)
    return Nearest(best, distance)


def _keep_nearest(
    best: Tensor, distance: Tensor, of: Tensor, here: Tensor, wrong: Tensor, far: Tensor
) -> None:
    """Write the nearest of each row's wrong points where it is nearer than what is known."""
    far = torch.where(wrong, far, float("inf"))
    least = torch.full_like(distance, float("inf")).scatter_reduce(0, of, far, "amin")
    chosen = torch.nonzero(wrong & (far == least[of]) & (far < distance[of]))[:, 0]
    chosen = chosen.flip(0)  # of ties the likeliest target is written last
    best[of[chosen]] = here[chosen]
    distance.copy_(torch.minimum(distance, least))


def _next(
    here: Tensor, origin: Tensor, lead: Tensor, slope: Tensor, wrong: Tensor, ball: Ball
) -> Tensor:
    """Return the next point: between the projections of here and of the row onto the boundary's plane."""
    flat, normal = here.flatten(1), slope.flatten(1)
    value = (flat * normal).sum(1) - lead  # the plane: normal . x = value
    start = torch.where(wrong[:, None], origin.flatten(1) + (flat - origin.flatten(1)) * BACK, flat)
    both = torch.cat([start, origin.flatten(1)])
    change = onto_plane(both, normal.repeat(2, 1), value.repeat(2), ball)
    length = _lengths(change, ball).clamp_min(1e-8)
    from_here, from_row = length.chunk(2)
    share = (from_here / (from_here + from_row)).clamp_max(TOWARDS_ROW)
    moved = both + change * OVERSHOOT
    moved_here, moved_row = moved.chunk(2)
    return between(moved_here, moved_row, share).clamp(ball.low, ball.high).view_as(here)


def _lengths(change: Tensor, ball: Ball) -> Tensor:
    order = {"linf": float("inf"), "l2": 2.0, "l1": 1.0}[ball.norm]
    return torch.linalg.vector_norm(change, ord=order, dim=1)


def onto_plane(points: Tensor, normal: Tensor, value: Tensor, ball: Ball) -> Tensor:
    """Return the shortest change that leads points within the range onto a plane, or as near as the range lets.

    Every element moves towards the plane until it is at the end of its range. Linf: all by the same; L2: in
    proportion to the normal; L1: the steepest first. How far is solved for to rounding.

    Parameters
    ----------
    points, normal : (n, d) Tensor
    value : (n,) Tensor
        The plane is normal . x = value.
    ball : Ball
        Gives norm and range.
    """
    lacking = value - (points * normal).sum(1)
    towards = normal * torch.where(lacking < 0, -1.0, 1.0)[:, None]
    lacking = lacking.abs()[:, None]
    steep = towards.abs()
    room = torch.where(towards > 0, ball.high - points, points - ball.low).clamp_min(0)
    if ball.norm == "l1":
        order = steep.argsort(dim=1, descending=True)
        gain = (steep * room).gather(1, order)
        used = (lacking - (gain.cumsum(1) - gain)).clamp_min(0).minimum(gain)
        size = torch.zeros_like(points).scatter(
            1, order, used / steep.gather(1, order).clamp_min(1e-30)
        )
        return towards.sign() * size
    pace = (steep > 0).to(steep) if ball.norm == "linf" else steep
    rate = steep * pace
    ends = torch.where(pace > 0, room / pace.clamp_min(1e-30), 0.0)  # when each is at its end
    time = _until(lacking, rate, ends)
    return towards.sign() * (pace * time).minimum(room)


def _until(lacking: Tensor, rate: Tensor, ends: Tensor) -> Tensor:
    """Return when elements that add `rate` until their ends have added what is lacking, or all are at their ends: (n, 1).

    What was added is concave in time, in straight pieces: Newton's steps from the left reach it from piece to piece. A row
    stands still once it is there, so that its neighbours change nothing.
    """
    steepest = rate.sum(1, keepdim=True)
    time = lacking / steepest.clamp_min(1e-30)
    for _ in range(PIECES):
        added = (rate * ends.minimum(time)).sum(1, keepdim=True)
        still = lacking - added
        pace = (rate * (ends > time)).sum(1, keepdim=True)
        going = (still > NEAR * lacking) & (pace > NEAR * steepest)
        if not bool(going.any()):
            break
        time = torch.where(going, time + still / pace.clamp_min(1e-30), time)
    return time.minimum(ends.amax(1, keepdim=True))
