"""Parts of a node: kept one by one, shared, resumed, ended by a budget."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.engine import Lacking, Registry, Store, artifact, compute, recall

MADE: list[int] = []
PASSING = [0.0]  # seconds, as the engine sees them


def doubled(value: int) -> np.ndarray:
    return np.array([2 * value])


def _all(values: Sequence[int], shared: str = "s") -> list[np.ndarray]:
    def make(lacking: Sequence[Lacking]) -> Iterable[tuple[int, np.ndarray]]:
        for part in reversed(lacking):
            MADE.append(values[part.position])
            if values[part.position] < 0:
                raise ValueError("negative")
            yield part.position, doubled(values[part.position])

    return recall(doubled, shared, [(value,) for value in values], make)


@artifact()
def small(first: int) -> list[np.ndarray]:
    return _all([1, 2, first])


@artifact()
def large(first: int) -> list[np.ndarray]:
    return _all([3, 2, 1, 2])


@artifact()
def slow(first: int) -> list[np.ndarray]:
    def make(lacking: Sequence[Lacking]) -> Iterable[tuple[int, np.ndarray]]:
        for part in lacking:
            PASSING[0] += 0.15
            MADE.append(part.position)
            yield part.position, doubled(part.position)

    return recall(doubled, "slow", [(i,) for i in range(50)], make)


REGISTRY = Registry.of(small, large, slow)


def test_parts_are_shared_between_artifacts_and_made_once(tmp_path: Path) -> None:
    MADE.clear()
    store = Store(tmp_path)
    found = compute(REGISTRY, {"first": 3}, ["small", "large"], store=store)
    assert [a.tolist() for a in found["large"].value] == [[6], [4], [2], [4]]
    assert sorted(MADE) == [1, 2, 3]
    again = compute(REGISTRY, {"first": 2}, ["small"], store=Store(tmp_path))
    assert [a.tolist() for a in again["small"].value] == [[2], [4], [4]]
    assert sorted(MADE) == [1, 2, 3]


def test_what_was_made_before_something_broke_is_kept(tmp_path: Path) -> None:
    MADE.clear()
    broken = compute(REGISTRY, {"first": -1}, ["small"], store=Store(tmp_path))
    assert broken["small"].state == "error"
    assert MADE == [-1]
    MADE.clear()
    whole = compute(REGISTRY, {"first": 9}, ["small"], store=Store(tmp_path))
    assert [a.tolist() for a in whole["small"].value] == [[2], [4], [18]]


def test_a_budget_ends_it_between_two_parts_and_the_next_run_goes_on(
    tmp_path: Path, clock: Any
) -> None:
    MADE.clear()
    clock.monotonic = lambda: PASSING[0]
    cut = compute(REGISTRY, {"first": 0}, ["slow"], store=Store(tmp_path), budget=0.4)
    assert cut["slow"].state == "budget"
    assert MADE == [0, 1, 2]
    compute(REGISTRY, {"first": 0}, ["slow"], store=Store(tmp_path), budget=0.4)
    assert list(range(6)) == MADE


def test_work_in_progress_has_a_file_that_is_gone_when_it_is_done(tmp_path: Path) -> None:
    seen: list[Path | None] = []

    def make(lacking: Sequence[Lacking]) -> Iterable[tuple[int, int]]:
        for part in lacking:
            assert part.unfinished is not None
            part.unfinished.write_text("half")
            seen.append(part.unfinished)
            yield part.position, 1

    @artifact()
    def half() -> list[int]:
        return recall(doubled, "half", [(1,)], make)

    assert compute(Registry.of(half), {}, ["half"], store=Store(tmp_path))["half"].value == [1]
    assert seen[0] is not None
    assert not seen[0].exists()


def test_outside_of_a_run_everything_is_made() -> None:
    MADE.clear()
    assert [a.tolist() for a in _all([5, 5, 6])] == [[10], [10], [12]]
    assert sorted(MADE) == [5, 6]
