"""Categories written in several ways, and numbers kept as text."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roadworthy.challenges.data_quality.splits import concatenated
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table
from roadworthy.statistics import fact
from roadworthy.subject import Column

LONGEST_ABBREVIATION = 2
FEWEST_NUMBERS = 3  # different spellings; "0" and "1" are codes, not numbers kept as text
LEAST_SHARE_OF_NUMBERS = 0.8

SOUND_ALIKE = {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"}


@dataclass(frozen=True)
class Alias:
    """A spelling of a category beside its most frequent one."""

    column: str
    spelling: str
    usual: str
    rows: int


@check(
    challenge="data_quality",
    requires=AtMost(0.001, "house default: one row in a thousand"),
)
def category_aliases(
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    columns: tuple[Column, ...],
    validation_inputs: np.ndarray | None = None,
) -> Measurement:
    """Share of rows in which a category is written differently from how it usually is.

    Spellings of one column are the same category where they agree after Unicode normalisation (NFKC, accents
    off), case folding, and without space and punctuation; or where all abbreviations of one or two letters in
    the column each begin exactly one longer name ("M", "F" beside "Male", "Female"). A model sees them as
    different categories. All splits together; a fact, without an interval.

    Unit: share of rows. Qualified at: n = 500.
    Next: map the listed spellings to one name each before training, and in production.
    """
    inputs = concatenated(train_inputs, validation_inputs, test_inputs)
    affected = np.zeros(len(inputs), bool)
    found: list[Alias] = []
    categories = [(j, c) for j, c in enumerate(columns) if c.kind == "category"]
    if not categories:
        raise NotApplicable("no column holds categories, so none can be spelled in two ways")
    for j, column in categories:
        counts = counts_of(inputs[:, j], len(column.categories))
        usual = usual_spellings(column.categories, counts)
        unusual = [code for code, to in usual.items() if to != code]
        affected |= np.isin(inputs[:, j], unusual)
        found += [
            Alias(
                column.name,
                column.categories[code],
                column.categories[usual[code]],
                int(counts[code]),
            )
            for code in unusual
        ]
    found.sort(key=lambda alias: -alias.rows)
    return fact(
        affected.mean(),
        len(inputs),
        unit="share of rows",
        details=_aliases_in_words(found, int(affected.sum()), len(inputs)),
        evidence=_alias_table(found),
    )


@check(
    challenge="data_quality",
    requires=AtMost(0.01, "house default: no column in a table of up to a hundred"),
)
def numbers_as_text(
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    columns: tuple[Column, ...],
    validation_inputs: np.ndarray | None = None,
) -> Measurement:
    """Share of columns that hold numbers but are read as text, so that 9 and 10 are mere names.

    A column of categories counts where at least three spellings and 80 % of its values are numbers, with
    decimal commas, thousands separators, currency signs or units allowed; the rest are what kept it text.
    A fact, without an interval.

    Unit: share of columns. Qualified at: n = 10.
    Next: convert the listed columns to numbers, and mark the values that are none as missing.
    """
    inputs = concatenated(train_inputs, validation_inputs, test_inputs)
    rows: list[tuple[str, int, int, str]] = []
    for j, column in enumerate(columns):
        if column.kind != "category":
            continue
        counts = counts_of(inputs[:, j], len(column.categories))
        used = np.flatnonzero(counts)
        numeric = [code for code in used if number_in(column.categories[code]) is not None]
        share = counts[numeric].sum() / max(counts.sum(), 1)
        if len(numeric) >= FEWEST_NUMBERS and share >= LEAST_SHARE_OF_NUMBERS:
            others = [column.categories[code] for code in used if code not in set(numeric)]
            rows.append((column.name, len(numeric), len(others), ", ".join(others[:5])))
    names = ", ".join(row[0] for row in rows) or "none"
    header = ("column", "numbers", "other values", "for example")
    return fact(
        len(rows) / len(columns),
        len(columns),
        unit="share of columns",
        details=f"{len(rows)} of {len(columns)} columns hold numbers as text: {names}.",
        evidence=(Table("Columns of numbers kept as text", header, tuple(rows)),) if rows else (),
    )


def usual_spellings(spellings: Sequence[str], counts: np.ndarray) -> Mapping[int, int]:
    """Return, for each code in use, the code of the most frequent spelling of the same category.

    >>> usual_spellings(["Male", "male ", "F", "Female", "M"], np.array([5, 2, 1, 4, 1]))
    {0: 0, 1: 0, 2: 3, 3: 3, 4: 0}
    """
    used = [code for code in range(len(spellings)) if counts[code] > 0]
    names = {code: canonical(spellings[code]) for code in used}
    longer = _abbreviated(set(names.values()))
    sets: dict[str, list[int]] = {}
    for code, name in names.items():
        sets.setdefault(longer.get(name, name), []).append(code)
    usual: dict[int, int] = {}
    for codes in sets.values():
        most = max(codes, key=lambda code: (len(names[code]) > LONGEST_ABBREVIATION, counts[code]))
        usual |= dict.fromkeys(codes, most)
    return {code: usual[code] for code in used}


def canonical(spelling: str) -> str:
    """Return a spelling without case, accents, space and punctuation; itself where that leaves nothing.

    >>> canonical(" Café-Noir. "), canonical("<=50K"), canonical(">50K"), canonical("-1"), canonical("1.5")
    ('cafenoir', '<=50k', '>50k', '-1', '1.5')
    """
    text = unicodedata.normalize("NFKD", spelling).casefold().strip()
    text = "".join(SOUND_ALIKE.get(c, c) for c in text if not unicodedata.combining(c))
    if number_in(text) is not None or re.search(r"[<>=+]|\d\s*[-.,/]\s*\d", text):
        return re.sub(r"\s+", "", text)  # there punctuation has a meaning
    return "".join(c for c in text if c.isalnum()) or text


def number_in(text: str) -> float | None:
    """Return the number that a text spells, with its sign, separators, currency or unit; else None.

    >>> number_in("1,234.5"), number_in("12,5 kg"), number_in("$ 7"), number_in("1e-3"), number_in("10-19")
    (1234.5, 12.5, 7.0, 0.001, None)
    """
    match = re.fullmatch(
        r"\s*[$€£]?\s*([-+]?[\d][\d.,  ']*(?:[eE][-+]?\d+)?|[-+]?[.,]\d+)\s*(?:%|[$€£]|[A-Za-zµ°]{1,5})?\s*",
        text,
    )
    if match is None:
        return None
    digits = re.sub(r"[  ']", "", match.group(1))
    decimal = max(digits.rfind("."), digits.rfind(","))
    if decimal >= 0 and not re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", digits):
        whole = re.sub(r"[.,]", "", digits[:decimal])
        digits = f"{whole}.{digits[decimal + 1 :]}"
    try:
        return float(digits.replace(",", ""))
    except ValueError:
        return None


def counts_of(codes: np.ndarray, categories: int) -> np.ndarray:
    """Count the rows of each category: (categories,) int64; missing values are left out."""
    present = codes[np.isfinite(codes)].astype(np.int64)
    present = present[(present >= 0) & (present < categories)]
    return np.bincount(present, minlength=categories)


def _abbreviated(names: set[str]) -> Mapping[str, str]:
    """Return the longer name of each abbreviation, where every abbreviation has exactly one."""
    short = [n for n in names if n.isalpha() and len(n) <= LONGEST_ABBREVIATION]
    long = [n for n in names if len(n) > LONGEST_ABBREVIATION]
    meant = {s: [n for n in long if n.startswith(s)] for s in short}
    if len(long) < 2 or not all(len(found) == 1 for found in meant.values()):
        return {}
    if len({found[0] for found in meant.values()}) < len(short):
        return {}
    return {s: found[0] for s, found in meant.items()}


def _aliases_in_words(found: Sequence[Alias], rows: int, n: int) -> str:
    if not found:
        return f"None of {n} rows spells a category in an unusual way."
    first = found[0]
    return (
        f"{rows} of {n} rows spell a category in an unusual way, in "
        f"{len({alias.column for alias in found})} column(s); most often {first.column}: "
        f"{first.spelling!r} for {first.usual!r}, {first.rows} times."
    )


def _alias_table(found: Sequence[Alias]) -> tuple[Table, ...]:
    if not found:
        return ()
    rows = tuple((a.column, repr(a.spelling), repr(a.usual), a.rows) for a in found[:50])
    return (Table("Spellings of one category", ("column", "spelling", "usual", "rows"), rows),)
