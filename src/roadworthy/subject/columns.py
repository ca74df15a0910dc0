"""Columns: those of a table that the model sees, and those beside it that describe its rows."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Column:
    """One column of a table's `inputs`, which is (n, d) float64 with NaN where a value is missing.

    Parameters
    ----------
    name : str
    kind : {"numeric", "category"}
        A category is stored as its code, the position in `categories`.
    categories : tuple of str
        Spelled exactly as in the source (aliases such as "Male" and "male " stay apart).
    missing_codes : tuple of str
        Spellings in the source that were read as missing ("?", "NA").
    """

    name: str
    kind: Literal["numeric", "category"]
    categories: tuple[str, ...] = ()
    missing_codes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Attribute:
    """One value per row that describes the row and is not necessarily seen by the model.

    Parameters
    ----------
    values : (n,) ndarray
        int64 codes into `names` (-1: missing) for a category; float64 (NaN: missing) otherwise.
    names : tuple of str
        Empty for a numeric attribute or a time (seconds since 1970 where it is a date).
    """

    values: np.ndarray
    names: tuple[str, ...] = ()

    def take(self, rows: np.ndarray) -> "Attribute":
        """Return the attribute of these rows."""
        return Attribute(self.values[rows], self.names)


@dataclass(frozen=True)
class Roles:
    """Names of the columns that play a part beside the inputs."""

    target: str | None = None
    sensitive: tuple[str, ...] = ()
    entity: str | None = None
    time: str | None = None
    id: str | None = None
    domain: str | None = None
    source: str | None = None
    weight: str | None = None
    consent: str | None = None
    dropped: tuple[str, ...] = field(default=())
