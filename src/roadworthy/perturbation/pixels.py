"""A few pixels: any change at up to k positions, and the random search for the worst of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.planes import Planes
from roadworthy.perturbation.random_search import searched
from roadworthy.perturbation.streams import RowStream
from roadworthy.perturbation.threat import Threat

FEWER_AFTER = (
    (10, 2),
    (50, 4),
    (200, 5),
    (500, 6),
    (1000, 8),
    (2000, 10),
    (4000, 12),
    (6000, 15),
    (8000, 20),
)
"""After so many of 10,000 queries, the share of pixels exchanged is divided by this."""


@dataclass(frozen=True)
class Pixels:
    """All inputs that differ at up to k positions of the plane, in any channel, inside the range.

    Parameters
    ----------
    k : int
        At least 0. The distance is the number of positions.
    low, high : float
        Range of every element.
    """

    k: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.k < 0:
            raise UserError(f"The number of pixels must be at least 0, and it is {self.k}.")
        if not self.low < self.high:
            raise UserError(
                f"The range of the inputs must rise, and it is {self.low:g} to {self.high:g}."
            )

    @property
    def name(self) -> str:
        """See `Threat`."""
        return f"{self.k:,} {'pixel' if self.k == 1 else 'pixels'} of {self.low:g} to {self.high:g}"

    @property
    def size(self) -> float:
        """See `Threat`."""
        return float(self.k)

    def project(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`. The k positions that were changed most keep their change."""
        inside = moved.clamp(self.low, self.high)
        change = by_position(inside - origin)  # (n, channels, positions)
        size = change.square().sum(1)
        kept = torch.zeros_like(size)
        if self.k > 0:
            best = size.topk(min(self.k, size.shape[1]), dim=1).indices
            kept.scatter_(1, best, 1.0)
        keeps = (kept > 0)[:, None].expand_as(change).reshape(origin.shape)
        return torch.where(keeps, inside, origin)

    def distance(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`."""
        return (by_position(moved) != by_position(origin)).any(1).sum(1).to(origin)

    def allows(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`."""
        flat = moved.flatten(1)
        inside = ((flat >= self.low) & (flat <= self.high)).all(1)
        return inside & (self.distance(origin, moved) <= self.k)

    def start(self, origin: Tensor, noise: RowNoise, draw: str) -> Tensor:
        """See `Threat`. Positions and values uniform."""
        values = torch.from_numpy(noise.uniform(tuple(origin.shape[1:]), draw)).to(origin)
        order = torch.from_numpy(noise.uniform((Planes.of(origin).positions,), f"{draw} where"))
        chosen = torch.zeros_like(order).scatter_(1, order.argsort(1)[:, : self.k], 1.0) > 0
        planes = by_position(origin)
        moved = by_position(self.low + values * (self.high - self.low))
        return torch.where(chosen[:, None].to(origin.device), moved, planes).view_as(origin)

    def ascend(self, gradient: Tensor) -> Tensor:
        """See `Threat`. One position, each channel by the sign of its gradient."""
        planes = by_position(gradient)
        best = planes.abs().sum(1).argmax(1)[:, None, None].expand(-1, planes.shape[1], 1)
        step = torch.zeros_like(planes).scatter_(2, best, planes.gather(2, best).sign())
        return step.view_as(gradient)


@dataclass(frozen=True)
class SparseRs:
    """Random search over sets of k pixels with values at the ends of the range (Croce et al. 2022, L0).

    Fewer and fewer pixels of the set are exchanged for others; what lowers the margin stays. A single pixel that
    is exchanged may also stay where it is and take another colour.

    Parameters
    ----------
    queries : int
        At most, for each row, the clean one included.
    share : float
        Of the k pixels that are exchanged at first.
    draw : str
        Names the random numbers.
    """

    queries: int = 5000
    share: float = 0.3
    draw: str = "pixels"

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"Sparse-RS, {self.queries:,} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        if not isinstance(threat, Pixels):
            raise NotApplicable(f"Sparse-RS changes pixels, and the threat is {threat.name}")
        queries = self.queries if threat.k > 0 else 1
        return searched(
            model, points, lambda rows: _Set(rows, threat, self.draw), self.share_at, queries
        )

    def share_at(self, step: int) -> float:
        """Return the share of the pixels that are exchanged."""
        passed = [by for after, by in FEWER_AFTER if step * 10_000 > after * self.queries]
        return self.share / (passed[-1] if passed else 1)


class _Set:
    """The positions in a random order: the first k are changed."""

    def __init__(self, points: Points, threat: Pixels, draw: str) -> None:
        planes = Planes.of(points.inputs)
        self.threat = threat
        self.shape = points.inputs.shape[1:]
        self.k = min(threat.k, planes.positions)
        self.origin = by_position(points.inputs)
        keys = points.noise.uniform((planes.positions,), f"{draw} where")
        self.order = torch.from_numpy(keys).argsort(1)
        ends = points.noise.bits(planes.channels * self.k, f"{draw} values") >> 63
        high = torch.from_numpy(ends.astype("float32")).view(len(points), planes.channels, self.k)
        at = self._at(self.order[:, : self.k])
        self.flat = self.origin.clone().scatter_(2, at, self._values(high))
        self.channels = planes.channels
        self.most = self._exchanged(1.0)
        self.stream = RowStream(points.noise, 2 * self.most + self.most * self.channels, draw)

    @property
    def best(self) -> Tensor:
        """See `Walk`."""
        return self.flat.view(-1, *self.shape)

    def propose(self, share: float) -> Tensor:
        """Put some of the set back and change as many others, in place; `keep` takes it back."""
        m = self._exchanged(share)
        uniform = self.stream.next()
        n, positions = self.order.shape
        self.out = one_of_each(uniform[:, :m], 0, self.k)
        if positions == self.k:
            self.into = self.out
        elif m == 1:  # its own place is one of the others, for another colour
            free = positions - self.k + 1
            drawn = (uniform[:, self.most : self.most + 1] * free).long().clamp_(max=free - 1)
            self.into = torch.where(drawn == 0, self.out, drawn + self.k - 1)
        else:
            self.into = one_of_each(
                uniform[:, self.most : self.most + m], self.k, positions - self.k
            )
        high = uniform[:, 2 * self.most : 2 * self.most + m * self.channels] < 0.5
        values = self._values(high.float().view(n, self.channels, m))
        self.leave = self._at(self.order.gather(1, self.out))
        self.enter = self._at(self.order.gather(1, self.into))
        self.left, self.entered = self.flat.gather(2, self.leave), self.flat.gather(2, self.enter)
        same = (self.leave == self.enter) & (values == self.entered)
        values = torch.where(
            same.all(1, keepdim=True), self.threat.low + self.threat.high - values, values
        )
        self.flat.scatter_(2, self.leave, self.origin.gather(2, self.leave))
        self.flat.scatter_(2, self.enter, values)
        return self.best

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        """See `Walk`."""
        del proposed
        worse = ~better
        undone = self.flat[worse].scatter_(2, self.enter[worse], self.entered[worse])
        self.flat[worse] = undone.scatter_(2, self.leave[worse], self.left[worse])
        out, into = self.out[better], self.into[better]
        order = self.order[better]
        first, second = order.gather(1, out), order.gather(1, into)
        self.order[better] = order.scatter_(1, out, second).scatter_(1, into, first)

    def take(self, rows: Tensor) -> None:
        """See `Walk`."""
        self.flat, self.origin, self.order = self.flat[rows], self.origin[rows], self.order[rows]
        self.stream.take(rows)

    def _exchanged(self, share: float) -> int:
        """Return how many of the set are exchanged: never more than there are others."""
        others = max(self.order.shape[1] - self.k, 1)
        return min(max(int(share * self.k), 1), others)

    def _at(self, positions: Tensor) -> Tensor:
        return positions[:, None].expand(-1, self.origin.shape[1], -1)

    def _values(self, high: Tensor) -> Tensor:
        return self.threat.low + high * (self.threat.high - self.threat.low)


def by_position(inputs: Tensor) -> Tensor:
    """Return (n, channels, positions)."""
    planes = Planes.of(inputs)
    return inputs.reshape(len(inputs), planes.channels, planes.positions)


def one_of_each(uniform: Tensor, first: int, size: int) -> Tensor:
    """Cut `size` places from `first` on into m stretches and return one place of each: (n, m), all different.

    Over places in random order this is as good as drawing without replacement, and takes one product.
    """
    m = uniform.shape[1]
    edges = torch.arange(m + 1) * size // m
    width = edges[1:] - edges[:-1]
    return first + edges[:-1] + (uniform * width).long().minimum(width - 1)
