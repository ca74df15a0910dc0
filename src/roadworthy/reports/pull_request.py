"""The report as Markdown, short enough for a comment on a pull request."""

import re
from collections.abc import Mapping

from roadworthy.reports import figures, wording
from roadworthy.reports.numbers import numbers
from roadworthy.results import Audit, Evidence, Examples, Finding, Table

MOST_LETTERS = 60_000  # a comment on GitHub holds 65,536
MOST_ROWS = 8
SPECIAL = re.compile(r"([\\`*_{}\[\]#+!|~$])")


def markdown(audit: Audit, pictures: str | None = None) -> str:
    """Write an audit as Markdown.

    Parameters
    ----------
    audit : Audit
    pictures : str, optional
        Folder, relative to the text, where the files of `markdown_pictures` lie; without it the text
        has none.
    """
    state, said = wording.headline(audit)
    parts = [
        f"## {wording.LOOKS[state].symbol} {safe(audit.subject.name)}: {said}",
        _header(audit),
        _counts(audit),
        *_section(audit, "fail", "What fails", pictures),
        *_section(audit, "error", "What broke", pictures),
        *_section(audit, "inconclusive", "What is undecided", pictures),
        _all_checks(audit),
        _many(audit),
        _reading(audit),
        f"<sub>roadworthy {raw(audit.roadworthy_version)}, seed {audit.seed}, subject "
        f"{raw(audit.subject.key)}. The whole record is in audit.json.</sub>",
    ]
    return fitted([part for part in parts if part])


def markdown_pictures(audit: Audit) -> Mapping[str, str]:
    """Draw the figures of failing and undecided findings: file name to SVG."""
    drawn: dict[str, str] = {}
    for finding in audit.findings:
        if finding.verdict not in ("fail", "inconclusive"):
            continue
        for i, evidence in enumerate(finding.evidence):
            picture = figures.svg(evidence)
            if picture is not None:
                drawn[_file(finding, i)] = picture
    return drawn


def safe(text: str) -> str:
    """Write text that means nothing but itself in Markdown: no markup, HTML, link or mention."""
    return SPECIAL.sub(r"\\\1", raw(text))


def raw(text: str) -> str:
    """Write text that means nothing but itself within a line of HTML, where backslashes are text."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space: a name mentions nobody, an address is no link.
    return text.replace("@", "@\u200b").replace("://", ":\u200b//").replace("www.", "www\u200b.")


def _header(audit: Audit) -> str:
    rows = ", ".join(f"{safe(s.name)} {s.rows:,}" for s in audit.subject.splits)
    parts = [
        f"*Evidence, not certification.* {wording.exit_words(audit)} "
        f"{safe(wording.task_words(audit.subject))}. Rows: {rows or 'none'}. "
        f"Profile {safe(audit.profile)}, {safe(wording.date_words(audit.started))}."
    ]
    if not audit.complete:
        parts.append(f"**{wording.incomplete_words(audit)}**")
    return "\n\n".join(parts)


def _counts(audit: Audit) -> str:
    counts = wording.count_verdicts(audit.findings)
    looks = wording.LOOKS
    head = " | ".join(f"{looks[v].symbol} {looks[v].word}" for v in counts)
    rule = " | ".join("---:" for _ in counts)
    return f"| {head} |\n| {rule} |\n| {' | '.join(str(c) for c in counts.values())} |"


def _section(audit: Audit, verdict: str, title: str, pictures: str | None) -> list[str]:
    found = [f for f in wording.worst_first(audit.findings) if f.verdict == verdict]
    if not found:
        return []
    contents = not audit.subject.people
    return [f"### {title}", *(_finding(f, contents, pictures) for f in found)]


def _finding(finding: Finding, contents: bool, pictures: str | None) -> str:
    look = wording.LOOKS[finding.verdict]
    name = f"`{finding.check.replace('`', '')}`"
    lines = [f"**{look.symbol} {safe(finding.title or finding.check)}** ({name})", ""]
    if number := wording.number_line(finding):
        lines.append(f"- {safe(number)}")
    lines += [f"- {safe(said)}"] if (said := wording.told(finding)) else []
    lines += [f"- {needed}"] if (needed := wording.examples_words(finding)) else []
    if finding.survives_correction is False:
        lines.append("- It does not remain after the correction over the whole run: only a lead.")
    lines += [f"- **Next:** {safe(wording.sentence(finding.next))}"] if finding.next else []
    for i, evidence in enumerate(finding.evidence):
        lines += _evidence(evidence, contents, pictures and f"{pictures}/{_file(finding, i)}")
    return "\n".join(lines)


def _evidence(evidence: Evidence, contents: bool, picture: str | None) -> list[str]:
    if isinstance(evidence, (Examples, Table)):
        return ["", *folded(evidence.title, _table(evidence, contents))]
    return ["", f"![{safe(evidence.title)}]({picture})"] if picture else []


def _table(evidence: Evidence, contents: bool) -> list[str]:
    table = numbers(evidence, MOST_ROWS, contents)
    lines = [
        f"| {' | '.join(safe(name) for name in table.header)} |",
        f"| {' | '.join('---:' if right else '---' for right in table.numeric)} |",
        *(f"| {' | '.join(safe(cell) for cell in row)} |" for row in table.rows),
    ]
    if table.left_out:
        lines += ["", f"{wording.counted(table.left_out, 'further row')} in audit.json."]
    return lines


def _all_checks(audit: Audit) -> str:
    lines = ["| Verdict | Check | Number | Must be |", "| --- | --- | --- | --- |"]
    for finding in wording.worst_first(audit.findings):
        look = wording.LOOKS[finding.verdict]
        said = wording.quantity(finding)
        number = (
            f"{said.with_unit} ({wording.interval_words(finding)})"
            if said
            else wording.why(finding)
        )
        bound = finding.requirement and wording.requirement_words(
            finding.requirement, finding.unit or ""
        )
        lines.append(
            f"| {look.symbol} {look.word} | `{finding.check.replace('`', '')}` | {safe(number)} "
            f"| {bound or ''} |"
        )
    return "\n".join(folded(f"All {wording.counted(len(audit.findings), 'check')}", lines))


def _many(audit: Audit) -> str:
    return "\n".join(
        folded("Many verdicts at once", [safe(s) for s in wording.multiplicity_words(audit)])
    )


def _reading(audit: Audit) -> str:
    """Say where the rows of a split came from, among others: only here where nothing was printed."""
    said = [f"- {safe(wording.sentence(note))}" for note in audit.subject.notes]
    return "\n".join(folded("How the data were read", said)) if said else ""


def folded(title: str, lines: list[str]) -> list[str]:
    """Fold lines under a title that opens them."""
    return [f"<details><summary>{raw(title)}</summary>", "", *lines, "", "</details>"]


def _file(finding: Finding, i: int) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', finding.check)}-{i}.svg"


def fitted(parts: list[str]) -> str:
    """Join parts, leaving out whole ones from the point where a comment would be too long."""
    kept: list[str] = []
    letters = 0
    for i, part in enumerate(parts):
        letters += len(part) + 2
        if letters > MOST_LETTERS:
            left = wording.counted(len(parts) - i, "further part")
            kept.append(f"{left} left out here for length; the HTML report has all.")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"
