"""Fleets that are killed and go on to the same bits, whoever was done before."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.subject import Network, Recipe
from roadworthy.training import checkpoint, together
from roadworthy.training.fleet import train_fleet
from roadworthy.training.fleet_checkpoint import IDENTITY, Trained
from roadworthy.training.jobs import Diverged, Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.optimizers import SGD, AdamW

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(150, 6))
ROWS = Examples(INPUTS, (INPUTS[:, 0] + RNG.normal(size=150) > 0).astype(np.int64))
HELD_OUT = Examples(RNG.normal(size=(40, 6)), RNG.integers(0, 2, 40))
RECIPE = Recipe(epochs=5, batch_size=16, learning_rate=0.01, patience=None)


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.fixture(autouse=True)
def _always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)


class Steps:
    """Counts the steps that fleets take, and ends the process before one too many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken, self.most = 0, 10**9
        for kind in (AdamW, SGD):
            monkeypatch.setattr(kind, "step", self.counted(kind.step))

    def counted(self, step: Callable[..., None]) -> Callable[..., None]:
        def counting(*given: object) -> None:
            if self.taken >= self.most:
                raise Killed
            self.taken += 1
            step(*given)

        return counting


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 2))


def normalised() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.2), nn.Linear(12, 2))


def family(
    folder: Path | None,
    factory: Callable[[], nn.Module] = dense,
    count: int = 5,
    **changes: object,
) -> list[Job]:
    """Models with other rows, rates, seeds and ends."""
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]
    network = Network(factory)
    return [
        Job(
            network,
            replace(recipe, seed=k, learning_rate=0.01 * (1 + k), epochs=recipe.epochs - k % 3),
            ROWS,
            rows=np.random.default_rng(k).permutation(150)[: 150 - 13 * k],
            validation=None if recipe.patience is None else HELD_OUT,
            unfinished=None if folder is None else folder / f"job{k}.safetensors",
        )
        for k in range(count)
    ]


def kept(
    jobs: Sequence[Job],
    found: dict[int, Trained],
    way: Callable[[Sequence[Job]], Iterator[tuple[int, Trained]]] = train_fleet,
) -> None:
    """Train those that are not found yet, and keep each as a store does."""
    asked = [k for k in range(len(jobs)) if k not in found]
    for position, weights in way([jobs[k] for k in asked]):
        found[asked[position]] = weights
        file = jobs[asked[position]].unfinished
        assert file is not None
        file.unlink(missing_ok=True)


def assert_equal(found: dict[int, Trained], expected: dict[int, Trained]) -> None:
    assert found.keys() == expected.keys()
    for k, weights in expected.items():
        other = found[k]
        if isinstance(weights, Diverged):
            assert str(other) == str(weights)
            continue
        assert not isinstance(other, Diverged)
        assert all(np.array_equal(other[name], weights[name]) for name in weights), k


@pytest.mark.parametrize("at", [1, 9, 20, 30])  # nine in an epoch of the largest; 38 to 40 in all
@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "sgd"}, {"patience": 1, "epochs": 6}, {"factory": normalised}],
    ids=["adamw", "sgd", "patience", "batch normalisation"],
)
def test_a_fleet_goes_on_in_the_middle_of_an_epoch_to_the_same_bits(
    changes: dict[str, object], at: int, steps: Steps, tmp_path: Path
) -> None:
    expected = dict(train_fleet(family(None, **changes)))  # type: ignore[arg-type]
    total, steps.taken, steps.most = steps.taken, 0, min(at, steps.taken - 1)
    jobs, found = family(tmp_path, **changes), {}  # type: ignore[arg-type]
    with pytest.raises(Killed):
        kept(jobs, found)
    steps.most = 10**9
    kept(jobs, found)
    assert_equal(found, expected)
    # None is taken again; of a step that takes several calls (batch normalisation) some may be.
    assert total <= steps.taken <= total + (4 if "factory" in changes else 0)
    assert not list(tmp_path.iterdir())


def test_killed_again_and_again_and_some_are_kept_in_between(steps: Steps, tmp_path: Path) -> None:
    expected = dict(train_fleet(family(None)))
    jobs, found, asked = family(tmp_path), {}, []
    while len(found) < len(jobs):
        asked.append(len(jobs) - len(found))
        steps.most = steps.taken + 4
        try:
            kept(jobs, found)
        except Killed:
            continue
    assert_equal(found, expected)
    assert len(set(asked)) > 1  # fewer were asked for in the end


@pytest.mark.parametrize("kept_before", [0, 1, 4])
def test_killed_while_the_last_ones_are_kept(kept_before: int, tmp_path: Path) -> None:
    plain = [replace(job, recipe=replace(job.recipe, epochs=2)) for job in family(None)]
    expected = dict(train_fleet(plain))
    jobs = [replace(job, recipe=replace(job.recipe, epochs=2)) for job in family(tmp_path)]
    found: dict[int, Trained] = {}
    for position, weights in train_fleet(jobs):
        if len(found) == kept_before:
            break
        found[position] = weights
        jobs[position].unfinished.unlink(missing_ok=True)  # type: ignore[union-attr]
    kept(jobs, found)
    assert_equal(found, expected)


def test_nothing_is_handed_on_before_the_state_of_the_others_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 3600.0)
    jobs = family(tmp_path)
    fleet = train_fleet(jobs)
    next(fleet)  # the first to end did so two epochs earlier
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > 0
    assert len([*fleet]) == 4


def test_what_diverged_is_remembered_with_its_words(steps: Steps, tmp_path: Path) -> None:
    def with_a_wild_one(folder: Path | None) -> list[Job]:
        jobs = family(folder, optimizer="sgd")
        jobs[2] = replace(jobs[2], recipe=replace(jobs[2].recipe, learning_rate=1e30))
        return jobs

    expected = dict(train_fleet(with_a_wild_one(None)))
    assert isinstance(expected[2], Diverged)
    jobs, found = with_a_wild_one(tmp_path), {}
    steps.taken, steps.most = 0, 14
    with pytest.raises(Killed):
        list(train_fleet(jobs))  # nothing of it is kept
    steps.most = 10**9
    kept(jobs, found)
    assert_equal(found, expected)


@pytest.mark.parametrize("change", ["recipe", "rows", "target", "network"])
def test_the_state_of_other_trainings_is_not_read(
    change: str, steps: Steps, tmp_path: Path
) -> None:
    steps.most = 12
    with pytest.raises(Killed):
        list(train_fleet(family(tmp_path)))
    steps.most = 10**9

    def other(folder: Path | None) -> list[Job]:
        jobs = family(folder, (lambda: nn.Linear(6, 2)) if change == "network" else dense)
        if change == "recipe":
            jobs[1] = replace(jobs[1], recipe=replace(jobs[1].recipe, l1=0.1))
        if change == "rows":
            jobs[1] = replace(jobs[1], rows=np.arange(130))
        if change == "target":
            flipped = Examples(ROWS.inputs, 1 - ROWS.target)
            jobs = [replace(job, training=flipped) for job in jobs]
        return jobs

    assert_equal(dict(train_fleet(other(tmp_path))), dict(train_fleet(other(None))))


def test_a_damaged_file_is_not_read(steps: Steps, tmp_path: Path) -> None:
    steps.most = 12
    with pytest.raises(Killed):
        list(train_fleet(family(tmp_path)))
    steps.most = 10**9
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    assert_equal(dict(train_fleet(family(tmp_path))), dict(train_fleet(family(None))))


def test_two_trainings_that_are_the_same_are_both_trained(tmp_path: Path) -> None:
    first, second = family(tmp_path)[0], family(tmp_path)[1]
    twin = replace(first, unfinished=second.unfinished)
    found = dict(train_fleet([first, twin]))
    expected = train(first.network, first.recipe, first.examples)
    for k, weights in found.items():
        assert not isinstance(weights, Diverged)
        assert all(weights[n] == pytest.approx(expected[n], abs=2e-5) for n in expected), k
    assert sorted(found) == [0, 1]


def test_trainings_that_were_together_stay_together(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(together, "fleet_is_faster", lambda _: True)
    monkeypatch.setattr(together, "MOST", 4)
    expected = dict(together.train_together(family(None, count=9)))
    total, steps.taken = steps.taken, 0
    for most in (10, 25, 60, 80, 10**9):
        jobs, found = family(tmp_path / str(most), count=9), {}
        (tmp_path / str(most)).mkdir()
        steps.taken, steps.most = 0, most
        if most < total:
            with pytest.raises(Killed):
                kept(jobs, found, together.train_together)
            steps.most = 10**9
        kept(jobs, found, together.train_together)
        assert_equal(found, expected)
        assert steps.taken == total
        assert not list((tmp_path / str(most)).iterdir())


class Shifted(nn.Module):
    """Has a buffer that is the same for some members alone."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(6, 6))
        self.last = nn.Linear(6, 2)

    def prepare(self, inputs: Tensor) -> None:
        self.weight.copy_(torch.eye(6) * (1.0 if len(inputs) > 120 else 0.3))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(inputs @ self.weight)


def test_what_all_had_in_common_is_what_the_first_members_had(steps: Steps, tmp_path: Path) -> None:
    expected = dict(train_fleet(family(None, Shifted)))
    jobs, found = family(tmp_path, Shifted), {}
    steps.taken, steps.most = 0, 39
    with pytest.raises(Killed):
        kept(jobs, found)
    assert found
    steps.most = 10**9
    kept(jobs, found)
    assert_equal(found, expected)


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from torch import nn
from roadworthy.subject import Network, Recipe
from roadworthy.training import checkpoint
from roadworthy.training.fleet import train_fleet
from roadworthy.training.jobs import Examples, Job

checkpoint.SECONDS_BETWEEN = 0.02
rng = np.random.default_rng(0)
rows = Examples(rng.normal(size=(600, 20)), rng.integers(0, 2, 600))
network = Network(lambda: nn.Sequential(nn.Linear(20, 32), nn.Dropout(0.2), nn.Linear(32, 2)))
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
jobs = [
    Job(network, Recipe(epochs=30 + k, batch_size=32, patience=None, seed=k), rows, unfinished=folder / f"{k}")
    for k in range(4)
]
seen = []
found = dict(train_fleet(jobs, progress=lambda epoch, _: seen.append(epoch)))
save_file({f"{k}/{name}": value for k, w in found.items() for name, value in w.items()}, out)
print(seen[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_fleet_whose_process_is_killed_is_taken_up_by_another_one(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()

    def command(name: str) -> list[str]:
        return [sys.executable, str(script), str(tmp_path / name), str(tmp_path / f"{name}.out")]

    subprocess.run(command("whole"), check=True, capture_output=True)
    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL)
    while _epochs_in(tmp_path / "killed") < 2:
        time.sleep(0.005)
        assert process.poll() is None, "it was over before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command("killed"), check=True, capture_output=True, text=True)
    assert int(done.stdout) > 2
    assert (tmp_path / "killed.out").read_bytes() == (tmp_path / "whole.out").read_bytes()


def _epochs_in(folder: Path) -> int:
    found = [checkpoint.numbers_in(file, IDENTITY) for file in folder.glob("?")]
    return max((numbers["epochs"] for numbers in found if numbers is not None), default=0)
