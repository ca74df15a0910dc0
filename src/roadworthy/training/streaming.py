"""Training rows on a device: whole tensors, or read and converted batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.training.jobs import Examples
from roadworthy.training.objective import relative_weights
from roadworthy.training.running import tensor_of
from roadworthy.training.sources import BYTES_IN_MEMORY, RowSource, is_streamed

if TYPE_CHECKING:
    from torch import Tensor, nn

ROWS_TO_PREPARE = 65_536


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples as tensors on a device, their inputs whole or read when they are asked for.

    Parameters
    ----------
    source : Tensor or RowSource
    convert : callable
        From an array of inputs to a tensor on the device.
    target : (n,) Tensor
    weights : (n,) Tensor or None
        With mean 1.
    groups : (n, attributes) Tensor or None
        Of each row, -1 where not known.
    """

    source: "Tensor | RowSource"
    convert: "Callable[[np.ndarray], Tensor]"
    target: "Tensor"
    weights: "Tensor | None" = None
    groups: "Tensor | None" = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """Numbers of consecutive rows that are read together; None: rows are read one by one."""
        return getattr(self.source, "blocks", None)

    def inputs(self, rows: "Tensor | slice") -> "Tensor":
        """Return the inputs of some rows."""
        import torch

        if isinstance(self.source, torch.Tensor):
            # Indexing takes several times as long for a batch of a table.
            return (
                self.source[rows] if isinstance(rows, slice) else self.source.index_select(0, rows)
            )
        chosen = rows if isinstance(rows, slice) else rows.cpu().numpy()
        return self.convert(self.source[chosen])

    def sample(self, seed: int) -> "Tensor":
        """Return the inputs to fit preprocessing to: all of them, or a random subset of streamed ones.

        Of streamed inputs at most 65,536 rows, fewer where they would not fit in memory, in their order.
        """
        import torch

        if isinstance(self.source, torch.Tensor):
            return self.source
        n = len(self)
        size = prod(self.source.shape[1:])
        most = max(2, min(ROWS_TO_PREPARE, BYTES_IN_MEMORY // (4 * max(1, size))))
        if n <= most:
            return self.inputs(slice(None))
        generator = torch.Generator().manual_seed(seed)
        return self.inputs(torch.randperm(n, generator=generator)[:most].sort().values)


def rows_on(examples: Examples, module: "nn.Module", device: str) -> Rows:
    """Return examples as tensors on a device; what is streamed stays where it is."""
    import torch

    kind = torch.float32 if examples.target.dtype.kind == "f" else torch.int64
    target = torch.from_numpy(np.array(examples.target)).to(device, kind)
    weights = None
    if examples.row_weights is not None:
        weights = torch.from_numpy(relative_weights(examples.row_weights)).to(device)

    groups = None
    if examples.row_groups is not None:
        groups = torch.from_numpy(np.array(examples.row_groups, np.int64)).to(device)

    def convert(inputs: np.ndarray) -> "Tensor":
        return tensor_of(inputs, module, device)

    if is_streamed(examples.inputs):
        return Rows(cast(RowSource, examples.inputs), convert, target, weights, groups)
    return Rows(convert(examples.inputs), convert, target, weights, groups)
