"""The file in which records accumulate: read strictly, merged under a lock, replaced as a whole."""

import json
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from roadworthy import files
from roadworthy.errors import UserError
from roadworthy.procedures.selftest.records import Records, merged

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RECORD_VERSION = "1.0"
"""A field may be added with a default under a new minor version; anything else raises the major."""

PUBLISHED = "selftest_record.json"
LOCK_SECONDS = 30.0

WAY_OUT = (
    "It was left as it is. Move it away and a new one is begun, or name another file with --record."
)


def read(path: Path) -> Records:
    """Read a record file; no file is an empty record.

    Raises
    ------
    UserError
        When the file is damaged, no record, or of a newer version. It is never written over then.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Records()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: could not be read ({error}). {WAY_OUT}") from None
    return parsed(text, str(path))


def published() -> Records:
    """Read the record of the built-in subjects that ships with the package."""
    resource = resources.files("roadworthy") / PUBLISHED
    if not resource.is_file():
        return Records()
    return parsed(resource.read_text("utf-8"), PUBLISHED)


def accumulate(path: Path, records: Records) -> Records:
    """Add `records` to the file at `path` and return all that it then holds.

    Two processes may do so at once: each merges under a lock and replaces the file as a whole.

    Raises
    ------
    UserError
        When the file that stands there is damaged, or nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".lock")):
            together = merged((read(path), records))
            files.write(path, text_of(together).encode())
    except OSError as error:
        raise UserError(
            f"{path}: the self-test's record could not be written ({error.strerror or error}). "
            "Nothing was changed. Make room, or name another file with --record."
        ) from error
    return together


def text_of(records: Records) -> str:
    """Return the file's text: one line per entry, so that versions of it can be compared."""
    lines = [f'{{"schema_version": "{RECORD_VERSION}"']
    for part in fields(Records):
        things = [json.dumps(_plain(t), ensure_ascii=False) for t in getattr(records, part.name)]
        lines.append(f'"{part.name}": [' + "".join(f"\n {t}," for t in things).rstrip(",") + "]")
    return ",\n".join(lines) + "}\n"


def parsed(text: str, name: str) -> Records:
    """Read the text of a record file called `name`.

    Raises
    ------
    UserError
    """
    from pydantic import ValidationError

    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{name}, line {error.lineno}: this is no self-test record ({error.msg}). {WAY_OUT}"
        ) from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    major = str(version).partition(".")[0]
    if not major.isdecimal():
        raise UserError(f"{name}: this is no self-test record (no schema_version). {WAY_OUT}")
    if int(major) > int(RECORD_VERSION.partition(".")[0]):
        raise UserError(
            f"{name}: the self-test record has version {version}; this roadworthy reads up to "
            f"{RECORD_VERSION}. Upgrade it: pip install --upgrade roadworthy. {WAY_OUT}"
        )
    del data["schema_version"]
    try:
        return _adapter().validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise UserError(
            f"{name}: the self-test record is damaged at {place} ({first['msg']}). {WAY_OUT}"
        ) from None


@cache
def _adapter() -> "TypeAdapter[Records]":
    from pydantic import TypeAdapter

    return TypeAdapter(Records)


def _plain(value: Any) -> Any:  # any field of a record
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        assert isfinite(value), f"{value} in a record"
    return value


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock file at `path`; the system frees it when a process dies."""
    with path.open("a+b") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _take(file):
            if time.monotonic() > deadline:
                raise UserError(
                    f"{path}: another process has held this lock for {LOCK_SECONDS:.0f} s. "
                    "Wait for it to end, or name another file with --record."
                )
            time.sleep(0.05)
        yield


if sys.platform == "win32":

    def _take(file: IO[bytes]) -> bool:
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _take(file: IO[bytes]) -> bool:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
