"""Files that appear under their name when they are complete, or not at all."""

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType

ABANDONED_AFTER = 24 * 3600.0  # seconds; for those of other machines, whose processes are not seen


class Temporary:
    """A file to write into and then move to its place; removed where that does not happen."""

    def __init__(self, folder: Path) -> None:
        handle, name = tempfile.mkstemp(f"-{os.getpid()}", f"{socket.gethostname()}-", folder)
        self.path = Path(name)
        self.file = os.fdopen(handle, "wb")

    def __enter__(self) -> "Temporary":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk says so again when closed
            self.file.close()
        self.path.unlink(missing_ok=True)

    def move_to(self, place: Path) -> None:
        """Put the file in its place, complete and on disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.path.chmod(0o644)
        try:
            self.path.replace(place)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(place)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that are no more."""
    for path in folder.iterdir():
        if _is_abandoned(path):
            path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    host, _, process = path.name.rpartition("-")
    is_here = host.startswith(f"{socket.gethostname()}-") and process.isdecimal()
    if is_here and os.name == "posix":
        return not _is_alive(int(process))
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_AFTER
    except FileNotFoundError:
        return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
