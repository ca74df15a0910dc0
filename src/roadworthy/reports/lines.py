"""Lines of a terminal: wrapped here so that none ends in blanks, and sound without Unicode."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

WIDEST = 110  # longer lines are hard to read
ASCII = str.maketrans("\u00a0–−·…─━●│’“”→×≈▲▼▽✓✗◂≤", ' --..-=o|\'"">x~^vu+x<<')


def printed(
    pairs: Iterable[tuple["Text", "Text"]], console: "Console", options: "ConsoleOptions"
) -> Iterator["Text"]:
    """Wrap pairs: what begins a line, and the text whose further lines hang under its beginning."""
    width = min(options.max_width, WIDEST)
    for head, said in pairs:
        yield from _wrapped(head, said, options.ascii_only, width, console)


def text(content: str, style: str = "") -> "Text":
    """Make text of a terminal, letters only."""
    from rich.text import Text

    # Control characters of a column name would move the cursor; rich leaves some of them in.
    letters = "".join(c if c.isprintable() or c == "\u00a0" else " " for c in content)
    return Text(letters, style=style)


def _wrapped(
    head: "Text", said: "Text", plain: bool, width: int, console: "Console"
) -> Iterator["Text"]:
    if plain:
        head, said = _ascii(head), _ascii(said)
    hang = len(head.plain)
    if hang > 0.6 * width:  # no room beside it: the text begins on a line of its own
        for line in head.wrap(console, width):
            line.rstrip()
            yield line
        head, hang = text("  "), 2
    for line in said.wrap(console, width - hang) or [said]:
        made = head + line
        made.rstrip()
        yield made
        head = text(" " * hang)


def _ascii(said: "Text") -> "Text":
    """Replace what a terminal without Unicode cannot show, letter for letter so that styles stay."""
    made = said.copy()
    made.plain = made.plain.translate(ASCII).encode("ascii", "replace").decode()
    return made
