"""Random changes of the rows of a batch: the kinds that a recipe can name, in its order.

All random numbers come from one generator that lives on the processor, so that they depend neither on
the device nor on anything else that draws (dropout, the order of rows).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING

from roadworthy.errors import UserError
from roadworthy.subject import Augmentation, Column, Recipe
from roadworthy.training.corrupting import Corrupting
from roadworthy.training.geometry import Warp, warped
from roadworthy.training.layout import Layout, layout_of
from roadworthy.training.streaming import Rows

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from roadworthy.training.objective import Objective

GEOMETRIC = ("rotation", "scaling", "shift")
MOST = {
    "rotation": 180.0,
    "flip": 1.0,
    "vertical_flip": 1.0,
    "shift": 1.0,
    "mask": 1.0,
    "corruption": 5.0,
}


@dataclass(frozen=True, eq=False)
class Part:
    """A target of each row of a batch, and how much it counts in the loss.

    Parameters
    ----------
    target : (n,) Tensor
    weights : (n,) Tensor or None
        None: 1 for each.
    groups : (n, attributes) Tensor or None
        Of each row, -1 where not known.
    """

    target: "Tensor"
    weights: "Tensor | None" = None
    groups: "Tensor | None" = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows with their targets: several parts where rows were mixed, whose weights share them."""

    inputs: "Tensor"
    parts: tuple[Part, ...]

    def loss(self, outputs: "Tensor", objective: "Objective", smoothing: float) -> "Tensor":
        """Return the loss of the outputs for these rows: a scalar."""
        first, *others = (
            objective(outputs, part.target, smoothing, part.weights) for part in self.parts
        )
        return sum(others, start=first)

    def answered(self, probabilities: "Tensor") -> "Batch":
        """Return the rows with these probabilities (n, c) in place of their targets."""
        weights = [part.weights for part in self.parts]
        known = [each for each in weights if each is not None]
        together = sum(known[1:], start=known[0]) if len(known) == len(weights) else None
        return Batch(self.inputs, (Part(probabilities, together),))


Step = Callable[[Batch, "Generator"], Batch]


@dataclass(frozen=True, eq=False)
class Augmenter:
    """Changes batches, each differently.

    Parameters
    ----------
    steps : tuple of callable
        Empty: batches stay as they are.
    generator : torch.Generator
        Where all random numbers come from.
    """

    steps: tuple[Step, ...]
    generator: "Generator"

    def __call__(self, batch: Batch) -> Batch:
        """Return a changed copy of a batch."""
        import torch

        with torch.no_grad():
            for step in self.steps:
                batch = step(batch, self.generator)
        return batch


def augmenter(
    recipe: Recipe, rows: Rows, module: "nn.Module", columns: Sequence[Column] = ()
) -> Augmenter:
    """Return what changes the batches of a training as its recipe says.

    Parameters
    ----------
    recipe : Recipe
    rows : Rows
        For training; a sample of them shows the spread of their values.
    module : Module
        The default network of tables tells which columns are numeric.
    columns : sequence of Column
        Of a table. Where these and the default network are not given and rows are (n, d), columns that
        hold whole numbers alone are taken for categories by "jitter".

    Raises
    ------
    UserError
        Where a kind makes no sense for these inputs, or its amount is out of range.
    """
    import torch

    seed = sha256(f"augmentation {recipe.seed}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(seed[:7], "big"))
    wanted = [each for each in recipe.augmentation if _is_active(each)]
    if not wanted:
        return Augmenter((), generator)
    sample = rows.sample(recipe.seed)
    layout = layout_of(sample, module, columns)
    for each in wanted:
        layout.require(each.kind)
    steps: list[Step] = []
    for is_geometric, group in groupby(wanted, lambda each: each.kind in GEOMETRIC):
        if is_geometric:
            warps = tuple(Warp(each.kind, each.amount) for each in group)
            steps.append(partial(_warp, layout, warps))
        else:
            steps += [_step(each, layout, sample) for each in group]
    return Augmenter(tuple(steps), generator)


def _is_active(augmentation: Augmentation) -> bool:
    amount, most = augmentation.amount, MOST.get(augmentation.kind, float("inf"))
    is_share = augmentation.kind == "scaling"  # of 1 would shrink to nothing
    if not 0 <= amount <= most or amount == float("inf") or (is_share and amount >= 1):
        expected = "at least 0 and below 1" if is_share else f"from 0 to {most:g}"
        raise UserError(
            f'The recipe asks for augmentation "{augmentation.kind}" by {amount:g}; a finite amount '
            f"{expected} was expected. See `Augmentation` for the unit of each kind."
        )
    return amount > 0


def _step(augmentation: Augmentation, layout: Layout, rows: "Tensor") -> Step:
    import torch

    match augmentation.kind:
        case "flip":
            return partial(_flip, layout, 3, augmentation.amount)
        case "vertical_flip":
            return partial(_flip, layout, 2, augmentation.amount)
        case "noise":
            return partial(_noise, augmentation.amount * layout.spread(rows))
        case "corruption":
            return partial(_corrupt, Corrupting.of(rows), augmentation.amount)
        case "gaussian":
            return partial(_noise, torch.tensor(augmentation.amount))
        case "jitter":
            return partial(_noise, augmentation.amount * layout.spread_of_columns(rows))
        case "mask":
            return partial(_mask, augmentation.amount)
        case "mixup":
            return partial(_mixup, layout, augmentation.amount)
        case _:
            return partial(_cutmix, layout, augmentation.amount)


def _warp(layout: Layout, warps: tuple[Warp, ...], batch: Batch, generator: "Generator") -> Batch:
    planes = layout.planes(batch.inputs)
    height, width = planes.shape[2:]
    matrices = warps[0].matrices(len(planes), height, width, generator)
    for warp in warps[1:]:
        matrices = matrices @ warp.matrices(len(planes), height, width, generator)
    return replace(batch, inputs=layout.rows(warped(planes, matrices)))


def _flip(
    layout: Layout, dimension: int, share: float, batch: Batch, generator: "Generator"
) -> Batch:
    import torch

    planes = layout.planes(batch.inputs)
    chosen = (torch.rand(len(planes), generator=generator) < share).to(planes.device)
    flipped = torch.where(chosen[:, None, None, None], planes.flip(dimension), planes)
    return replace(batch, inputs=layout.rows(flipped))


def _noise(spread: "Tensor", batch: Batch, generator: "Generator") -> Batch:
    import torch

    noise = torch.randn(batch.inputs.shape, generator=generator).to(batch.inputs.device)
    return replace(batch, inputs=batch.inputs + noise * spread)


def _corrupt(
    corrupting: Corrupting, severity: float, batch: Batch, generator: "Generator"
) -> Batch:
    return replace(batch, inputs=corrupting.changed(batch.inputs, severity, generator))


def _mask(share: float, batch: Batch, generator: "Generator") -> Batch:
    import torch

    inputs, n = batch.inputs, len(batch.inputs)
    if n < 2:
        return batch
    chosen = torch.rand(inputs.shape, generator=generator) < share
    further = torch.randint(1, n, inputs.shape, generator=generator)
    own = torch.arange(n).reshape(-1, *[1] * (inputs.ndim - 1))
    other = inputs.gather(0, ((own + further) % n).to(inputs.device))
    return replace(batch, inputs=torch.where(chosen.to(inputs.device), other, inputs))


def _mixup(layout: Layout, alpha: float, batch: Batch, generator: "Generator") -> Batch:
    """Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", equation 1; a share for each pair.

    Of a table numeric columns are mixed, and categories are those of the first row. A value that is
    missing in one of the two stays as it is in the first.
    """
    inputs = batch.inputs
    partner = _partners(len(inputs), generator).to(inputs.device)
    share = _shares(alpha, len(inputs), generator).to(inputs.device)
    own = share.reshape(-1, *[1] * (inputs.ndim - 1))
    mixed = own * inputs + (1 - own) * inputs[partner]
    keeps = ~mixed.isfinite()
    if layout.numeric is not None:
        keeps = keeps | ~layout.numeric.to(inputs.device)
    return Batch(inputs.where(keeps, mixed), _mixed_parts(batch.parts, partner, share))


def _cutmix(layout: Layout, alpha: float, batch: Batch, generator: "Generator") -> Batch:
    """Yun et al. 2019, "CutMix", section 3.1; a box for each pair. Of series: a stretch."""
    import torch

    planes = layout.planes(batch.inputs)
    n, _, height, width = planes.shape
    partner = _partners(n, generator).to(planes.device)
    cut = 1 - _shares(alpha, n, generator)
    side = cut if height == 1 else cut.sqrt()
    across = _stretch(width, side, generator)[:, None, :]
    down = torch.ones(n, 1, 1, dtype=torch.bool)
    if height > 1:
        down = _stretch(height, side, generator)[:, :, None]
    box = (down & across)[:, None].to(planes.device)  # (n, 1, height, width)
    share = 1 - box.float().mean(dim=(1, 2, 3))
    inputs = layout.rows(torch.where(box, planes[partner], planes))
    return Batch(inputs, _mixed_parts(batch.parts, partner, share))


def _stretch(length: int, share: "Tensor", generator: "Generator") -> "Tensor":
    """Draw a stretch of about this share of a length around any place: (n, length) bool."""
    import torch

    centre = torch.rand(len(share), generator=generator) * length
    half = share * length / 2
    places = torch.arange(length) + 0.5
    return (places >= (centre - half)[:, None]) & (places < (centre + half)[:, None])


def _mixed_parts(parts: tuple[Part, ...], partner: "Tensor", share: "Tensor") -> tuple[Part, ...]:
    """Give each row its own targets by `share` and those of its partner by the rest."""
    found: list[Part] = []
    for part in parts:
        if part.target.is_floating_point():
            target = share * part.target + (1 - share) * part.target[partner]
            weights = part.weights
            if weights is not None:
                weights = share * weights + (1 - share) * weights[partner]
            found.append(Part(target, weights, part.groups))
            continue
        weights = share.new_ones(len(share)) if part.weights is None else part.weights
        others = None if part.groups is None else part.groups[partner]
        found.append(Part(part.target, share * weights, part.groups))
        found.append(Part(part.target[partner], (1 - share) * weights[partner], others))
    return tuple(found)


def _partners(n: int, generator: "Generator") -> "Tensor":
    import torch

    return torch.randperm(n, generator=generator)


def _shares(alpha: float, n: int, generator: "Generator") -> "Tensor":
    """Draw from the symmetric beta distribution: (n,)."""
    import torch
    from scipy.special import betaincinv

    uniform = torch.rand(n, generator=generator, dtype=torch.float64)
    return torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy())).float()
