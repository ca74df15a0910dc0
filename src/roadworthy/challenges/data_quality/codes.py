"""Values that stand for "missing" or "not known" but are read as numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from roadworthy.challenges.data_quality.splits import concatenated
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Cell, Measurement, Table
from roadworthy.statistics import fact
from roadworthy.subject import Column

NINES = tuple(float(f"{digit}" * length) for digit in (9, 8, 7) for length in (2, 3, 4, 5, 6))
EARLY_DATES = (-2208988800.0, -2208902400.0, -2209161600.0)
"""1900-01-01, the day after and the spreadsheet's day 0 (1899-12-30), in seconds since 1970."""
CODES = (0.0, -1.0, -9.0, *NINES, *(-c for c in NINES), *EARLY_DATES, 1e20, -1e20)

FEWEST_DIFFERENT = 10  # values beside the code; below that a column is itself a list of codes
GAP = 4.0  # typical steps between neighbouring values
STEPS = 10
WIDEST_RATIO = 30.0  # 95th to 5th percentile; beyond it an amount, of which none is a genuine zero
LEAST_GAP_OF_ZERO = 0.1  # of the median; a tail that runs out near zero may reach it
MOST_ZEROS = (
    0.5  # of the values; where most rows have none, none is an amount (capital gains, claims)
)
LARGEST_SAMPLE = 1_000_000


@dataclass(frozen=True)
class Code:
    """A value set apart from all others of its column."""

    value: float
    rows: int
    nearest: float
    step: float


@artifact()
def value_codes(
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    columns: tuple[Column, ...] | None = None,
    validation_inputs: np.ndarray | None = None,
) -> np.ndarray:
    """Codes among the numbers of each column: (k, 5) float64, column, value, rows, nearest, step.

    An array (images, series) is one column.
    """
    inputs = concatenated(train_inputs, validation_inputs, test_inputs)
    rows = [
        (j, code.value, code.rows, code.nearest, code.step)
        for j, values in _numeric_columns(inputs, columns)
        for code in codes_in(values)
    ]
    return np.array(rows, np.float64).reshape(-1, 5)


@check(
    challenge="data_quality",
    requires=AtMost(0.001, "house default: one value in a thousand, in the worst column"),
)
def impossible_codes(
    value_codes: np.ndarray,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    columns: tuple[Column, ...] | None = None,
    validation_inputs: np.ndarray | None = None,
) -> Measurement:
    """Share of the worst column's values that are a code for "missing", read as a number.

    Zeros, -1, -99, 999, 9999, 1900-01-01 and the like count where they are the least or the greatest value of
    their column and stand apart: the gap to the nearest other value is four typical steps between
    neighbouring values or more (median of the ten steps next to it), or they are the only negative
    values. Zero counts only in columns that do not span orders of magnitude (95th to 5th percentile below
    30) and where at most half of the values are zero, because amounts of money or rain have genuine zeros, and where the gap
    is a tenth of the median.
    A fact, without an interval.

    Unit: share of values. Qualified at: n = 500.
    Next: read the listed values as missing, then impute or mark them.
    """
    sizes = [len(train_inputs), len(test_inputs)]
    sizes += [] if validation_inputs is None else [len(validation_inputs)]
    per_row = 1 if columns is not None else int(np.prod(train_inputs.shape[1:]))
    n = sum(sizes) * per_row
    if columns is not None and not any(column.kind == "numeric" for column in columns):
        raise NotApplicable("no column holds numbers, so none can hold a code read as one")
    names = [c.name for c in columns] if columns is not None else ["all values"]
    by_column = np.zeros(len(names))
    np.add.at(by_column, value_codes[:, 0].astype(np.int64), value_codes[:, 2])
    found = value_codes[np.argsort(-value_codes[:, 2], kind="stable")]
    table: list[tuple[Cell, ...]] = [
        (names[int(j)], float(f"{value:g}"), int(rows), rows / n, float(nearest))
        for j, value, rows, nearest, _ in found
    ]
    listed = "; ".join(f"{row[0]}: {row[1]:g} in {row[2]} rows" for row in table[:8])
    header = ("column", "value", "rows", "share of rows", "nearest other value")
    return fact(
        by_column.max() / n,
        n,
        unit="share of values",
        details=f"Values that stand apart like a code for missing: {listed}."
        if table
        else "No value stands apart from the others like a code for missing.",
        evidence=(Table("Codes read as numbers", header, tuple(table)),) if table else (),
    )


def codes_in(values: np.ndarray) -> list[Code]:
    """Return the codes among the finite values of one column, found one after the other.

    >>> codes_in(np.array([0.0, 0.0, *range(44, 80)]))
    [Code(value=0.0, rows=2, nearest=44.0, step=1.0)]
    >>> codes_in(np.array([0.0, 0.0, *range(1, 40)]))  # counts begin at zero
    []
    """
    distinct, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    found: list[Code] = []
    while (code := _code_at_an_end(distinct, counts)) is not None:
        found.append(code)
        keep = distinct != code.value
        distinct, counts = distinct[keep], counts[keep]
    return found


def _code_at_an_end(distinct: np.ndarray, counts: np.ndarray) -> Code | None:
    if len(distinct) <= FEWEST_DIFFERENT:
        return None
    for end in (0, -1):
        value = float(distinct[end])
        if value not in CODES:
            continue
        rest = np.delete(distinct, end)
        rest_counts = np.delete(counts, end)
        near = rest[:STEPS] if end == 0 else rest[::-1][:STEPS]
        step = float(np.median(np.abs(np.diff(near))))
        gap = abs(float(near[0]) - value)
        only_negative = value < 0 <= float(near[0]) and end == 0 and counts[end] > 1
        apart = gap >= GAP * step and counts[end] >= 1
        is_usual = counts[end] > MOST_ZEROS * counts.sum()
        if value == 0 and (is_usual or not _zero_is_out_of_place(rest, rest_counts, gap)):
            continue
        if apart or only_negative:
            return Code(value, int(counts[end]), float(near[0]), step)
    return None


def _zero_is_out_of_place(rest: np.ndarray, counts: np.ndarray, gap: float) -> bool:
    cumulative = np.cumsum(counts) / counts.sum()
    low, middle, high = (
        abs(float(rest[np.searchsorted(cumulative, q)])) for q in (0.05, 0.5, 0.95)
    )
    spans_little = min(low, high) > 0 and max(low, high) / min(low, high) < WIDEST_RATIO
    return spans_little and gap >= LEAST_GAP_OF_ZERO * middle


def _numeric_columns(
    inputs: np.ndarray, columns: tuple[Column, ...] | None
) -> Iterator[tuple[int, np.ndarray]]:
    if columns is not None:
        for j, column in enumerate(columns):
            if column.kind == "numeric":
                yield j, inputs[:, j]
        return
    yield 0, _thinned(inputs.reshape(-1))


def _thinned(values: np.ndarray) -> np.ndarray:
    """Keep all extremes, and of the values between them as many as can be sorted quickly."""
    if len(values) <= LARGEST_SAMPLE:
        return values
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if len(finite) == 0:
        return finite
    low, high = finite.min(), finite.max()
    extreme = (finite == low) | (finite == high)
    between = finite[~extreme]
    step = max(1, len(between) // LARGEST_SAMPLE)
    return np.concatenate([finite[extreme], between[::step]])
