"""A fix, or what changed between two subjects, in a terminal: at any width, with or without Unicode."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadworthy.reports import cost_words, effect_words, wording
from roadworthy.reports.effect_words import EFFECTS, OUTCOMES, SHADES, State
from roadworthy.reports.lines import WIDEST, printed, text
from roadworthy.reports.matrix import Matrix, matrix
from roadworthy.reports.terminal import STYLES
from roadworthy.results import Candidate, Diff, Effect, Fix, Verdict

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

STYLE: dict[State, str] = {
    "harmed": "bold red",
    "open": "bold yellow",
    "tolerated": "red",
    "helped": "bold green",
    "none": "dim",
    "noted": "blue",
    "not_measured": "dim",
    "untouched": "dim",
}
NAME = 32  # columns of a check's name in the matrix, at most
CELL = 11  # columns of a cell
NARROW = 60  # columns below which there is no matrix
WORD = 17  # columns of an outcome with its symbol

Line = tuple["Text", "Text"]


@dataclass(frozen=True)
class EffectsReport:
    """Something that rich can print: `lines` gives them for a width."""

    lines: Callable[[int], Iterator[Line]]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["Text"]:
        """Give rich the lines of the report."""
        width = min(options.max_width, WIDEST)
        yield from printed(self.lines(width), console, options)


def fix_console(fix: Fix) -> EffectsReport:
    """Give a fix as something that rich prints, made for 80 to 120 columns and sound at 20."""
    return EffectsReport(lambda width: _fix_lines(effect_words.arranged(fix), width))


def diff_console(diff: Diff) -> EffectsReport:
    """Give a diff as something that rich prints, what got worse first."""
    return EffectsReport(lambda width: _diff_lines(diff))


def _fix_lines(fix: Fix, width: int) -> Iterator[Line]:
    empty = text("")
    state, said = effect_words.fix_headline(fix)
    yield from _opening(fix.subject.name, f"profile {fix.profile}, seed {fix.seed}", fix.seconds)
    yield _headline(state, said)
    if not fix.complete:
        yield empty, text("This is a part of a fix: running it again goes on from here.", "bold")
    for candidate in fix.candidates:
        yield empty, empty
        yield from _candidate(fix, candidate)
    laid = matrix(fix)
    yield from _matrix(laid, width)
    for name, checks in laid.untouched:
        yield empty, text(f"Untouched, {name.lower()}: {len(checks)}", "dim")
    yield empty, empty
    if fix.candidates:
        yield empty, text(effect_words.proof_words(fix), "dim")
    for note in effect_words.worth_saying(fix):
        yield empty, text(wording.sentence(note), "dim")
    yield empty, empty
    yield _headline(state, said)


def _diff_lines(diff: Diff) -> Iterator[Line]:
    empty = text("")
    state, said = effect_words.diff_headline(diff)
    names = f"{diff.before.name} → {diff.after.name}"
    yield from _opening(names, f"profile {diff.profile}", diff.seconds)
    yield empty, text(effect_words.pairing_words(diff), "dim")
    yield _headline(state, said)
    yield empty, empty
    ordered = effect_words.worst_first(diff.effects)
    for effect in (e for e in ordered if effect_words.state_of(e) in effect_words.SHOWN):
        yield from _effect(effect)
    counts = effect_words.count_states(diff.effects)
    quiet = [
        f"{count} {EFFECTS[s].word.lower()}"
        for s, count in counts.items()
        if count and s not in effect_words.SHOWN
    ]
    if quiet:
        yield empty, text(", ".join(quiet), "dim")
    for note in diff.notes:
        yield text("i "), text(wording.sentence(note), "dim")
    yield empty, empty
    yield _headline(state, said)


def _opening(name: str, how: str, seconds: float) -> Iterator[Line]:
    empty = text("")
    yield empty, text(name, "bold").append("  evidence, not certification", style="not bold dim")
    yield empty, text(f"{how}, {wording.seconds_words(seconds)}", "dim")
    yield empty, empty


def _headline(state: Verdict, said: str) -> Line:
    return text(f"{wording.LOOKS[state].symbol} ", STYLES[state]), text(said, STYLES[state])


def _candidate(fix: Fix, candidate: Candidate) -> Iterator[Line]:
    look, indent = OUTCOMES[candidate.state], text("  ")
    word = f"{look.symbol} {look.word.upper()}"
    name = text(effect_words.in_sentence(candidate.mitigation), "bold")
    yield text(f"{word:<{WORD}} ", STYLES[SHADES[candidate.state]]), name
    if candidate.reason:
        yield indent, text(wording.sentence(candidate.reason))
    if candidate.caution:
        yield indent, text(f"Mind: {candidate.caution}")
    target = effect_words.target_effect(fix, candidate)
    if target is not None and target.difference is not None:
        said = f"{effect_words.in_sentence(target.check)}: {effect_words.passage(target)}, "
        yield indent, text(said + effect_words.amount_words(target), "bold")
        if candidate.accepted and target.verdict_after == "fail":
            yield indent, text("It helps, and the check still fails.")
    if candidate.claims:
        claims = (
            f"{effect_words.claim_mark(c)[0]} {effect_words.CLAIMS[c.name].lower()}"
            for c in candidate.claims
        )
        yield indent, text("   ".join(claims))
    for state in ("harmed", "open", "tolerated"):
        found = [
            e
            for e in effect_words.effects_of(fix, candidate.mitigation)
            if effect_words.state_of(e) == state
        ]
        if found:
            names = ", ".join(f"{effect_words.in_sentence(e.check)}{_brief(e)}" for e in found)
            head = f"  {EFFECTS[state].symbol} {EFFECTS[state].word.lower()}: "
            yield text(head, STYLE[state]), text(names)
    if changed := effect_words.also_changed(fix, candidate):
        said = [f"{effect_words.in_sentence(e.check)} {effect_words.passage(e)}" for e in changed]
        yield text("  i also changes: ", STYLE["noted"]), text(effect_words.listed(said))
    if cost := cost_words.cost_line(candidate):
        yield indent, text(cost, "dim")


def _brief(effect: Effect) -> str:
    found = effect_words.amount(effect)
    return f" ({found.span_unit})" if found and found.span else ""


def _effect(effect: Effect) -> Iterator[Line]:
    state = effect_words.state_of(effect)
    look = EFFECTS[state]
    head = f"{look.symbol} {look.word.upper()}"
    yield text(f"{head:<20} ", STYLE[state]), text(effect_words.in_sentence(effect.check), "bold")
    said = f"{effect_words.passage(effect)}, {effect_words.amount_words(effect)}"
    margin = effect_words.margin_words(effect)
    said += f"; margin {margin}" if margin else ""
    if effect.verdict_before != effect.verdict_after:
        said += f"; {effect_words.verdict_words(effect)}"
    yield text("  "), text(said)


def _matrix(laid: Matrix, width: int) -> Iterator[Line]:
    """Draw the matrix with checks as rows, as many repairs beside each other as there is room for."""
    rows = [row for row in laid.rows if row.cells]
    if not rows or width < NARROW:
        return
    name = min(NAME, max(len(each) for each in laid.names) + 2)
    at_once = max(1, (width - name) // CELL)
    for start in range(0, len(rows), at_once):
        shown = rows[start : start + at_once]
        yield text(""), text("")
        numbers = "".join(f"{f'[{start + i + 1}]':<{CELL}}" for i in range(len(shown)))
        yield text(" " * name), text(numbers, "bold")
        for i, said in enumerate(laid.names):
            line = text("")
            for cell in (row.cells[i] for row in shown):
                parts = (cell.look.symbol, cell.size, "◂" if cell.target else "")
                found = " ".join(part for part in parts if part)
                line.append(f"{found:<{CELL}}", style=STYLE[cell.state])
            yield text(f"{_cut(said, name - 1):<{name}}"), line
        for i, row in enumerate(shown):
            called = effect_words.in_sentence(row.candidate.mitigation)
            yield text(f"[{start + i + 1}] ", "bold"), text(called, "dim")
    key: Sequence[str] = [f"{EFFECTS[s].symbol} {EFFECTS[s].word.lower()}" for s in laid.states]
    yield text(""), text("   ".join([*key, "◂ target"]), "dim")


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
