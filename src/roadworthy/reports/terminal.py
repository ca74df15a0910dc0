"""The report in a terminal: what fails first, at any width, with or without colours and Unicode."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadworthy.reports import wording
from roadworthy.reports.interval import interval_line
from roadworthy.reports.lines import WIDEST, printed, text
from roadworthy.results import Audit, Finding, Verdict

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

STYLES: dict[Verdict, str] = {
    "fail": "bold red",
    "error": "bold magenta",
    "inconclusive": "bold yellow",
    "pass": "green",
    "note": "blue",
    "not_run": "dim",
}
WORDY: tuple[Verdict, ...] = ("fail", "error", "inconclusive")
WORD = 14  # columns of the widest verdict with its symbol
NAME = 32  # columns that a check's name is given in a list, at most
NARROW = 76  # columns below which lists are not aligned
LINE = 56  # columns of the drawn interval


@dataclass(frozen=True)
class ConsoleReport:
    """An audit that rich can print."""

    audit: Audit

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Text"]:
        """Give rich the lines of the report, wrapped here so that none ends in blanks."""
        width = min(options.max_width, WIDEST)
        yield from printed(_lines(self.audit, options.ascii_only, width), console, options)


def console(audit: Audit) -> ConsoleReport:
    """Give an audit as something that rich prints, made for 80 to 120 columns and sound at 20."""
    return ConsoleReport(audit)


def _lines(audit: Audit, plain: bool, width: int) -> Iterator[tuple["Text", "Text"]]:
    """Give pairs: what begins a line, and the text whose further lines hang under its beginning."""
    empty = text("")
    yield from _opening(audit, plain)
    ordered = wording.worst_first(audit.findings)
    for finding in (f for f in ordered if f.verdict in WORDY):
        yield empty, empty
        yield from _wordy(finding, plain, width)
    short = [f for f in ordered if f.verdict not in (*WORDY, "not_run")]
    if short:
        yield empty, empty
    room = min(NAME, max((len(f.check) for f in short), default=0))
    for finding in short:
        yield _list_line(finding, plain, width, room)
    yield from _not_run([f for f in ordered if f.verdict == "not_run"], plain)
    yield empty, empty
    for said in wording.multiplicity_words(audit)[:-1]:
        yield empty, text(said, "dim")
    # Once more at the end: in a long report it is this that stays in sight.
    yield empty, empty
    yield _headline(audit, plain)


def _not_run(findings: list[Finding], plain: bool) -> Iterator[tuple["Text", "Text"]]:
    """Say each reason once, with the checks that it keeps from running."""
    if findings:
        yield text(""), text("")
    for reason in dict.fromkeys(wording.why(finding) for finding in findings):
        names = [finding.check for finding in findings if wording.why(finding) == reason]
        yield _verdict("not_run", plain), text(", ".join(names))
        yield text("  "), text(reason, "dim")


def _opening(audit: Audit, plain: bool) -> Iterator[tuple["Text", "Text"]]:
    empty = text("")
    rows = ", ".join(f"{split.name} {split.rows:,}" for split in audit.subject.splits)
    title = text(audit.subject.name, "bold")
    yield empty, title.append("  evidence, not certification", style="not bold dim")
    yield (
        empty,
        text(f"{audit.subject.task}, {audit.subject.modality}; {rows or 'no rows'}", "dim"),
    )
    seconds = wording.seconds_words(audit.seconds)
    yield empty, text(f"profile {audit.profile}, seed {audit.seed}, {seconds}", "dim")
    yield empty, empty
    yield _headline(audit, plain)
    if not audit.complete:
        yield empty, text(wording.incomplete_words(audit), "bold")
    counts = text("")
    for verdict, count in wording.count_verdicts(audit.findings).items():
        word = wording.LOOKS[verdict].word.lower()
        if count:
            counts.append("   " if counts else "").append(f"{count} {word}", style=STYLES[verdict])
    yield empty, counts


def _headline(audit: Audit, plain: bool) -> tuple["Text", "Text"]:
    state, said = wording.headline(audit)
    line = text(said, STYLES[state]).append(f" {wording.exit_words(audit)}", style="not bold dim")
    return text(f"{_symbol(state, plain)} ", STYLES[state]), line


def _wordy(finding: Finding, plain: bool, width: int) -> Iterator[tuple["Text", "Text"]]:
    indent = text("  ")
    challenge = wording.challenge_words(finding.challenge).lower()
    name = text(finding.check, "bold").append(f"  {challenge}", style="not bold dim")
    yield _verdict(finding.verdict, plain), name
    yield indent, text(wording.sentence(finding.title))
    if number := wording.number_line(finding):
        yield indent, text(number, "bold")
    if drawn := _drawn(finding, min(width - 4, LINE)):
        yield indent, drawn
    said = f"{wording.told(finding)} {wording.examples_words(finding)}".strip()
    if said:
        yield indent, text(said)
    if finding.survives_correction is False:
        yield indent, text("Does not remain after the correction over the whole run: only a lead.")
    if finding.next:
        yield text("  Next: ", "bold cyan"), text(wording.sentence(finding.next))


def _list_line(finding: Finding, plain: bool, width: int, room: int) -> tuple["Text", "Text"]:
    head = _verdict(finding.verdict, plain)
    said = wording.short_number_line(finding) or wording.why(finding)
    if width < NARROW:
        return head, text(finding.check).append(f" {said}", style="dim")
    return head.append(f"{finding.check:<{room}} ", style="default not bold"), text(said, "dim")


def _drawn(finding: Finding, length: int) -> "Text | None":
    """Draw interval, value and bound on one line of letters."""
    laid = interval_line(finding)
    if laid is None or length < 20:
        return None

    def column(percent: float) -> int:
        return round(percent / 100 * (length - 1))

    low, high = column(laid.low), column(laid.high)
    line = text("")
    for i in range(length):
        if i == column(laid.bound):
            line.append("│", style="bold")
        elif i == column(laid.value):
            line.append("●", style=STYLES[finding.verdict])
        elif low <= i <= high:
            line.append("━", style=STYLES[finding.verdict])
        elif column(laid.allowed_from) <= i <= column(laid.allowed_to):
            line.append("─", style="green")
        else:
            line.append("·", style="dim")
    return line


def _verdict(verdict: Verdict, plain: bool) -> "Text":
    word = f"{_symbol(verdict, plain)} {wording.LOOKS[verdict].word.upper()}"
    return text(f"{word:<{WORD}} ", STYLES[verdict])


def _symbol(verdict: Verdict, plain: bool) -> str:
    look = wording.LOOKS[verdict]
    return look.ascii if plain else look.symbol
