"""Preprocessing as modules: raw numbers and category codes to what a network learns well from."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

CLIP = 3.0
ROWS_PER_BIN = 20  # at least: a bin is a slope to learn


def levels_of(inputs: np.ndarray) -> tuple[int | None, ...]:
    """Count the distinct numbers of each column where they come back, from (n, d) rows, NaN where missing: (d,).

    None where they do not, `ROWS_PER_BIN` times on average: other rows of such a column have other values.
    """
    distinct = [len(np.unique(column[np.isfinite(column)])) for column in inputs.T]
    return tuple(each if each * ROWS_PER_BIN <= len(inputs) else None for each in distinct)


class NumericEncoding(nn.Module):
    """Numbers spread over bins, outliers tamed, missing ones told apart: (n, d) to (n, d * width).

    Each number is encoded piecewise linearly: a bin says how far the number has come through it,
    from 0 to 1 (Gorishniy, Rubachev & Babenko 2022, section 3.1). Half the edges are quantiles of
    the values and half of the distinct values: with quantiles alone a column that is mostly zero
    has few bins, which cost .008 of AUC on a part of Adult's training rows. Beside the bins stands the robustly
    scaled and smoothly clipped number (RealMLP, Holzmueller, Grinsztajn & Steinwart 2024, 3.1).

    Parameters
    ----------
    width : int
    most : int
        Bins of a column.
    levels : tuple of int or None
        Of each column, see `levels_of`: a column has room for no more bins than lie between its levels. Columns with about
        as many bins are computed together: a column of 0 and 1 has one, and would take as long as the 256 of another.
    """

    median: Tensor
    scale: Tensor
    order: Tensor

    def __init__(self, width: int, most: int, levels: tuple[int | None, ...]) -> None:
        super().__init__()
        self.most = most
        self.room = [most if each is None else min(most, max(each - 1, 1)) for each in levels]
        d = len(levels)
        self.register_buffer("median", torch.zeros(d))
        self.register_buffer("scale", torch.ones(d))
        self.linear = nn.Parameter(torch.empty(d, width).uniform_(-1, 1))
        self.shift = nn.Parameter(torch.empty(d, width).uniform_(-1, 1))
        self.missing = nn.Parameter(torch.zeros(d, width))
        sizes = [1 << (room - 1).bit_length() for room in self.room]
        alike = [[j for j, size in enumerate(sizes) if size == each] for each in sorted({*sizes})]
        self.piecewise = nn.ModuleList(
            _Bins(tuple(columns), sizes[columns[0]], width) for columns in alike
        )
        order = torch.tensor([j for columns in alike for j in columns], dtype=torch.int64)
        self.register_buffer("order", order.argsort(), persistent=False)

    def prepare(self, inputs: Tensor) -> None:
        """Fit median, scale and bins of each column to the training rows."""
        edges: dict[int, Tensor] = {}
        for j, column in enumerate(inputs.T):
            values = column[column.isfinite()].sort().values
            if len(values) == 0:
                continue
            low, middle, high = _quantiles(values, 3).tolist()
            spread = (high - low) / 1.349 or float(values.std(correction=0))
            self.median[j] = middle
            # A constant column of large values has a spread of rounding errors.
            self.scale[j] = spread if spread > 1e-7 * abs(middle) else 1.0
            edges[j] = self._edges(values, self.room[j])
        for bins in self.piecewise:
            assert isinstance(bins, _Bins)
            bins.prepare(edges)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encode: (n, d) to (n, d * width)."""
        present = inputs.isfinite()
        filled = torch.where(present, inputs, self.median)
        z = ((filled - self.median) / self.scale).clamp(-1e6, 1e6)
        z = z / (1 + (z / CLIP) ** 2).sqrt()
        encoded = z[..., None] * self.linear + self.shift
        if len(self.piecewise):
            parts = torch.cat([bins(filled) for bins in self.piecewise], dim=1)
            encoded = encoded + (parts if len(self.piecewise) == 1 else parts[:, self.order])
        return torch.where(present[..., None], encoded, self.missing).flatten(1)

    def _edges(self, values: Tensor, room: int) -> Tensor:
        most = max(2, min(self.most, len(values) // ROWS_PER_BIN)) // 2
        grid = torch.cat([_edge_quantiles(values, most), _edge_quantiles(values.unique(), most)])
        edges = grid.unique()
        # More than there is room for: rows that were not there when the network was laid out, such as synthetic ones.
        return edges if len(edges) <= room + 1 else _edge_quantiles(edges, room)


class _Bins(nn.Module):
    """How far numbers have come through the bins of their columns, times what is learned: (n, d) to (n, columns, width)."""

    left: Tensor
    slope: Tensor
    columns: Tensor

    def __init__(self, columns: tuple[int, ...], size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("left", torch.zeros(len(columns), size))
        self.register_buffer("slope", torch.zeros(len(columns), size))  # 1 / width; 0: no such bin
        self.learned = nn.Parameter(torch.zeros(len(columns), size, width))

    def prepare(self, edges: Mapping[int, Tensor]) -> None:
        """Take the edges of these columns, by position of the column."""
        self.left.zero_()
        self.slope.zero_()
        for i, j in enumerate(self.columns.tolist()):
            if j in edges:
                count = len(edges[j]) - 1
                self.left[i, :count] = edges[j][:-1]
                self.slope[i, :count] = 1 / edges[j].diff()

    def forward(self, filled: Tensor) -> Tensor:
        through = ((filled[:, self.columns][..., None] - self.left) * self.slope).clamp(0, 1)
        return torch.einsum("ndb,dbw->ndw", through, self.learned)


class CategoryEncoding(nn.Module):
    """A vector for each category: (n, d) codes to (n, d * width).

    Missing, unknown and never seen categories share a slot whose vector starts at zero.
    """

    start: Tensor
    sizes: Tensor
    slot: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        size = torch.tensor(sizes, dtype=torch.int64)
        total = int((size + 1).sum())
        self.register_buffer("sizes", size, persistent=False)
        self.register_buffer("start", (size + 1).cumsum(0) - size - 1, persistent=False)
        self.register_buffer("slot", torch.arange(total))
        self.vectors = nn.Parameter(torch.randn(total, width))
        with torch.no_grad():
            self.vectors[self.start] = 0

    def prepare(self, inputs: Tensor) -> None:
        """Send categories that do not occur to the shared slot: nothing can be learned of them."""
        counts = self._place(inputs).flatten().bincount(minlength=len(self.slot))
        shared = self.start.repeat_interleave(self.sizes + 1)
        self.slot.copy_(
            torch.where(counts > 0, torch.arange(len(counts), device=counts.device), shared)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Encode: (n, d) to (n, d * width)."""
        return self.vectors[self.slot[self._place(inputs)]].flatten(1)

    def _place(self, inputs: Tensor) -> Tensor:
        known = (inputs >= 0) & (inputs < self.sizes)  # False for NaN
        return torch.where(known, inputs, -1.0).long() + 1 + self.start


class TargetScale(nn.Module):
    """Numbers around 0 back to the unit of the target."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def prepare(self, target: Tensor) -> None:
        """Take centre and spread of the training target."""
        spread = target.std()
        self.mean.copy_(target.mean())
        self.scale.copy_(spread if spread > 0 else torch.ones_like(spread))

    def forward(self, outputs: Tensor) -> Tensor:
        """Return numbers in the unit of the target, of the same shape."""
        return outputs * self.scale + self.mean


def _quantiles(ordered: Tensor, count: int) -> Tensor:
    """Inner quantiles at 1/(count+1), 2/(count+1), ..."""
    return _at(ordered, torch.arange(1, count + 1) / (count + 1))


def _edge_quantiles(ordered: Tensor, bins: int) -> Tensor:
    """Quantiles from least to greatest that bound this many bins."""
    return _at(ordered, torch.linspace(0, 1, bins + 1))


def _at(ordered: Tensor, probabilities: Tensor) -> Tensor:
    # torch.quantile refuses more than 16 million values; nearest ranks need no interpolation.
    ranks = (probabilities * (len(ordered) - 1)).round().long()
    return ordered[ranks.to(ordered.device)]
