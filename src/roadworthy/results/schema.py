"""The JSON of a result: canonical text, its published schema, and how older files are read.

The rule for versions "major.minor": a field may be added with a default under a new minor version;
anything else raises the major version and adds a step to `UPGRADES`. Files of this version or older are
read, files of a newer version are refused, because what they say cannot be known here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any

from roadworthy.errors import UserError
from roadworthy.results.audit import SCHEMA_VERSION, Audit

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_FILE = "audit.schema.json"

Json = dict[str, Any]  # as json.loads gives it: any JSON object

UPGRADES: Mapping[int, Callable[[Json], Json]] = {}
"""From a major version to the next: takes the file's object, returns that of the next major version."""


def to_json(audit: Audit) -> str:
    """Write an audit as canonical JSON.

    Fields stand in the order of their dataclasses, mappings are sorted by key, floats have all the
    digits that read back as the same number: equal audits give equal bytes.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    str
        JSON text that ends in a newline.

    Raises
    ------
    AssertionError
        If a number is not finite; names the field.
    """
    # Reading the plain form through the types makes 1 and 1.0 the same where a field is a float.
    canonical = _adapter().validate_python(_plain(audit, "audit"))
    return json.dumps(_plain(canonical, "audit"), indent=1, ensure_ascii=False) + "\n"


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
    from pydantic import ValidationError

    data = _object(text)
    major, minor = _version(data.get("schema_version"))
    here = _version(SCHEMA_VERSION)
    if (major, minor) > here:
        raise UserError(
            f"The audit has schema version {major}.{minor}, newer than {SCHEMA_VERSION}, the newest "
            "that this roadworthy reads. Upgrade it: pip install --upgrade roadworthy."
        )
    while major < here[0]:
        data, major = UPGRADES[major](data), major + 1
    data["schema_version"] = SCHEMA_VERSION
    try:
        return _adapter().validate_json(json.dumps(data))
    except ValidationError as error:
        raise UserError(_first_problems(error.errors(include_url=False))) from None


def json_schema() -> Json:
    """Give the JSON Schema (draft 2020-12) of `audit.json`, as published in `audit.schema.json`."""
    schema = _adapter().json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:roadworthy:audit:{SCHEMA_VERSION}",
        **schema,
        "title": f"roadworthy audit, schema version {SCHEMA_VERSION}",
    }


def schema_text() -> str:
    """Give the text of the published schema file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def published_schema() -> Json:
    """Read the schema file that ships with the package."""
    return json.loads((files("roadworthy.results") / SCHEMA_FILE).read_text("utf-8"))


@cache
def _adapter() -> "TypeAdapter[Audit]":
    from pydantic import TypeAdapter

    return TypeAdapter(Audit)


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


def _object(text: str) -> Json:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"This is no audit.json: line {error.lineno}, column {error.colno}: {error.msg}. "
            "Give the file that `roadworthy audit` wrote."
        ) from None
    if not isinstance(data, dict):
        raise UserError(
            f"This is no audit.json: found a JSON {type(data).__name__}, expected an object. "
            "Give the file that `roadworthy audit` wrote."
        )
    return data


def _version(given: Any) -> tuple[int, int]:  # whatever stands in the file
    major, _, minor = str(given).partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise UserError(
            f"This is no audit.json: schema_version is {given!r}, expected a version such as "
            f'"{SCHEMA_VERSION}". Give the file that `roadworthy audit` wrote.'
        )
    return int(major), int(minor)


def _first_problems(errors: list[Any], most: int = 5) -> str:  # pydantic's error dictionaries
    shown = [
        f"{'.'.join(str(step) for step in error['loc'])}: {error['msg']}" for error in errors[:most]
    ]
    more = f" (and {len(errors) - most} more)" if len(errors) > most else ""
    return (
        f"The audit.json does not follow its schema: {'; '.join(shown)}{more}. "
        "Run the audit again, or give the file as `roadworthy audit` wrote it."
    )
