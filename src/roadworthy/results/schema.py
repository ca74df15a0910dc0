"""The JSON of a result: canonical text, its published schema, and how older files are read.

The rule for versions "major.minor": a field may be added with a default under a new minor version;
anything else raises the major version and adds a step to `upgrades`. Files of this version or older are
read, files of a newer version are refused, because what they say cannot be known here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from roadworthy.errors import UserError
from roadworthy.results.audit import SCHEMA_VERSION, Audit
from roadworthy.results.effects import EFFECTS_VERSION, Diff, Fix

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Json = dict[str, Any]  # as json.loads gives it: any JSON object
Result = Audit | Fix | Diff
ResultKind = Literal["audit", "fix", "diff"]


@dataclass(frozen=True)
class Form:
    """What one kind of result is made of, and how an older file of it becomes a newer one.

    `upgrades` leads from a major version to the next: takes the file's object, returns that of the next.
    """

    record: type[Result]
    version: str
    upgrades: Mapping[int, Callable[[Json], Json]]


FORMS: dict[ResultKind, Form] = {
    "audit": Form(Audit, SCHEMA_VERSION, {}),
    "fix": Form(Fix, EFFECTS_VERSION, {}),
    "diff": Form(Diff, EFFECTS_VERSION, {}),
}
SCHEMA_FILES: Mapping[ResultKind, str] = {kind: f"{kind}.schema.json" for kind in FORMS}
SCHEMA_FILE = SCHEMA_FILES["audit"]


def to_json(result: Result) -> str:
    """Write a result as canonical JSON.

    Fields stand in the order of their dataclasses, mappings are sorted by key, floats have all the
    digits that read back as the same number: equal results give equal bytes.

    Parameters
    ----------
    result : Audit, Fix or Diff

    Returns
    -------
    str
        JSON text that ends in a newline.

    Raises
    ------
    AssertionError
        If a number is not finite; names the field.
    """
    kind = _kind_of(result)
    # Reading the plain form through the types makes 1 and 1.0 the same where a field is a float.
    canonical = _adapter(kind).validate_python(_plain(result, kind))
    return json.dumps(_plain(canonical, kind), indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Audit:
    """Read an audit that this or an older version of roadworthy wrote.

    Parameters
    ----------
    text : str
        The contents of an `audit.json`.

    Returns
    -------
    Audit

    Raises
    ------
    UserError
        If the text is no audit, is damaged, or was written by a newer version.
    """
    read = _read(text, "audit")
    assert isinstance(read, Audit)
    return read


def fix_from_json(text: str) -> Fix:
    """Read a fix as `from_json` reads an audit; the text is the contents of a `fix.json`."""
    read = _read(text, "fix")
    assert isinstance(read, Fix)
    return read


def diff_from_json(text: str) -> Diff:
    """Read a diff as `from_json` reads an audit; the text is the contents of a `diff.json`."""
    read = _read(text, "diff")
    assert isinstance(read, Diff)
    return read


def json_schema(kind: ResultKind = "audit") -> Json:
    """Give the JSON Schema (draft 2020-12) of a kind of result, as published beside this file."""
    version = FORMS[kind].version
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:roadworthy:{kind}:{version}",
        **_adapter(kind).json_schema(mode="validation"),
        "title": f"roadworthy {kind}, schema version {version}",
    }


def schema_text(kind: ResultKind = "audit") -> str:
    """Give the text of the published schema file."""
    return json.dumps(json_schema(kind), indent=1, ensure_ascii=False) + "\n"


def published_schema(kind: ResultKind = "audit") -> Json:
    """Read the schema file that ships with the package."""
    return json.loads((files("roadworthy.results") / SCHEMA_FILES[kind]).read_text("utf-8"))


@cache
def _adapter(kind: ResultKind) -> "TypeAdapter[Result]":
    from pydantic import TypeAdapter

    return TypeAdapter(FORMS[kind].record)


def _kind_of(result: Result) -> ResultKind:
    return next(kind for kind, form in FORMS.items() if isinstance(result, form.record))


def _read(text: str, kind: ResultKind) -> Result:
    from pydantic import ValidationError

    form = FORMS[kind]
    data = _object(text, kind)
    major, minor = _version(data.get("schema_version"), kind)
    here = _version(form.version, kind)
    if (major, minor) > here:
        raise UserError(
            f"The {kind} has schema version {major}.{minor}, newer than {form.version}, the newest "
            "that this roadworthy reads. Upgrade it: pip install --upgrade roadworthy."
        )
    while major < here[0]:
        if major not in form.upgrades:
            raise UserError(
                f"The {kind} has schema version {major}.{minor}, and no way leads from there to {form.version}. "
                f"{_way_out(kind)}"
            )
        data, major = form.upgrades[major](data), major + 1
    data["schema_version"] = form.version
    try:
        return _adapter(kind).validate_json(json.dumps(data))
    except ValidationError as error:
        raise UserError(_first_problems(error.errors(include_url=False), kind)) from None


def _plain(value: Any, where: str) -> Any:  # any field of a result
    """Turn records into objects with mappings sorted, and refuse numbers that JSON does not have."""
    if is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name), f"{where}.{field.name}")
            for field in fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key], f"{where}[{key!r}]") for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if hasattr(value, "item"):  # a numpy number that a check let through
        value = value.item()
    if isinstance(value, float):
        assert isfinite(value), f"{where} is {value}; a value that does not exist is None"
    if isinstance(value, str):  # half a character, from a file in another encoding, has no UTF-8
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _object(text: str, kind: ResultKind) -> Json:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        found = f"line {error.lineno}, column {error.colno}: {error.msg}"
    else:
        other = _other_kind(data, kind) if isinstance(data, dict) else None
        if isinstance(data, dict) and other is None:
            return data
        found = f"found a JSON {type(data).__name__}, expected an object"
        found = f"it holds {'an' if other == 'audit' else 'a'} {other}" if other else found
    raise UserError(f"This is no {kind}.json: {found}. {_way_out(kind)}")


def _other_kind(data: Json, kind: ResultKind) -> ResultKind | None:
    """Name the other kind that has all its fields there, where this one has not."""

    def whole(of: ResultKind) -> bool:
        needed = (f.name for f in fields(FORMS[of].record) if f.default is MISSING)
        return all(name in data for name in needed)

    return None if whole(kind) else next((other for other in FORMS if whole(other)), None)


def _version(given: Any, kind: ResultKind) -> tuple[int, int]:  # whatever stands in the file
    major, _, minor = str(given).partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise UserError(
            f"This is no {kind}.json: schema_version is {given!r}, expected a version such as "
            f'"{FORMS[kind].version}". {_way_out(kind)}'
        )
    return int(major), int(minor)


def _way_out(kind: ResultKind) -> str:
    return f"Give the file that `roadworthy {kind}` wrote."


def _first_problems(errors: list[Any], kind: ResultKind, most: int = 5) -> str:  # pydantic's errors
    shown = [
        f"{'.'.join(str(step) for step in error['loc'])}: {error['msg']}" for error in errors[:most]
    ]
    more = f" (and {len(errors) - most} more)" if len(errors) > most else ""
    return (
        f"The {kind}.json does not follow its schema: {'; '.join(shown)}{more}. "
        f"Run it again, or give the file as `roadworthy {kind}` wrote it."
    )
