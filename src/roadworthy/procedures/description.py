"""What a docstring says of a check, read once: its quantity, unit, qualification and next step."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

LABELS = ("Unit", "Qualified at", "Next")


@dataclass(frozen=True)
class Description:
    """The parts of a marked function's docstring.

    `title` is its first line, shown in reports; `body` the rest without the labelled lines.
    """

    title: str
    body: str
    unit: str = ""
    qualified_at: str = ""
    next: str = ""


def describe(function: Callable[..., object]) -> Description:
    """Split the docstring of `function` into its parts; a missing docstring gives empty parts."""
    text = inspect.getdoc(function) or ""
    title, _, rest = text.partition("\n")
    found = {label: _labelled(rest, label) for label in LABELS}
    for label in LABELS:
        rest = re.sub(_pattern(label), "", rest)
    return Description(
        title=title.strip().rstrip("."),
        body=rest.strip(),
        unit=found["Unit"],
        qualified_at=found["Qualified at"],
        next=found["Next"],
    )


def _pattern(label: str) -> str:
    # A labelled passage runs to the next label, a blank line, or the end.
    following = "|".join(f"{name}:" for name in LABELS)
    return rf"(?ms)^\s*{label}:\s*(.*?)(?=^\s*(?:{following})|\n\s*\n|\Z)"


def _labelled(text: str, label: str) -> str:
    match = re.search(_pattern(label), text)
    return " ".join(match.group(1).split()) if match else ""
