"""Where results are kept between runs: one file per node, never a pickle, never half-written.

A file that cannot be read as it was written is a miss: it is removed and computed again. Two runs
may share a folder. Where the folder cannot be made, `Store` refuses it at once; where a file cannot
be written later (disk full), the run goes on in memory and `problem` says why nothing more is kept:
hours of work are worth more than their copy.
"""

import shutil
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadworthy import results
from roadworthy.engine.container import Damaged, Tensor, read, tensor_of, write
from roadworthy.engine.encoding import Encoded, decode, encode
from roadworthy.engine.temporary import Temporary, remove_abandoned
from roadworthy.errors import UserError

RECORDS: tuple[type, ...] = (
    *(
        results.Measurement,
        results.DoubtedMeasurement,
        results.ShortMeasurement,
        results.Counts,
        results.TwoCounts,
        results.Estimate,
        results.Quantiles,
    ),
    *(results.Fact, results.Requirement, results.Axis, results.Bars, results.Curve, results.Series),
    *(results.Intervals, results.Matrix, results.Histogram, results.HistogramSeries),
    *(results.Scatter, results.Example, results.Examples, results.Table),
)
"""The records that an artifact or a check may return."""

MEMORY_BYTES = 1 << 29
MAPPED_FROM = 1 << 23  # bytes of a value; a larger one is handed on mapped, not in memory
NOT_APPLICABLE = "not applicable"
VALUE = "value"
SECONDS = "seconds"


@dataclass(frozen=True)
class Found:
    """A stored result: a value, or why the quantity does not exist (`not_applicable`).

    `seconds` is what it took to make; None where nobody said.
    """

    value: Any = None  # Any: what an artifact returned
    not_applicable: str | None = None
    seconds: float | None = None


class Store:
    """Results by key.

    Parameters
    ----------
    path : Path or str, optional
        A folder, made where it is not there; None keeps results in memory, the latest 512 MB.
    records : iterable of type
        Dataclasses that values may hold; no others are ever made from a file.

    Attributes
    ----------
    problem : str or None
        Why nothing more is written to `path`.
    """

    def __init__(self, path: Path | str | None = None, records: Iterable[type] = RECORDS) -> None:
        self.path = None if path is None else Path(path)
        self.problem: str | None = None
        self._records = {kind.__name__: kind for kind in (*RECORDS, *records)}
        self._memory: OrderedDict[str, Encoded] = OrderedDict()
        self._bytes = 0
        if self.path is not None:
            self._open(self.path)

    def has(self, key: str) -> bool:
        """Whether there seems to be a result; `get` may still find it damaged."""
        return key in self._memory or (self.path is not None and self._file(key).exists())

    def get(self, key: str) -> Found | None:
        """Return the result of a key, or None."""
        encoded = self._memory.get(key)
        if encoded is not None:
            self._memory.move_to_end(key)
            return self._found(encoded)
        return self.read(self._file(key)) if self.path is not None else None

    def put(
        self, key: str, value: Any, seconds: float | None = None
    ) -> Any:  # Any: what an artifact returned
        """Keep a value, and the seconds that it took to make, and return it as the next run will find it.

        Raises
        ------
        TypeError
            When the value holds something that cannot be kept.
        """
        timed = {} if seconds is None else {SECONDS: seconds}
        return self._kept(key, encode({VALUE: value, **timed}, self._records)).value

    def put_not_applicable(self, key: str, reason: str) -> None:
        """Keep that the quantity does not exist."""
        self._kept(key, encode({NOT_APPLICABLE: reason}, self._records))

    def unkept(self, value: Any) -> Any:  # Any: what an artifact returned
        """Return a value as `put` does, and raise as it does, without keeping it."""
        return self._found(encode({VALUE: value}, self._records)).value

    @property
    def keeps_files(self) -> bool:
        """Whether results are written to a folder."""
        return self.path is not None and self.problem is None

    def shards(self, key: str) -> Path:
        """Return the folder for parts of an array until they are joined to the value of `key`."""
        assert self.path is not None
        return self.path / "shards" / key

    def put_parts(self, key: str, tensor: Tensor) -> Found | None:
        """Keep an array that is given in parts; None (and `problem`) where that fails."""
        file = self._file(key)
        return self.read(file, verify=False) if self.write_array(file, tensor) else None

    def write_array(self, file: Path, tensor: Tensor) -> bool:
        """Write an array as a value of its own; False (and `problem`) where that fails."""
        form = [0, tensor.dtype, list(tensor.shape)]
        return self._write(file, {"dict": [[VALUE, {"array": form}]]}, [tensor])

    def read(self, file: Path, *, verify: bool = True) -> Found | None:
        """Read a file; None where there is none that is whole, and a damaged one is removed."""
        try:
            content = read(file, verify=verify)
        except Damaged:
            file.unlink(missing_ok=True)
            return None
        except OSError:
            return None
        try:
            return self._found(Encoded(content.structure, content.arrays))
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            ArithmeticError,
            AssertionError,
        ):
            # Well-formed, but of records that are not allowed or have other fields by now.
            return None

    def _open(self, path: Path) -> None:
        try:
            for folder in (path, path / "tmp", path / "shards"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{path}: results cannot be kept there ({error.strerror or error}); a folder that "
                "can be written was expected. Name another one with --store."
            ) from error
        remove_abandoned(path / "tmp")
        for left in (path / "shards").iterdir():
            if self._file(left.name).exists():
                shutil.rmtree(left, ignore_errors=True)

    def _file(self, key: str) -> Path:
        assert self.path is not None
        return self.path / key[:2] / f"{key}.safetensors"

    def _kept(self, key: str, encoded: Encoded) -> Found:
        if self.keeps_files:
            tensors = [tensor_of(array) for array in encoded.arrays]
            if self._write(self._file(key), encoded.structure, tensors):
                is_large = _size(encoded) >= MAPPED_FROM
                mapped = self.read(self._file(key), verify=False) if is_large else None
                return mapped or self._found(encoded)
        self._remember(key, encoded)
        return self._found(encoded)

    def _remember(self, key: str, encoded: Encoded) -> None:
        self._memory[key] = encoded
        self._bytes += _size(encoded)
        while self._bytes > MEMORY_BYTES and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._bytes -= _size(oldest)

    def _found(self, encoded: Encoded) -> Found:
        held = decode(encoded, self._records)
        return Found(held.get(VALUE), held.get(NOT_APPLICABLE), held.get(SECONDS))

    def _write(self, file: Path, structure: Any, tensors: list[Tensor]) -> bool:  # Any: JSON
        """Write a file in one step; False (and `problem`) where that fails."""
        assert self.path is not None
        try:
            with Temporary(self.path / "tmp") as temporary:
                write(temporary.file, structure, tensors)
                temporary.move_to(file)
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror or error}"
            return False
        return True


def _size(encoded: Encoded) -> int:
    return 1000 + sum(array.nbytes for array in encoded.arrays)
