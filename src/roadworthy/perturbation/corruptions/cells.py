"""Defects of single cells, and of columns. Inputs are (n, d) float64, NaN where a value is missing.

An amount is a share of cells, or a size in spreads of the column.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roadworthy.perturbation.noise import RowNoise

Facts = Mapping[str, np.ndarray]
OUTLYING = 10.0  # spreads from the median


@dataclass(frozen=True, eq=False)
class Cells:
    """A table and what is known of its columns, see `tables.table_facts`."""

    inputs: np.ndarray
    facts: Facts

    def hit(self, share: float, noise: RowNoise, draw: str) -> np.ndarray:
        """Return the cells that a defect of this share hits: (n, d) bool."""
        return noise.uniform((self.inputs.shape[1],), draw) < share

    def numbers(self, changed: np.ndarray, where: np.ndarray | bool = True) -> np.ndarray:
        """Return the inputs with numeric cells changed there."""
        return np.where(self.facts["numeric"] & where, changed, self.inputs)


def gaussian_noise(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Add normal noise of this many spreads to every number."""
    drawn = noise.normal(table.inputs.shape[1:], "gaussian noise")
    return table.numbers(table.inputs + amount * table.facts["spread"] * drawn)


def offset(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Shift every number of a row by this many spreads, all the same way, as a sensor out of tune."""
    sign = np.where(noise.uniform((1,), "offset") < 0.5, -1.0, 1.0)
    return table.numbers(table.inputs + amount * sign * table.facts["spread"])


def rounded(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Round every number to steps whose rounding error is this many spreads (a step is sqrt(12) of them)."""
    del noise
    step = np.sqrt(12.0) * amount * table.facts["spread"]
    return table.numbers(np.round(table.inputs / step) * step)


def outliers(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Put numbers ten spreads above or below the median."""
    sign = np.where(noise.uniform(table.inputs.shape[1:], "outlier sign") < 0.5, -1.0, 1.0)
    far = table.facts["usual"] + OUTLYING * sign * table.facts["spread"]
    return table.numbers(far, table.hit(amount, noise, "outliers"))


def saturated(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Cut this share of numbers off at the ends of what a sensor can show, half of it at either end."""
    del noise
    place = np.linspace(0.0, 1.0, len(table.facts["quantiles"]))
    low, high = (
        np.array([np.interp(p, place, column) for column in table.facts["quantiles"].T])
        for p in (amount / 2, 1 - amount / 2)
    )
    return table.numbers(np.clip(table.inputs, low, high))


def tenfold(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Write numbers in a unit that is ten times smaller (mm for cm)."""
    return table.numbers(table.inputs * 10.0, table.hit(amount, noise, "unit"))


def thousandfold(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Write numbers in a unit that is a thousand times smaller (g for kg)."""
    return table.numbers(table.inputs * 1000.0, table.hit(amount, noise, "unit"))


def sign_flipped(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Turn the sign of numbers."""
    return table.numbers(-table.inputs, table.hit(amount, noise, "sign"))


def swapped_columns(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Let pairs of neighbouring numeric columns change places in rows that are hit."""
    found = table.inputs.copy()
    numeric = np.flatnonzero(table.facts["numeric"])
    hit = table.hit(amount, noise, "swap")
    for one, other in zip(numeric[0::2], numeric[1::2], strict=False):
        rows = hit[:, one]
        found[rows, one], found[rows, other] = table.inputs[rows, other], table.inputs[rows, one]
    return found


def category_swapped(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Give cells another category of their column, each as likely."""
    sizes = table.facts["sizes"]
    drawn = noise.uniform(table.inputs.shape[1:], "category")
    step = 1 + np.floor(drawn * (sizes - 1))
    other = (table.inputs + step) % np.maximum(sizes, 1)
    hit = table.hit(amount, noise, "category swap") & (sizes > 1)
    return np.where(hit & ~table.facts["numeric"] & ~np.isnan(table.inputs), other, table.inputs)


def unseen_category(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Give cells a category that the column does not have: the code after its last."""
    hit = table.hit(amount, noise, "unseen category") & ~table.facts["numeric"]
    return np.where(hit, table.facts["sizes"], table.inputs)


def missing(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Lose cells whatever they hold."""
    return np.where(table.hit(amount, noise, "missing"), np.nan, table.inputs)


def missing_by_another(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Lose cells, twice as often where the column to the left lies above its median, else never."""
    beside = np.roll(table.inputs, 1, axis=1) > np.roll(table.facts["usual"], 1)
    return np.where(beside & table.hit(2 * amount, noise, "missing"), np.nan, table.inputs)


def stale(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Give cells the value of another row, as a join that has slipped does."""
    pool = table.facts["pool"]
    row = noise.integers(len(pool), table.inputs.shape[1:], "stale row")
    found = pool[row, np.arange(pool.shape[1])]
    return np.where(table.hit(amount, noise, "stale"), found, table.inputs)


def stuck(table: Cells, amount: float, noise: RowNoise) -> np.ndarray:
    """Give cells the median of their column, or its most frequent category."""
    return np.where(table.hit(amount, noise, "stuck"), table.facts["usual"], table.inputs)
