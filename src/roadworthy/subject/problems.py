"""All that is wrong with one input, told at once."""

from collections.abc import Iterable
from difflib import get_close_matches

from roadworthy.errors import UserError


class Problems:
    """Collects what is wrong with one input, so that it can be mended in one go.

    Parameters
    ----------
    where : str
        The file, table or argument that the problems are in; opens the message.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._found: list[str] = []

    def add(self, problem: str) -> None:
        """Note a problem: what was found, what was expected, the way out."""
        self._found.append(problem)

    def raise_if_any(self) -> None:
        """Raise a `UserError` that lists the problems, where there are some."""
        if not self._found:
            return
        if len(self._found) == 1:
            raise UserError(f"{self.where}: {self._found[0]}")
        lines = "\n".join(f"  * {problem}" for problem in self._found)
        raise UserError(f"{self.where}: {len(self._found)} problems\n{lines}")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ' Did you mean "…"?' for the name nearest in spelling, or the names that exist."""
    known = list(names)
    by_lower = {n.lower(): n for n in reversed(known)}
    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    if close:
        return f' Did you mean "{by_lower[close[0]]}"?'
    return f" There are: {listed(known)}." if known else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names as a readable list, cut short with the number left out."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def rows_named(rows: Iterable[int], most: int = 5) -> str:
    """Return 0-based rows as 'row 7' or 'rows 7, 9 and 4 more', counted from 1."""
    numbers = [int(row) + 1 for row in rows]
    word = "row" if len(numbers) == 1 else "rows"
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"{word} {', '.join(str(number) for number in numbers[:most])}{more}"
