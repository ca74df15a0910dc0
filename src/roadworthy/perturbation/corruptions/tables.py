"""The suite of corruptions of tables: what sensors, forms and pipelines do to cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.corruptions import cells
from roadworthy.perturbation.corruptions.cells import Cells, Facts
from roadworthy.perturbation.corruptions.severity import SEVERITIES, noise_to_signal
from roadworthy.perturbation.noise import RowNoise

SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Of the cells that a defect of single cells hits, at each severity."""
POOL = 512  # rows whose values a stale cell may take
QUANTILES = np.linspace(0.0, 1.0, 101)

Change = Callable[[Cells, float, RowNoise], np.ndarray]


class Column(Protocol):
    """What must be known of a column; a subject's columns are such."""

    @property
    def kind(self) -> Literal["numeric", "category"]:
        """Numbers, or codes into the categories."""
        ...

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the codes 0, 1, ..."""
        ...


@dataclass(frozen=True)
class TableCorruption:
    """One kind.

    Parameters
    ----------
    name : str
    change : callable
        Cells, an amount above 0 and noise to the changed (n, d) inputs.
    by : {"share", "noise"}
        Whether the amount of a severity is a share of cells or a size in spreads of the column, set by
        the same decibels as for arrays.
    needs : {"any", "numeric", "two numeric", "category"}
        Columns that it makes no sense without.
    """

    name: str
    change: Change
    by: Literal["share", "noise"] = "share"
    needs: Literal["any", "numeric", "two numeric", "category"] = "numeric"

    def amounts(self) -> tuple[float, ...]:
        """Return the amount at each severity."""
        if self.by == "share":
            return SHARES
        return tuple(noise_to_signal(severity) ** 0.5 for severity in SEVERITIES)


TABLE_SUITE: tuple[TableCorruption, ...] = (
    TableCorruption("gaussian noise", cells.gaussian_noise, by="noise"),
    TableCorruption("offset", cells.offset, by="noise"),
    TableCorruption("rounding", cells.rounded, by="noise"),
    TableCorruption("outliers", cells.outliers),
    TableCorruption("saturation", cells.saturated),
    TableCorruption("unit error x 10", cells.tenfold),
    TableCorruption("unit error x 1000", cells.thousandfold),
    TableCorruption("sign flip", cells.sign_flipped),
    TableCorruption("swapped columns", cells.swapped_columns, needs="two numeric"),
    TableCorruption("category swap", cells.category_swapped, needs="category"),
    TableCorruption("unseen category", cells.unseen_category, needs="category"),
    TableCorruption("missing at random", cells.missing, needs="any"),
    TableCorruption("missing by another column", cells.missing_by_another, needs="any"),
    TableCorruption("stale values", cells.stale, needs="any"),
    TableCorruption("stuck sensor", cells.stuck, needs="any"),
)


def table_kinds_for(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return the names of the kinds that make sense for these columns."""
    numeric = sum(column.kind == "numeric" for column in columns)
    has = {
        "any": bool(columns),
        "numeric": numeric > 0,
        "two numeric": numeric > 1,
        "category": numeric < len(columns),
    }
    return tuple(kind.name for kind in TABLE_SUITE if has[kind.needs])


def table_facts(inputs: np.ndarray, columns: tuple[Column, ...]) -> Facts:
    """Return what corruptions must know of a table, from the rows of one split: arrays by name.

    `numeric` (d,) bool; `sizes` (d,) number of categories; `spread` (d,) interquartile range / 1.349, the
    standard deviation where that is 0; `usual` (d,) median or most frequent code; `quantiles` (101, d);
    `pool` (m, d), some of the rows.

    Raises
    ------
    NotApplicable
        Without rows.
    """
    if len(inputs) == 0:
        raise NotApplicable("there are no rows to take the spread of columns from")
    numeric = np.array([column.kind == "numeric" for column in columns])
    usual, spread = np.zeros(len(columns)), np.ones(len(columns))
    quantiles = np.zeros((len(QUANTILES), len(columns)))
    for j, column in enumerate(np.asarray(inputs, np.float64).T):
        present = column[np.isfinite(column)]
        if len(present) == 0:
            continue
        if not numeric[j]:
            codes, counts = np.unique(present, return_counts=True)
            usual[j] = codes[counts.argmax()]
            continue
        quantiles[:, j] = np.quantile(present, QUANTILES)
        usual[j] = quantiles[50, j]
        found = (quantiles[75, j] - quantiles[25, j]) / 1.349 or present.std()
        # A constant column of large values has a spread of rounding errors.
        spread[j] = found if found > 1e-9 * np.abs(present).max() else 1.0
    rows = np.linspace(0, len(inputs) - 1, min(POOL, len(inputs))).astype(np.int64)
    return {
        "numeric": numeric,
        "sizes": np.array([len(column.categories) for column in columns], np.int64),
        "spread": spread,
        "usual": usual,
        "quantiles": quantiles,
        "pool": np.asarray(inputs[rows], np.float64),
    }


def corrupted_table(
    inputs: np.ndarray,
    kind: str,
    severity: float,
    noise: RowNoise,
    *,
    facts: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Return a table with one kind of corruption: (n, d) float64.

    Cells that are hit at a severity are hit at every higher one, too.

    Parameters
    ----------
    inputs : (n, d) ndarray
    kind : str
    severity : float
        0 (nothing) to 5; parts of a severity are allowed.
    noise : RowNoise
        Of these rows.
    facts : mapping of str to ndarray
        As `table_facts` gives.
    """
    chosen = next(k for k in TABLE_SUITE if k.name == kind)
    amount = float(np.interp(severity, (0, *SEVERITIES), (0.0, *chosen.amounts())))
    if amount == 0.0 or len(inputs) == 0:
        return inputs
    return chosen.change(Cells(np.asarray(inputs, np.float64), facts), amount, noise)
