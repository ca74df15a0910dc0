"""PyTorch data sets and loaders, read row by row in a fixed order, and read twice to be sure of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.arrays import Part
from roadworthy.subject.problems import listed
from roadworthy.subject.streamed import is_streamed

INPUT_KEYS = ("x", "inputs", "input", "image", "images", "features", "data", "pixel_values")
TARGET_KEYS = ("y", "target", "targets", "label", "labels")
BATCH = 256


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a loader gave, and what had to be done for it."""

    part: Part
    notes: tuple[str, ...] = ()


def is_loader(value: object) -> bool:
    """Whether a value is a torch DataLoader or Dataset; torch is not imported to find out."""
    return any(kind.__module__.startswith("torch.utils.data") for kind in type(value).__mro__)


def read_loader(value: Any, name: str) -> Loaded:  # Any: a DataLoader or a Dataset
    """Return the rows of a DataLoader or Dataset.

    A shuffled loader is read in the order of its data set. Rows that differ between two readings
    are refused: augmentation belongs to the recipe.
    """
    from torch.utils.data import DataLoader

    notes: tuple[str, ...] = ()
    if isinstance(value, DataLoader):
        loader, notes = _in_order(value, name)
    else:
        loader = DataLoader(value, batch_size=BATCH)
    first = [_pair(batch, name) for batch in loader]
    if not first:
        raise UserError(f"{name}: the loader gives no batches. Give one with rows.")
    _require_alike(first, (_pair(batch, name) for batch in loader), name)
    inputs = np.concatenate([x for x, _ in first])
    target = np.concatenate([y for _, y in first])
    return Loaded(Part(inputs, target), notes)


def _in_order(loader: Any, name: str) -> tuple[Any, tuple[str, ...]]:  # Any: a DataLoader
    """Return a loader of the same rows in the order of the data set, where the sampler allows it."""
    from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, SubsetRandomSampler

    sampler = loader.sampler
    plain = isinstance(sampler, SequentialSampler)
    if plain and not loader.drop_last:
        return loader, ()
    indices: list[int] | None = None
    if isinstance(sampler, SubsetRandomSampler):
        indices = sorted(int(i) for i in sampler.indices)
    elif isinstance(sampler, RandomSampler) and not sampler.replacement:
        if sampler.num_samples == len(loader.dataset):
            indices = list(range(len(loader.dataset)))
    elif plain:
        indices = list(range(len(loader.dataset)))
    if indices is None or loader.batch_size is None:
        return loader, ()
    ordered = DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        sampler=_Given(indices),
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
    )
    why = "left out its last rows" if plain else "shuffles"
    return ordered, (f"the loader of {name} {why}; its data set was read whole and in order",)


class _Given:
    """A sampler of given indices in given order."""

    def __init__(self, indices: list[int]) -> None:
        self._indices = indices

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


def _require_alike(
    first: list[tuple[np.ndarray, np.ndarray]],
    second: Iterator[tuple[np.ndarray, np.ndarray]],
    name: str,
) -> None:
    again = list(second)
    xs, ys = (np.concatenate([pair[i] for pair in first]) for i in (0, 1))
    if len(again):
        xs2, ys2 = (np.concatenate([pair[i] for pair in again]) for i in (0, 1))
        if xs.shape == xs2.shape and _same(xs, xs2) and _same(ys, ys2):
            return
        if xs.shape == xs2.shape and _same(np.sort(_keys(xs)), np.sort(_keys(xs2))):
            raise UserError(
                f"{name}: the loader gives its rows in another order each time. Rows must keep their "
                "place: give DataLoader(..., shuffle=False), or the data set itself."
            )
        if xs.shape == xs2.shape:
            differ = ~(xs == xs2).reshape(len(xs), -1).all(axis=1)
            raise UserError(
                f"{name}: {int(differ.sum())} of {len(xs)} rows differ between two readings (first: "
                f"index {int(np.argmax(differ))}), as by random augmentation. Give the data set "
                "without it; augmentation belongs to the recipe."
            )
    raise UserError(
        f"{name}: the loader gave {len(xs)} rows at first and {sum(len(x) for x, _ in again)} when "
        "read again. Give one that can be read more than once, or arrays."
    )


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _keys(rows: np.ndarray) -> np.ndarray:
    from roadworthy.subject.splitting import hashes_of_arrays

    return hashes_of_arrays(rows)


def _pair(batch: Any, name: str) -> tuple[np.ndarray, np.ndarray]:  # Any: what a loader yields
    if isinstance(batch, Mapping):
        x = next((batch[key] for key in INPUT_KEYS if key in batch), None)
        y = next((batch[key] for key in TARGET_KEYS if key in batch), None)
        if x is None or y is None:
            raise UserError(
                f"{name}: batches have the keys {listed([str(k) for k in batch])}; inputs "
                f"({listed(INPUT_KEYS, 4)}) and a target ({listed(TARGET_KEYS, 4)}) were expected."
            )
        return as_array(x), as_array(y)
    if isinstance(batch, list | tuple) and len(batch) == 2:
        return as_array(batch[0]), as_array(batch[1])
    found = f"{len(batch)} parts" if isinstance(batch, list | tuple) else type(batch).__name__
    raise UserError(f"{name}: batches of (inputs, target) were expected; this one has {found}.")


def as_array(value: Any) -> np.ndarray:  # Any: a tensor, an array or a list
    """Return a tensor, an array or a list as an array; bfloat16 is widened to float32.

    What does not fit in memory (a memory-mapped array, a `ParquetRows`) is returned as it is.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) in ("torch.bfloat16", "torch.float8_e4m3fn", "torch.float8_e5m2"):
            value = value.float()
        return np.array(value.numpy())
    return cast(np.ndarray, value) if is_streamed(value) else np.asarray(value)
