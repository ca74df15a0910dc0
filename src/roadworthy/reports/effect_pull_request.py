"""A fix, or what changed between two subjects, as Markdown short enough for a pull request."""

from collections.abc import Sequence

from roadworthy.reports import cost_words, effect_words, wording
from roadworthy.reports.effect_words import EFFECTS, OUTCOMES, State
from roadworthy.reports.matrix import Matrix, matrix
from roadworthy.reports.pull_request import fitted, folded, raw, safe
from roadworthy.results import Candidate, Diff, Effect, Fix

SECTIONS: tuple[tuple[State, str], ...] = (
    ("harmed", "What got worse"),
    ("open", "Where harm is not ruled out"),
    ("tolerated", "Worse, within the margin"),
    ("helped", "What got better"),
)


def fix_markdown(fix: Fix) -> str:
    """Write a fix as Markdown: what is accepted, the effects matrix, and what each repair rests on."""
    fix = effect_words.arranged(fix)
    state, said = effect_words.fix_headline(fix)
    laid = matrix(fix)
    accepted = [c for c in fix.candidates if c.accepted]
    parts = [
        f"## {wording.LOOKS[state].symbol} {safe(fix.subject.name)}: {said}",
        f"*Evidence, not certification.* {effect_words.proof_words(fix)} Profile "
        f"{safe(fix.profile)}, {safe(wording.date_words(fix.started))}."
        + ("" if fix.complete else " **This is a part of a fix: it was stopped.**"),
        "\n".join(f"- {safe(effect_words.gist(fix, c))}" for c in accepted),
        "\n".join(f"- {safe(wording.sentence(n))}" for n in effect_words.worth_saying(fix)),
        _outcomes(fix),
        _matrix(laid),
        *(_candidate(fix, c) for c in fix.candidates),
        f"<sub>roadworthy {raw(fix.roadworthy_version)}, seed {fix.seed}, subject "
        f"{raw(fix.subject.key)}. The whole record is in fix.json.</sub>",
    ]
    return fitted([part for part in parts if part])


def diff_markdown(diff: Diff) -> str:
    """Write a diff as Markdown, what got worse first."""
    state, said = effect_words.diff_headline(diff)
    names = f"{safe(diff.before.name)} → {safe(diff.after.name)}"
    parts = [
        f"## {wording.LOOKS[state].symbol} {names}: {said}",
        f"*Evidence, not certification.* {effect_words.pairing_words(diff)} Profile "
        f"{safe(diff.profile)}, {safe(wording.date_words(diff.started))}.",
        *(part for state, title in SECTIONS for part in _section(diff, state, title)),
        _quiet(diff.effects),
        "\n".join(f"- {safe(wording.sentence(note))}" for note in diff.notes),
        f"<sub>roadworthy {raw(diff.roadworthy_version)}, before {raw(diff.before.key)}, after "
        f"{raw(diff.after.key)}. The whole record is in diff.json.</sub>",
    ]
    return fitted([part for part in parts if part])


def _outcomes(fix: Fix) -> str:
    if not fix.candidates:
        return ""
    lines = [
        "| | Repair | Target | Helped | Harmed | Cost |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for candidate in fix.candidates:
        look = OUTCOMES[candidate.state]
        effects = effect_words.effects_of(fix, candidate.mitigation)
        counts = effect_words.count_states(effects)
        target = effect_words.target_effect(fix, candidate)
        number = "" if target is None else f"{effect_words.passage(target)}"
        harmed = f"{counts['harmed'] + counts['tolerated']}"
        harmed += f" (+{counts['open']} open)" if counts["open"] else ""
        lines.append(
            f"| {look.symbol} {look.word} | `{_code(candidate.mitigation)}` | "
            f"{safe(effect_words.in_sentence(candidate.target))} {safe(number)} | "
            f"{counts['helped'] if effects else ''} | {harmed if effects else ''} | "
            f"{safe(cost_words.cost_line(candidate))} |"
        )
    return "\n".join(lines)


def _matrix(laid: Matrix) -> str:
    """Write checks as rows here: a comment is narrow and long."""
    rows = [row for row in laid.rows if row.cells]
    if not rows:
        return ""
    names = [f"`{_code(row.candidate.mitigation)}`" for row in rows]
    lines = [f"| | {' | '.join(names)} |", f"| --- | {' | '.join('---' for _ in rows)} |"]
    for i, (name, column) in enumerate(zip(laid.names, laid.columns, strict=True)):
        unit = f" ({safe(column.unit)})" if column.unit else ""
        cells = [row.cells[i] for row in rows]
        said = [
            f"**{c.look.symbol} {c.size}**" if c.target else f"{c.look.symbol} {c.size}"
            for c in cells
        ]
        lines.append(f"| {safe(name)}{unit} | {' | '.join(s.strip() for s in said)} |")
    key = ", ".join(f"{EFFECTS[s].symbol} {EFFECTS[s].word.lower()}" for s in laid.states)
    lines += ["", f"{key}; bold: the target."]
    for challenge, checks in laid.untouched:
        lines += ["", f"Untouched by every repair, {safe(challenge.lower())}: {len(checks)}."]
    return "\n".join(["### What each repair did to each check", "", *lines])


def _candidate(fix: Fix, candidate: Candidate) -> str:
    look = OUTCOMES[candidate.state]
    lines = [
        f"{safe(wording.sentence(candidate.title))} {safe(wording.sentence(candidate.reason))}",
        "",
    ]
    for claim in candidate.claims:
        mark = effect_words.claim_mark(claim)[0]
        lines.append(
            f"- {mark} {effect_words.CLAIMS[claim.name]}: "
            f"{safe(wording.sentence(claim.statement))} ({safe(claim.rows)} rows)"
        )
    if candidate.strength is not None:
        lines.append(
            f"- Strength {wording.plain(candidate.strength)}. Sham: {safe(effect_words.in_sentence(candidate.sham))}."
        )
    lines += [f"- Changed: {safe(change)}" for change in candidate.changes]
    lines += [f"- Mind: {safe(candidate.caution)}"] if candidate.caution else []
    effects = effect_words.effects_of(fix, candidate.mitigation)
    shown = [e for e in effects if effect_words.state_of(e) in effect_words.SHOWN]
    lines += ["", *_table(shown)] if shown else []
    title = f"{look.symbol} {look.word}: {effect_words.name_words(candidate.mitigation)}"
    return "\n".join(folded(title, lines))


def _section(diff: Diff, state: State, title: str) -> list[str]:
    found = [e for e in diff.effects if effect_words.state_of(e) == state]
    return [f"### {EFFECTS[state].symbol} {title}", "\n".join(_table(found))] if found else []


def _quiet(effects: Sequence[Effect]) -> str:
    found = [
        e
        for e in effect_words.worst_first(effects)
        if effect_words.state_of(e) not in effect_words.SHOWN
    ]
    return "\n".join(folded(f"{len(found)} without an effect", _table(found))) if found else ""


def _table(effects: Sequence[Effect]) -> list[str]:
    lines = ["| | Check | Before → after | Difference | Margin | Verdict |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for effect in effects:
        look = EFFECTS[effect_words.state_of(effect)]
        said = effect_words.amount_words(effect) or wording.sentence(effect.reason)
        lines.append(
            f"| {look.symbol} {look.word} | `{_code(effect.check)}` | "
            f"{safe(effect_words.passage(effect))} | {safe(said)} | "
            f"{safe(effect_words.margin_words(effect))} | {effect_words.short_verdicts(effect)} |"
        )
    return lines


def _code(name: str) -> str:
    return raw(name).replace("`", "").replace("|", "")
