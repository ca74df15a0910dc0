"""Numbers of one column in two units: a cluster that lies a known factor away from the rest."""

from dataclasses import dataclass

import numpy as np

from roadworthy.challenges.data_quality.splits import concatenated
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table
from roadworthy.statistics import fact
from roadworthy.subject import Column

FACTORS: dict[str, float] = {
    "inch to centimetre": 2.54,
    "foot to metre": 3.28084,
    "foot to centimetre": 30.48,
    "mile to kilometre": 1.609344,
    "pound to kilogram": 2.20462,
    "ounce to gram": 28.3495,
    "gallon to litre": 3.78541,
    "kilocalorie to kilojoule": 4.184,
    "glucose mmol/l to mg/dl": 18.0182,
    "cholesterol mmol/l to mg/dl": 38.67,
    "creatinine mg/dl to µmol/l": 88.42,
    "mmHg and kPa": 7.50062,
    "days and years": 365.25,
    "months and years": 12.0,
    "hours and days": 24.0,
    "minutes and hours, or seconds and minutes": 60.0,
    "seconds and hours": 3600.0,
    "a factor of ten (decimal point)": 10.0,
    "percent and share, or metre and centimetre": 100.0,
    "thousand (milli, kilo)": 1000.0,
    "million (micro, mega)": 1e6,
}
"""Known ratios of units (SI brochure, 9th edition, table 8; clinical ones by molar mass)."""

FAHRENHEIT = "Fahrenheit and Celsius"

FEWEST_DIFFERENT = 10
FEWEST_ROWS = 5
LARGEST_SHARE = 0.4  # of the column: the smaller cluster is the odd one
CLEAREST_GAPS = 4
STANDARD_ERRORS = 4.4  # that the means may lie apart: other units often come from other places


@dataclass(frozen=True)
class Cluster:
    """Rows of one column that lie a known factor from the others."""

    unit: str
    rows: np.ndarray
    median: float
    median_of_others: float

    def converted(self, values: np.ndarray) -> np.ndarray:
        """Return values of these rows in the unit of the others."""
        is_smaller = self.median < self.median_of_others
        if self.unit == FAHRENHEIT:
            return values * 1.8 + 32 if is_smaller else (values - 32) / 1.8
        factor = FACTORS[self.unit]
        return values * factor if is_smaller else values / factor


@check(
    challenge="data_quality",
    requires=AtMost(0.01, "house default: one value in a hundred, in the worst column"),
    least=400,
)
def mixed_units(
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    columns: tuple[Column, ...],
    validation_inputs: np.ndarray | None = None,
) -> Measurement:
    """Share of the worst column's values that seem to be given in another unit than the rest.

    The positive values of a column are split at its widest gaps on the logarithmic scale. The smaller
    part (five values to 40 %) counts where a known factor (inch to centimetre, pound to kilogram, hours to
    minutes, thousand, ...) or Fahrenheit to Celsius lays it onto the rest, in mean and in spread.
    Units whose ranges overlap (kilogram and pound of adults) are not seen. A fact, without an interval.

    Unit: share of values. Qualified at: n = 1,000.
    Next: convert the listed rows to one unit, and record the unit with the value.
    """
    inputs = concatenated(train_inputs, validation_inputs, test_inputs)
    numeric = [(j, c.name) for j, c in enumerate(columns) if c.kind == "numeric"]
    if not numeric:
        raise NotApplicable("no column holds numbers, so none can mix units")
    found = [
        (name, cluster) for j, name in numeric if (cluster := odd_cluster(inputs[:, j])) is not None
    ]
    found.sort(key=lambda pair: -len(pair[1].rows))
    table = tuple(
        (name, c.unit, len(c.rows), c.median, c.median_of_others, ", ".join(map(str, c.rows[:10])))
        for name, c in found
    )
    header = ("column", "likely mix", "values", "their median", "median of the rest", "first rows")
    listed = "; ".join(f"{row[0]}: {row[2]} values ({row[1]})" for row in table[:5])
    return fact(
        len(found[0][1].rows) / len(inputs) if found else 0.0,
        len(inputs),
        unit="share of values",
        details=f"Values that seem to be in another unit: {listed}."
        if found
        else f"None of {len(numeric)} columns of numbers falls into parts a known factor apart.",
        evidence=(Table("Columns in two units", header, table),) if found else (),
    )


def odd_cluster(values: np.ndarray) -> Cluster | None:
    """Return the rows that a known factor lays onto the rest, None where there are none.

    >>> heights = np.array([*np.linspace(150, 200, 60), *np.linspace(60, 78, 9)])
    >>> odd_cluster(heights).unit
    'inch to centimetre'
    """
    rows = np.flatnonzero(np.isfinite(values) & (values > 0))
    if len(rows) < 2 * FEWEST_DIFFERENT:
        return None
    rows = rows[np.argsort(values[rows], kind="stable")]
    ordered = np.log(values[rows])
    gaps = np.diff(ordered)
    for cut in np.argsort(-gaps)[:CLEAREST_GAPS] + 1:
        lower_is_odd = cut <= len(rows) - cut
        odd = slice(None, cut) if lower_is_odd else slice(cut, None)
        rest = slice(cut, None) if lower_is_odd else slice(None, cut)
        size = min(cut, len(rows) - cut)
        if not FEWEST_ROWS <= size <= LARGEST_SHARE * len(rows):
            continue
        unit = _unit_between(ordered[odd], ordered[rest], float(gaps[cut - 1]))
        if unit is not None:
            x = values[rows]
            return Cluster(
                unit, np.sort(rows[odd]), float(np.median(x[odd])), float(np.median(x[rest]))
            )
    return None


def _unit_between(odd: np.ndarray, rest: np.ndarray, gap: float) -> str | None:
    if len(np.unique(rest)) < FEWEST_DIFFERENT:
        return None
    inner = rest[(rest >= np.quantile(rest, 0.01)) & (rest <= np.quantile(rest, 0.99))]
    if gap < 2 * np.diff(inner).max(initial=0.0):
        return None
    apart = float(abs(np.median(odd) - np.median(rest)))
    fits: dict[str, float] = {}
    for unit, factor in FACTORS.items():
        shift = np.log(factor) if np.median(odd) < np.median(rest) else -np.log(factor)
        if gap >= 0.25 * abs(shift) and _alike(odd + shift, rest):
            fits[unit] = abs(apart - abs(shift))
    converted = _other_temperature(odd, rest)
    if converted is not None and _alike(converted, np.exp(rest)):
        fits[FAHRENHEIT] = 0.0
    return min(fits, key=lambda unit: fits[unit]) if fits else None


def _alike(odd: np.ndarray, rest: np.ndarray) -> bool:
    """Whether the converted values look like a sample of the rest: range, place and spread.

    Means rather than medians: of five rows the median lies a standard deviation away in 5 % of draws, the mean in
    2.5 %. They leave out what is beyond the range of the rest, which one stray value would move.
    """
    spread = rest.std()
    if spread == 0:
        return False
    low, high = np.quantile(rest, [0.005, 0.995])
    inside = (odd >= low) & (odd <= high)
    if inside.mean() < 0.8:
        return False
    apart = abs(odd[inside].mean() - rest[(rest >= low) & (rest <= high)].mean())
    near = apart <= min(STANDARD_ERRORS * spread / np.sqrt(len(odd)), spread)
    return bool(near and odd.std() >= _least_spread(len(odd)) * spread)


def _least_spread(n: int) -> float:
    """Return what share of the spread a sample keeps: a quarter, or what one of so few rows in a thousand falls below."""
    from scipy.stats import chi2

    return min(0.25, float(np.sqrt(chi2.ppf(0.001, n - 1) / n)))


def _other_temperature(odd: np.ndarray, rest: np.ndarray) -> np.ndarray | None:
    x, others = np.exp(odd), np.exp(rest)
    if np.median(x) > np.median(others):
        return (x - 32) / 1.8 if 85 < np.median(x) < 110 and np.median(others) < 45 else None
    return x * 1.8 + 32 if 85 < np.median(others) < 110 and np.median(x) < 45 else None
