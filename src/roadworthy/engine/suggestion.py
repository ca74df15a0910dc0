"""What a mistyped name may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean "x"?' with the nearest known name, or nothing where none is near.

    >>> suggestion("acuracy_gap", ["accuracy_gap", "recall"])
    ' Did you mean "accuracy_gap"?'
    """
    near = get_close_matches(name, sorted(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
