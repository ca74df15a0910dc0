"""Training that is killed and goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from roadworthy.subject import Augmentation, Network, Recipe
from roadworthy.training import checkpoint
from roadworthy.training.checkpoint import Checkpoint, State
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train

RECIPE = Recipe(
    epochs=6,
    batch_size=16,
    learning_rate=0.02,
    patience=2,
    augmentation=(Augmentation("noise", 0.2), Augmentation("mixup", 0.3)),
)
Weights = dict[str, np.ndarray]


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.fixture(autouse=True)
def _always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)


def rows(seed: int, n: int = 70) -> Examples:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 6))
    return Examples(inputs, (inputs[:, 0] + rng.normal(size=n) > 0).astype(np.int64))


class Model(nn.Module):
    """Draws random numbers, keeps statistics, and has a buffer that its weights leave out."""

    fails_after = 10**9
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 2)
        )
        self.register_buffer("slow", torch.zeros(2), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.inner(inputs)
        if self.training:
            Model.steps += 1
            if Model.steps > Model.fails_after:
                raise Killed
            with torch.no_grad():
                self.slow.mul_(0.9).add_(outputs.mean(dim=0), alpha=0.1)
        return outputs + self.slow


def trained(
    recipe: Recipe, file: Path | None, *, fails_after: int = 10**9, data: Examples | None = None
) -> Weights:
    Model.steps, Model.fails_after = 0, fails_after
    return train(Network(Model), recipe, data or rows(0), rows(1), unfinished=file)


def equal(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("steps", [1, 4, 7, 19])  # four in each epoch
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_training_goes_on_in_the_middle_of_an_epoch_to_the_same_weights(
    optimizer: str, steps: int, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, optimizer=optimizer)  # type: ignore[arg-type]
    expected, total = trained(recipe, None), Model.steps
    file = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        trained(recipe, file, fails_after=steps)
    assert equal(trained(recipe, file), expected)
    assert Model.steps == total - steps  # and none is taken again


def test_stopping_early_counts_the_epochs_before(tmp_path: Path) -> None:
    noise = Examples(rows(0).inputs, np.random.default_rng(3).integers(0, 2, 70))
    recipe = replace(RECIPE, epochs=40, learning_rate=0.2)
    expected, total = trained(recipe, None, data=noise), Model.steps
    assert total < 40 * 4
    file = tmp_path / "state.safetensors"
    for steps in (total - 9, 3, 3):
        with pytest.raises(Killed):
            trained(recipe, file, fails_after=steps, data=noise)
    assert equal(trained(recipe, file, data=noise), expected)
    assert Model.steps == 3


def test_a_callback_that_raises_after_an_epoch_loses_nothing(tmp_path: Path) -> None:
    expected, file = trained(RECIPE, None), tmp_path / "state.safetensors"

    def cancel(epoch: int, of: int, loss: float | None) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Network(Model), RECIPE, rows(0), rows(1), unfinished=file, progress=cancel)
    seen: list[int] = []
    found = train(
        Network(Model),
        RECIPE,
        rows(0),
        rows(1),
        unfinished=file,
        progress=lambda epoch, of, loss: seen.append(epoch),
    )
    assert equal(found, expected)
    assert seen[0] == 3


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


@pytest.mark.parametrize(
    "damage",
    [cut, flipped, lambda _: b"", lambda _: b"\xff" * 100],
    ids=["cut", "flipped", "empty", "other"],
)
def test_a_damaged_file_is_not_read(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        trained(RECIPE, file, fails_after=6)
    file.write_bytes(damage(file.read_bytes()))
    total = trained_steps(RECIPE)
    assert equal(trained(RECIPE, file), trained(RECIPE, None))
    file.write_bytes(damage(file.read_bytes()))
    trained(RECIPE, file)
    assert Model.steps == total


def trained_steps(recipe: Recipe) -> int:
    trained(recipe, None)
    return Model.steps


def test_the_state_of_another_training_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        trained(RECIPE, file, fails_after=6)
    kept = file.read_bytes()
    other = rows(0)
    other.inputs[5, 1] += 1
    weighed = replace(rows(0), row_weights=np.arange(70.0))
    for recipe, data in ((replace(RECIPE, l1=0.1), rows(0)), (RECIPE, other), (RECIPE, weighed)):
        file.write_bytes(kept)
        expected = trained(recipe, None, data=data)
        assert equal(trained(recipe, file, data=data), expected)


def test_nothing_in_the_file_is_a_pickle_and_no_temporary_is_left(tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    trained(RECIPE, file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with safe_open(file, "np") as opened:
        assert opened.metadata()["format"].startswith("roadworthy checkpoint")
        assert "module/slow" in opened.keys()  # noqa: SIM118 # no mapping


def test_states_are_laid_down_when_some_seconds_have_gone_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 3600.0)
    trained(RECIPE, tmp_path / "state.safetensors")
    assert not list(tmp_path.iterdir())


def test_training_goes_on_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    file = tmp_path / "blocked" / "state.safetensors"
    assert equal(trained(RECIPE, file), trained(RECIPE, None))


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "a", "me")
    tensors = {"x": torch.randn(3, 2), "codes": torch.arange(4), "none": torch.zeros(())}
    kept.lay_down(State(tensors, {"epoch": 3, "best_loss": float("inf")}))
    found = kept.read()
    assert found is not None
    assert found.numbers == {"epoch": 3, "best_loss": float("inf")}
    assert all(torch.equal(found.tensors[name], value) for name, value in tensors.items())
    assert Checkpoint(tmp_path / "a", "another").read() is None
    assert Checkpoint(tmp_path / "b", "me").read() is None


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from torch import nn
from roadworthy.subject import Augmentation, Network, Recipe
from roadworthy.training import checkpoint
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train

checkpoint.SECONDS_BETWEEN = 0.02
rng = np.random.default_rng(0)
rows = Examples(rng.normal(size=(300, 20)), rng.integers(0, 2, 300))
recipe = Recipe(epochs=1500, batch_size=32, patience=None, augmentation=(Augmentation("noise", 0.1),))
network = Network(lambda: nn.Sequential(nn.Linear(20, 64), nn.Dropout(0.2), nn.Linear(64, 2)))
started, out = Path(sys.argv[1]), Path(sys.argv[2])
seen = []
found = train(
    network, recipe, rows, rows, unfinished=started if len(sys.argv) > 3 else None,
    progress=lambda epoch, of, loss: seen.append(epoch),
)
save_file(found, out)
print(seen[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_process_is_taken_up_by_another_one(tmp_path: Path) -> None:
    state, whole, resumed = (tmp_path / name for name in ("state", "whole", "resumed"))
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(state)]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    for _ in range(2):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = subprocess.Popen([*command, str(resumed), "keep"], stdout=subprocess.DEVNULL)
        kept = 0
        while kept < 3:  # checkpoints of this process
            time.sleep(0.005)
            assert process.poll() is None, "it was over before it was killed"
            now = state.stat().st_mtime_ns if state.exists() else before
            kept, before = kept + (now != before), now
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(
        [*command, str(resumed), "keep"], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 1
    assert resumed.read_bytes() == whole.read_bytes()
