"""A comparison of several audits as CSV, LaTeX, Markdown, a page, and in a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadworthy.reports import document, wording
from roadworthy.reports.compared import (
    ComparedCell,
    ComparedRow,
    Comparison,
    cell_words,
    direction_words,
    unit_words,
)
from roadworthy.reports.lines import WIDEST, printed, text
from roadworthy.reports.pull_request import fitted, raw, safe
from roadworthy.reports.table import csv_text
from roadworthy.reports.terminal import STYLES
from roadworthy.results import Cell

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "−": "$-$", "–": "--", "\u00a0": "~", "×": r"$\times$", "±": r"$\pm$",
    "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\rightarrow$",
}  # fmt: skip
TEX_VERDICTS = {"fail": r"$^{\times}$", "inconclusive": "$^{?}$"}
CELL = 24  # columns of a terminal that a subject has
NARROW = 60


def comparison_csv(compared: Comparison) -> str:
    """Write one line per check and subject, numbers as they were measured."""
    rows = [
        _line(compared, row, i, cell) for row in compared.rows for i, cell in enumerate(row.cells)
    ]
    columns = (
        "check", "challenge", "subject", "subject_key", "profile", "value", "low", "high", "level",
        "unit", "n", "verdict", "reason_code", "larger_is", "best",
    )  # fmt: skip
    return csv_text(columns, rows)


def comparison_latex(compared: Comparison, label: str = "tab:roadworthy") -> str:
    r"""Write a LaTeX table for the package booktabs; `\input` it in a document."""
    width = len(compared.names)
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(compared)}}}",
        rf"\label{{{''.join(c for c in label if c.isalnum() or c in ':-.')}}}",
        rf"\begin{{tabular}}{{ll{'c' * width}}}",
        r"\toprule",
        " & ".join(["Check", "Unit", *(tex(name) for name in compared.names)]) + r" \\",
    ]
    for challenge in compared.challenges:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{width + 2}}}{{l}}{{\emph{{{tex(wording.challenge_words(challenge))}}}}} \\",
        ]
        for row in (r for r in compared.rows if r.challenge == challenge):
            cells = [_tex_cell(cell) for cell in row.cells]
            name = tex(wording.challenge_words(row.check))
            lines.append(" & ".join([name, tex(unit_words(row)), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def comparison_markdown(compared: Comparison) -> str:
    """Write a Markdown table; the best value of a row is bold where its interval stands apart."""
    head = ["Check", "Unit", *(safe(name) for name in compared.names)]
    lines = [f"| {' | '.join(head)} |", f"| --- | --- | {' | '.join('---' for _ in head[2:])} |"]
    for row in compared.rows:
        cells = [_marked(cell) for cell in row.cells]
        check = f"`{raw(row.check).replace('`', '').replace('|', '')}`"
        lines.append(f"| {check} | {safe(unit_words(row))} | {' | '.join(cells)} |")
    said = f"{wording.counted(len(compared.names), 'subject')} compared. {NOTE.format('Bold')}"
    return fitted(
        [
            "## " + said.split(".", maxsplit=1)[0],
            f"*Evidence, not certification.* {NOTE.format('Bold')}",
            "\n".join(lines),
        ]
    )


NOTE = "Value [95 % interval] and verdict. {}: the best of its row, where its interval overlaps with no other."


def comparison_html(compared: Comparison) -> str:
    """Write the table as one HTML page."""
    return document.render(
        "comparison.html.jinja",
        ("report.css", "effects.css"),
        document.matrix_script(figures=False),
        compared=compared,
        version=_version(),
        words=wording,
        looks=wording.LOOKS,
        cell_words=cell_words,
        unit_words=unit_words,
        direction_words=direction_words,
        note=NOTE.format("Shaded"),
        same_profile=len(set(compared.profiles)) < 2,
    )


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison that rich can print."""

    compared: Comparison

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Text"]:
        """Give rich the lines, as many subjects beside each other as there is room for."""
        width = min(options.max_width, WIDEST)
        yield from printed(_lines(self.compared, width), console, options)


def comparison_console(compared: Comparison) -> ComparisonReport:
    """Give a comparison as something that rich prints."""
    return ComparisonReport(compared)


def tex(said: str) -> str:
    """Write text that means nothing but itself in LaTeX."""
    letters = (TEX.get(c, c if c.isprintable() else " ") for c in " ".join(said.split(" ")))
    return "".join(letters)


def _line(compared: Comparison, row: ComparedRow, i: int, cell: ComparedCell) -> dict[str, Cell]:
    found = cell.finding
    return {
        "check": row.check,
        "challenge": row.challenge,
        "subject": compared.names[i],
        "subject_key": compared.subjects[i].key,
        "profile": compared.profiles[i],
        "value": found and found.value,
        "low": found and found.low,
        "high": found and found.high,
        "level": found and found.level,
        "unit": row.unit,
        "n": found and found.n,
        "verdict": found.verdict if found else "not_run",
        "reason_code": found and found.reason_code,
        "larger_is": row.larger_is,
        "best": cell.best,
    }


def _caption(compared: Comparison) -> str:
    return (
        f"{wording.counted(len(compared.names), 'subject')} audited by roadworthy: value and 95\\,\\% interval. "
        r"Bold: the best of its row, where its interval overlaps with no other. "
        r"$\times$: fails its requirement; ?: undecided."
    )


def _tex_cell(cell: ComparedCell) -> str:
    said = tex(cell_words(cell))
    said = rf"\textbf{{{said}}}" if cell.best else said
    return said + (TEX_VERDICTS.get(cell.finding.verdict, "") if cell.finding else "")


def _marked(cell: ComparedCell) -> str:
    said = safe(cell_words(cell))
    symbol = wording.LOOKS[cell.finding.verdict if cell.finding else "not_run"].symbol
    return f"{symbol} **{said}**" if cell.best else f"{symbol} {said}"


def _lines(compared: Comparison, width: int) -> Iterator[tuple["Text", "Text"]]:
    empty = text("")
    yield (
        empty,
        text("Comparison", "bold").append("  evidence, not certification", style="not bold dim"),
    )
    for i, name in enumerate(compared.names):
        yield text(f"[{i + 1}] ", "bold"), text(name)
    room = min(32, max((len(row.check) for row in compared.rows), default=0) + 2)
    longest = max((len(_said(cell)) for row in compared.rows for cell in row.cells), default=0)
    each = max(CELL, longest + 2)
    at_once = max(1, (width - room) // each)
    if width < NARROW or not compared.rows:
        room, at_once = 0, 1
    for start in range(0, len(compared.names), at_once):
        shown = range(start, min(start + at_once, len(compared.names)))
        yield empty, empty
        numbers = "".join(f"{f'[{i + 1}]':<{each}}" for i in shown)
        yield text(" " * room), text(numbers, "bold")
        for row in compared.rows:
            line = text("" if room else f"{row.check} ")
            for i in shown:
                cell = row.cells[i]
                verdict = cell.finding.verdict if cell.finding else "not_run"
                line.append(f"{_said(cell):<{each}}", style=STYLES[verdict])
            yield text(f"{row.check[: room - 1]:<{room}}" if room else ""), line
    yield empty, empty
    met = {
        c.finding.verdict if c.finding else "not_run" for row in compared.rows for c in row.cells
    }
    looks = [wording.LOOKS[verdict] for verdict in wording.ORDER if verdict in met]
    for said in (
        "Values with their intervals; shares in %. The page and the CSV name every unit.",
        "   ".join(f"{look.symbol} {look.word.lower()}" for look in looks),
        "* the best of its row, where its interval overlaps with no other",
    ):
        yield empty, text(said, "dim")


def _said(cell: ComparedCell) -> str:
    symbol = wording.LOOKS[cell.finding.verdict if cell.finding else "not_run"].symbol
    words = cell_words(cell)
    return symbol if words == symbol else f"{symbol} {words}{' *' if cell.best else ''}"


def _version() -> str:
    from importlib.metadata import version

    return version("roadworthy")
