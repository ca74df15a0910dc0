"""A patch: any change within one square window, wherever it lies, and two searches for the worst one."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.attack import Found, Points
from roadworthy.perturbation.losses import lost_margin
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.perturbation.pixels import by_position
from roadworthy.perturbation.planes import Planes
from roadworthy.perturbation.random_search import searched
from roadworthy.perturbation.search import Search
from roadworthy.perturbation.square import HALVED_AFTER
from roadworthy.perturbation.streams import RowStream
from roadworthy.perturbation.threat import Threat

MOVED_EVERY = 4  # proposals, as Croce et al. (2022) for patches


@dataclass(frozen=True)
class Patch:
    """All inputs that differ within one window of side x side positions, in any channel, inside the range.

    Parameters
    ----------
    side : int
        At least 0; of a series, the length of a stretch. The distance is the side of the smallest window.
    low, high : float
        Range of every element.
    """

    side: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.side < 0:
            raise UserError(f"The side of a patch must be at least 0, and it is {self.side}.")
        if not self.low < self.high:
            raise UserError(
                f"The range of the inputs must rise, and it is {self.low:g} to {self.high:g}."
            )

    @property
    def name(self) -> str:
        """See `Threat`."""
        return f"patch of side {self.side:,} of {self.low:g} to {self.high:g}"

    @property
    def size(self) -> float:
        """See `Threat`."""
        return float(self.side)

    def window(self, planes: Planes) -> tuple[int, int]:
        """Return height and width on this plane."""
        return min(self.side, planes.height), min(self.side, planes.width)

    def project(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`. The window that holds most of the change keeps it."""
        if self.side == 0:
            return origin.clone()
        inside = moved.clamp(self.low, self.high)
        sums = window_sums((inside - origin).square(), *self.window(Planes.of(origin)))
        return self._within(origin, inside, sums.flatten(1).argmax(1))

    def distance(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`."""
        planes = Planes.of(origin)
        changed = (by_position(moved) != by_position(origin)).any(1)
        changed = changed.view(-1, planes.height, planes.width)
        return torch.maximum(_extent(changed.any(2)), _extent(changed.any(1))).to(origin)

    def allows(self, origin: Tensor, moved: Tensor) -> Tensor:
        """See `Threat`."""
        flat = moved.flatten(1)
        inside = ((flat >= self.low) & (flat <= self.high)).all(1)
        return inside & (self.distance(origin, moved) <= self.side)

    def start(self, origin: Tensor, noise: RowNoise, draw: str) -> Tensor:
        """See `Threat`. Place and values uniform."""
        if self.side == 0:
            return origin.clone()
        values = torch.from_numpy(noise.uniform(tuple(origin.shape[1:]), draw)).to(origin)
        planes = Planes.of(origin)
        rows, columns = self.window(planes)
        places = (planes.height - rows + 1) * (planes.width - columns + 1)
        place = torch.from_numpy(noise.integers(places, (), f"{draw} where")).to(origin.device)
        return self._within(origin, self.low + values * (self.high - self.low), place)

    def ascend(self, gradient: Tensor) -> Tensor:
        """See `Threat`. The best window, each element by the sign of its gradient."""
        sums = window_sums(gradient.abs(), *self.window(Planes.of(gradient)))
        nothing = torch.zeros_like(gradient)
        return self._within(nothing, gradient.sign(), sums.flatten(1).argmax(1))

    def _within(self, origin: Tensor, moved: Tensor, place: Tensor) -> Tensor:
        """Return what is moved within the window at a place (n,), and the origin outside of it."""
        planes = Planes.of(origin)
        at = elements(planes, *self.window(planes), place)
        found = origin.flatten(1).clone()
        return found.scatter_(1, at, moved.flatten(1).gather(1, at)).view_as(origin)


@dataclass(frozen=True)
class PatchSearch:
    """Random search over place and content of a patch (Croce et al. 2022, patches), without gradients.

    Every fourth proposal moves the patch, by less and less; the others push a square inside it to the ends of the
    range. What lowers the margin stays.

    Parameters
    ----------
    queries : int
        At most, for each row, the clean one included.
    share : float
        Of the patch that a proposal changes at first.
    draw : str
        Names the random numbers.
    """

    queries: int = 5000
    share: float = 0.4
    draw: str = "patch"

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"Sparse-RS for patches, {self.queries:,} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        patch = _patch(threat)
        queries = self.queries if patch.side > 0 else 1
        return searched(
            model, points, lambda rows: _Placed(rows, patch, self), self.share_at, queries
        )

    def share_at(self, step: int) -> float:
        """Return the share of the patch that is changed."""
        halvings = sum(step * 10_000 > after * self.queries for after in HALVED_AFTER)
        return self.share / 2.0**halvings


class _Placed:
    """A window on each row, onto a canvas as large as the row: what is good at a position stays there as it moves."""

    def __init__(self, points: Points, patch: Patch, attack: PatchSearch) -> None:
        self.planes = planes = Planes.of(points.inputs)
        self.patch = patch
        self.queries = attack.queries
        self.shape = points.inputs.shape[1:]
        self.origin = points.inputs.flatten(1)
        self.rows, self.columns = patch.window(planes)
        self.free = (planes.height - self.rows + 1, planes.width - self.columns + 1)
        stripes = points.noise.bits(planes.channels * planes.width, f"{attack.draw} stripes") >> 63
        up = torch.from_numpy(stripes.astype("float32"))
        up = up.view(len(points), planes.channels, 1, planes.width)
        up = up.expand(-1, -1, planes.height, -1).flatten(1)
        self.canvas = patch.low + up * (patch.high - patch.low)
        first = points.noise.uniform((2,), f"{attack.draw} place")
        self.place = _floor(torch.from_numpy(first), self.free)  # (n, 2)
        self.stream = RowStream(points.noise, 2 + planes.channels, attack.draw)
        self.step = 0

    @property
    def best(self) -> Tensor:
        """See `Walk`."""
        return self._shown(self.canvas, self.place)

    def propose(self, share: float) -> Tensor:
        """Move the patch or change what it shows."""
        self.step += 1
        uniform = self.stream.next()
        self.other, self.elsewhere = self.canvas, self.place
        if self.step % MOVED_EVERY == 0 and self.free != (1, 1):
            self.elsewhere = self._moved(uniform[:, :2])
        else:
            self.other = self._changed(share, uniform)
        return self._shown(self.other, self.elsewhere)

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        """See `Walk`."""
        del proposed
        self.canvas = torch.where(better[:, None], self.other, self.canvas)
        self.place = torch.where(better[:, None], self.elsewhere, self.place)

    def take(self, rows: Tensor) -> None:
        """See `Walk`."""
        self.canvas, self.place, self.origin = (
            self.canvas[rows],
            self.place[rows],
            self.origin[rows],
        )
        self.stream.take(rows)

    def _moved(self, uniform: Tensor) -> Tensor:
        """Return a place within a distance that falls from the whole plane to one position."""
        left = 1 - self.step / self.queries
        free = torch.tensor(self.free)
        reach = (free * left).long().clamp_min(1)
        low = (self.place - reach).clamp_min(0)
        high = (self.place + reach).minimum(free - 1)
        return low + (uniform * (high - low + 1)).long().minimum(high - low)

    def _changed(self, share: float, uniform: Tensor) -> Tensor:
        rows, columns = Planes(1, self.rows, self.columns).window(share)
        corner = self.place + _floor(
            uniform[:, :2], (self.rows - rows + 1, self.columns - columns + 1)
        )
        at = self._elements(corner, rows, columns)
        high = (uniform[:, 2:] < 0.5).float().repeat_interleave(rows * columns, 1)
        values = self.patch.low + high * (self.patch.high - self.patch.low)
        idle = (values == self.canvas.gather(1, at)).all(1, keepdim=True)
        values = torch.where(idle, self.patch.low + self.patch.high - values, values)
        return self.canvas.scatter(1, at, values)

    def _shown(self, canvas: Tensor, place: Tensor) -> Tensor:
        at = self._elements(place, self.rows, self.columns)
        return self.origin.scatter(1, at, canvas.gather(1, at)).view(-1, *self.shape)

    def _elements(self, corner: Tensor, rows: int, columns: int) -> Tensor:
        first = corner[:, 0] * self.planes.width + corner[:, 1]
        return first[:, None] + self.planes.offsets(rows, columns)


@dataclass(frozen=True)
class PatchAscent:
    """A patch where the margin is steepest, its content by gradient ascent from there.

    The linearised margin is summed over every window; from each of the best places that beat their neighbours
    the content goes from the ends of the range that the gradient names in sign steps of falling length.

    Parameters
    ----------
    steps : int
    places : int
        Windows tried side by side.
    """

    steps: int = 30
    places: int = 5

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"gradient ascent in patches, {self.steps} steps, {self.places} places"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        patch = _patch(threat)
        search = Search(model, points)
        origin = points.inputs
        _, slope, logits = model.gradient(origin, points.labels, lost_margin)
        going = search.see(torch.arange(len(points)), origin, logits, with_gradient=True)
        if patch.side == 0 or not bool(going.any()):
            return search.found()
        of = torch.nonzero(going)[:, 0]
        places = self._steepest(origin[of], slope[of], patch)
        of = of.repeat_interleave(places.shape[1])
        inside = _windows(patch, origin, of, places.flatten())
        width = patch.high - patch.low
        ends = torch.where(slope[of] > 0, patch.high, patch.low)
        here = torch.where(inside, ends, origin[of])
        for step in range(self.steps):
            _, slope, logits = model.gradient(here, points.labels[of], lost_margin)
            going = search.see(of, here, logits, with_gradient=True)
            of, here, slope, inside = of[going], here[going], slope[going], inside[going]
            if not len(of):
                break
            length = 0.5 * width * (1 - step / self.steps)
            moved = (here + length * slope.sign()).clamp(patch.low, patch.high)
            here = torch.where(inside, moved, here)
        return search.found()

    def _steepest(self, origin: Tensor, slope: Tensor, patch: Patch) -> Tensor:
        """Return the places whose windows promise most and more than their neighbours: (n, places)."""
        gain = torch.where(slope > 0, slope * (patch.high - origin), slope * (patch.low - origin))
        sums = window_sums(gain, *patch.window(Planes.of(origin)))[:, None]
        highest = max_pool2d(sums, 3, stride=1, padding=1) == sums
        ranked = torch.where(highest, sums, sums - sums.amax(dim=(2, 3), keepdim=True)).flatten(1)
        return ranked.topk(min(self.places, ranked.shape[1]), dim=1).indices


def _patch(threat: Threat) -> Patch:
    if not isinstance(threat, Patch):
        raise NotApplicable(f"the attack places patches, and the threat is {threat.name}")
    return threat


def window_sums(values: Tensor, rows: int, columns: int) -> Tensor:
    """Sum values over channels and every window of the plane: (n, places down, places across)."""
    planes = Planes.of(values)
    whole = by_position(values).sum(1).view(-1, 1, planes.height, planes.width)
    return avg_pool2d(whole, (rows, columns), stride=1)[:, 0] * (rows * columns)


def elements(planes: Planes, rows: int, columns: int, place: Tensor) -> Tensor:
    """Return the elements of windows at places, numbered row by row: (n, channels * rows * columns) int64."""
    across = planes.width - columns + 1
    first = place.div(across, rounding_mode="floor") * planes.width + place % across
    return first[:, None] + planes.offsets(rows, columns)


def _windows(patch: Patch, origin: Tensor, of: Tensor, place: Tensor) -> Tensor:
    """Whether an element lies in the window of its copy: (m, ...) bool."""
    planes = Planes.of(origin)
    at = elements(planes, *patch.window(planes), place)
    inside = torch.zeros(len(of), origin[0].numel(), dtype=torch.bool)
    return inside.scatter_(1, at, True).view(-1, *origin.shape[1:])


def _extent(lines: Tensor) -> Tensor:
    """Return the length from the first to the last line that is set: (n,)."""
    length = lines.shape[1]
    number = torch.arange(length)
    first = torch.where(lines, number, length).amin(1)
    last = torch.where(lines, number, -1).amax(1)
    return (last - first + 1).clamp_min(0)


def _floor(uniform: Tensor, free: tuple[int, int]) -> Tensor:
    limit = torch.tensor(free)
    return (uniform * limit).long().minimum(limit - 1)
