"""Reading roadworthy.toml: every problem of a file at once, each with its line and the way out."""

import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from roadworthy.config.lines import line_of
from roadworthy.config.sections import COLUMN, FILE_NAME, FILES, Bound, Config, Section, SplitFiles
from roadworthy.errors import UserError

_KINDS = {
    "string_type": 'text in quotes, like "abc"',
    "float_type": "a number, like 0.9",
    "int_type": "a whole number, like 3",
    "int_from_float": "a whole number, like 3",
    "bool_type": "true or false",
    "tuple_type": 'a list, like ["a", "b"]',
    "finite_number": "a finite number",
    "model_type": "a section of keys",
    "mapping_type": "a section of keys",
    "dict_type": "a section of keys",
    "is_instance_of": "a section of keys",
}


def read_config(path: Path, checks: Collection[str] | None = None) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds `roadworthy.toml`.
    checks : collection of str, optional
        Names of checks and challenges that exist; where given, names in [requirements] and [checks]
        that are none of them are problems too.

    Raises
    ------
    UserError
        With all problems of the file, each with its line.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"{file}: cannot be read ({error.strerror or error}). "
            "`roadworthy init DATA` writes one beside your data."
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(
            f"{file}, line {line}: byte {raw[error.start]:#04x} is not UTF-8, which TOML is written in. "
            "Save the file as UTF-8."
        ) from error
    return parse_config(text, str(file), checks)


def parse_config(text: str, name: str = FILE_NAME, checks: Collection[str] | None = None) -> Config:
    """Read a configuration from its text; `name` is what messages call it. See `read_config`."""
    try:
        found = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(_syntax(name, str(error))) from error
    problems = problems_of(found) + ([] if checks is None else _unknown_names(found, checks))
    if problems:
        placed = sorted((line_of(text, problem.path) or 0, problem) for problem in problems)
        raise UserError(
            "\n".join(
                f"{name}, line {line}: {problem.in_file()}"
                if line
                else f"{name}: {problem.in_file()}"
                for line, problem in placed
            )
        )
    return Config.model_validate(_with_bounds(found))


class Problem(NamedTuple):
    """What is wrong with the value at a path, or with the path itself."""

    path: tuple[str, ...]
    wrong: str
    names_itself: bool = False

    def in_file(self) -> str:
        """Say it of a file, where sections are in brackets."""
        if self.names_itself:
            return self.wrong
        return f"[{self.path[0]}] {'.'.join(self.path[1:])} {self.wrong}".replace("  ", " ")


def problems_of(
    found: Mapping[str, Any],  # Any: what tomllib returns
) -> list[Problem]:
    """Return all that is wrong with values by section and key, one problem per key."""
    try:
        Config.model_validate(_with_bounds(found))
    except ValidationError as error:
        problems = [_problem(details, found) for details in error.errors()]
        # A bound that is missing because its key is misspelt has one problem, not two.
        misspelt = {p.path[:-1] for p in problems if p.names_itself}
        kept: dict[tuple[str, ...], Problem] = {}
        for problem in problems:
            if problem.names_itself or problem.path not in misspelt:
                kept.setdefault(problem.path, problem)
        return list(kept.values())
    return []


def _with_bounds(found: Mapping[str, Any]) -> dict[str, Any]:  # Any: what tomllib returns
    """Read `check = 0.1` as `check = { bound = 0.1 }`."""
    bounds = found.get("requirements")
    if not isinstance(bounds, Mapping):
        return dict(found)
    whole = {
        key: value if isinstance(value, Mapping | Bound) else {"bound": value}
        for key, value in bounds.items()
    }
    return {**found, "requirements": whole}


def _problem(
    details: ErrorDetails,
    found: Mapping[str, Any],  # Any: what tomllib returns
) -> Problem:
    path = tuple(str(part) for part in details["loc"] if part not in (FILES, COLUMN))
    if details["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(path), names_itself=True)
    keys = _keys_of(path, found)
    if details["type"] == "missing":
        return Problem(keys, 'has no bound. Write a number, or { bound = 0.1, source = "why" }.')
    if keys[0] == "options" and len(keys) > 1:
        wrong = f"is {_shown(details['input'])}; expected a finite number, true, false or text."
        return Problem(keys, wrong)
    if details["type"] == "value_error":
        return Problem(keys, f"is wrong: {details.get('ctx', {}).get('error')}.")
    wrong = f"is {_shown(details['input'])}; expected {_expected(details)}"
    return Problem(keys, wrong if wrong.endswith("?") else f"{wrong}.")


def _unknown_key(path: tuple[str, ...]) -> str:
    *around, key = path
    here = _model_of(around)
    known = list(here.model_fields) if here is not None else []
    what = f"[{'.'.join(around)}] has no key" if around else "there is no section"
    message = f'{what} "{key}".'
    if near := get_close_matches(key, known, n=1):
        return f'{message} Did you mean "{near[0]}"?'
    elsewhere = [
        name
        for name in Config.model_fields
        if (model := _model_of([name])) is not None and key in model.model_fields
    ]
    if elsewhere and elsewhere != around:
        return f'{message} "{key}" belongs in [{elsewhere[0]}].'
    return f"{message} There are: {', '.join(known)}."


def _model_of(path: list[str]) -> type[Section] | None:
    """Return the section that has the keys at a path."""
    if not path:
        return Config
    if path[0] == "requirements":
        return Bound
    if path[:2] == ["subject", "split"]:
        return SplitFiles
    kind = Config.model_fields[path[0]].annotation if path[0] in Config.model_fields else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _keys_of(
    path: tuple[str, ...],
    found: Mapping[str, Any],  # Any: what tomllib returns
) -> tuple[str, ...]:
    """Drop what pydantic adds to a path: the branch of a union, the position in a list."""
    keys: list[str] = []
    value: object = found
    for part in path:
        if not isinstance(value, Mapping) or (part not in value and keys[:1] != ["requirements"]):
            break
        keys.append(part)
        value = value.get(part)
    if path[:1] == ("requirements",) and keys[-1:] == ["bound"]:
        keys.pop()
    return tuple(keys) or path[:1]


def _expected(details: ErrorDetails) -> str:
    kind, limits = details["type"], details.get("ctx", {})
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "literal_error":
        allowed = str(limits["expected"]).replace("'", '"')
        near = get_close_matches(str(details["input"]), re.findall('"(.*?)"', allowed), n=1)
        return allowed + (f'. Did you mean "{near[0]}"?' if near else "")
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    for name, word in words.items():
        if name in limits:
            return f"{word} {limits[name]}"
    if kind == "string_too_short":
        return "text that is not empty"
    if kind == "string_too_long":
        return f"at most {limits['max_length']} character"
    return str(details["msg"])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown_names(
    found: Mapping[str, Any],  # Any: what tomllib returns
    checks: Collection[str],
) -> list[Problem]:
    named: list[tuple[tuple[str, ...], str]] = []
    bounds, chosen = found.get("requirements"), found.get("checks")
    if isinstance(bounds, Mapping):
        named += [(("requirements", str(name)), str(name)) for name in bounds]
    if isinstance(chosen, Mapping):
        for key in ("only", "skip"):
            listed = chosen.get(key)
            names = listed if isinstance(listed, list) else [listed]
            named += [(("checks", key), name) for name in names if isinstance(name, str)]
    problems: list[Problem] = []
    for path, name in named:
        if name in checks:
            continue
        near = get_close_matches(name, sorted(checks), n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        what = f'[{path[0]}] names "{name}", which is no check.{hint} `roadworthy list` shows all.'
        problems.append(Problem(path, what, names_itself=True))
    return problems


def _syntax(name: str, message: str) -> str:
    what, _, place = message.rpartition(" (at ")
    where = f"{name}, {place.rstrip(')')}" if what else name
    what = what or message
    return f"{where}: is not valid TOML: {what[:1].lower()}{what[1:]}. Text stands in quotes, lists in [ ]."
