"""What an object is made of, as far as its identity goes: a tag, bytes, and further objects.

A child may itself be `Parts` (already taken apart) or `Unknown`: something that cannot be told from
another of its kind.
"""

from typing import Any, NamedTuple


class Parts(NamedTuple):
    """An object taken apart."""

    tag: str
    data: bytes = b""
    children: tuple[Any, ...] = ()  # Any: whatever the object holds


class Unknown(NamedTuple):
    """Something whose identity cannot be read; `what` names it for the user."""

    what: str


def text(value: str) -> bytes:
    """Encode any string, lone surrogates included."""
    return value.encode("utf-8", "surrogatepass")
