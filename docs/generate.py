"""Renew the pages that are made from the program: checks.md, mitigations.md, cli.md, selftest.md, the JSON schemas.

`make docs` runs it; a test compares what it would write with what stands there.
"""

import re
import sys
from pathlib import Path

from roadworthy.catalogue import KINDS, in_words, needs, options
from roadworthy.cli import app
from roadworthy.engine import CheckMark, MitigationMark, Registry
from roadworthy.procedures import remedies
from roadworthy.procedures.description import describe
from roadworthy.procedures.selftest import markdown, published
from roadworthy.results.schema import SCHEMA_FILES, schema_text

ROOT = Path(__file__).resolve().parent.parent


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    return {
        ROOT / "docs" / "checks.md": checks_page(Registry.discover()),
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "docs" / "mitigations.md": mitigations_page(Registry.discover()),
        ROOT / "docs" / "selftest.md": markdown(published()),
        **{
            ROOT / "src" / "roadworthy" / "results" / file: schema_text(kind)
            for kind, file in SCHEMA_FILES.items()
        },
    }


def checks_page(registry: Registry) -> str:
    """Return the catalogue of checks as Markdown."""
    lines = [
        "# Checks",
        "",
        "Generated from the docstrings by `make docs`. A bound is a tolerated harm; `roadworthy.toml` overrides it.",
    ]
    challenge = ""
    own = [m for m in registry.checks.values() if m.module.startswith("roadworthy.")]
    for marked in sorted(own, key=lambda m: (_mark(m).challenge, m.name)):
        mark = _mark(marked)
        if mark.challenge != challenge:
            challenge = mark.challenge
            lines += ["", f"## {challenge}"]
        about = describe(marked.function)
        source = f" ({mark.requires.source})" if mark.requires else ""
        breaking = sorted(
            name
            for kind in KINDS
            for name, m in getattr(registry, kind).items()
            if getattr(m.mark, "breaks", None) == marked.name
        )
        changeable = [f"`{option.name}` = {option.value}" for option in options(marked, registry)]
        lines += [
            "",
            f"### {marked.name}",
            "",
            about.title + ".",
            "",
            about.body,
            "",
            f"* requirement: {in_words(mark.requires)}{source}",
            f"* unit: {about.unit}",
            f"* least n: {mark.least}",
            f"* needs: {', '.join(f'`{name}`' for name in needs(marked))}",
            *([f"* options for `--set`: {'; '.join(changeable)}"] if changeable else []),
            f"* proven by: {', '.join(f'`{name}`' for name in breaking) or 'nothing yet'}",
            f"* qualified at: {about.qualified_at}",
            f"* if it fails: {about.next}",
        ]
    return "\n".join(lines) + "\n"


def mitigations_page(registry: Registry) -> str:
    """Return the catalogue of remedies, with what each is proven to do, as Markdown."""
    lines = [
        "# Mitigations",
        "",
        "Generated from the docstrings and from the record of tests by `make docs`. Each remedy is tested on the fault that",
        "it is for, over many seeds: other splits of the rows, other initial weights, another draw of the fault. Counted is how",
        "often the target check is better than with the sham; luck gives half. `roadworthy selftest SUBJECT --mitigations` tests",
        "them on your own subject, [fix.md](fix.md) says how one is proven there.",
    ]
    proofs = remedies.current(remedies.published(), registry)
    room = ""
    own = [m for m in registry.mitigations.values() if m.module.startswith("roadworthy.")]
    for marked in sorted(own, key=lambda m: (m.module.split(".")[2], m.name)):
        mark = marked.mark
        assert isinstance(mark, MitigationMark)
        if marked.module.split(".")[2] != room:
            room = marked.module.split(".")[2]
            lines += ["", f"## {room}"]
        about = describe(marked.function)
        found = [remedies.in_words(p) for p in proofs if p.mitigation == marked.name]
        lines += [
            "",
            f"### {marked.name}",
            "",
            about.title + ".",
            "",
            about.body,
            "",
            *([f"**Mind:** {about.caution}", ""] if about.caution else []),
            f"* repairs: {', '.join(f'`{name}`' for name in mark.targets)}",
            f"* strengths: {', '.join(f'{s:g}' for s in mark.strengths)}",
            f"* sham: {f'`{mark.sham}`' if mark.sham else 'doing nothing, or training with another seed'}",
            f"* tested on: {f'`{mark.repairs}`' if mark.repairs else 'nothing yet'}",
            *(f"* {said}" for said in found or ["No test is recorded."]),
        ]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Return the help of every command as Markdown."""
    from typer.main import get_command
    from typer.testing import CliRunner

    runner = CliRunner()
    environment = {"TERM": "dumb", "COLUMNS": "100", "NO_COLOR": "1", "TERMINAL_WIDTH": "100"}
    parts = ["# Command line", "", "Generated from the program by `make docs`.", ""]
    for name in ("", *sorted(get_command(app).commands)):  # pyright: ignore
        arguments = [name, "--help"] if name else ["--help"]
        shown = runner.invoke(app, arguments, env=environment, prog_name="roadworthy").output
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts += [
            f"## roadworthy {name}".rstrip(),
            "",
            "```text",
            re.sub(r"\n{3,}", "\n\n", text),
            "```",
            "",
        ]
    return "\n".join(parts)


def _mark(marked: object) -> CheckMark:
    mark = getattr(marked, "mark", None)
    assert isinstance(mark, CheckMark)
    return mark


def main() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
