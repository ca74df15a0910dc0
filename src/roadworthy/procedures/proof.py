"""The log of looks at sealed proof rows: each one that shows something new makes the next one stricter.

A row that decisions have been taken on is no longer untouched. The log is a file of one JSON object per line that
is only ever appended to; the same look again (the same model, the same check) is no new one.
"""

import errno
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from roadworthy.errors import UserError


@dataclass(frozen=True)
class Look:
    """One line of the log.

    Parameters
    ----------
    when : str
        Date and time, UTC.
    subject : str
        Key of the subject.
    rows : str
        Hash of the ids of the proof rows.
    n : int
        How many they are.
    mitigation, target : str
        What was confirmed, on which check.
    what : str
        Key of the mitigated subject.
    time : int
        The how many'th different look at these rows it was.
    """

    when: str
    subject: str
    rows: str
    n: int
    mitigation: str
    target: str
    what: str
    time: int

    @property
    def level(self) -> float:
        """Confidence level of this look: 1 - .05 / k, so that errors of looks at the same rows fall off."""
        return 1.0 - 0.05 / self.time


class Unlogged(UserError):
    """A look at proof rows that cannot be logged: they stay sealed."""


class ProofLog:
    """Looks at proof rows, in a file or (path None) for this run alone.

    Raises
    ------
    UserError
        Where the file cannot be read or is no such log: a look that cannot be counted is refused.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._looks: list[Look] = [] if path is None or not path.exists() else _read(path)

    def open(
        self, *, subject: str, rows: str, n: int, mitigation: str, target: str, what: str
    ) -> Look:
        """Log a look before it is taken, and return the how many'th it is.

        Raises
        ------
        Unlogged
            Where the file cannot be written.
        """
        at_these = [look for look in self._looks if look.rows == rows]
        for look in at_these:
            if (look.mitigation, look.target, look.what) == (mitigation, target, what):
                return look
        look = Look(
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            subject=subject,
            rows=rows,
            n=n,
            mitigation=mitigation,
            target=target,
            what=what,
            time=1 + len(at_these),
        )
        self._append(look)
        self._looks.append(look)
        return look

    def _append(self, look: Look) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _append_line(self._path, json.dumps(asdict(look)))
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            way_out = "Make room there" if is_full else "Make the file writable"
            raise Unlogged(
                f"{self._path}: the opening of the proof rows cannot be logged "
                f"({error.strerror or error}), so they stay sealed. {way_out}, or name another with --proof-log; "
                "the same command goes on from here."
            ) from error


def _append_line(path: Path, line: str) -> None:
    """Append a line, all of it and on disk, or nothing: half a line would make a log unreadable."""
    with path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno()).st_size
        try:
            content = memoryview(line.encode() + b"\n")
            while content:
                content = content[file.write(content) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def hash_of_rows(ids: Sequence[int] | np.ndarray) -> str:
    """Return a name of a set of rows, whatever their order."""
    ordered = np.sort(np.asarray(ids))
    return sha256(str(ordered.dtype).encode() + ordered.tobytes()).hexdigest()


def _read(path: Path) -> list[Look]:
    found: list[Look] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: the log of openings of proof rows cannot be read ({error}). Mend or remove it; without it "
            "no one knows how often these rows were looked at."
        ) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(Look(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: no opening of proof rows ({error}); one JSON object with the "
                "fields when, subject, rows, n, mitigation, target, what and time was expected. "
                "Mend the line or remove the file."
            ) from error
    return found
