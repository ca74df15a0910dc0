"""A disk that is really full in the middle of a repair: said in words, nothing half-written, and gone on with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from roadworthy.engine import Registry, Store
from roadworthy.procedures.stored import STORED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits of Linux"),
]

USAGE_ERROR = 4
UNFINISHED = 2
ROOM = 4 << 20
SUBJECT = """
import numpy as np
import torch
from torch import nn

from roadworthy import subject_from


def table(seed, n):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(np.int64)


def subject():
    model = nn.Linear(4, 2)  # four times too sure of itself
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
        model.weight[1, 0] = 14.0
    return subject_from(
        model, train=table(0, 60), validation=table(1, 300), test=table(2, TEST), name="sure"
    )
"""
KEPT = {"calibration_error", "relative_log_loss", "wrong_decisions"}
SKIPPED = ",".join(sorted({*Registry.discover().checks} - KEPT))
COMMAND = (
    *("fix", "subject.py", "--profile", "quick", "--quiet", "--only", "temperature_scaling"),
    *("--skip", SKIPPED, "--store", "disk/store"),
)
# How surely a repair is better, and so whether it is accepted, may follow from a timing.
DONE = (0, 1)


@dataclass(frozen=True)
class Place:
    """A folder with a subject, and in it a small disk."""

    folder: Path
    limits: Callable[[], None] | None = field(default=None)

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    def fill(self, left: int) -> None:
        """Leave this many bytes of the disk free."""
        with (self.disk / "filler").open("wb", buffering=0) as filler:
            os.posix_fallocate(filler.fileno(), 0, os.statvfs(self.disk).f_bavail * 4096 - left)

    def make_room(self) -> None:
        (self.disk / "filler").unlink()

    def roadworthy(self, *arguments: str, limited: bool = False) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "roadworthy", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
            preexec_fn=self.limits if limited else None,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def kept(self) -> set[str]:
        """Keys in the store; each file of them is whole."""
        folder = self.disk / "store"
        store = Store(folder, records=STORED)
        files = [*folder.glob("??/*.safetensors")]
        assert [f.name for f in files if store.get(f.stem) is None] == [], "damaged"
        assert [*folder.glob("tmp/*")] == []
        return {file.stem for file in files}


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "fix.json").read_text("utf-8"))


def effects(fix: dict[str, Any]) -> list[tuple[str, float | None, float | None]]:
    return [(e["check"], e["before"], e["after"]) for e in fix["effects"]]


def place(folder: Path, test_rows: int) -> Place:
    (folder / "subject.py").write_text(SUBJECT.replace("TEST", str(test_rows)))
    (folder / "disk").mkdir()
    return Place(folder)


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A subject beside a file system of four megabytes."""
    made = place(tmp_path, getattr(request, "param", 400))
    size = f"size={ROOM}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(made.disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no `mount` on the path, so no small disk can be made")
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", str(made.disk)], check=True)


def test_a_store_that_is_full_costs_no_result_and_is_gone_on_with(small: Place) -> None:
    command = (*COMMAND, "--out", "run", "--proof-log", "log.jsonl")
    small.fill(left=160 << 10)
    code, _, error = small.roadworthy(*command)
    assert code in DONE, error
    found = written(small.folder / "run")
    assert found["candidates"][0]["state"] in ("accepted", "rejected")
    assert found["complete"]
    assert any("No space left on device" in note for note in found["notes"])
    kept = small.kept()
    assert kept
    small.make_room()
    code, _, error = small.roadworthy(*command)
    assert code in DONE, error
    again = written(small.folder / "run")
    assert 0 < again["computed"] < found["computed"], "it goes on"
    assert kept < small.kept()
    assert not any("No space left" in note for note in again["notes"])
    assert effects(again) == effects(found)


def test_a_report_that_has_no_room_is_shown_and_the_next_run_writes_it(small: Place) -> None:
    command = (*COMMAND, "--out", "disk/run", "--proof-log", "log.jsonl")
    small.fill(left=160 << 10)
    code, said, error = small.roadworthy(*command)
    assert code == USAGE_ERROR
    assert "No space left on device" in error
    assert "Make room" in error
    assert "temperature" in said.lower(), "what was found is shown though it cannot be written"
    assert [p for p in small.disk.glob("run/**/*") if p.is_file()] == []
    kept = small.kept()
    assert kept
    small.make_room()
    code, _, error = small.roadworthy(*command)
    assert code in DONE, error
    assert written(small.disk / "run")["reused"] >= len(kept) > 0
    assert kept < small.kept()


@pytest.mark.parametrize("small", [1_500], indirect=True)
def test_a_look_that_cannot_be_logged_is_not_taken(small: Place) -> None:
    command = (*COMMAND, "--out", "run", "--proof-log", "disk/log.jsonl")
    line = json.dumps(LOOK) + "\n"
    log = small.disk / "log.jsonl"
    # The next line would begin in the last page that the file has, and end in one that there is not.
    log.write_text(line * (4096 // len(line)))
    before = log.read_bytes()
    (small.disk / "store").mkdir()
    small.fill(left=0)
    code, said, error = small.roadworthy(*command)
    assert code == UNFINISHED, error
    assert "they stay sealed" in " ".join(said.split())
    found = written(small.folder / "run")
    assert found["openings"] == []
    assert found["candidates"][0]["state"] == "rejected"
    assert effects(found), "what was measured on test rows is kept"
    assert log.read_bytes() == before, "half a line"
    small.make_room()
    code, _, error = small.roadworthy(*command)
    assert code in DONE, error
    assert [opening["time"] for opening in written(small.folder / "run")["openings"]] == [1]
    assert log.read_bytes().startswith(before)


LOOK = {
    "when": "2026-01-01T00:00:00+00:00",
    "subject": "0" * 64,
    "rows": "0" * 64,
    "n": 1,
    "mitigation": "another",
    "target": "error_rate",
    "what": "0" * 64,
    "time": 1,
}


@pytest.mark.parametrize("most", [3_000, 200_000])
def test_files_that_end_too_early_are_no_files(tmp_path: Path, most: int) -> None:
    """Needs no privileges: no file may grow beyond a limit, as on a disk that fills while it is written."""
    import resource

    made = place(tmp_path, 400)
    limited = Place(
        made.folder, limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    )
    command = (*COMMAND, "--out", "run", "--proof-log", "log.jsonl")
    code, said, error = limited.roadworthy(*command, limited=True)
    assert code == USAGE_ERROR
    assert "Make room" in error
    assert "temperature" in said.lower()
    assert [p for p in made.folder.glob("run/**/*") if p.is_file()] == []
    kept = limited.kept()
    assert kept
    code, _, error = limited.roadworthy(*command)
    assert code in DONE, error
    assert written(made.folder / "run")["reused"] > 0
    assert kept <= limited.kept()
