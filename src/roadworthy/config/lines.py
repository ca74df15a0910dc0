"""Where a key stands in a TOML text; tomllib keeps no lines."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<name>[^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*(?P<key>(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)
_PART = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^.\s]+)\s*(?:\.|$)""")


class Place(NamedTuple):
    """A key's full path and its 1-based line."""

    path: tuple[str, ...]
    line: int


def line_of(text: str, path: Sequence[str]) -> int | None:
    r"""Return the 1-based line on which a key or section begins, or that of the nearest one around it.

    Examples
    --------
    >>> line_of('[audit]\nprofile = "quick"', ["audit", "profile"])
    2
    """
    places = list(_places(text))
    for length in range(len(path), 0, -1):
        for place in places:
            if place.path == tuple(path[:length]):
                return place.line
    return None


def _places(text: str) -> Iterator[Place]:
    section: tuple[str, ...] = ()
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if inside is None:
            if header := _HEADER.match(line):
                section = _parts(header["name"])
                yield Place(section, number)
            elif key := _KEY.match(line):
                yield Place((*section, *_parts(key["key"])), number)
        inside = _open_quotes(line, inside)


def _open_quotes(line: str, inside: str | None) -> str | None:
    """Return the triple quotes that a line leaves open; what they hold are no keys."""
    for found in re.findall(r'"""|\'\'\'', line):
        if inside is None:
            inside = found
        elif inside == found:
            inside = None
    return inside


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
