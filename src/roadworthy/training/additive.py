"""Networks that can be read: what each column or value adds to the answer is one function of it, and the rest is a sum."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from roadworthy.training.arrays import ArrayShape, Standardisation
from roadworthy.training.encodings import CategoryEncoding, TargetScale

if TYPE_CHECKING:
    from roadworthy.training.tables import TableShape


class AdditiveTable(nn.Module):
    """A sum of one function for each column: a curve of a number, a height for each category.

    The encoding of the default network for tables, and one linear layer (Agarwal et al. 2021, "Neural additive models", with
    that encoding in place of a small network for each column). Logits (n, classes) or numbers (n,) in the unit of the target.
    """

    def __init__(
        self,
        shape: "TableShape",
        *,
        numeric_width: int = 16,
        category_width: int = 8,
        bins: int = 256,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.numeric = shape.encoding(numeric_width, bins)
        self.category = CategoryEncoding(shape.sizes, category_width)
        encoded = len(shape.numeric) * numeric_width + len(shape.category) * category_width
        self.last = nn.Linear(encoded, max(shape.classes, 1))
        self.target = TargetScale()

    def prepare(self, inputs: Tensor) -> None:
        """Fit the encodings to the training rows."""
        self.numeric.prepare(inputs[:, self.shape.numeric])
        self.category.prepare(inputs[:, self.shape.category])

    def prepare_target(self, target: Tensor) -> None:
        """Take centre and spread of a numeric target."""
        self.target.prepare(target)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or numbers for raw rows (n, d)."""
        numeric = self.numeric(inputs[:, self.shape.numeric])
        category = self.category(inputs[:, self.shape.category])
        outputs = self.last(torch.cat([numeric, category], dim=1))
        return outputs if self.shape.classes else self.target(outputs[:, 0])


class LinearArray(nn.Module):
    """One weight for each value of the standardised array and class: logits (n, classes) or numbers (n,)."""

    def __init__(self, shape: ArrayShape) -> None:
        super().__init__()
        self.shape = shape
        self.standardisation = Standardisation(shape.size)
        size = 1
        for side in shape.size:
            size *= side
        self.last = nn.Linear(size, max(shape.classes, 1))
        self.target = TargetScale()

    def prepare(self, inputs: Tensor) -> None:
        """Fit the standardisation to the training rows."""
        self.standardisation.prepare(inputs)

    def prepare_target(self, target: Tensor) -> None:
        """Take centre and spread of a numeric target."""
        self.target.prepare(target)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or numbers for raw arrays."""
        outputs = self.last(self.standardisation(inputs).flatten(1))
        return outputs if self.shape.classes else self.target(outputs[:, 0])
