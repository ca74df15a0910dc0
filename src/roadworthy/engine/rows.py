"""Row-wise artifacts: computed in shards that are kept at once, and joined without being in memory.

The size of a shard follows from the subject and the marks alone, so that two runs cut alike.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.engine.container import Gone, Tensor, bytes_of, data_of, tensor_of
from roadworthy.engine.encoding import ARRAY_KINDS
from roadworthy.engine.graph import Graph, Node, divided
from roadworthy.engine.marks import ArtifactMark
from roadworthy.engine.memory import give_back_memory
from roadworthy.engine.progress import advance
from roadworthy.engine.store import Store
from roadworthy.engine.streamed import is_row_source

SHARD_BYTES = 1 << 25  # of the row-wise inputs
SHARD_ROWS = 4096  # of what runs a model: the most that is lost when a run is killed
ATTACKED_ROWS = 512  # of what runs it thousands of times on each row

Arguments = Mapping[str, Any]  # Any: whatever a function takes
Compute = Callable[[int, int], Any]  # Any: what the function returns for rows first to last


@dataclass(frozen=True)
class Cut:
    """How the rows of a row-wise artifact are cut: `size` rows at a time of these parameters."""

    n: int
    size: int
    parameters: frozenset[str]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First row and the row after the last, of each shard."""
        starts = range(0, max(self.n, 1), self.size)
        return [(first, min(first + self.size, self.n)) for first in starts]


def row_parameters(node: Node, graph: Graph, arguments: Arguments) -> frozenset[str]:
    """Return the parameters that hold one entry per row of the split of a node.

    Arrays that are fields of the split, or artifacts of it whose shape begins with n or is not
    declared. Empty where they differ in length: then nothing says which of them has the rows.
    """
    splits = {divided(need.name)[0] for need in node.needs} - {None}
    split = node.split or (splits.pop() if len(splits) == 1 else None)
    found = {
        need.parameter
        for need in node.needs
        if divided(need.name)[0] == split
        and split is not None
        and _has_rows(arguments[need.parameter])
        and _may_have_rows(graph.nodes.get(need.name))
    }
    lengths = {len(arguments[parameter]) for parameter in found}
    return frozenset(found) if len(lengths) == 1 else frozenset()


def _has_rows(value: object) -> bool:
    return is_row_source(value) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _may_have_rows(node: Node | None) -> bool:
    if node is None or not isinstance(node.mark, ArtifactMark) or node.mark.shape is None:
        return True
    return node.mark.shape.split()[:1] == ["n"]


def cut_of(node: Node, parameters: frozenset[str], arguments: Arguments) -> Cut | None:
    """Return how a node is cut, or None where it is computed in one."""
    mark = node.mark
    if not isinstance(mark, ArtifactMark) or not mark.rows or not parameters:
        return None
    arrays = [arguments[parameter] for parameter in parameters]
    row_bytes = sum(array.dtype.itemsize * prod(array.shape[1:]) for array in arrays)
    size = max(1, SHARD_BYTES // max(row_bytes, 1))
    if mark.cost != "light":
        size = min(size, ATTACKED_ROWS if mark.cost == "attack" else SHARD_ROWS)
    return Cut(len(arrays[0]), size, parameters)


def computed_by_rows(
    compute: Compute, cut: Cut, store: Store, key: str | None, pause: Callable[[], None]
) -> np.ndarray:
    """Compute an array shard by shard, take finished shards from the store, and join them.

    Parameters
    ----------
    compute : callable
    cut : Cut
    store : Store
    key : str or None
        None for what is never kept; then the result is in memory.
    pause : callable
        Called between shards; what it raises ends the computation, and the shards are kept.
    """
    if len(cut.ranges) == 1:
        whole = _checked(compute(0, cut.n), cut.n)
        return store.unkept(whole) if key is None else store.put(key, whole)
    parts = _Parts(store, key, cut)
    while True:
        for first, last in cut.ranges:
            finished = store.get(key) if key is not None and store.has(key) else None
            if finished is not None:  # another run was faster
                parts.discard()
                return finished.value
            if not parts.has(first, last):
                parts.give(first, _checked(compute(first, last), last - first))
                give_back_memory()
            advance(last, cut.n)
            if last < cut.n:
                pause()
        try:
            return parts.joined()
        except Gone:  # another run has joined and removed them meanwhile
            continue


class _Parts:
    """The shards of one array: in files, or in memory where nothing is kept."""

    def __init__(self, store: Store, key: str | None, cut: Cut) -> None:
        self._store = store
        self._key = key
        self._cut = cut
        self._folder = None if key is None or store.path is None else store.shards(key)
        self._in_memory: dict[int, np.ndarray] = {}
        self._form: tuple[str, tuple[int, ...]] | None = None

    def has(self, first: int, last: int) -> bool:
        """Whether the shard is there, whole."""
        if first in self._in_memory:
            return True
        if self._folder is None:
            return False
        found = self._store.read(self._file(self._folder, first))
        if found is None or len(found.value) != last - first:
            return False
        self._agree(found.value)
        return True

    def give(self, first: int, array: np.ndarray) -> None:
        """Keep a shard at once."""
        self._agree(array)
        is_kept = (
            self._folder is not None
            and self._store.keeps_files
            and self._store.write_array(self._file(self._folder, first), tensor_of(array))
        )
        if not is_kept:
            self._in_memory[first] = array

    def joined(self) -> np.ndarray:
        """Return the whole array, mapped where it is kept in a file.

        Raises
        ------
        Gone
            When a shard is no longer there.
        """
        assert self._form is not None
        dtype, shape = self._form
        tensor = Tensor(dtype, (self._cut.n, *shape), self._bytes())
        if self._key is not None and self._store.keeps_files:
            found = self._store.put_parts(self._key, tensor)
            if found is not None:
                self.discard()
                return found.value
        whole = np.empty(tensor.shape, dtype)
        target, start = whole.reshape(-1).view(np.uint8), 0
        for part in self._bytes():
            target[start : start + part.nbytes] = part
            start += part.nbytes
        return self._store.unkept(whole) if self._key is None else self._store.put(self._key, whole)

    def discard(self) -> None:
        """Remove the files of the shards."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, folder: Path, first: int) -> Path:
        return folder / f"{first}-of-{self._cut.n}-by-{self._cut.size}.safetensors"

    def _bytes(self) -> Iterator[memoryview]:
        for first, _ in self._cut.ranges:
            if first in self._in_memory:
                yield from bytes_of(self._in_memory[first])
            else:
                assert self._folder is not None
                yield from data_of(self._file(self._folder, first))

    def _agree(self, array: np.ndarray) -> None:
        form = (array.dtype.str, array.shape[1:])
        self._form = self._form or form
        if form != self._form:
            raise TypeError(
                f"rows of shape {form[1]} and dtype {form[0]} after rows of shape "
                f"{self._form[1]} and dtype {self._form[0]}; all rows must be alike"
            )


def _checked(value: Any, rows: int) -> np.ndarray:  # Any: what the function returned
    is_array = type(value) in (np.ndarray, np.memmap)
    if not is_array or value.ndim == 0 or len(value) != rows or value.dtype.kind not in ARRAY_KINDS:
        form = f"{value.dtype} array of shape {value.shape}" if is_array else type(value).__name__
        raise TypeError(
            f"a row-wise artifact must return one array with an entry for each of the {rows} rows "
            f"that it is given; it returned a {form}"
        )
    return value
