"""Square attack: random search by squares, with forward passes alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.planes import Planes
from roadworthy.perturbation.random_search import searched
from roadworthy.perturbation.streams import RowStream
from roadworthy.perturbation.threat import Ball, Threat

HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries
LEAST = 3  # side of an L2 square, as in the original; a quarter of images below 12 (digits: 48 % robust, not 51 %)


@dataclass(frozen=True)
class Square:
    """Square attack of Andriushchenko et al. (2020), on the margin, for Linf (algorithm 2) and L2 (algorithm 3).

    A square of shrinking size is pushed to a corner of the ball (Linf), or given the budget that another one loses
    (L2); what lowers the margin stays. Differs in two points from the original: an Linf proposal that would
    change nothing is turned around instead of spending a query, and in L2 a square gets exactly what the rest of
    the input leaves of eps.

    Parameters
    ----------
    queries : int
        At most, for each row, the clean one included.
    share : float
        Of the positions in the first squares.
    draw : str
        Names the random numbers: another word, another search.
    """

    queries: int = 5000
    share: float = 0.8
    draw: str = "square"

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"Square, {self.queries:,} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        if not isinstance(threat, Ball) or threat.norm == "l1":
            raise NotApplicable(f"the Square attack moves within Linf or L2, not {threat.name}")
        walk = _Corners if threat.norm == "linf" else _Bumps
        queries = self.queries if threat.size > 0 else 1
        return searched(
            model, points, lambda rows: walk(rows, threat, self.draw), self.share_at, queries
        )

    def share_at(self, step: int) -> float:
        """Return the share of the positions in a square: halved at fixed parts of the budget."""
        halvings = sum(step * 10_000 > after * self.queries for after in HALVED_AFTER)
        return self.share / 2.0**halvings


class _Corners:
    """Linf: every element at the upper or the lower end of what it may be."""

    def __init__(self, points: Points, ball: Ball, draw: str) -> None:
        origin = points.inputs
        self.planes = planes = Planes.of(origin)
        self.shape = origin.shape[1:]
        flat = origin.flatten(1)
        low, high = (flat - ball.eps).clamp_min(ball.low), (flat + ball.eps).clamp_max(ball.high)
        self.ends = torch.cat([low, high], dim=1)  # (n, 2 elements)
        stripes = torch.from_numpy(
            points.noise.bits(planes.channels * planes.width, f"{draw} stripes") >> 63
        )
        up = stripes.bool().view(len(points), planes.channels, 1, planes.width)
        up = up.expand(-1, -1, planes.height, -1).flatten(1)
        self.flat = torch.where(up, high, low)
        self.stream = RowStream(points.noise, 2 + planes.channels, draw)

    @property
    def best(self) -> Tensor:
        return self.flat.view(-1, *self.shape)

    def propose(self, share: float) -> Tensor:
        """Push a square to one end, in each channel; turned around where it is there already.

        It is written into the best point itself and taken back by `keep`: late squares are small, and copying
        whole inputs would cost as much as a small network.
        """
        uniform = self.stream.next()
        rows, columns = self.planes.window(share)
        self.at = at = self.planes.inside(uniform[:, :2], rows, columns)
        self.before = before = self.flat.gather(1, at)
        up = (uniform[:, 2:] < 0.5).repeat_interleave(rows * columns, 1)
        size = self.flat.shape[1]
        after = self.ends.gather(1, at + up * size)
        idle = (after == before).all(1)
        if bool(idle.any()):
            after[idle] = self.ends[idle].gather(1, (at + ~up * size)[idle])
        self.after = after
        self.flat.scatter_(1, at, after)
        return self.best

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        """Take back what is no better."""
        del proposed
        self.flat.scatter_(1, self.at, torch.where(better[:, None], self.after, self.before))

    def take(self, rows: Tensor) -> None:
        self.flat, self.ends = self.flat[rows], self.ends[rows]
        self.stream.take(rows)


class _Bumps:
    """L2: squares of opposite halves, whose lengths always make up eps together."""

    def __init__(self, points: Points, ball: Ball, draw: str) -> None:
        self.origin = origin = points.inputs
        self.ball = ball
        self.planes = planes = Planes.of(origin)
        start = self._tiles(points, f"{draw} tiles")
        length = torch.linalg.vector_norm(start, dim=1, keepdim=True)
        change = (start * (ball.eps / length.clamp_min(1e-12))).view_as(origin)
        self.best = (origin + change).clamp(ball.low, ball.high)
        self.stream = RowStream(points.noise, 5 + planes.channels, draw)

    def _tiles(self, points: Points, draw: str) -> Tensor:
        """Return a grid of up to 5 x 5 bumps with a random sign in each channel: (n, elements)."""
        p = self.planes
        rows, columns = max(p.height // 5, 1), max(p.width // 5, 1)
        down, across = p.height // rows, p.width // columns
        bits = points.noise.bits(p.channels * down * across, draw) >> 63
        sign = torch.from_numpy(bits.astype("float32")) * 2 - 1
        sign = sign.view(len(points), p.channels, down, 1, across, 1)
        tiles = (sign * bump(rows, columns)[:, None, :]).reshape(
            len(points), p.channels, down * rows, across * columns
        )
        start = torch.zeros(len(points), p.channels, p.height, p.width)
        start[:, :, : down * rows, : across * columns] = tiles
        return start.flatten(1)

    def propose(self, share: float) -> Tensor:
        """Clear one square and raise a bump in another by what then is left of eps."""
        uniform = self.stream.next()
        p = self.planes
        rows, columns = p.window(share)
        rows, columns = max(rows, min(LEAST, p.height // 4)), max(columns, min(LEAST, p.width // 4))
        to = p.inside(uniform[:, :2], rows, columns)
        cleared = p.inside(uniform[:, 2:4], rows, columns)
        change = (self.best - self.origin).flatten(1)
        here = change.gather(1, to).view(len(change), p.channels, -1)
        change.scatter_(1, to, 0.0).scatter_(1, cleared, 0.0)
        left = (self.ball.eps**2 - change.square().sum(1)).clamp_min(0) / p.channels
        raised = bump(rows, columns)
        if rows == columns:
            raised = torch.where((uniform[:, 4] < 0.5)[:, None, None], raised, raised.T)
        raised = raised.reshape(-1, 1, rows * columns)
        sign = torch.where(uniform[:, 5:] < 0.5, 1.0, -1.0)[:, :, None]
        raised = raised * sign + _unit(here)
        raised = _unit(raised) * left.sqrt()[:, None, None]
        change.scatter_(1, to, raised.flatten(1))
        moved = self.origin + change.view_as(self.origin)
        return moved.clamp_(self.ball.low, self.ball.high)

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        self.best[better] = proposed[better]

    def take(self, rows: Tensor) -> None:
        self.best, self.origin = self.best[rows], self.origin[rows]
        self.stream.take(rows)


def _unit(windows: Tensor) -> Tensor:
    """Give each window of each channel the length 1, or 0 where it is empty."""
    return windows / torch.linalg.vector_norm(windows, dim=2, keepdim=True).clamp_min(1e-12)


def bump(rows: int, columns: int) -> Tensor:
    """Return two halves of opposite sign, each highest in its middle, of length 1: (rows, columns).

    Andriushchenko et al. (2020), section 3.3: frames around the middle get 1 / (distance + 1)^2 more and more.
    """
    if rows < columns:
        return bump(columns, rows).T
    half = rows // 2
    whole = torch.cat([_hill(half, columns), -_hill(rows - half, columns)])
    return whole / torch.linalg.vector_norm(whole)


def _hill(rows: int, columns: int) -> Tensor:
    """Return the sum over frames of 1 / k^2 within the k-th frame around the middle."""
    hill = torch.zeros(rows, columns)
    top, left = rows // 2, columns // 2
    for k in range(1, max(top, left) + 2):
        hill[max(top - k + 1, 0) : top + k, max(left - k + 1, 0) : left + k] += 1.0 / k**2
    return hill
