"""Parts of a node: kept one by one, shared, resumed, ended by a budget."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roadworthy.engine import Lacking, Registry, Store, advance, artifact, compute, recall

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


# What a value took to make, whenever and for whomever its parts were made


@artifact()
def one_by_one() -> list[int]:
    return recall(doubled, "timed", [(i,) for i in range(3)], lambda _: _told(steps_at_once=1))


@artifact()
def all_at_once() -> list[int]:
    return recall(doubled, "timed", [(i,) for i in range(3)], lambda _: _told(steps_at_once=3))


def _told(*, steps_at_once: int) -> Iterable[tuple[int, int]]:
    """Make three parts in 1, 2 and 3 seconds of two steps each; or together, done after 2, 3 and 5 steps."""
    done = 0
    for position in range(3):
        for _ in range(2 if position == 0 or steps_at_once == 1 else position):
            PASSING[0] += (position + 1) / 2 if steps_at_once == 1 else 3.0
            done += steps_at_once
            advance(done, 6)
        yield position, position


def _the(position: int) -> list[int]:
    def make(lacking: Sequence[Lacking]) -> Iterable[tuple[int, int]]:
        PASSING[0] += 7.0
        yield 0, position

    return recall(doubled, "timed", [(position,)], make)


@artifact()
def the_second() -> list[int]:
    return _the(1)


@artifact()
def the_last() -> list[int]:
    return _the(2)


TIMED = Registry.of(one_by_one, all_at_once, the_second, the_last)


def took(name: str, store: Store) -> float | None:
    seconds = compute(TIMED, {}, [name], store=store)[name].took
    return None if seconds is None else round(seconds, 9)


@pytest.fixture
def passing(clock: Any) -> None:
    clock.perf_counter = clock.process_time = lambda: PASSING[0]


@pytest.mark.usefixtures("passing")
def test_a_part_that_is_found_took_what_it_took_when_it_was_made(tmp_path: Path) -> None:
    assert took("one_by_one", Store(tmp_path)) == 6.0
    assert took("the_second", Store(tmp_path)) == 2.0  # not the moment that finding it takes
    assert took("the_second", Store(tmp_path)) == 2.0  # which is found itself now
    assert took("one_by_one", Store(tmp_path)) == 6.0
    assert took("the_second", Store()) == 7.0  # alone


@pytest.mark.parametrize(("on_the_clock", "of_the_processor"), [(5.0, 1.0), (1.0, 5.0)])
def test_what_it_took_is_neither_what_others_did_meanwhile_nor_the_sum_over_threads(
    clock: Any, tmp_path: Path, on_the_clock: float, of_the_processor: float
) -> None:
    clock.perf_counter = lambda: on_the_clock * PASSING[0]
    clock.process_time = lambda: of_the_processor * PASSING[0]
    assert took("one_by_one", Store(tmp_path)) == 6.0
    assert took("the_second", Store(tmp_path)) == 2.0


@pytest.mark.usefixtures("passing")
def test_what_a_part_took_that_was_made_together_with_others_is_not_known(tmp_path: Path) -> None:
    assert took("all_at_once", Store(tmp_path)) == 15.0
    assert took("the_second", Store(tmp_path)) is None
    assert took("the_last", Store(tmp_path)) is None


@pytest.mark.usefixtures("passing")
def test_what_was_begun_by_a_run_that_was_killed_took_longer_than_is_known(tmp_path: Path) -> None:
    @artifact()
    def half() -> list[int]:
        def make(lacking: Sequence[Lacking]) -> Iterable[tuple[int, int]]:
            assert lacking[0].unfinished is not None
            if not lacking[0].unfinished.exists():
                lacking[0].unfinished.write_text("half")
                raise KeyboardInterrupt
            yield 0, 1

        return recall(doubled, "half timed", [(1,)], make)

    registry = Registry.of(half)
    cut = compute(registry, {}, ["half"], store=Store(tmp_path))["half"]
    assert cut.state == "interrupted"
    for _ in range(2):
        found = compute(registry, {}, ["half"], store=Store(tmp_path))["half"]
        assert (found.state, found.took) == ("done", None)
