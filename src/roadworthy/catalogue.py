"""What roadworthy knows: lists of checks, faults, mitigations and artifacts, and one of them described."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import Parameter
from itertools import groupby
from typing import Literal, get_args, get_origin

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from roadworthy.config import PROFILES, profile_options
from roadworthy.engine import CheckMark, FaultMark, Marked, MitigationMark, Registry, suggestion
from roadworthy.errors import UserError
from roadworthy.procedures.description import describe
from roadworthy.results import Requirement

HANDED = ("rng", "strength")  # by whoever calls a function: nothing of the subject
KINDS = ("checks", "artifacts", "faults", "controls", "natural_faults", "mitigations", "shams")


@dataclass(frozen=True)
class Option:
    """What `--set` can change: `value` is the default, or what each profile sets; `about` says of what it is a part."""

    name: str
    value: str
    about: str


def listing(kind: str, registry: Registry | None = None) -> RenderableType:
    """Return a list of everything of one kind: "checks", "faults", "mitigations" or "artifacts"."""
    registry = registry or Registry.discover()
    lists = {
        "checks": _checks,
        "faults": _faults,
        "mitigations": _mitigations,
        "artifacts": _artifacts,
    }
    return lists[kind](registry)


def description(name: str, registry: Registry | None = None) -> Group:
    """Return all that is known of the check, fault, mitigation or artifact of that name.

    Raises
    ------
    UserError
        When there is no such name; the nearest is suggested.
    """
    registry = registry or Registry.discover()
    for kind in KINDS:
        found = getattr(registry, kind).get(name)
        if found is not None:
            return _described(found, registry)
    known = [n for kind in KINDS for n in getattr(registry, kind)]
    raise UserError(
        f'There is no check, fault, mitigation or artifact "{name}".{suggestion(name, known)} '
        "`roadworthy list` shows all checks."
    )


def in_words(requirement: Requirement | None) -> str:
    """Return a requirement as "at most 0.05", or "note" where nothing is required."""
    if requirement is None:
        return "note"
    return f"{requirement.direction.replace('_', ' ')} {requirement.bound:g}"


def needs(marked: Marked) -> list[str]:
    """Return the names that a function asks for; optional ones in brackets."""
    names: list[str] = []
    for parameter in inspect.signature(marked.function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY or parameter.name in HANDED:
            continue
        optional = parameter.default is not parameter.empty
        names.append(f"[{parameter.name}]" if optional else parameter.name)
    return names


def options(marked: Marked, registry: Registry) -> list[Option]:
    """Return the options of a check or artifact, and after them those of all that it is made from."""
    return [
        Option(f"{each.name}.{p.name}", _default(each.name, p), _said_of(p.name, each))
        for each in _made_from(marked, registry)
        for p in each.parameters
        if p.kind is p.KEYWORD_ONLY
    ]


def _made_from(marked: Marked, registry: Registry) -> Iterator[Marked]:
    """Give a function and the artifacts that it asks for, directly or not: the nearest first, each once."""
    waiting, met = [marked], {marked.name}
    while waiting:
        each = waiting.pop(0)
        yield each
        for need in needs(each):
            name = need.strip("[]")
            found = registry.artifacts.get(name) or registry.artifacts.get(name.partition("_")[2])
            if found is not None and found.name not in met:
                met.add(found.name)
                waiting.append(found)


def _said_of(option: str, marked: Marked) -> str:
    """Return the sentences of a docstring that name an option, or its first line where none does."""
    about = describe(marked.function)
    text = " ".join(f"{about.title}. {about.body}".split())
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z`])", text)
    return " ".join(s for s in sentences if f"`{option}`" in s) or f"{about.title}."


def _default(node: str, option: Parameter) -> str:
    """Say an option's default and, where only some values are allowed, those."""
    by_profile = {
        name: profile_options(profile, {node: [option.name]}) for name, profile in PROFILES.items()
    }
    if all(by_profile.values()):
        return ", ".join(f"{set_[node][option.name]} ({name})" for name, set_ in by_profile.items())
    shown = _value(option.default)
    if get_origin(option.annotation) is Literal:
        others = [_value(each) for each in get_args(option.annotation) if each != option.default]
        return f"{shown} (or {', '.join(others)})"
    return shown


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if value in ("", None):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checks(registry: Registry) -> Group:
    shown: list[RenderableType] = []
    ordered = sorted(registry.checks.values(), key=lambda m: (_challenge(m), m.name))
    width = max((len(marked.name) for marked in ordered), default=0)
    for challenge, group in groupby(ordered, _challenge):
        shown += ["", Text(challenge, style="bold")]
        for marked in group:
            assert isinstance(marked.mark, CheckMark)
            asked = in_words(marked.mark.requires)
            shown += [
                Text(f"  {marked.name:<{width}}  {asked:<14}  {marked.mark.cost}"),
                Padding(Text(f"needs {', '.join(needs(marked))}", style="dim"), (0, 0, 0, 6)),
            ]
    last = "Needs in brackets are used where they are there. roadworthy describe CHECK says more of one."
    return Group(*shown, "", Text(last))


def _faults(registry: Registry) -> Group:
    planted = [
        (m.mark.breaks, m) for m in registry.faults.values() if isinstance(m.mark, FaultMark)
    ]
    natural = [(m.mark.breaks, m) for m in registry.natural_faults.values()]  # pyright: ignore[reportAttributeAccessIssue] - NaturalMark
    shown: list[RenderableType] = []
    ordered = sorted([*planted, *natural], key=lambda pair: (pair[0], pair[1].name))
    for breaks, group in groupby(ordered, lambda pair: pair[0]):
        shown += ["", Text(f"breaks {breaks}", style="bold")]
        for _, marked in group:
            title = Text(describe(marked.function).title, style="dim")
            shown += [Text(f"  {marked.name}"), Padding(title, (0, 0, 0, 6))]
    return Group(*shown)


def _mitigations(registry: Registry) -> Group:
    shown: list[RenderableType] = []
    marked = [
        (m.mark.targets[0], m)
        for m in registry.mitigations.values()
        if isinstance(m.mark, MitigationMark)
    ]
    for target, group in groupby(sorted(marked, key=lambda p: (p[0], p[1].name)), lambda p: p[0]):
        shown += ["", Text(f"repairs {target}", style="bold")]
        for _, each in group:
            assert isinstance(each.mark, MitigationMark)
            also = ", ".join(each.mark.targets[1:])
            title = Text(describe(each.function).title, style="dim")
            said = f"  {each.name}" + (f"  (also {also})" if also else "")
            shown += [Text(said), Padding(title, (0, 0, 0, 6))]
    last = "roadworthy fix SUBJECT --only NAME tries one; roadworthy describe NAME says more of it."
    return Group(*shown, "", Text(last))


def _artifacts(registry: Registry) -> Table:
    table = Table(title="Artifacts", title_justify="left", box=None, pad_edge=False)
    for header in ("artifact", "what it is"):
        table.add_column(header, overflow="fold")
    for name, marked in sorted(registry.artifacts.items()):
        per_split = getattr(marked.mark, "per", None) == "split"
        shown = f"{{train,validation,test}}_{name}" if per_split else name
        table.add_row(shown, Text(describe(marked.function).title, style="dim"))
    return table


def _described(marked: Marked, registry: Registry) -> Group:
    about = describe(marked.function)
    facts = Table.grid(padding=(0, 2))
    mark = marked.mark
    if isinstance(mark, CheckMark):
        required = mark.requires
        source = f" ({required.source})" if required else ""
        facts.add_row("challenge", mark.challenge)
        facts.add_row("requirement", f"{in_words(required)}{source}")
        facts.add_row("least n", str(mark.least))
        facts.add_row("unit", about.unit)
        facts.add_row("proven by", ", ".join(_breaking(marked.name, registry)) or "nothing yet")
        facts.add_row("qualified at", about.qualified_at)
        facts.add_row("if it fails", about.next)
    if isinstance(mark, MitigationMark):
        facts.add_row("repairs", ", ".join(mark.targets))
        facts.add_row("strengths", ", ".join(f"{s:g}" for s in mark.strengths))
        facts.add_row("control", mark.sham or "doing nothing, or training with another seed")
        facts.add_row("proven on", mark.repairs or "nothing yet")
        if about.caution:
            facts.add_row("mind", Text(about.caution))
    # As Text, for brackets in a string are marks to rich.
    facts.add_row("needs", Text(", ".join(needs(marked)) or "nothing"))
    facts.add_row("written in", f"{marked.module}, line {marked.line}")
    shown: list[RenderableType] = [
        Text(marked.name, style="bold"),
        Text(about.title + "."),
        "",
    ]
    if about.body:
        shown.append(Padding(Markdown(about.body), (0, 0, 1, 0)))
    shown.append(facts)
    changeable = options(marked, registry) if marked.kind in ("check", "artifact") else []
    if changeable:
        shown += ["", *_options(changeable)]
    if isinstance(mark, CheckMark):
        shown += ["", _standing(marked.name, registry)]
    if isinstance(mark, MitigationMark):
        shown += ["", *_proofs(marked.name, registry)]
    return Group(*shown)


def _options(changeable: list[Option]) -> list[RenderableType]:
    """Show options below the function that has them, with what that function is for."""
    shown: list[RenderableType] = [Text("Options, as --set NAME.OPTION=VALUE", style="bold")]
    for about, group in groupby(changeable, lambda option: option.about):
        shown += [Text(f"  {option.name} = {option.value}") for option in group]
        shown.append(Padding(Text(about, style="dim"), (0, 0, 0, 6)))
    return shown


def _standing(check: str, registry: Registry) -> RenderableType:
    """Return what self-tests have found of a check as it is written now."""
    from roadworthy.api import USER_RECORD
    from roadworthy.procedures import selftest

    known = selftest.merged((selftest.published(), selftest.read(USER_RECORD)))
    current = selftest.current(known, selftest.codes(registry))
    own = tuple(entry for entry in current.entries if entry.check == check)
    if not own:
        return Text(
            f"No self-test of it is recorded; `roadworthy selftest digits --only {check}` makes one."
        )
    return selftest.console(selftest.Records(own), title="Self-test")


def _proofs(mitigation: str, registry: Registry) -> list[RenderableType]:
    """Return what is known of a remedy as it is written now."""
    from roadworthy.procedures import remedies
    from roadworthy.repairing import RECORD

    own = remedies.read_proofs(RECORD) if RECORD.is_file() else ()
    known = remedies.current((*remedies.published(), *own), registry)
    said = [remedies.in_words(p) for p in known if p.mitigation == mitigation]
    nothing = (
        "No test of it against its sham is recorded; "
        f"`roadworthy selftest digits --mitigations --only {mitigation}` makes one."
    )
    return [Text(each) for each in said or [nothing]]


def _breaking(check: str, registry: Registry) -> list[str]:
    both = {**registry.faults, **registry.natural_faults}
    return sorted(n for n, m in both.items() if getattr(m.mark, "breaks", None) == check)


def _challenge(marked: Marked) -> str:
    assert isinstance(marked.mark, CheckMark)
    return marked.mark.challenge
