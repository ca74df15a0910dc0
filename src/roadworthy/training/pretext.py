"""Tasks that inputs set themselves: fill in what was hidden, tell two changed copies from other rows.

Each is a small network on top of a backbone, thrown away after pretraining; called with a backbone and a batch, it
returns the loss.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.training.arrays import ArrayShape

if TYPE_CHECKING:
    from roadworthy.subject import Column

Represent = Callable[[Tensor], Tensor]
Views = Callable[[Tensor], tuple[Tensor, Tensor]]

REPLACED = 0.3  # of the cells of a row: Yoon et al. 2020 (VIME), 0.3; Bahri et al. 2022, 0.6
CONTRASTED = 0.6
HIDDEN = 0.5  # of the patches of an array
TEMPERATURE = 0.5  # SimCLR's on small images (Chen et al. 2020, appendix B.9)


class HiddenCells(nn.Module):
    """Tell which cells were replaced by those of other rows, and what stood there (VIME, Yoon et al. 2020).

    Numbers are told in standard deviations, categories by their code. Without columns (sequences of
    codes) it is only asked which cells were replaced.
    """

    def __init__(self, rows: Tensor, width: int, columns: "tuple[Column, ...]") -> None:
        super().__init__()
        self.rows = rows
        self.cells = rows[0].numel()
        self.numeric = [j for j, column in enumerate(columns) if column.kind == "numeric"]
        self.category = [j for j, column in enumerate(columns) if column.kind == "category"]
        self.sizes = [len(columns[j].categories) + 1 for j in self.category]
        self.scale = Scale(rows[:, self.numeric]) if columns else None
        self.head = _head(width, self.cells + len(self.numeric) + sum(self.sizes))

    def forward(self, represent: Represent, batch: Tensor) -> Tensor:
        """Return the loss on a batch."""
        corrupted = with_cells_of_others(batch, self.rows, REPLACED)
        is_changed = _differ(batch, corrupted)
        outputs = self.head(represent(corrupted))
        told, numbers, *codes = outputs.split([self.cells, len(self.numeric), *self.sizes], dim=1)
        loss = functional.binary_cross_entropy_with_logits(told, is_changed.flatten(1).float())
        if self.scale is not None and self.numeric:
            true, is_known = self.scale(batch[:, self.numeric])
            asked = is_changed[:, self.numeric] & is_known
            loss = loss + _mean_over(asked, (numbers - true).square())
        for j, logits in zip(self.category, codes, strict=True):
            is_code = (batch[:, j] >= 0) & (batch[:, j] < logits.shape[1] - 1)  # False for NaN
            code = torch.where(is_code, batch[:, j], -1.0).long() + 1
            loss = loss + _mean_over(
                is_changed[:, j], functional.cross_entropy(logits, code, reduction="none")
            ) / len(self.category)
        return loss


class HiddenPatches(nn.Module):
    """Fill in patches of an array that were replaced by the mean of all rows (He et al. 2022, at small scale)."""

    def __init__(self, rows: Tensor, width: int) -> None:
        super().__init__()
        self.patches = patches(tuple(rows.shape[1:])).to(rows.device)
        self.scale = Scale(rows.flatten(1))
        self.head = _head(width, rows[0].numel())

    def forward(self, represent: Represent, batch: Tensor) -> Tensor:
        """Return the loss on a batch."""
        is_hidden = _some_patches(self.patches, batch, HIDDEN)
        flat = batch.flatten(1)
        seen = torch.where(is_hidden, self.scale.mean, flat).reshape(batch.shape)
        true, is_known = self.scale(flat)
        return _mean_over(is_hidden & is_known, (self.head(represent(seen)) - true).square())


class Contrast(nn.Module):
    """Tell the other view of a row from the views of other rows (NT-Xent, Chen et al. 2020, equation 1)."""

    def __init__(self, views: Views, width: int) -> None:
        super().__init__()
        self.views = views
        self.head = _head(width, 64)

    def forward(self, represent: Represent, batch: Tensor) -> Tensor:
        """Return the loss on a batch."""
        n = len(batch)
        places = functional.normalize(self.head(represent(torch.cat(self.views(batch)))), dim=1)
        likeness = places @ places.T / TEMPERATURE
        likeness.fill_diagonal_(-torch.inf)
        other = torch.arange(2 * n, device=batch.device).roll(n)
        return functional.cross_entropy(likeness, other)


class Scale(nn.Module):
    """Numbers in standard deviations from the mean of their column, at most 3, and which are present."""

    def __init__(self, columns: Tensor) -> None:
        super().__init__()
        present = columns.isfinite()
        count = present.sum(dim=0).clamp_min(1)
        self.mean = columns.where(present, 0).sum(dim=0) / count
        squares = (columns - self.mean).where(present, 0).square().sum(dim=0) / count
        spread = (squares + 0.01 * squares.mean() * (squares > 0)).sqrt()
        self.spread = spread.where(spread > 0, 1)

    def forward(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return what lies behind the numbers, and where there is one."""
        present = columns.isfinite()
        return ((columns - self.mean) / self.spread).where(present, 0).clamp(-3, 3), present


def views_of_cells(rows: Tensor) -> Views:
    """Return views for tables: a row itself, and with cells of other rows (SCARF, Bahri et al. 2022)."""
    return lambda batch: (batch, with_cells_of_others(batch, rows, CONTRASTED))


def views_of_arrays(rows: Tensor) -> Views:
    """Return views for arrays: turned, scaled and shifted a little (images), with noise and a hole."""
    shape = ArrayShape(tuple(rows.shape[1:]), 1)
    scale = Scale(rows.flatten(1))
    places = patches(tuple(rows.shape[1:])).to(rows.device)

    def view(batch: Tensor) -> Tensor:
        moved = _moved(batch, shape) if shape.is_image else batch
        flat = moved.flatten(1)
        noise = 0.1 * scale.spread.mean() * torch.randn_like(flat)
        louder = 1 + 0.2 * (2 * torch.rand(len(flat), 1, device=flat.device) - 1)
        changed = scale.mean + (flat - scale.mean) * louder + noise
        hole = _some_patches(places, batch, 0.15)
        return torch.where(hole, scale.mean, changed).reshape(batch.shape)

    return lambda batch: (view(batch), view(batch))


def with_cells_of_others(batch: Tensor, rows: Tensor, share: float) -> Tensor:
    """Replace a share of the cells of each row by the same cell of rows drawn at random."""
    flat = rows.flatten(1)
    others = torch.randint(len(rows), (len(batch), flat.shape[1]), device=batch.device)
    drawn = flat.gather(0, others)
    is_replaced = torch.rand(drawn.shape, device=batch.device) < share
    return torch.where(is_replaced, drawn, batch.flatten(1)).reshape(batch.shape)


def patches(size: tuple[int, ...]) -> Tensor:
    """Return the patch that each value of a flattened array lies in: squares of an image, stretches of the rest.

    A side is cut into four (a stretch into eight) where it is long enough; all colours share a patch.
    """
    shape = ArrayShape(size, 1)
    if not shape.is_image:
        along = torch.arange(size[-1]) // max(1, size[-1] // 8)
        return along.expand(size).flatten()
    height, width = shape.pixels
    down, across = (torch.arange(side) // max(1, side // 4) for side in (height, width))
    square = down[:, None] * (int(across[-1]) + 1) + across
    return (square[..., None] if shape.has_channels_last else square).expand(size).flatten()


def _some_patches(places: Tensor, batch: Tensor, share: float) -> Tensor:
    """Return which values lie in patches drawn at random: (n, size)."""
    drawn = torch.rand(len(batch), int(places.max()) + 1, device=batch.device) < share
    return drawn[:, places]


def _moved(batch: Tensor, shape: ArrayShape) -> Tensor:
    """Turn by up to 15 degrees, scale and shift by up to a tenth; beyond the edge it goes on as at the edge."""
    images = batch.permute(0, 3, 1, 2) if shape.has_channels_last else batch
    images = images[:, None] if images.ndim == 3 else images
    n, device = len(batch), batch.device
    turn, bigger, down, across = (2 * torch.rand(4, n, device=device) - 1).unbind()
    turn, bigger = 0.26 * turn, 1 + 0.1 * bigger
    row_0 = torch.stack([turn.cos() * bigger, -turn.sin() * bigger, 0.2 * across], dim=1)
    row_1 = torch.stack([turn.sin() * bigger, turn.cos() * bigger, 0.2 * down], dim=1)
    affine = torch.stack([row_0, row_1], dim=1)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return (moved.permute(0, 2, 3, 1) if shape.has_channels_last else moved).reshape(batch.shape)


def _head(width: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, outputs))


def _differ(one: Tensor, other: Tensor) -> Tensor:
    return (one != other) & ~(one.isnan() & other.isnan())


def _mean_over(asked: Tensor, losses: Tensor) -> Tensor:
    return (losses * asked).sum() / asked.sum().clamp_min(1)
