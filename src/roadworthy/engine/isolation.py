"""The one place where every exception is caught, so that what breaks does not stop the rest."""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Success(Generic[T]):
    """What the call returned."""

    value: T


@dataclass(frozen=True)
class Failure:
    """What the call raised, with its traceback as text (frames of the engine left out)."""

    error: BaseException
    traceback: str

    @property
    def reason(self) -> str:
        """The exception in one line."""
        said = traceback.TracebackException.from_exception(self.error).format_exception_only()
        return " ".join(" ".join(said).split())


def attempt(call: Callable[[], T]) -> Success[T] | Failure:
    """Call a function that was written elsewhere; whatever it raises becomes a `Failure`.

    KeyboardInterrupt is the user's and passes through.
    """
    try:
        with warnings.catch_warnings():
            # Arrays are handed out read-only; torch.from_numpy says so of each, and no code here
            # writes into its inputs.
            warnings.filterwarnings("ignore", "The given NumPy array is not writ")
            return Success(call())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - isolation is what this file is for
        return Failure(error, _formatted(error))


def _formatted(error: BaseException) -> str:
    frames: TracebackType | None = error.__traceback__
    here = attempt.__code__.co_filename
    while frames is not None and frames.tb_frame.f_code.co_filename == here:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
