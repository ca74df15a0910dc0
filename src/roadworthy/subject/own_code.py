"""What the user's own code raises, told as a mistake that the user can mend, with file and line."""

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from roadworthy.errors import LackOfMemory, UserError, is_lack_of_memory

PACKAGE = Path(__file__).resolve().parent.parent
MOST_PLACES = 3
OWN_DEVICE = (
    "The code names a device of its own: let it work on the device of its inputs (no .cuda(); --device says where it "
    "runs), or give recorded predictions (--predictions)."
)
MORE_MEMORY = (
    "Memory does not suffice for it: free some or allow more (ulimit -v, --device), make its largest layer work row by "
    "row, or give recorded predictions (--predictions)."
)


@contextmanager
def own_code(failing: str, way_out: str = "Mend it there.") -> Generator[None, None, None]:
    """Turn whatever a user's file or function raises into a `UserError`, lack of memory into `LackOfMemory`.

    What roadworthy raises when that code calls it is not the user's, and goes on as it is.

    Parameters
    ----------
    failing : str
        Opens the message: "subject.py failed".
    way_out : str
        Ends it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        while frames and _is_ours(frames[0].filename):
            frames.pop(0)
        if any(_is_ours(frame.filename) for frame in frames):
            raise
        said = _said(error)
        told = f"{failing}{_places(frames)}: {said}."
        if is_lack_of_memory(error):
            raise LackOfMemory(f"{told} {MORE_MEMORY}") from error
        if _is_about_a_device(frames, said):
            way_out = OWN_DEVICE
        raise UserError(f"{told} {way_out}") from error


def _is_about_a_device(frames: list[traceback.FrameSummary], said: str) -> bool:
    own = [frame.line or "" for frame in frames if "site-packages" not in frame.filename]
    return "cuda" in " ".join((*own[-1:], said)).lower()


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(PACKAGE)


def _places(frames: list[traceback.FrameSummary]) -> str:
    own = [f for f in frames if "site-packages" not in f.filename and "<frozen" not in f.filename]
    places = [f"{Path(f.filename).name}, line {f.lineno}, in {f.name}" for f in own[-MOST_PLACES:]]
    return f" ({'; '.join(places)})" if places else ""


def _said(error: Exception) -> str:
    text = str(error).strip()
    if isinstance(error, SyntaxError):
        text = f"{error.msg} in {Path(error.filename or '').name}, line {error.lineno}"
    first = text.splitlines()[0].rstrip(".") if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
