"""An audit that is stopped, politely or not, leaves nothing broken and is gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 600.0  # seconds
AUDIT = [sys.executable, "-m", "roadworthy", "audit", "digits", "--profile", "quick", "-q"]
ONLY = ["--only", "uncertainty", "--out", "run"]
ROOMS = "data_quality,generalization,hyperparameters,data_quantity"
FIX = [*AUDIT[:3], "fix", *AUDIT[4:], "--only", "temperature_scaling", "--skip", ROOMS]
FIX = [*FIX, "--out", "run"]


def start(folder: Path, command: list[str] | None = None) -> subprocess.Popen[str]:
    given = command or [*AUDIT, *ONLY]
    return subprocess.Popen(
        given,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts() -> None:
    """Undo what a shell does to a command in the background: Control-C is nothing to it, nor to what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished(process: subprocess.Popen[str]) -> int:
    process.communicate()
    return process.returncode


def canonical(folder: Path) -> dict[str, object]:
    """The audit without what differs between two runs of the same subject: time and store."""
    audit = json.loads((folder / "run" / "audit.json").read_text("utf-8"))
    for name in ("started", "seconds", "computed", "reused"):
        del audit[name]
    for finding in audit["findings"]:
        del finding["seconds"], finding["from_store"]
    return audit


def stored(folder: Path) -> list[Path]:
    return [p for p in (folder / ".roadworthy" / "store").rglob("*.safetensors") if p.is_file()]


def wait_until_kept(folder: Path, files: int, process: subprocess.Popen[str]) -> None:
    """Wait until the store holds so many files, or the process has ended, on a slow machine too."""
    end = time.monotonic() + PATIENCE
    while len(stored(folder)) < files and process.poll() is None:
        assert time.monotonic() < end, f"{len(stored(folder))} of {files} files"
        time.sleep(0.01)


def kill_again_and_again(folder: Path, command: list[str] | None, *, times: int, most: int) -> None:
    """Kill runs after each has kept up to `most` files more, and a little luck."""
    rng = random.Random(0)
    killed = 0
    for attempt in range(3 * times):
        process = start(folder, command)
        # Once all is kept, a run is killed before it begins or while it reads.
        more = rng.randrange(most + 1) if attempt < times else 0
        wait_until_kept(folder, len(stored(folder)) + more, process)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        if killed == times:
            return
    raise AssertionError(f"killed {killed} times")


@pytest.mark.slow
def test_kill_9_at_random_moments_changes_nothing_in_the_end(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert finished(start(whole)) in (0, 1, 2)
    broken = tmp_path / "broken"
    broken.mkdir()
    kill_again_and_again(broken, None, times=20, most=2)
    before = {path: path.stat().st_mtime_ns for path in stored(broken)}
    assert finished(start(broken)) in (0, 1, 2)
    assert canonical(broken) == canonical(whole)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()), "kept, not redone"


@pytest.mark.slow
def test_control_c_leaves_a_usable_partial_audit_and_the_next_run_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path)
    # The weights take seconds: interrupt once something is kept and much is still to do.
    wait_until_kept(tmp_path, 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    partial = json.loads((tmp_path / "run" / "audit.json").read_text("utf-8"))
    assert partial["complete"] is False
    assert process.returncode in (1, 2)
    assert any(f["reason_code"] == "interrupted" for f in partial["findings"])
    assert "interrupted" in out.lower() or "stopped" in out.lower()
    assert finished(start(tmp_path)) in (0, 1, 2)
    whole = json.loads((tmp_path / "run" / "audit.json").read_text("utf-8"))
    assert whole["complete"] is True
    assert whole["reused"] > 0
    assert os.listdir(tmp_path / "run")


def found_by_fix(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run" / "fix.json").read_text("utf-8"))


BY_ROUNDING = ("certified_against_poison",)
"""Its ten networks train together or one by one, as a timing says: weights differ by rounding, and once in a while a vote."""


def timeless(fix: dict[str, Any]) -> dict[str, Any]:
    """A fix without times and counters."""
    kept = {n: v for n, v in fix.items() if n not in ("started", "seconds", "computed", "reused")}
    kept["findings"] = [
        {n: v for n, v in f.items() if n not in ("seconds", "from_store")}
        for f in fix["findings"]
        if f["check"] not in BY_ROUNDING
    ]
    return kept


def decided(fix: dict[str, Any]) -> dict[str, Any]:
    """A fix without times, and without what an interval says: how often rows are redrawn follows from a timing."""
    kept = timeless(fix)
    kept["candidates"] = [
        {n: c[n] for n in ("mitigation", "target", "strength", "attempts", "sham", "sham_strength")}
        | {n: c[n] for n in ("sham_attempts", "changes")}
        | {"claims": [(claim["name"], claim["rows"]) for claim in c["claims"][:2]]}
        for c in fix["candidates"]
    ]
    kept["effects"] = [
        {n: e[n] for n in ("check", "before", "after", "verdict_before", "verdict_after", "margin")}
        | {"by": e["difference"] and e["difference"]["value"]}
        for e in fix["effects"]
    ]
    del kept["exit_code"]
    return kept


@pytest.mark.slow
def test_a_fix_that_is_killed_at_random_moments_ends_the_same(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    assert finished(start(whole, FIX)) in (0, 1)
    kill_again_and_again(broken, FIX, times=10, most=24)
    code = finished(start(broken, FIX))
    assert code in (0, 1)
    once = found_by_fix(broken)
    assert decided(once) == decided(found_by_fix(whole))
    assert finished(start(broken, FIX)) == code
    again = found_by_fix(broken)
    assert again["computed"] == 0
    assert timeless(again) == timeless(once)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [1, 12])
def test_control_c_leaves_a_usable_partial_fix_and_the_next_run_goes_on(
    tmp_path: Path, kept: int
) -> None:
    process = start(tmp_path, FIX)
    wait_until_kept(tmp_path, kept, process)  # among the audit's nodes or the remedy's
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    assert process.returncode == 2, out + err
    partial = found_by_fix(tmp_path)
    assert partial["complete"] is False
    assert partial["candidates"][0]["state"] == "not_run"
    assert "interrupted" in partial["candidates"][0]["reason"]
    assert finished(start(tmp_path, FIX)) in (0, 1)
    assert found_by_fix(tmp_path)["complete"] is True
