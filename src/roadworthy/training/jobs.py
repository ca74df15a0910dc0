"""One training to be done, as a value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject import Column, Network, Recipe
from roadworthy.training.sources import SomeRows, is_streamed

Judged = Callable[[list[float | None]], None]


class Diverged(UserError):
    """The loss of a training is no longer finite: by this recipe there is no model."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with what should come out: int64 class codes, or float64 numbers for regression.

    Inputs that do not fit in memory may be memory-mapped, or a `sources.ParquetRows`: they are read
    batch by batch. `row_weights` (n,) is what each row counts in the loss, mean 1; None: all alike.
    `row_groups` (n, attributes) int64 are the groups of each row, -1 where not known.
    """

    inputs: np.ndarray
    target: np.ndarray
    row_weights: np.ndarray | None = None
    row_groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Examples":
        """Return these rows (positions), in this order."""
        weights = None if self.row_weights is None else self.row_weights[rows]
        groups = None if self.row_groups is None else self.row_groups[rows]
        # What stands for an array is not one, but is asked for rows in the same way.
        some = SomeRows(self.inputs, rows) if is_streamed(self.inputs) else self.inputs[rows]
        return Examples(cast(np.ndarray, some), self.target[rows], weights, groups)


@dataclass(frozen=True, eq=False)
class Job:
    """One training.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    training : Examples
        Shared by the jobs of a family: the same object where the rows are the same.
    rows : (m,) int64 ndarray or None
        Positions in `training` to train on; None: all.
    validation : Examples or None
    unlabelled : (u, ...) ndarray or None
        Inputs without a target, for pretraining and pseudo-labels.
    device : str
    unfinished : Path or None
        Where the state of this training may be laid down while it runs.
    columns : tuple of Column
        Of a table's inputs; empty otherwise.
    judged : callable, optional
        Called at the end with the loss that each epoch was judged by. Not where it is trained together with others.
    """

    network: Network
    recipe: Recipe
    training: Examples
    rows: np.ndarray | None = None
    validation: Examples | None = None
    unlabelled: np.ndarray | None = None
    device: str = "cpu"
    unfinished: Path | None = None
    columns: tuple[Column, ...] = ()
    judged: Judged | None = None

    @property
    def examples(self) -> Examples:
        """The rows to train on."""
        return self.training if self.rows is None else self.training.take(self.rows)
