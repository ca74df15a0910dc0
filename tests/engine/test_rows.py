"""Row-wise artifacts: cut alike each time, resumed at the shard, flat in memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from roadworthy.engine import Registry, Store, artifact, check, compute
from roadworthy.engine.rows import SHARD_BYTES, SHARD_ROWS

N = 3 * SHARD_ROWS + 5
INPUTS = np.arange(2.0 * N).reshape(N, 2)
FIELDS = {"test_inputs": INPUTS, "test_weights": np.ones(N), "centre": np.array([1.0, 2.0])}
SHARDS = [SHARD_ROWS, SHARD_ROWS, SHARD_ROWS, 5]


class Calls(list[int]):
    """A record of calls; what it holds is no part of what the functions compute."""

    def __roadworthy_identity__(self) -> str:
        return "calls"


calls = Calls()


@artifact(per="split", shape="n", rows=True, cost="forward")
def outputs(inputs, weights, centre):
    calls.append(len(inputs))
    assert len(inputs) == len(weights)
    return ((inputs - centre) * weights[:, None]).sum(axis=1)


@artifact(per="split", shape="n 2", rows=True)
def pairs(outputs, inputs):
    return np.stack([outputs, inputs[:, 0]], axis=1).astype(np.float32)


@check(challenge="x")
def total(test_pairs):
    return float(test_pairs.sum())


REGISTRY = Registry.of(outputs, pairs, total)
EXPECTED = (INPUTS - [1, 2]).sum(axis=1)


@pytest.fixture(autouse=True)
def _no_calls():
    calls.clear()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_rows_are_computed_in_shards_and_joined(kind: str, tmp_path: Path, record):
    store = Store(tmp_path if kind == "file" else None)
    found = compute(REGISTRY, FIELDS, ["test_outputs", "test_pairs"], store=store, emit=record)
    assert calls == SHARDS
    assert found["test_outputs"].value.tolist() == EXPECTED.tolist()
    assert found["test_pairs"].value.dtype == np.float32
    assert [done for name, done in record.steps if name == "test_outputs"] == np.cumsum(
        SHARDS
    ).tolist()
    again = compute(REGISTRY, FIELDS, ["test_outputs"], store=store)["test_outputs"]
    assert again.from_store
    assert again.value.tolist() == EXPECTED.tolist()
    assert calls == SHARDS
    assert not list(tmp_path.glob("shards/*"))


def test_what_costs_little_is_cut_by_bytes_alone():
    @artifact(per="split", rows=True)
    def cheap(inputs):
        calls.append(len(inputs))
        return inputs[:, 0]

    inputs = np.zeros((SHARD_BYTES // 8 // 16 + 10, 16))
    compute(Registry.of(cheap), {"test_inputs": inputs}, ["test_cheap"])
    assert calls == [len(inputs) - 10, 10]


def test_a_run_that_breaks_at_a_shard_goes_on_there(tmp_path: Path):
    @artifact(per="split", rows=True, cost="forward")
    def fragile(inputs):
        calls.append(len(inputs))
        if len(calls) == 3:
            raise RuntimeError("out of luck")
        return inputs[:, 1]

    registry = Registry.of(fragile)
    first = compute(registry, FIELDS, ["test_fragile"], store=Store(tmp_path))["test_fragile"]
    assert first.state == "error"
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    again = compute(registry, FIELDS, ["test_fragile"], store=Store(tmp_path))["test_fragile"]
    assert again.value.tolist() == INPUTS[:, 1].tolist()
    assert calls == [*SHARDS[:3], *SHARDS[2:]]


def test_shards_that_are_there_are_not_computed_again_and_a_damaged_one_is(tmp_path: Path):
    store = Store(tmp_path)

    def interrupted(event):
        if getattr(event, "done", 0) == 3 * SHARD_ROWS:
            raise KeyboardInterrupt

    (found,) = compute(REGISTRY, FIELDS, ["test_outputs"], store=store, emit=interrupted).values()
    assert found.state == "interrupted"
    assert calls == SHARDS[:3]
    shards = sorted(tmp_path.glob("shards/*/*"))
    assert len(shards) == 3
    shards[1].write_bytes(shards[1].read_bytes()[:-3])
    calls.clear()
    (found,) = compute(REGISTRY, FIELDS, ["test_outputs"], store=Store(tmp_path)).values()
    assert found.value.tolist() == EXPECTED.tolist()
    assert calls == [SHARD_ROWS, 5]
    assert not list(tmp_path.glob("shards/*"))


def test_the_budget_ends_between_two_shards_and_they_are_kept(tmp_path: Path, clock):
    @artifact(per="split", rows=True, cost="forward")
    def slow(inputs):
        clock.now += 0.06
        return inputs[:, 0]

    registry = Registry.of(slow)
    (found,) = compute(registry, FIELDS, ["test_slow"], store=Store(tmp_path), budget=0.1).values()
    assert found.state == "budget"
    assert len(list(tmp_path.glob("shards/*/*"))) == 2


def test_parts_of_a_finished_array_are_swept_away(tmp_path: Path):
    (found,) = compute(REGISTRY, FIELDS, ["test_outputs"], store=Store(tmp_path)).values()
    left = tmp_path / "shards" / found.key
    left.mkdir()
    (left / "0-of-9-by-9.safetensors").write_bytes(b"x")
    unfinished = tmp_path / "shards" / ("0" * 64)
    unfinished.mkdir()
    Store(tmp_path)
    assert not left.exists()
    assert unfinished.exists()


@pytest.mark.parametrize("n", [0, 1, SHARD_ROWS, SHARD_ROWS + 1])
def test_any_number_of_rows_is_fine(n: int, tmp_path: Path):
    fields = {**FIELDS, "test_inputs": INPUTS[:n], "test_weights": np.ones(n)}
    (found,) = compute(REGISTRY, fields, ["test_outputs"], store=Store(tmp_path)).values()
    assert found.value.tolist() == EXPECTED[:n].tolist()


def test_noise_is_drawn_per_shard_and_the_same_again(tmp_path: Path):
    @artifact(per="split", rows=True, cost="forward")
    def noise(inputs, rng):
        return rng.normal(size=len(inputs))

    registry = Registry.of(noise)
    values = [
        compute(registry, FIELDS, ["test_noise"], store=Store(folder))["test_noise"].value
        for folder in (tmp_path, None)
    ]
    assert values[0].tolist() == values[1].tolist()
    assert len(set(values[0].tolist())) == N


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda x: x[:-1], r"array of shape \(4095, 2\)"),
        (lambda x: x.tolist(), "a list"),
        (lambda x: {"a": x}, "a dict"),
        (lambda x: np.float64(1), "a float64"),
        (lambda x: x.astype(object), "a object array"),
        (lambda x: x.astype(np.float32) if len(x) < SHARD_ROWS else x, "all rows must be alike"),
        (lambda x: x[:, :1] if len(x) < SHARD_ROWS else x, "all rows must be alike"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_row_wise_artifact_returns_one_array_of_its_rows(returned, said, kind, tmp_path, module):
    @artifact(per="split", rows=True, cost="forward")
    def rowwise(inputs):
        return returned(inputs)

    store = Store(tmp_path if kind == "file" else None)
    (found,) = compute(Registry.of(rowwise), FIELDS, ["test_rowwise"], store=store).values()
    assert found.state == "error"
    import re

    assert re.search(said, found.reason or ""), found.reason


def test_a_parameter_of_another_split_or_without_rows_is_handed_on_whole():
    @artifact(per="split")
    def frequencies(inputs):
        return np.ones(N)  # n numbers by chance

    @artifact(per="split", shape="c")
    def means(inputs):
        return np.ones(N)

    @artifact(per="split", rows=True, cost="forward")
    def rowwise(inputs, train_inputs, means, centre, weights=None):
        assert (len(train_inputs), len(means), len(centre)) == (N, N, N)
        assert weights is None
        return inputs[:, 0]

    fields = {"test_inputs": INPUTS, "train_inputs": INPUTS, "centre": np.ones(N)}
    (found,) = compute(Registry.of(rowwise, frequencies, means), fields, ["test_rowwise"]).values()
    assert found.state == "done", found.reason


def test_an_artifact_of_one_split_alone_may_be_row_wise_too():
    @artifact(rows=True, cost="forward")
    def of_test(test_inputs, train_inputs):
        calls.append(len(test_inputs))
        return test_inputs[:, 0]

    @artifact(rows=True, cost="forward")
    def of_one(test_inputs, centre):
        calls.append(len(test_inputs))
        return test_inputs[:, 0]

    fields = {**FIELDS, "train_inputs": INPUTS}
    found = compute(Registry.of(of_test, of_one), fields, ["of_test", "of_one"])
    assert [o.state for o in found.values()] == ["done", "done"]
    assert calls == [N, *SHARDS], "of two splits nothing says which has the rows: in one piece"


def test_memory_is_flat_in_the_number_of_rows(tmp_path: Path):
    @artifact(per="split", rows=True, cost="forward")
    def embedded(inputs):
        return np.repeat(inputs, 64, axis=1).astype(np.float32)  # 1 kB a row

    @artifact(per="split", rows=True)
    def halved(embedded):
        return embedded * np.float32(0.5)

    @check(challenge="x")
    def last(test_halved):
        return (len(test_halved), float(test_halved[-1, -1]))

    registry = Registry.of(embedded, halved, last)

    def peak(n: int) -> int:
        # No memory of its own: 4 columns, each row the same.
        fields = {"test_inputs": np.broadcast_to(np.arange(4.0), (n, 4))}
        tracemalloc.start()
        (found,) = compute(registry, fields, ["last"], store=Store(tmp_path)).values()
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.value == (n, 1.5), found.reason
        return top

    small, large = peak(50_000), peak(250_000)
    assert large < 1.1 * small, f"{small / 1e6:.0f} MB, then {large / 1e6:.0f} MB"
    assert large < 150e6, "of 256 MB"
