"""Runs that die at any moment, and runs that share a store."""

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from roadworthy.engine import Registry, Store, artifact, check, compute
from roadworthy.engine.rows import SHARD_ROWS

SHARDS = 8
N = SHARDS * SHARD_ROWS


@artifact(per="split", shape="n", rows=True, cost="forward")
def outputs(inputs):
    """Write down each shard that is computed."""
    first = int(inputs[0, 0])
    time.sleep(0.002)
    with open(f"{os.environ['ROADWORTHY_TEST_LOG']}", "a") as log:
        log.write(f"{first}\n")
    return inputs @ np.array([1.0, 2.0])


@artifact(per="split", shape="n c", rows=True, cost="forward")
def features(outputs, inputs):
    return np.stack([outputs, inputs[:, 1]], axis=1)


@artifact()
def spread(test_features, rng):
    return {"sd": test_features.std(axis=0), "draw": rng.normal(size=3)}


@check(challenge="x")
def total(test_outputs):
    return float(test_outputs.sum())


@check(challenge="x")
def spreads(spread, test_outputs):
    return (spread["sd"].tolist(), spread["draw"].tolist(), int(test_outputs.argmax()))


@check(challenge="x")
def broken(spread):
    raise ValueError(f"sd {spread['sd'][0]:.3f}")


REGISTRY = Registry.of(outputs, features, spread, total, spreads, broken)
ROWS = np.arange(N, dtype=float)
FIELDS = {"test_inputs": np.stack([ROWS, np.sqrt(ROWS)], axis=1)}


def run(folder: Path | None) -> str:
    found = compute(REGISTRY, FIELDS, list(REGISTRY.checks), store=Store(folder))
    return json.dumps([[o.name, o.state, o.value, o.reason] for o in found.values()])


def started(folder: Path) -> int:
    """Run in a process of its own; return its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(folder)
            code = 0
        finally:
            os._exit(code)
    return child


def computed_shards(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def wait_until(child: int, shards: int, log: Path) -> None:
    """Wait until so many shards are computed, or the process has ended, on a slow machine too."""
    end = time.monotonic() + 300
    while len(computed_shards(log)) < shards:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        assert time.monotonic() < end
        time.sleep(0.0005)


def files_of(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROADWORTHY_TEST_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_result(tmp_path: Path, log: Path):
    expected = run(tmp_path / "unharmed")
    moments = random.Random(20)
    killed = resumed = 0
    for i in range(100):
        if killed == 20:
            break
        folder = tmp_path / f"store{i}"
        log.unlink(missing_ok=True)
        child = started(folder)
        wait_until(child, moments.randrange(SHARDS + 1), log)
        time.sleep(moments.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        kept = {int(p.name.split("-")[0]) for p in files_of(folder, "shards/*/*.safetensors")}
        joined = len(files_of(folder, "??/*.safetensors"))
        resumed += bool(kept)
        log.unlink(missing_ok=True)
        assert run(folder) == expected
        again = computed_shards(log)
        assert len(again) == len(set(again))
        assert not kept & set(again) or joined, "a finished shard was computed again"
        assert len(again) == 0 if joined else len(again) == SHARDS - len(kept)
        assert files_of(folder, "tmp/*") == []
        assert files_of(folder, "shards/*") == []
        store = Store(folder)
        for file in files_of(folder, "??/*.safetensors"):
            assert store.get(file.stem) is not None, "a damaged file"
        log.unlink(missing_ok=True)
        assert run(folder) == expected
        assert computed_shards(log) == []
    assert killed == 20
    assert resumed >= 3


def test_a_run_that_is_killed_again_and_again_ends(tmp_path: Path, log: Path):
    expected = run(tmp_path / "unharmed")
    log.unlink()
    for attempt in range(200):
        child = started(tmp_path / "store")
        time.sleep(0.012 + 0.0005 * attempt)
        os.kill(child, signal.SIGKILL)
        if os.WIFEXITED(os.waitpid(child, 0)[1]):
            break
    assert run(tmp_path / "store") == expected
    counts = np.unique(computed_shards(log), return_counts=True)[1]
    # A shard may be computed and die before it is on disk, but no run starts from nothing.
    assert len(counts) == SHARDS
    assert counts.sum() <= SHARDS + attempt + 1
    assert files_of(tmp_path / "store", "tmp/*") == []


def test_runs_that_share_a_store_end_alike_and_harm_nothing(tmp_path: Path, log: Path):
    expected = run(tmp_path / "alone")
    for i in range(4):
        folder = tmp_path / f"shared{i}"
        children = [started(folder) for _ in range(3)]
        assert run(folder) == expected
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert files_of(folder, "tmp/*") == []
        log.unlink(missing_ok=True)
        assert run(folder) == expected
        assert computed_shards(log) == []
        store = Store(folder)
        assert files_of(folder, "shards/*") == []
        assert all(store.get(f.stem) is not None for f in files_of(folder, "??/*.safetensors"))
