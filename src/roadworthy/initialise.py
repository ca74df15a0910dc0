"""`roadworthy init`: show what each column probably is, ask what the model is for, write the settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm, Prompt
from rich.table import Table as Shown
from rich.text import Text

from roadworthy import config, files
from roadworthy.errors import UserError
from roadworthy.subject.problems import listed, nearest
from roadworthy.subject.propose import Proposal, possible_targets, propose, roles_of
from roadworthy.subject.readers import read_table
from roadworthy.subject.reading import Reading
from roadworthy.subject.table import Table

Answers = Mapping[str, object]

QUESTIONS = {
    "decides": "What does the model decide",
    "harmed_by": "Who is harmed by which error",
    "prevalence": "Share of positive cases in real use, 0 to 1",
    "accuracy": "Accuracy that is needed, 0 to 1",
    "latency_ms": "Milliseconds allowed for one answer",
    "hardware": "What it will run on",
    "label_price": "Price of one more labelled example",
    "law": "Law that applies",
    "smallest_group": "Rows that a group needs to be judged by itself",
}
NUMBERS: Mapping[str, type[float] | type[int]] = {
    "prevalence": float,
    "accuracy": float,
    "latency_ms": float,
    "label_price": float,
    "smallest_group": int,
}
LISTS = ("sensitive", "dropped")
# Key in roadworthy.toml of each role; `dropped` is an order there.
KEYS = {
    "target": "target",
    "sensitive": "sensitive",
    "entity": "entity",
    "time": "time",
    "id": "id",
    "split": "split",
    "weight": "weight",
    "source": "source",
    "dropped": "drop",
}


def initialise(
    data: Path,
    out: Path,
    *,
    roles: Answers,
    purpose: Answers,
    reading: Answers | None = None,
    ask: bool,
    force: bool,
) -> None:
    """Propose, ask, write.

    Parameters
    ----------
    data, out : Path
        The table to look at, the file to write.
    roles, purpose : mapping
        Answers given as options; None where not given.
    reading : mapping, optional
        Encoding, delimiter, decimal and missing codes, where they are not to be found out.
    ask : bool
        Whether to ask for what was not given; else defaults are taken.
    force : bool
        Whether an existing file may be written over.
    """
    if out.exists() and not force:
        raise UserError(
            f"{out} exists already and would be lost. Remove it, choose another name with --out, "
            "or allow it with --force."
        )
    console = Console()
    said = {key: value for key, value in (reading or {}).items() if value is not None}
    read = config.settle(None, {"subject": said}).subject
    if data.is_dir() or data.suffix.lower() == ".npz":
        raise UserError(
            f"{data}: has no columns to give roles to. Audit it at once: "
            f"roadworthy audit --data {data}"
        )
    table = read_table(
        data, Reading(read.encoding, read.delimiter, read.decimal, read.missing_codes)
    )
    _require_columns(table, roles, data)
    for note in table.notes:
        console.print(f"  {note}", highlight=False, markup=False, style="dim")
    if ask and roles.get("target") is None:
        roles = {**roles, "target": _asked_target(console, table)}
    proposals = propose(table, _text(roles.get("target")))
    section = _section(proposals, roles)
    console.print(_overview(table, proposals, section))
    answers = {name: value for name, value in purpose.items() if value is not None}
    if ask:
        section = _asked_roles(console, table, section)
        answers = _asked_purpose(console, answers)
    found = config.Config(
        subject=config.SubjectSection.model_validate(
            {"data": _beside(data, out), **section, **said}
        ),
        purpose=config.PurposeSection.model_validate(answers),
    )
    files.write(out, config.render_toml(found).encode())
    _close(console, out, tuple(_warnings(table, section, roles, out)))


def _close(console: Console, out: Path, warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        console.print(f"\n{warning}", style="yellow", highlight=False, markup=False)
    console.print(
        f"\nWrote [bold]{out}[/]. Every line can be changed; bounds belong there before results are seen.",
        highlight=False,
    )
    console.print(f"Next:  {f'mend {out}, then ' if warnings else ''}roadworthy audit")


def _section(proposals: tuple[Proposal, ...], roles: Answers) -> dict[str, object]:
    """Return the keys of [subject]; what was given as an option goes before what was proposed."""
    found: dict[str, object] = {}
    for role, key in KEYS.items():
        columns = [p.column for p in proposals if p.role == role]
        given = roles.get(key)
        if given is not None:
            found[key] = given
        elif columns:
            found[key] = tuple(columns) if role in LISTS else columns[0]
    claimed = {name for key, value in found.items() if key != "drop" for name in _listed(value)}
    if roles.get("drop") is None and "drop" in found:
        found["drop"] = tuple(n for n in _listed(found["drop"]) if n not in claimed)
    return found


def _warnings(
    table: Table, section: Mapping[str, object], roles: Answers, out: Path
) -> Iterator[str]:
    target = section.get("target")
    guesses = possible_targets(table)
    if target is None:
        yield f"No column looks like a target. Set target in {out}."
    elif len(guesses) > 1 and roles.get("target") is None:
        others = listed(name for name in guesses if name != target)
        yield (
            f'That "{target}" is the target is a guess; it may be one of {others}. '
            f"Say which with --target COLUMN --force, or set target in {out}."
        )
    aside = {n for k, v in section.items() if k not in ("sensitive", "data") for n in _listed(v)}
    if target is not None and not set(table.columns) - aside:
        prose = [name for name, column in table.columns.items() if column.kind == "text"]
        why = f" ({listed(prose)}: prose, which is not supported yet)" if prose else ""
        yield (
            f"No column is left that the model could learn from{why}. Audit recorded predictions "
            "of your own model: roadworthy audit --predictions FILE --target COLUMN --proba "
            "COLUMN,COLUMN"
        )


def _overview(table: Table, proposals: tuple[Proposal, ...], section: dict[str, object]) -> Shown:
    shown = Shown(
        box=None,
        pad_edge=False,
        title=f"{table.name}: {table.n:,} rows, {len(proposals)} columns",
        title_justify="left",
    )
    for header in ("column", "role", "why"):
        shown.add_column(header, overflow="fold")
    names = {key: role for role, key in KEYS.items()}
    final = {column: names[key] for key, value in section.items() for column in _listed(value)}
    for proposal in proposals:
        role = final.get(proposal.column, "input")
        why = proposal.reason if role == proposal.role else "as you said"
        if role == "input" and proposal.role != "input":
            why = f"{why} (not taken)"
        style = "" if role == "input" else "bold"
        shown.add_row(proposal.column, Text(role, style=style), Text(why, style="dim"))
    return shown


def _asked_target(console: Console, table: Table) -> str | None:
    proposed = roles_of(propose(table)).target
    guesses = possible_targets(table)
    console.print(f"Columns: {', '.join(table.columns)}", highlight=False, markup=False)
    if len(guesses) > 1:
        console.print(f"It may be one of {listed(guesses)}.", highlight=False, markup=False)
    names = _asked_columns(console, "Column to be predicted", proposed or "-", list(table.columns))
    return names[0] if names else None


def _asked_roles(console: Console, table: Table, section: dict[str, object]) -> dict[str, object]:
    if Confirm.ask("\nAre these roles right", default=True, console=console):
        return section
    console.print("Column names, separated by commas; a dash for none.", style="dim")
    known = list(table.columns)
    found: dict[str, object] = {}
    for role, key in KEYS.items():
        if key == "target" and key in section:
            found[key] = section[key]
            continue
        default = ", ".join(_listed(section.get(key, ()))) or "-"
        names = _asked_columns(console, role, default, known)
        if names:
            found[key] = tuple(names) if role in LISTS else names[0]
    return found


def _asked_columns(console: Console, role: str, default: str, known: list[str]) -> list[str]:
    while True:
        answer = Prompt.ask(f"  {role}", default=default, console=console)
        names = [n.strip() for n in answer.split(",") if n.strip() not in ("", "-")]
        unknown = [name for name in names if name not in known]
        if not unknown:
            return names
        console.print(f'  no column "{unknown[0]}".{nearest(unknown[0], known)}', style="red")


def _asked_purpose(console: Console, given: dict[str, object]) -> dict[str, object]:
    console.print("\nWhat the model is for. Enter leaves a question open.", style="bold")
    answers = dict(given)
    for name, question in QUESTIONS.items():
        while name not in given:
            text = Prompt.ask(f"  {question}", default="", show_default=False, console=console)
            if not text.strip():
                break
            try:
                value = NUMBERS.get(name, str)(text)
                config.settle(None, {"purpose": {name: value}})
            except ValueError:
                console.print(f'  "{text}" is no number.', style="red", highlight=False)
                continue
            except UserError as error:
                console.print(f"  {error}", style="red", highlight=False, markup=False)
                continue
            answers[name] = value
            break
    return answers


def _require_columns(table: Table, roles: Answers, data: Path) -> None:
    known = list(table.columns)
    for key, value in roles.items():
        for name in _listed(value):
            if name not in known:
                raise UserError(
                    f'{data}: --{key} names "{name}", which is no column.{nearest(name, known)} '
                    f"Columns: {', '.join(known)}."
                )


def _listed(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(v) for v in value) if isinstance(value, tuple | list) else (str(value),)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _beside(data: Path, out: Path) -> str:
    """Return the data's path as seen from the settings' folder, where that is possible."""
    try:
        return str(data.resolve().relative_to(out.resolve().parent))
    except ValueError:
        return str(data.resolve())
