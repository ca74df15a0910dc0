"""Writing what a user keeps: to a temporary file, then renamed, so that nothing is half-written."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from roadworthy.errors import UserError


def write(path: Path, content: bytes) -> None:
    """Put `content` in place of the file at `path`, all of it or nothing.

    Raises
    ------
    UserError
        When the folder cannot be made or written, or the disk is full.
    """
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Put each content in place of the file at its path: all of the files or none of them.

    Raises
    ------
    UserError
        When a folder cannot be made or written, or the disk is full.
    """
    temporary: dict[Path, Path] = {}
    made: list[Path] = []
    path = next(iter(contents))
    try:
        for path, content in contents.items():
            made += _made(path.parent)
            temporary[path] = _temporary(path, content)
        for path, written in temporary.items():
            written.replace(path)
    except OSError as error:
        for written in temporary.values():
            written.unlink(missing_ok=True)
        _remove_empty(made)
        raise _cannot(path, error) from error


def require_writable(folder: Path) -> None:
    """Raise before anything is computed where nothing could be written into a folder afterwards.

    Raises
    ------
    UserError
        When the folder cannot be made or written.
    """
    made: list[Path] = []
    try:
        made += _made(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot(folder, error) from error
    finally:
        _remove_empty(made)


def read_text(path: Path) -> str:
    """Return the text of a file that roadworthy wrote.

    Raises
    ------
    UserError
        When it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UserError(
            f"{path}: cannot be read ({said or error}). Write it again with the command that made it."
        ) from None


def _made(folder: Path) -> list[Path]:
    """Make a folder; return those that were not there before, the deepest first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        _remove_empty(missing)
        raise
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in sorted(folders, key=lambda place: -len(place.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _temporary(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.chmod(0o644)
    except OSError:
        written.unlink(missing_ok=True)
        raise
    return written


def _cannot(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path}: could not be written ({error.strerror or error}). "
        "Nothing was left half-written. Make room or choose another folder with --out."
    )


def parquet_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return a Parquet file of these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), buffer)
    return buffer.getvalue()
