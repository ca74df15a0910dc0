"""Values spelled as text, and what they mean: missing, numbers, dates, categories, prose."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

MISSING_CODES = frozenset(
    ["", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "<NA>", "-", "--", "."]
)
# "none" and "None" are not among them: they are answers ("other debtors: none") as often as gaps.

NUMERIC_SHARE = 0.9  # of the rows that have a value: above it, the rest is a slip or a code
POINT = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[Ii]nf(inity)?)\s*")
COMMA = re.compile(r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?([eE][+-]?\d+)?\s*")
DATE_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d %H:%M:%S")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?")


@dataclass(frozen=True, eq=False)
class Spelled:
    """A column of text: `codes` (n,) into the distinct `values`, -1 where missing."""

    codes: np.ndarray
    values: tuple[str, ...]
    missing_codes: tuple[str, ...]

    @staticmethod
    def of(
        codes: np.ndarray,
        values: Sequence[str | None],
        *,
        keep_order: bool,
        also_missing: Collection[str] = (),
    ) -> "Spelled":
        """Return the values in sorted order (or as they are), without those that mean "missing".

        Sorted, so that a code does not depend on the order of the rows.
        """
        used = np.zeros(len(values) + 1, bool)
        used[codes] = True
        missing = MISSING_CODES.union(also_missing)
        is_gap = [value is None or value.strip() in missing for value in values]
        kept = [i for i, gap in enumerate(is_gap) if not gap and used[i]]
        if not keep_order:
            kept.sort(key=lambda i: str(values[i]))
        new = np.full(len(values) + 1, -1, np.int64)
        new[kept] = np.arange(len(kept))
        gaps = {
            value.strip()
            for value, gap, seen in zip(values, is_gap, used[:-1], strict=True)
            if value is not None and gap and seen
        }
        return Spelled(new[codes], tuple(str(values[i]) for i in kept), tuple(sorted(gaps)))

    def spread(self, of_values: np.ndarray) -> np.ndarray:
        """Return per row what is given per distinct value, NaN where missing."""
        return np.append(of_values, np.nan)[self.codes]

    @property
    def counts(self) -> np.ndarray:
        """Rows per distinct value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


@dataclass(frozen=True, eq=False)
class Numbers:
    """Text read as numbers: (n,) float64, and the spellings that are none."""

    values: np.ndarray
    others: tuple[str, ...]
    other_codes: tuple[int, ...]


def numbers(spelled: Spelled, decimal: str) -> Numbers | None:
    """Return the column as numbers where (nearly) all of it is; None where it is not."""
    if decimal == "." and (plain := _plain_numbers(spelled.values)) is not None:
        return Numbers(spelled.spread(plain), (), ())
    pattern = COMMA if decimal == "," else POINT
    is_number = np.array([pattern.fullmatch(value) is not None for value in spelled.values])
    counts = spelled.counts
    if counts[is_number].sum() < NUMERIC_SHARE * counts.sum():
        return None
    parsed = np.full(len(spelled.values), np.nan)
    for i in np.flatnonzero(is_number):
        text = spelled.values[i]
        if decimal == ",":
            text = text.replace(".", "").replace(",", ".")
        parsed[i] = float(text)
    others = [int(i) for i in np.flatnonzero(~is_number)]
    return Numbers(spelled.spread(parsed), tuple(spelled.values[i] for i in others), tuple(others))


def _plain_numbers(values: Sequence[str]) -> np.ndarray | None:
    """Return all values as numbers, fast, or None where one is none."""
    import pyarrow as pa

    try:
        texts = pa.array([value.strip() for value in values], pa.string())
        return np.asarray(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return None


@dataclass(frozen=True, eq=False)
class Dates:
    """Text read as dates: (n,) float64 seconds since 1970, and how it was read."""

    values: np.ndarray
    format: str
    ambiguous: bool

    def notes(self, name: str) -> tuple[str, ...]:
        """Say how the dates were read where another way was possible."""
        if not self.ambiguous:
            return ()
        return (f'dates in column "{name}" fit day/month and month/day; read as {self.format}',)


def dates(spelled: Spelled) -> Dates | None:
    """Return the column as seconds since 1970 where every value is a date; None otherwise."""
    stripped = [value.strip() for value in spelled.values]
    if all(ISO.fullmatch(value) for value in stripped):
        try:
            moments = np.array([value.rstrip("Z") for value in stripped], "datetime64[us]")
        except ValueError:
            return None
        return Dates(spelled.spread(moments.astype(np.int64) / 1e6), "ISO 8601", False)
    if not all(value[:1].isdigit() and len(value) >= 8 for value in stripped):
        return None
    fitting = [(form, _parsed(stripped, form)) for form in DATE_FORMATS]
    fitting = [(form, seconds) for form, seconds in fitting if seconds is not None]
    if not fitting:
        return None
    form, seconds = fitting[0]
    assert seconds is not None
    return Dates(spelled.spread(seconds), form, len(fitting) > 1)


def _parsed(values: list[str], form: str) -> np.ndarray | None:
    from datetime import UTC, datetime

    try:
        moments = [datetime.strptime(value, form).replace(tzinfo=UTC) for value in values]
    except ValueError:
        return None
    return np.array([moment.timestamp() for moment in moments])


def is_text(spelled: Spelled) -> bool:
    """Whether the values are prose: several words each, and mostly different from row to row."""
    distinct = len(spelled.values)
    if distinct < 10 or distinct < 0.3 * spelled.counts.sum():
        return False
    sample = spelled.values[:: max(1, distinct // 1000)]
    return float(np.mean([len(value.split()) for value in sample])) >= 4
