"""What the dimensions of inputs are: columns of a table, time, height and width, or unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from roadworthy.errors import UserError
from roadworthy.subject import Column

if TYPE_CHECKING:
    from torch import Tensor, nn

Kind = Literal["table", "flat", "series", "image", "array", "codes"]

SERIES = ("scaling", "flip", "shift", "noise", "gaussian", "corruption", "mixup", "cutmix")
FITTING: dict[str, tuple[str, ...]] = {
    "table": ("mask", "jitter", "mixup"),
    "flat": (*SERIES, "mask", "jitter"),
    "series": SERIES,
    "image": ("rotation", *SERIES, "vertical_flip"),
    "array": ("noise", "gaussian", "mixup"),
    "codes": ("mask",),
}
WORDS = {
    "table": "a table",
    "flat": "rows of numbers",
    "series": "series",
    "image": "images",
    "array": "arrays without a known layout",
    "codes": "codes that the model looks up",
}


@dataclass(frozen=True, eq=False)
class Layout:
    """How a batch is laid out.

    Parameters
    ----------
    kind : str
        "flat": (n, d) numbers of which it is not known whether they are a table or a series.
    size : tuple of int
        Of one row.
    has_channels_last : bool
    numeric : (d,) bool Tensor or None
        Which columns of a table are numeric.
    """

    kind: Kind
    size: tuple[int, ...]
    has_channels_last: bool = False
    numeric: "Tensor | None" = None

    def require(self, augmentation: str) -> None:
        """Refuse a kind of augmentation that makes no sense here.

        Raises
        ------
        UserError
            With the kinds that do.
        """
        if augmentation in FITTING[self.kind]:
            return
        raise UserError(
            f'The recipe asks for augmentation "{augmentation}", but the inputs are '
            f"{WORDS[self.kind]} of shape ({', '.join(['n', *map(str, self.size)])}). What fits: "
            f"{', '.join(sorted(FITTING[self.kind]))}."
        )

    def planes(self, inputs: "Tensor") -> "Tensor":
        """Return images or series as (n, channels, height, width); a series has height 1."""
        if self.has_channels_last:
            inputs = inputs.movedim(-1, 1)
        if inputs.ndim == len(self.size) + 1 and self.channels is None:
            inputs = inputs[:, None]
        return inputs[:, :, None] if inputs.ndim == 3 else inputs

    def rows(self, planes: "Tensor") -> "Tensor":
        """Turn `planes` back."""
        if self.kind != "image":
            planes = planes[:, :, 0]
        if self.channels is None:
            planes = planes[:, 0]
        return planes.movedim(1, -1) if self.has_channels_last else planes

    @property
    def channels(self) -> int | None:
        """How many values stand at each place; None: one, without a dimension of its own."""
        if len(self.size) == (2 if self.kind == "image" else 1):
            return None
        return self.size[-1] if self.has_channels_last else self.size[0]

    def spread(self, rows: "Tensor") -> "Tensor":
        """Return the standard deviation of the values that are there, to be multiplied with a batch.

        Of each channel, of each column of (n, d), or of all values where the layout is not known.
        """
        if self.kind == "flat":
            return _deviation(rows, (0,))[0]
        if self.kind == "array":
            return _deviation(rows, tuple(range(rows.ndim)))[0]
        return self.rows(_deviation(self.planes(rows), (0, 2, 3)))[0]

    def spread_of_columns(self, rows: "Tensor") -> "Tensor":
        """Return the standard deviation of each numeric column: (d,), 0 for categories."""
        numeric = self.numeric
        if numeric is None:
            finite = rows.isfinite()
            numeric = ((rows != rows.round()) & finite).any(dim=0)
        if not bool(numeric.any()):
            raise UserError(
                'The recipe asks for augmentation "jitter", but no column of the inputs '
                f"(n, {self.size[0]}) is numeric: all hold whole numbers, which are taken for "
                'categories. "mask" fits, or give the columns of the table.'
            )
        return _deviation(rows, (0,))[0] * numeric.to(rows.device)


def layout_of(rows: "Tensor", module: "nn.Module", columns: Sequence[Column] = ()) -> Layout:
    """Return the layout of inputs (n, ...), from their columns, the default network or their shape."""
    import torch

    from roadworthy.training.arrays import ArrayShape
    from roadworthy.training.tables import TableShape

    size = tuple(rows.shape[1:])
    known = getattr(module, "shape", None)
    if not rows.is_floating_point():
        return Layout("codes", size)
    if columns or isinstance(known, TableShape):
        numeric = torch.zeros(size[0], dtype=torch.bool)
        if columns:
            numeric[[j for j, column in enumerate(columns) if column.kind == "numeric"]] = True
        elif isinstance(known, TableShape):
            numeric[list(known.numeric)] = True
        return Layout("table", size, numeric=numeric)
    shape = ArrayShape(size, 0)
    if len(size) == 1:
        return Layout("flat", size)
    if shape.is_image:
        return Layout("image", size, shape.has_channels_last)
    if len(size) == 2:
        return Layout("series", size, has_channels_last=size[1] < size[0])
    return Layout("array", size)


def _deviation(values: "Tensor", over: tuple[int, ...]) -> "Tensor":
    present = values.isfinite()
    count = present.sum(over, keepdim=True).clamp_min(1)
    mean = values.where(present, 0).sum(over, keepdim=True) / count
    squares = (values - mean).where(present, 0).square()
    return (squares.sum(over, keepdim=True) / count).sqrt()
