"""Groups: which group each row belongs to by one attribute, and by several at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True, eq=False)
class Grouping:
    """The groups that one attribute, or several crossed, divides rows into.

    Parameters
    ----------
    codes : (n,) int64 ndarray
        Positions in `names`; -1 where it is not known.
    names : tuple of str
        The same in every split, so a name may have no rows here.
    cut : str
        How groups were made of a number, in words ("quartiles of the training rows"); "" for categories.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    cut: str = ""

    @property
    def sizes(self) -> np.ndarray:
        """Rows of each name: (g,) int64; rows of unknown group are in none."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    @property
    def unknown(self) -> int:
        """How many rows have no known group."""
        return int((self.codes < 0).sum())

    def take(self, rows: np.ndarray) -> "Grouping":
        """Return the grouping of these rows (positions or a mask)."""
        return Grouping(self.codes[rows], self.names, self.cut)


def crossed(groupings: Mapping[str, Grouping], depth: int = 2) -> dict[str, Grouping]:
    """Return the groups that 2 to `depth` attributes make together, by the names of the attributes.

    A row is of unknown group where one of the attributes is not known. Names of combinations that no row
    has are kept: the last attribute varies fastest, as in `numpy.ravel_multi_index`.

    >>> sex = Grouping(np.array([0, 1, -1]), ("f", "m"))
    >>> old = Grouping(np.array([1, 0, 1]), ("young", "old"))
    >>> both = crossed({"sex": sex, "age": old})["sex × age"]
    >>> both.codes.tolist(), both.names
    ([1, 2, -1], ('f, young', 'f, old', 'm, young', 'm, old'))
    """
    found: dict[str, Grouping] = {}
    for size in range(2, depth + 1):
        for chosen in combinations(groupings, size):
            found[" × ".join(chosen)] = _together([groupings[name] for name in chosen])
    return found


def _together(parts: list[Grouping]) -> Grouping:
    codes, names = parts[0].codes, parts[0].names
    for part in parts[1:]:
        is_known = (codes >= 0) & (part.codes >= 0)
        codes = np.where(is_known, codes * len(part.names) + part.codes, -1)
        names = tuple(f"{one}, {other}" for one in names for other in part.names)
    return Grouping(codes, names)
