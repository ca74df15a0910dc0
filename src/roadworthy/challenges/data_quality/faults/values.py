"""Values written otherwise: other spellings, codes for missing, other units, numbers as text."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.codes import codes_in
from roadworthy.challenges.data_quality.faults.rows import (
    Pool,
    chosen,
    count_of,
    inputs_of,
    numeric_columns,
    pooled_inputs,
    with_cells,
    with_column,
)
from roadworthy.challenges.data_quality.spellings import (
    counts_of,
    number_in,
    usual_spellings,
)
from roadworthy.challenges.data_quality.units import odd_cluster
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column, Subject

FACTORS = (2.54, 60.0, 1000.0, 1e6)


@control(clears="category_aliases")
def one_spelling_per_category(subject: Subject, rng: np.random.Generator) -> Subject:
    """Write every category as it is written most often."""
    inputs = pooled_inputs(subject)
    for j in _category_columns(subject):
        column = subject.columns[j]
        usual = usual_spellings(column.categories, counts_of(inputs[:, j], len(column.categories)))
        for code, to in usual.items():
            rows = np.flatnonzero(inputs[:, j] == code)
            if to != code:
                subject = with_cells(subject, j, rows, np.full(len(rows), float(to)))
    return subject


@fault(
    breaks="category_aliases",
    severities=(0.0005, 0.001, 0.002, 0.01, 0.05),
    starts_from="one_spelling_per_category",
)
def category_spelled_otherwise(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Write a column's most frequent category in another case and with a space, in a share of all rows."""
    inputs = pooled_inputs(subject)
    count = count_of(severity, len(inputs))
    if count == 0:
        return subject
    j = _category_columns(subject)[0]
    column = subject.columns[j]
    counts = counts_of(inputs[:, j], len(column.categories))
    code = int(counts.argmax())
    if 2 * count > counts[code]:
        raise NotApplicable(f"{count} rows are to be changed; the category has {counts[code]}")
    name = column.categories[code]
    other = f" {name.upper() if name.upper() != name else name.lower()}"
    rows = chosen(np.flatnonzero(inputs[:, j] == code), count, rng)
    planted = with_cells(subject, j, rows, np.full(count, float(len(column.categories))))
    planted = with_column(planted, j, replace(column, categories=(*column.categories, other)))
    return planted.with_given(planted={"columns": [column.name]})


@control(clears="impossible_codes")
def codes_read_as_missing(subject: Subject, rng: np.random.Generator) -> Subject:
    """Read every code for missing that stands apart in a column of numbers as missing."""
    if not subject.columns:
        return subject
    inputs = pooled_inputs(subject)
    for j in numeric_columns(subject):
        for code in codes_in(inputs[:, j]):
            rows = np.flatnonzero(inputs[:, j] == code.value)
            subject = with_cells(subject, j, rows, np.full(len(rows), np.nan))
    return subject


@fault(
    breaks="impossible_codes",
    severities=(0.0005, 0.001, 0.002, 0.01, 0.05),
    starts_from="codes_read_as_missing",
)
def missing_written_as_a_code(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Write -99, -999 or longer in a share of the values: of one column, or of the whole array."""
    if not subject.columns:
        return _code_in_array(subject, severity, rng)
    inputs = pooled_inputs(subject)
    varied = [j for j in numeric_columns(subject) if _distinct(inputs[:, j]) > 11]
    if not varied:
        raise NotApplicable("no column of numbers has more than 11 different values")
    j = int(rng.choice(varied))
    rows = chosen(np.arange(len(inputs)), count_of(severity, len(inputs)), rng)
    code = _far_below(inputs[:, j])
    planted = with_cells(subject, j, rows, np.full(len(rows), code))
    return planted.with_given(planted={"columns": [subject.columns[j].name]})


@control(clears="mixed_units")
def one_unit_per_column(subject: Subject, rng: np.random.Generator) -> Subject:
    """Read values that seem to be in another unit as missing."""
    inputs = pooled_inputs(subject)
    for j in numeric_columns(subject):
        values = inputs[:, j].copy()
        while (cluster := odd_cluster(values)) is not None:
            values[cluster.rows] = np.nan
            gone = np.full(len(cluster.rows), np.nan)
            subject = with_cells(subject, j, cluster.rows, gone)
    return subject


@fault(
    breaks="mixed_units",
    severities=(0.005, 0.01, 0.02, 0.05, 0.2),
    starts_from="one_unit_per_column",
)
def values_in_another_unit(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Multiply a share of a column's values by 2.54, 60, 1,000 or a million.

    The smallest factor that is twice as wide as the column's range on the logarithmic scale: units whose
    ranges overlap are not what the check looks for.
    """
    inputs = pooled_inputs(subject)
    choices: list[tuple[int, float]] = []
    for j in numeric_columns(subject):
        values = inputs[:, j]
        positive = values[np.isfinite(values) & (values > 0)]
        if len(positive) < 0.99 * len(values) or _distinct(positive) < 12:
            continue
        low, high = np.log(positive.min()), np.log(positive.max())
        wide = [f for f in FACTORS if np.log(f) > 2 * (high - low)]
        if wide:
            choices.append((j, wide[0]))
    if not choices:
        raise NotApplicable("no column of positive numbers has a range that another unit leaves")
    j, factor = choices[int(rng.integers(len(choices)))]
    rows = np.flatnonzero(np.isfinite(inputs[:, j]) & (inputs[:, j] > 0))
    rows = chosen(rows, count_of(severity, len(inputs)), rng)
    planted = with_cells(subject, j, rows, inputs[rows, j] * factor)
    return planted.with_given(planted={"columns": [subject.columns[j].name]})


@control(clears="numbers_as_text")
def numbers_read_as_numbers(subject: Subject, rng: np.random.Generator) -> Subject:
    """Make every column of text that spells numbers a column of numbers, the rest of it missing."""
    if not subject.columns:
        raise NotApplicable("the inputs are no table")
    for j, column in enumerate(subject.columns):
        values = [number_in(name) for name in column.categories]
        if column.kind == "category" and sum(v is not None for v in values) >= 3:
            table = np.array([np.nan if v is None else v for v in values])
            subject = _recoded(subject, j, table, Column(column.name, "numeric"))
    return subject


@fault(
    breaks="numbers_as_text",
    severities=(0.01, 0.1, 0.2, 0.5),
    starts_from="numbers_read_as_numbers",
)
def numbers_kept_as_text(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Turn a share of the columns into text that spells their numbers."""
    inputs = pooled_inputs(subject)
    count = count_of(severity, len(subject.columns))
    varied = [j for j in numeric_columns(subject) if _distinct(inputs[:, j]) >= 3]
    for j in chosen(np.array(varied, np.int64), count, rng):
        values = np.unique(inputs[np.isfinite(inputs[:, j]), j])
        names = tuple(f"{value:g}" for value in values)
        if len(set(names)) < len(names):
            names = tuple(repr(float(value)) for value in values)
        column = Column(subject.columns[j].name, "category", names)
        for name in Pool.of(subject).sizes:
            old = inputs_of(subject, name)
            new = old.copy()
            codes = np.searchsorted(values, old[:, j]).astype(np.float64)
            new[:, j] = np.where(np.isfinite(old[:, j]), codes, np.nan)
            subject = subject.with_inputs(name, new)
        subject = with_column(subject, int(j), column)
    return subject


def _category_columns(subject: Subject) -> list[int]:
    found = [j for j, column in enumerate(subject.columns) if column.kind == "category"]
    if not found:
        raise NotApplicable("no column holds categories")
    return found


def _code_in_array(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    sizes = Pool.of(subject)
    inputs = pooled_inputs(subject)
    if inputs.dtype.kind != "f":
        raise NotApplicable(f"values of type {inputs.dtype} cannot hold a negative code")
    per_row = int(np.prod(inputs.shape[1:]))
    code = _far_below(inputs.reshape(-1))
    cells = chosen(np.arange(inputs.size), count_of(severity, inputs.size), rng)
    start = 0
    for name, size in sizes.sizes.items():
        here = cells[(cells >= start * per_row) & (cells < (start + size) * per_row)]
        new = inputs_of(subject, name).copy()
        new.reshape(-1)[here - start * per_row] = code
        subject = subject.with_inputs(name, new)
        start += size
    return subject


def _far_below(values: np.ndarray) -> float:
    """Return the shortest code of nines that is ten times as far from zero as any value."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    for digits in range(2, 7):
        if (code := float("9" * digits)) > 10 * largest:
            return -code
    return -1e20


def _distinct(values: np.ndarray) -> int:
    return len(np.unique(values[np.isfinite(values)]))


def _recoded(subject: Subject, j: int, table: np.ndarray, column: Column) -> Subject:
    for name in Pool.of(subject).sizes:
        old = inputs_of(subject, name)
        new = old.copy()
        known = np.isfinite(old[:, j])
        new[known, j] = table[old[known, j].astype(np.int64)]
        subject = subject.with_inputs(name, new)
    return with_column(subject, j, column)
