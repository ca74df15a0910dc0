"""The default network for tables: raw columns in, preprocessing and a small ensemble inside.

The ensemble is TabM's (Gorishniy, Kotelnikov & Babenko 2024, "TabM-mini", section 3.3): members
share all weights but a scaling of the encoded inputs and the last layer, and each is trained on
its own loss; their probabilities are averaged.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roadworthy.training.encodings import (
    CategoryEncoding,
    NumericEncoding,
    TargetScale,
    levels_of,
)
from roadworthy.training.sources import RowSource, is_streamed

if TYPE_CHECKING:
    from roadworthy.subject import Column


@dataclass(frozen=True)
class TableShape:
    """What the network must know of a table before it sees its rows.

    Parameters
    ----------
    numeric, category : tuple of int
        Positions of the columns of either kind.
    sizes : tuple of int
        Number of categories of each category column.
    classes : int
        0 for a numeric target.
    levels : tuple of int or None
        How many values each numeric column has, None where there are many; (): not known.
    """

    numeric: tuple[int, ...]
    category: tuple[int, ...]
    sizes: tuple[int, ...]
    classes: int
    levels: tuple[int | None, ...] = ()

    @staticmethod
    def of(
        columns: "tuple[Column, ...]", classes: int, inputs: np.ndarray | RowSource | None = None
    ) -> "TableShape":
        """Return the shape of a table with these columns, of which these (n, d) rows are to be learned.

        Rows that are read batch by batch are not counted through.
        """
        numeric = tuple(j for j, c in enumerate(columns) if c.kind == "numeric")
        category = tuple(j for j, c in enumerate(columns) if c.kind == "category")
        levels: tuple[int | None, ...] = ()
        if isinstance(inputs, np.ndarray) and not is_streamed(inputs):
            levels = levels_of(inputs[:, numeric])
        return TableShape(
            numeric=numeric,
            category=category,
            sizes=tuple(len(columns[j].categories) for j in category),
            classes=classes,
            levels=levels,
        )

    def encoding(self, width: int, most: int) -> NumericEncoding:
        """Return an untrained encoding of the numeric columns, with so many bins each at most."""
        return NumericEncoding(width, most, self.levels or (None,) * len(self.numeric))


class TableNetwork(nn.Module):
    """An ensemble of small networks that share their encoding and hidden layers.

    In training mode the outputs are those of each member, (n, members, classes) logits or
    (n, members) numbers; in evaluation mode (n, classes) logarithms of the mean probability or
    (n,) mean numbers, in the unit of the target.

    Parameters
    ----------
    shape : TableShape
    members, width, depth, dropout
        Of the hidden layers. The defaults were chosen on a part of Adult's training rows:
        `benchmarks/adult_default_model.py`.
    """

    def __init__(
        self,
        shape: TableShape,
        *,
        members: int = 8,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.1,
        numeric_width: int = 16,
        category_width: int = 8,
        bins: int = 256,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.numeric = shape.encoding(numeric_width, bins)
        self.category = CategoryEncoding(shape.sizes, category_width)
        encoded = len(shape.numeric) * numeric_width + len(shape.category) * category_width
        self.scaling = nn.Parameter(torch.randn(members, encoded))
        widths = [encoded] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        outputs = max(shape.classes, 1)
        self.last = nn.Parameter(torch.empty(members, width, outputs))
        nn.init.uniform_(self.last, -(width**-0.5), width**-0.5)
        self.bias = nn.Parameter(torch.zeros(members, outputs))
        self.target = TargetScale()

    def prepare(self, inputs: Tensor) -> None:
        """Fit the encodings to the training rows."""
        self.numeric.prepare(inputs[:, self.shape.numeric])
        self.category.prepare(inputs[:, self.shape.category])

    def prepare_target(self, target: Tensor) -> None:
        """Take centre and spread of a numeric target."""
        self.target.prepare(target)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or numbers for raw rows (n, d), see the class."""
        encoded = torch.cat(
            [
                self.numeric(inputs[:, self.shape.numeric]),
                self.category(inputs[:, self.shape.category]),
            ],
            dim=1,
        )
        hidden = encoded[:, None] * self.scaling  # (n, members, encoded)
        for layer in self.hidden:
            hidden = self.dropout(functional.relu(layer(hidden)))
        outputs = torch.einsum("nmw,mwc->nmc", hidden, self.last) + self.bias
        if self.shape.classes == 0:
            numbers = self.target(outputs[..., 0])  # (n, members)
            return numbers if self.training else numbers.mean(dim=1)
        if self.training:
            return outputs
        members = outputs.shape[1]
        return functional.log_softmax(outputs, dim=-1).logsumexp(dim=1) - log(members)
