"""Attacks on rows of tables: numbers along gradients, categories by trying them, and a search by outputs alone."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Attack, Found, Points, margin
from roadworthy.perturbation.cells import Cells
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.random_search import searched, standing
from roadworthy.perturbation.streams import RowStream
from roadworthy.perturbation.threat import Threat

FIRST_STEP, LAST_STEP = 0.5, 0.05  # of a budget
ROWS_AT_A_TIME = 4096  # of candidates for one pass
VALUES_AT_A_TIME = 1 << 22  # of all candidates of some rows, which bounds memory
BLIND_STARTS = (
    8  # answers on numbers alone, before categories are tried, where there are no gradients
)
INSIDE = (
    0.2  # of drawn numbers; the others go to an end of their budget, where linear models are worst
)
SWAPPING = 0.5  # of proposals that also swap a category


@dataclass(frozen=True)
class NumberAscent:
    """Numbers along the gradient of the margin by signed steps, from the row and from random points.

    Whole numbers are rounded where the model sees them and not where the search stands (straight-through).

    Parameters
    ----------
    steps : int
        From each start.
    starts : int
        The first is the row itself.
    """

    steps: int
    starts: int = 1

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"gradients on numbers, {self.starts} x {self.steps} steps"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        cells = _cells(threat)
        best = _at_rows(model, points)
        for start in range(self.starts):
            left = torch.nonzero(best.margin >= 0)[:, 0]
            if not len(left):
                break
            rows = points.take(left)
            begin = rows.inputs
            if start:
                begin = cells.start(rows.inputs, rows.noise, f"number ascent {start}")
            _improve(best, left, climbed(model, rows, cells, begin, self.steps))
        return best


@dataclass(frozen=True)
class SwapSearch:
    """Categories one after another, each the best of those that may be tried, with numbers moved before and after.

    A beam search: the best few sets of swaps go on to the next.

    Parameters
    ----------
    beam : int
    most : int
        Swaps tried of each row and step; drawn by chance where there are more.
    steps : int
        On numbers, along gradients; without gradients 0.
    """

    beam: int
    most: int
    steps: int

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"swaps of categories, best {self.beam} of up to {self.most}"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        cells = _cells(threat)
        tried = max(self.most * points.inputs.shape[1], self.beam * len(cells.options), 1)
        rows = max(1, VALUES_AT_A_TIME // tried)
        parts = [
            self._searched(model, points.take(torch.arange(at, min(at + rows, len(points)))), cells)
            for at in range(0, len(points), rows)
        ]
        return _joined(parts) if parts else _at_rows(model, points)

    def _searched(self, model: AttackedModel, points: Points, cells: Cells) -> Found:
        best = _at_rows(model, points)
        if self.steps:
            left = torch.nonzero(best.margin >= 0)[:, 0]
            rows = points.take(left)
            _improve(best, left, climbed(model, rows, cells, rows.inputs, self.steps))
        else:
            left = torch.nonzero(best.margin >= 0)[:, 0]
            _improve(
                best,
                left,
                CellSearch(BLIND_STARTS, swapping=False)(model, points.take(left), cells),
            )
        states = best.inputs[:, None]  # (n, states, d)
        for depth in range(cells.swaps):
            left = torch.nonzero(best.margin >= 0)[:, 0]
            if not len(left) or not len(cells.options):
                break
            states = self._swapped(model, points, cells, best, left, states, depth)
        return best

    def _swapped(
        self,
        model: AttackedModel,
        points: Points,
        cells: Cells,
        best: Found,
        left: Tensor,
        states: Tensor,
        depth: int,
    ) -> Tensor:
        """Try one more swap on the rows that are left; return the best states of all rows."""
        rows = points.take(left)
        tried, margins, counted = self._tried(model, rows, cells, states[left], depth)
        assert best.forward is not None
        best.forward[left] += counted
        kept = min(self.beam, tried.shape[1])
        margins, order = margins.topk(kept, dim=1, largest=False)
        chosen = tried.gather(1, order[..., None].expand(-1, -1, tried.shape[2]))
        none = Found(chosen[:, 0], margins[:, 0], torch.zeros(len(left)), torch.zeros(len(left)))
        _improve(best, left, none)
        following = best.inputs[:, None].expand(-1, kept, -1).clone()
        following[left] = chosen
        if self.steps:
            for state in range(kept):
                open_rows = left[best.margin[left] >= 0]
                begin = following[open_rows, state]
                found = climbed(model, points.take(open_rows), cells, begin, self.steps)
                following[open_rows, state] = found.inputs
                _improve(best, open_rows, found)
        return following

    def _tried(
        self, model: AttackedModel, rows: Points, cells: Cells, states: Tensor, depth: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return candidates (m, t, d), their margins (m, t), infinite where there is none, and passes (m,)."""
        options, origin = cells.options, rows.inputs
        m, held, d = states.shape
        size = min(self.most, held * len(options))
        allowed = cells.legal(origin)[:, None] & torch.stack(
            [~cells.swapped(origin, states[:, b])[:, options.switch] for b in range(held)], dim=1
        )
        key = torch.from_numpy(rows.noise.uniform((held * len(options),), f"swaps {depth}"))
        key = torch.where(allowed.view(m, -1), key, 2.0)  # what is not allowed comes last
        order = key.argsort(dim=1, stable=True)[:, :size]
        is_real = key.gather(1, order) < 2.0
        tried = states.gather(1, (order // len(options))[..., None].expand(-1, -1, d)).clone()
        margins = torch.full((m, size), torch.inf)
        row, place = torch.nonzero(is_real, as_tuple=True)
        for at in range(0, len(row), ROWS_AT_A_TIME):
            r, p = row[at : at + ROWS_AT_A_TIME], place[at : at + ROWS_AT_A_TIME]
            moved = options.put(tried[r, p], order[r, p] % len(options))
            tried[r, p] = moved
            margins[r, p] = standing(model.logits(moved), rows.labels[r])
        return tried, margins, is_real.sum(1).float()


@dataclass(frozen=True)
class CellSearch:
    """Random search by outputs alone: redraw fewer and fewer cells, keep what lowers the margin.

    Square (Andriushchenko et al. 2020) for cells: at first half of the numbers at once, in the end one.

    Parameters
    ----------
    queries : int
    swapping : bool
        Whether categories are swapped too.
    """

    queries: int
    swapping: bool = True

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"random search over cells, {self.queries} queries"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        cells = _cells(threat)
        if not self.swapping:
            cells = replace(cells, swaps=0)

        def share(step: int) -> float:
            return 0.5 * (1 - step / self.queries) ** 2

        return searched(model, points, lambda rows: _CellWalk(rows, cells), share, self.queries)


class _CellWalk:
    """Where the search over cells stands."""

    def __init__(self, points: Points, cells: Cells) -> None:
        self.cells, self.origin = cells, points.inputs
        self.legal = (
            cells.legal(points.inputs) if cells.swaps else cells.legal(points.inputs)[:, :0]
        )
        self.movable = torch.nonzero(torch.from_numpy((cells.down > 0) | (cells.up > 0)))[:, 0]
        d, s = len(self.movable), len(cells.switches)
        self.sizes = (d, d, 1, 1, self.legal.shape[1], s)
        self.stream = RowStream(points.noise, sum(self.sizes), "cell search")
        everything = torch.ones(len(points), d, dtype=torch.bool)
        self.best = self._redrawn(self.origin, everything, self._drawn()[1])

    def propose(self, share: float) -> Tensor:
        hit, value, one, swaps, which, undone = self._drawn()
        d = len(self.movable)
        chosen = hit < share
        if d:
            first = (one[:, 0] * d).long()
            chosen |= torch.arange(d) == first[:, None]  # at least one
        moved = self._redrawn(self.best, chosen, value)
        if which.shape[1] == 0:
            return moved
        key = torch.where(self.legal, which, -1.0)
        top, option = key.max(1)
        is_swapped = (swaps[:, 0] < SWAPPING) & (top >= 0)
        put = torch.where(is_swapped[:, None], self.cells.options.put(moved, option), moved)
        return self._within_swaps(put, self.cells.options.switch[option], undone)

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        self.best[better] = proposed[better]

    def take(self, rows: Tensor) -> None:
        self.best, self.origin, self.legal = self.best[rows], self.origin[rows], self.legal[rows]
        self.stream.take(rows)

    def _drawn(self) -> tuple[Tensor, ...]:
        return self.stream.next().split(self.sizes, dim=1)

    def _redrawn(self, base: Tensor, chosen: Tensor, value: Tensor) -> Tensor:
        """Draw the chosen numbers anew, all else as in `base`."""
        down = torch.from_numpy(self.cells.down)[self.movable]
        up = torch.from_numpy(self.cells.up)[self.movable]
        end = torch.where(value < 0.5 - INSIDE / 2, -down, up)
        inside = -down + (up + down) * ((value - 0.5) / INSIDE + 0.5)
        change = torch.where((value - 0.5).abs() < INSIDE / 2, inside, end).to(base.dtype)
        moved = self.origin.clone()
        there = self.origin[:, self.movable]
        moved[:, self.movable] = there + change
        numbers = self.cells.numbers(self.origin, moved)
        found = base.clone()
        found[:, self.movable] = torch.where(
            chosen, numbers[:, self.movable], base[:, self.movable]
        )
        return found

    def _within_swaps(self, moved: Tensor, latest: Tensor, undone: Tensor) -> Tensor:
        """Take one swap back, not the latest, where there is one too many."""
        swapped = self.cells.swapped(self.origin, moved)
        many = swapped.sum(1) > self.cells.swaps
        others = swapped & (torch.arange(swapped.shape[1]) != latest[:, None])
        back = torch.where(others, undone, -1.0).argmax(1)
        covers = torch.zeros_like(moved, dtype=torch.bool)
        for i, switch in enumerate(self.cells.switches):
            covers[:, list(switch.columns)] |= (many & (back == i))[:, None]
        return torch.where(covers, self.origin, moved)


def attacks_on_cells(budget: str, *, has_gradients: bool) -> tuple[Attack, ...]:
    """Return the attacks of a budget, cheap ones first."""
    ascent, swaps, search = {
        "quick": (NumberAscent(10), SwapSearch(2, 128, 5), CellSearch(100)),
        "adaptive": (NumberAscent(20, 3), SwapSearch(5, 512, 10), CellSearch(500)),
        "standard": (NumberAscent(50, 5), SwapSearch(10, 2048, 20), CellSearch(5000)),
    }[budget]
    if has_gradients:
        return ascent, swaps, search
    return replace(swaps, steps=0), replace(search, queries=3 * search.queries)


def climbed(model: AttackedModel, points: Points, cells: Cells, begin: Tensor, steps: int) -> Found:
    """Move the numbers of rows along gradients, categories as in `begin`, until the answer is wrong."""
    n = len(points)
    found = Found(begin.clone(), torch.full((n,), torch.inf), torch.zeros(n), torch.zeros(n))
    assert found.forward is not None
    assert found.backward is not None
    swapped = begin != cells.numbers(points.inputs, begin)  # True for NaN, which stays too
    left, at = torch.arange(n), begin.clone()
    for step in range(steps + 1):
        if not len(left):
            break
        origin, labels, held = points.inputs[left], points.labels[left], swapped[left]
        seen = torch.where(held, begin[left], cells.numbers(origin, at))
        slope = torch.zeros_like(seen)
        if step < steps:
            _, slope, logits = model.gradient(seen, labels, lambda z, y: -margin(z, y))
            found.backward[left] += 1
        else:
            logits = model.logits(seen)
        found.forward[left] += 1
        margins = standing(logits, labels)
        better = margins < found.margin[left]
        found.inputs[left[better]] = seen[better]
        found.margin[left[better]] = margins[better]
        size = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / max(steps - 1, 1))
        at = cells.numbers(origin, at + size * cells.ascend(slope), exact=False)
        right = margins >= 0
        left, at = left[right], at[right]
    return found


def needed(model: AttackedModel, points: Points, cells: Cells, inputs: Tensor) -> Tensor:
    """Take changes back, one column or switch after another, while the answer stays wrong: (n, d).

    What is left cannot be spared one by one; another set of columns might do as well.
    """
    found = inputs.clone()
    groups = [s.columns for s in cells.switches]
    switched = {j for columns in groups for j in columns}
    groups += [(j,) for j in range(inputs.shape[1]) if j not in switched]
    for columns in groups:
        at = list(columns)
        back = found.clone()
        back[:, at] = points.inputs[:, at]
        moved = ((back != found) & ~(back.isnan() & found.isnan())).any(1)
        rows = torch.nonzero(moved)[:, 0]
        if not len(rows):
            continue
        wrong = standing(model.exact().logits(back[rows]), points.labels[rows]) < 0
        found[rows[wrong]] = back[rows[wrong]]
    return found


def _cells(threat: Threat) -> Cells:
    if not isinstance(threat, Cells):
        raise NotApplicable(f"this attack is for rows of tables, and the threat is {threat.name}")
    return threat


def _at_rows(model: AttackedModel, points: Points) -> Found:
    n = len(points)
    margins = standing(model.logits(points.inputs), points.labels)
    return Found(points.inputs.clone(), margins, torch.ones(n), torch.zeros(n))


def _joined(parts: list[Found]) -> Found:
    forward, backward = ([p.forward for p in parts], [p.backward for p in parts])
    return Found(
        torch.cat([p.inputs for p in parts]),
        torch.cat([p.margin for p in parts]),
        torch.cat([f for f in forward if f is not None]),
        torch.cat([b for b in backward if b is not None]),
    )


def _improve(best: Found, rows: Tensor, found: Found) -> None:
    """Take over what was found for these rows where it is better, and its passes."""
    for total, more in ((best.forward, found.forward), (best.backward, found.backward)):
        assert total is not None
        assert more is not None
        total[rows] += more
    better = found.margin < best.margin[rows]
    best.inputs[rows[better]] = found.inputs[better]
    best.margin[rows[better]] = found.margin[better]
