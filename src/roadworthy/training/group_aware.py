"""What a training adds to its loss for the sake of groups: a penalty, the worst case, or an adversary.

A cell is a class with a group; where the target is a number, a group alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.errors import UserError
from roadworthy.training.objective import Objective, gives_probabilities, with_classes
from roadworthy.training.running import forward, rows_at_a_time

if TYPE_CHECKING:
    from roadworthy.subject import Recipe
    from roadworthy.training.augmentation import Batch
    from roadworthy.training.streaming import Rows

FEWEST = 20  # training rows of a cell that is looked at
MEMORY = 0.95  # of mean answers from one step to the next: about twenty batches
# Distance of mean answers below which the penalty is square rather than absolute. At .01 the gap swung to the
# other side and back between epochs, for what is remembered lags behind.
NEAR = 0.05
SPEED = 0.02  # of the weights of the worst case; Sagawa et al. take 0.01 and many more steps
WIDTH = 16  # of the adversary
SHARP = (
    4.0  # power that probabilities are raised to, so that their mean is near the share of decisions
)
ROWS_TO_LOOK_AT = 64


class GroupAware(Protocol):
    """The loss where groups count. What it learns and remembers lives as long as the training."""

    def loss(
        self, batch: "Batch", outputs: Tensor, objective: Objective, smoothing: float
    ) -> Tensor:
        """Return the loss of a batch, a scalar, and remember what later batches need."""
        ...

    def judged(self, rows: "Judged", objective: Objective) -> Tensor:
        """Return the loss over rows that nothing is learnt from: a scalar."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield what learns beside the module."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the same with names."""
        ...

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield what is remembered."""
        ...


class Judged(NamedTuple):
    """Rows with what a module answers: targets (n,), groups (n, attributes), weights (n,) or None."""

    outputs: Tensor
    target: Tensor
    groups: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """Which cells are looked at: those with enough training rows, in classes where two groups have them.

    Parameters
    ----------
    known : tuple of (classes, groups) bool Tensor
        One for each attribute; one class where the target is a number.
    """

    known: tuple[Tensor, ...]

    @classmethod
    def of(cls, target: Tensor, groups: Tensor, classes: int) -> "Cells":
        """Count training rows."""
        label = target if classes > 1 else torch.zeros_like(groups[:, 0])
        found: list[Tensor] = []
        for column in groups.unbind(dim=1):
            g = max(int(column.max()), 0) + 1
            inside = column >= 0
            cell = label[inside] * g + column[inside]
            enough = cell.bincount(minlength=classes * g).unflatten(0, (classes, g)) >= FEWEST
            found.append(enough & (enough.sum(dim=1, keepdim=True) >= 2))
        return cls(tuple(found))

    def of_rows(self, k: int, target: Tensor, groups: Tensor) -> Tensor:
        """Return the cell of each row by attribute k, class x groups + group, or -1: (n,) int64."""
        known, group = self.known[k], groups[:, k]
        classes, g = known.shape
        label = target if classes > 1 else torch.zeros_like(group)
        inside = (group >= 0) & (group < g)
        cell = label * g + group.clamp(0, g - 1)
        return cell.where(inside & known.flatten()[cell], torch.full_like(cell, -1))

    @property
    def any(self) -> bool:
        """Whether there is a class with two groups."""
        return any(bool(known.any()) for known in self.known)


class EqualizedOdds(nn.Module):
    """Penalty on the distance between the mean answers to rows of one class in different groups.

    The distance is that of total variation (for two classes the difference of mean scores), of each group from the mean over
    groups. A batch holds few rows of a small cell, whose noise a plain penalty would shrink by making all answers
    alike; so the direction comes from the mean answers of batches before, and the slope from this one.
    """

    def __init__(self, amount: float, cells: Cells, *, probabilities: bool) -> None:
        super().__init__()
        self.amount, self.cells, self.probabilities = amount, cells, probabilities
        for k, known in enumerate(cells.known):
            classes = len(known)
            # Sums of answers by class, and in the last column how many rows they are of.
            self.register_buffer(f"sums{k}", known.new_zeros((known.numel(), classes + 1)).float())

    def loss(
        self, batch: "Batch", outputs: Tensor, objective: Objective, smoothing: float
    ) -> Tensor:
        """See `GroupAware`."""
        found = batch.loss(outputs, objective, smoothing)
        rows = _flat(batch, outputs)
        scores = _scores(rows.outputs, probabilities=self.probabilities)
        for k, known in enumerate(self.cells.known):
            sums = self._sums(k, rows, scores)
            before = self.get_buffer(f"sums{k}")
            slope = (_deviations(before, known) / NEAR).clamp(-1, 1)
            slope = _centred(slope, _present(before, known))
            count = known.sum(dim=1).clamp(min=1)[:, None, None]
            means = (sums[:, :-1] / sums[:, -1:].clamp(min=1e-9)).reshape(slope.shape)
            found = found + self.amount * (slope / count * means).sum()
            before.mul_(MEMORY).add_(sums.detach())
        return found

    def judged(self, rows: Judged, objective: Objective) -> Tensor:
        """See `GroupAware`."""
        found = objective(rows.outputs, rows.target, 0.0, rows.weights)
        scores = _scores(rows.outputs, probabilities=self.probabilities)
        return found + self.amount * self.distance(rows, scores)

    def distance(self, rows: Judged, scores: Tensor) -> Tensor:
        """Return the distance that is penalised, summed over classes and attributes: a scalar."""
        found = scores.new_zeros(())
        for k, known in enumerate(self.cells.known):
            apart = _deviations(self._sums(k, rows, scores), known).abs().sum(dim=(1, 2))
            found = found + (apart / known.sum(dim=1).clamp(min=1)).sum()
        return found

    def _sums(self, k: int, rows: Judged, scores: Tensor) -> Tensor:
        """Return sums of scores by cell, and of weights: (cells, c + 1)."""
        cell = self.cells.of_rows(k, rows.target, rows.groups)
        weights = torch.ones_like(scores[:, :1]) if rows.weights is None else rows.weights[:, None]
        each = torch.cat([scores * weights, weights], dim=1)
        empty = scores.new_zeros((self.cells.known[k].numel() + 1, each.shape[1]))
        return empty.index_add(0, cell.where(cell >= 0, len(empty) - 1), each)[:-1]


class WorstCase(nn.Module):
    """Loss of the cells, each weighed by how it fares (Sagawa et al. 2020, ICLR, algorithm 1), beside the mean over rows.

    Groups of several attributes are crossed.
    """

    def __init__(self, amount: float, cells: Cells, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.amount, self.cells, self.sizes = amount, cells, sizes
        known = cells.known[0].flatten().float()
        self.register_buffer("shares", known / known.sum())

    def loss(
        self, batch: "Batch", outputs: Tensor, objective: Objective, smoothing: float
    ) -> Tensor:
        """See `GroupAware`."""
        each = self._losses(_flat(batch, outputs), objective, smoothing)
        shares = self.get_buffer("shares")
        for cell, loss in each.items():
            shares[cell] *= (SPEED * loss.detach()).exp()
        shares.div_(shares.sum())
        # A copy: the next batch changes the shares, and the slope of this one needs them as they are.
        worst = sum(
            (shares[cell].clone() * loss for cell, loss in each.items()), outputs.new_zeros(())
        )
        mean = batch.loss(outputs, objective, smoothing)
        return (1 - self.amount) * mean + self.amount * worst

    def judged(self, rows: Judged, objective: Objective) -> Tensor:
        """See `GroupAware`."""
        mean = objective(rows.outputs, rows.target, 0.0, rows.weights)
        each = self._losses(rows, objective, 0.0)
        worst = torch.stack(list(each.values())).max() if each else mean
        return (1 - self.amount) * mean + self.amount * worst

    def _losses(self, rows: Judged, objective: Objective, smoothing: float) -> dict[int, Tensor]:
        cell = self.cells.of_rows(0, rows.target, crossed(rows.groups, self.sizes))
        found: dict[int, Tensor] = {}
        for each in cell.unique().tolist():
            if each >= 0:
                own = (cell == each).nonzero()[:, 0]
                weights = None if rows.weights is None else rows.weights[own]
                found[each] = objective(rows.outputs[own], rows.target[own], smoothing, weights)
        return found


class Adversary(nn.Module):
    """A small network that tells the group from answer and class; the answers are trained to keep it from that."""

    def __init__(self, amount: float, cells: Cells, *, probabilities: bool) -> None:
        super().__init__()
        # What epochs are judged by is what the adversary is a means to.
        self.odds = EqualizedOdds(amount, cells, probabilities=probabilities)
        self.amount, self.cells, self.probabilities = amount, cells, probabilities
        heads: list[nn.Module] = []
        for known in cells.known:
            classes, g = known.shape
            seen = classes * (2 * classes + 1)
            heads.append(nn.Sequential(nn.Linear(seen, WIDTH), nn.ReLU(), nn.Linear(WIDTH, g)))
        self.heads = nn.ModuleList(heads).to(cells.known[0].device)

    def loss(
        self, batch: "Batch", outputs: Tensor, objective: Objective, smoothing: float
    ) -> Tensor:
        """See `GroupAware`."""
        found = batch.loss(outputs, objective, smoothing)
        rows = _flat(batch, outputs)
        seen = self._seen(rows)
        for k, head in enumerate(self.heads):
            inside = self.cells.of_rows(k, rows.target, rows.groups) >= 0
            told = functional.cross_entropy(
                head(seen), rows.groups[:, k].where(inside, -1), ignore_index=-1, reduction="none"
            )
            weights = inside.float() if rows.weights is None else rows.weights * inside
            found = found + (told * weights).sum() / weights.sum().clamp(min=1e-9)
        return found

    def judged(self, rows: Judged, objective: Objective) -> Tensor:
        """See `GroupAware`."""
        return self.odds.judged(rows, objective)

    def _seen(self, rows: Judged) -> Tensor:
        """Return what the adversary sees: class, and by class the answer and its logarithm."""
        scores = _scores(rows.outputs, probabilities=self.probabilities)
        scores = cast(Tensor, _Reversed.apply(scores, self.amount))
        label = functional.one_hot(rows.target, scores.shape[1]).float()
        answer = torch.cat([scores, scores.clamp(min=1e-4).log() / 4], dim=1)
        return torch.cat([label, (label[:, :, None] * answer[:, None]).flatten(1)], dim=1)


class _Reversed(torch.autograd.Function):
    """Nothing forwards; backwards the slope is turned round, times an amount (Ganin et al. 2016, section 4.2)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor, amount: float) -> Tensor:
        ctx.amount = amount  # type: ignore[attr-defined]  # a context takes any
        return values.view_as(values)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch documents it
        ctx: torch.autograd.function.FunctionCtx, slope: Tensor
    ) -> tuple[Tensor, None]:
        return -ctx.amount * slope, None  # type: ignore[attr-defined]  # see forward


def group_aware(recipe: "Recipe", module: nn.Module, rows: "Rows") -> GroupAware | None:
    """Return what a recipe asks for the sake of groups; None where that is nothing.

    Raises
    ------
    UserError
        Where it makes no sense, or not for these rows.
    """
    plan = recipe.groups
    if plan is None or plan.amount == 0:
        return None
    _refuse(recipe, rows)
    assert rows.groups is not None
    with torch.no_grad():
        outputs = forward(module.eval(), rows.inputs(slice(0, ROWS_TO_LOOK_AT)))
    probabilities = gives_probabilities(outputs)
    is_number = rows.target.is_floating_point()
    classes = 1 if is_number else with_classes(outputs).shape[-1]
    groups, sizes = rows.groups, tuple(max(int(g.max()), 0) + 1 for g in rows.groups.unbind(dim=1))
    if plan.method == "group_dro":
        groups = crossed(groups, sizes)
    cells = Cells.of(rows.target, groups, classes)
    if not cells.any:
        raise UserError(
            f"The recipe looks at groups, but no class has training rows of two groups with {FEWEST} rows "
            "each. Name larger groups, or set `groups` of the recipe to None."
        )
    if plan.method == "group_dro":
        return WorstCase(plan.amount, cells, sizes)
    made = EqualizedOdds if plan.method == "equalized_odds" else Adversary
    return made(plan.amount, cells, probabilities=probabilities)


def loss_by_groups(
    module: nn.Module, groups: GroupAware, rows: "Rows", objective: Objective
) -> float:
    """Return the loss of a module in evaluation mode over rows that name their groups."""
    assert rows.groups is not None
    module.eval()
    size = rows_at_a_time(rows.source.shape)
    with torch.inference_mode():
        parts = [
            forward(module, rows.inputs(slice(start, min(start + size, len(rows)))))
            for start in range(0, len(rows), size)
        ]
        judged = Judged(torch.cat(parts).float(), rows.target, rows.groups, rows.weights)
        return float(groups.judged(judged, objective))


def crossed(groups: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return groups of all attributes together, -1 where one is not known or not among them: (n, 1)."""
    limits = groups.new_tensor(sizes)
    inside = ((groups >= 0) & (groups < limits)).all(dim=1)
    code = torch.zeros_like(groups[:, 0])
    for column, size in zip(groups.unbind(dim=1), sizes, strict=True):
        code = code * size + column
    return code.where(inside, -1)[:, None]


def _refuse(recipe: "Recipe", rows: "Rows") -> None:
    plan = recipe.groups
    assert plan is not None
    most = 1.0 if plan.method == "group_dro" else float("inf")
    problem = None
    if not 0 <= plan.amount <= most or plan.amount == float("inf"):
        problem = (
            f"by an amount of {plan.amount:g}, where a finite one from 0 to {most:g} was expected"
        )
    elif rows.groups is None:
        problem = (
            "but no training row says to which it belongs: set `row_groups` of the training split"
        )
    elif rows.groups.ndim != 2 or len(rows.groups) != len(rows):
        problem = f"and their array has shape {tuple(rows.groups.shape)}, where ({len(rows)}, attributes) was expected"
    elif rows.target.is_floating_point() and plan.method != "group_dro":
        problem = (
            f'by "{plan.method}", which compares answers within a class, but the target is a number'
        )
    elif recipe.adversarial is not None or recipe.distillation is not None:
        problem = (
            "and for adversarial training or distillation at once, which change what a loss is of"
        )
    if problem is not None:
        raise UserError(
            f"The recipe asks for training by groups {problem}. Mend that, or set `groups` of the recipe to None."
        )


def _flat(batch: "Batch", outputs: Tensor) -> Judged:
    """Return the rows of all parts of a batch, one part after the other."""
    groups = [cast(Tensor, part.groups) for part in batch.parts]
    if len(groups) == 1:
        return Judged(outputs, batch.parts[0].target, groups[0], batch.parts[0].weights)
    weights = [torch.ones(len(outputs)) if p.weights is None else p.weights for p in batch.parts]
    return Judged(
        torch.cat([outputs] * len(groups)),
        torch.cat([part.target for part in batch.parts]),
        torch.cat(groups),
        torch.cat(weights),
    )


def _scores(outputs: Tensor, *, probabilities: bool) -> Tensor:
    """Return mean probabilities over the members of an ensemble: (n, c)."""
    return with_classes(outputs, probabilities=probabilities).softmax(dim=-1).mean(dim=1)


def _present(sums: Tensor, known: Tensor) -> Tensor:
    """Return which known cells have rows: (classes, groups, 1)."""
    return (known & (sums[:, -1] > 0).reshape(known.shape))[..., None]


def _deviations(sums: Tensor, known: Tensor) -> Tensor:
    """Return how far the mean answer of each cell is from the mean over groups: (classes, groups, c)."""
    means = (sums[:, :-1] / sums[:, -1:].clamp(min=1e-9)).reshape(*known.shape, -1)
    return _centred(means, _present(sums, known))


def _centred(values: Tensor, present: Tensor) -> Tensor:
    """Return values less their mean over the groups that are present, 0 for the others."""
    count = present.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (values * present).sum(dim=1, keepdim=True) / count
    return (values - mean) * present
