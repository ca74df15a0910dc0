"""The module of a linear network on some columns of a table. Apart because it imports torch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LinearOnColumns(nn.Module):
    """Logits are products of weights with what each column lies off its centre, in the unit of its budget.

    Parameters
    ----------
    columns : sequence of int
    classes : int
    """

    centre: Tensor
    unit: Tensor
    columns: Tensor

    def __init__(self, columns: Sequence[int], classes: int) -> None:
        super().__init__()
        self.register_buffer("columns", torch.tensor(list(columns)))
        self.register_buffer("centre", torch.zeros(len(columns)))
        self.register_buffer("unit", torch.ones(len(columns)))
        self.head = nn.Linear(len(columns), classes, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c) of rows (n, d)."""
        return self.head((inputs[:, self.columns] - self.centre) / self.unit)
