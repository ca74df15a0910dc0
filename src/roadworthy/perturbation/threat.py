"""What an adversary may do to an input: how far, measured how, and within which range."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from roadworthy.errors import UserError
from roadworthy.perturbation.noise import RowNoise

TOLERANCE = (
    1e-5  # relative, of float32 sums over an input; what is beyond it is no valid perturbation
)
UNIT = 2.0**-24  # a number rounded to float32 is off by at most this share of the result


class Threat(Protocol):
    """A set of allowed inputs around each input, with the geometry that attacks need."""

    @property
    def name(self) -> str:
        """As in a report: "Linf 0.031 of 0 to 1"."""
        ...

    @property
    def size(self) -> float:
        """The budget, in the unit of `distance`; 0 allows nothing."""
        ...

    def project(self, origin: Tensor, moved: Tensor) -> Tensor:
        """Return an allowed point near `moved`, and `moved` itself where it is allowed."""
        ...

    def distance(self, origin: Tensor, moved: Tensor) -> Tensor:
        """Return how far each row was moved, in the unit of `size`: (n,)."""
        ...

    def allows(self, origin: Tensor, moved: Tensor) -> Tensor:
        """Return which rows are allowed, by the final float32 values: (n,) bool."""
        ...

    def start(self, origin: Tensor, noise: RowNoise, draw: str) -> Tensor:
        """Return a random allowed point for each row."""
        ...

    def ascend(self, gradient: Tensor) -> Tensor:
        """Return, for each row, the step of length 1 in this geometry that follows the gradient furthest."""
        ...


@dataclass(frozen=True)
class Ball:
    """All inputs within a distance, inside the range of the inputs.

    Parameters
    ----------
    norm : {"linf", "l2", "l1"}
    eps : float
        At least 0, in the unit of the inputs.
    low, high : float
        Range of every element.
    """

    norm: Literal["linf", "l2", "l1"]
    eps: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.eps >= 0:
            raise UserError(f"eps must be at least 0, and it is {self.eps}.")
        if not self.low < self.high:
            raise UserError(
                f"The range of the inputs must rise, and it is {self.low:g} to {self.high:g}."
            )

    @property
    def name(self) -> str:
        """See `Threat`."""
        return f"{self.norm.capitalize()} {self.eps:g} of {self.low:g} to {self.high:g}"

    @property
    def size(self) -> float:
        """See `Threat`."""
        return self.eps

    def project(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`. Clipping to the range never leads out of the ball, whose centre lies in the range."""
        if self.norm == "linf":
            near = torch.minimum(torch.maximum(moved, origin - self.eps), origin + self.eps)
            return near.clamp(self.low, self.high)
        change = moved - origin
        if self.norm == "l2":
            factor = (self.eps / _norms(change, 2).clamp_min(1e-12)).clamp_max(1.0)
            return (origin + change * _beside(factor, change)).clamp(self.low, self.high)
        return (origin + _onto_l1(change, self.eps)).clamp(self.low, self.high)

    def distance(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`."""
        return _lengths(moved - origin, self.norm)

    def allows(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`.

        The distance is that of the float32 values themselves, taken in float64, and may exceed `eps` by what rounding
        does to a point that lies within: let d be a change of norm |d| <= eps, taken from o. What is kept is
        x = fl(o + d), clipped to the range. For each element |fl(o + d) - (o + d)| <= u |fl(o + d)| with u = 2^-24, and
        clipping only brings it nearer to o, so |x - o| <= |d| + u |x|; hence, in each of the three norms,
        |x - o| <= |d| + u |x| <= eps + u |x| by the triangle inequality. That d itself is scaled by a norm summed
        in float32 makes its length eps (1 + TOLERANCE) at most. With eps = 0 there is nothing to round.
        """
        apart = _lengths(moved.double() - origin.double(), self.norm)
        rounding = UNIT * _lengths(moved.double(), self.norm) if self.eps else 0.0
        near = apart <= self.eps * (1 + TOLERANCE) + rounding
        flat = moved.flatten(1)
        inside = (flat >= self.low).all(1) & (flat <= self.high).all(1)
        return near & inside & torch.isfinite(flat).all(1)

    def start(self, origin: Tensor, noise: RowNoise, draw: str) -> Tensor:
        """See `Threat`. Linf: uniform in the ball; L2 and L1: of uniform direction and length."""
        shape = tuple(origin.shape[1:])
        if self.norm == "linf":
            change = torch.from_numpy(noise.uniform(shape, draw)).to(origin) * 2 - 1
            return self.project(origin, origin + change * self.eps)
        change = torch.from_numpy(noise.normal(shape, draw)).to(origin)
        if self.norm == "l1":
            change = change.sign() * change.square()
        length = torch.from_numpy(noise.uniform((1,), f"{draw} length")[:, 0]).to(origin)
        norms = _norms(change, 2 if self.norm == "l2" else 1).clamp_min(1e-12)
        return self.project(origin, origin + change * _beside(self.eps * length / norms, change))

    def ascend(self, gradient: Tensor) -> Tensor:
        """See `Threat`."""
        if self.norm == "linf":
            return gradient.sign()
        if self.norm == "l2":
            return gradient / _beside(_norms(gradient, 2).clamp_min(1e-12), gradient)
        flat = gradient.flatten(1)
        best = flat.abs().argmax(1, keepdim=True)
        step = torch.zeros_like(flat).scatter_(1, best, flat.gather(1, best).sign())
        return step.view_as(gradient)


def _lengths(change: Tensor, norm: Literal["linf", "l2", "l1"]) -> Tensor:
    if norm == "linf":
        return change.flatten(1).abs().amax(1)
    return _norms(change, 2 if norm == "l2" else 1)


def _norms(change: Tensor, order: int) -> Tensor:
    return torch.linalg.vector_norm(change.flatten(1), ord=order, dim=1)


def _beside(values: Tensor, rows: Tensor) -> Tensor:
    """Give (n,) values the dimensions of (n, ...) rows."""
    return values.view(-1, *([1] * (rows.ndim - 1)))


def _onto_l1(change: Tensor, eps: float) -> Tensor:
    """Return the nearest point of the L1 ball (Duchi et al. 2008, figure 1)."""
    flat = change.flatten(1)
    size = flat.abs()
    ordered = size.sort(dim=1, descending=True).values
    beyond = ordered.cumsum(1) - eps
    ranks = torch.arange(1, size.shape[1] + 1, device=size.device, dtype=size.dtype)
    kept = (ordered * ranks > beyond).sum(1, keepdim=True).clamp_min(1)
    shrunk_by = (beyond.gather(1, kept - 1) / kept).clamp_min(0)
    return (flat.sign() * (size - shrunk_by).clamp_min(0)).view_as(change)
