"""What a docstring says of a check, read once: its quantity, unit, qualification, next step and what to mind."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

LABELS = ("Unit", "Qualified at", "Next", "Mind", "Also alarms", "Ideal")
# A labelled passage begins a line or follows a sentence, and runs to the next label, a blank line or the end.
LABEL = re.compile(rf"(?:^|(?<=[.)]\s))\s*({'|'.join(LABELS)}):\s*", re.MULTILINE)


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
    caution: str = ""


def describe(function: Callable[..., object]) -> Description:
    """Split the docstring of `function` into its parts; a missing docstring gives empty parts."""
    text = inspect.getdoc(function) or ""
    title, _, rest = text.partition("\n")
    body: list[str] = []
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", rest):
        before, *labelled = LABEL.split(paragraph)
        body.append(before.strip())
        for label, passage in zip(labelled[::2], labelled[1::2], strict=True):
            found[label] = " ".join(passage.split())
    return Description(
        title=title.strip().rstrip("."),
        body="\n\n".join(part for part in body if part),
        unit=found.get("Unit", "").rstrip("."),
        qualified_at=found.get("Qualified at", "").rstrip("."),
        next=found.get("Next", ""),
        caution=found.get("Mind", ""),
    )
