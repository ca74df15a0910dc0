"""Square attack: random search by squares, with forward passes alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
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
LAID_OUT = 1 << 15  # elements of squares of several steps; more leave the cache
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


Laid = TypeVar("Laid")


class _Ahead(Generic[Laid]):
    """Squares of the next steps, laid out at once: a step at a time costs more than a pass of a small network.

    Parameters
    ----------
    stream : RowStream
    channels : int
        Of which each has its own elements in a square.
    lay_out : callable
        Random numbers (steps, n, ...) and the sides of a square to what each step needs.
    """

    def __init__(
        self, stream: RowStream, channels: int, lay_out: Callable[[Tensor, int, int], list[Laid]]
    ) -> None:
        self._stream = stream
        self._channels = channels
        self._lay_out = lay_out
        self._laid_out: list[Laid] = []
        self._window = (0, 0)

    def next(self, rows: int, columns: int) -> Laid:
        """Return what the next step needs, of squares with these sides."""
        if self._window != (rows, columns):
            self._forget()
            self._window = (rows, columns)
        if not self._laid_out:
            values = len(self._stream) * self._channels * rows * columns
            uniform = self._stream.several(max(LAID_OUT // max(values, 1), 1))
            self._laid_out = self._lay_out(uniform, rows, columns)[::-1]
        return self._laid_out.pop()

    def take(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self._forget()
        self._stream.take(rows)

    def _forget(self) -> None:
        self._stream.back(len(self._laid_out))
        self._laid_out = []


class _Push(NamedTuple):
    """A square of each row: where its elements lie among all, and where the ends lie that they may move to."""

    at: np.ndarray
    to: np.ndarray
    other: np.ndarray


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
        self.ahead = _Ahead[_Push](
            RowStream(points.noise, 2 + planes.channels, draw), planes.channels, self._lay_out
        )

    @property
    def best(self) -> Tensor:
        return self.flat.view(-1, *self.shape)

    def propose(self, share: float) -> Tensor:
        """Push a square to one end, in each channel; turned around where it is there already.

        It is written into the best point itself and taken back by `keep`: late squares are small, and copying
        whole inputs would cost as much as a small network. In numpy, whose calls on so few numbers cost a fifth
        of those of torch.
        """
        square = self.ahead.next(*self.planes.window(share))
        ends = self.ends.numpy().reshape(-1)
        self.at = square.at
        self.before = self.flat.numpy().reshape(-1).take(square.at)
        after = ends.take(square.to)
        idle = (after == self.before).all(1)
        if idle.any():
            after[idle] = ends.take(square.other[idle])
        self.after = after
        self._write(after)
        return self.best

    def _lay_out(self, uniform: Tensor, rows: int, columns: int) -> "list[_Push]":
        steps, n, size = len(uniform), *self.flat.shape
        at = self.planes.inside(uniform[:, :, :2].flatten(0, 1), rows, columns).view(steps, n, -1)
        up = (uniform[:, :, 2:] < 0.5).repeat_interleave(rows * columns, 2) * size
        first = torch.arange(n)[:, None] * size
        of_ends = at + 2 * first
        parts = [t.numpy() for t in (at + first, of_ends + up, of_ends + (size - up))]
        return [_Push(*each) for each in zip(*parts, strict=True)]

    def _write(self, values: np.ndarray) -> None:
        self.flat.numpy().reshape(-1)[self.at] = values

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        """Take back what is no better."""
        del proposed
        self._write(np.where(better.numpy()[:, None], self.after, self.before))

    def take(self, rows: Tensor) -> None:
        self.flat, self.ends = self.flat[rows], self.ends[rows]
        self.ahead.take(rows)


class _Lift(NamedTuple):
    """Two squares of each row, the elements of one to raise and of one to clear, and the bump in each channel."""

    to: Tensor
    cleared: Tensor
    raised: Tensor


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
        self.ahead = _Ahead[_Lift](
            RowStream(points.noise, 5 + planes.channels, draw), planes.channels, self._lay_out
        )

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
        p = self.planes
        rows, columns = p.window(share)
        rows, columns = max(rows, min(LEAST, p.height // 4)), max(columns, min(LEAST, p.width // 4))
        lift = self.ahead.next(rows, columns)
        change = (self.best - self.origin).flatten(1)
        here = change.gather(1, lift.to).view(len(change), p.channels, -1)
        change.scatter_(1, lift.to, 0.0).scatter_(1, lift.cleared, 0.0)
        left = (self.ball.eps**2 - change.square().sum(1)).clamp_min(0) / p.channels
        raised = _unit(lift.raised + _unit(here)) * left.sqrt()[:, None, None]
        change.scatter_(1, lift.to, raised.flatten(1))
        moved = self.origin + change.view_as(self.origin)
        return moved.clamp_(self.ball.low, self.ball.high)

    def _lay_out(self, uniform: Tensor, rows: int, columns: int) -> "list[_Lift]":
        steps, n = uniform.shape[:2]
        flat = uniform.flatten(0, 1)
        to, cleared = (
            self.planes.inside(flat[:, k : k + 2], rows, columns).view(steps, n, -1) for k in (0, 2)
        )
        raised = bump(rows, columns)
        if rows == columns:
            raised = torch.where((uniform[:, :, 4] < 0.5)[..., None, None], raised, raised.T)
        sign = torch.where(uniform[:, :, 5:] < 0.5, 1.0, -1.0)[..., None]  # (steps, n, channels, 1)
        raised = raised.reshape(*(raised.shape[:-2] or (1, 1)), 1, rows * columns) * sign
        return [_Lift(*each) for each in zip(to, cleared, raised, strict=True)]

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        self.best[better] = proposed[better]

    def take(self, rows: Tensor) -> None:
        self.best, self.origin = self.best[rows], self.origin[rows]
        self.ahead.take(rows)


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
