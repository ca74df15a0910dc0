"""An audit that is stopped, politely or not, leaves nothing broken and is gone on with."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

AUDIT = [sys.executable, "-m", "roadworthy", "audit", "digits", "--profile", "quick", "-q"]
ONLY = ["--only", "uncertainty", "--out", "run"]


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*AUDIT, *ONLY], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


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


@pytest.mark.slow
def test_kill_9_at_random_moments_changes_nothing_in_the_end(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    started = time.monotonic()
    assert finished(start(whole)) in (0, 1, 2)
    duration = time.monotonic() - started
    broken = tmp_path / "broken"
    broken.mkdir()
    rng = random.Random(0)
    killed = 0
    for attempt in range(60):
        # Later attempts find more in the store and end sooner: aim at what is left.
        process = start(broken)
        time.sleep(rng.uniform(0.15, 0.9 if attempt < 10 else 0.6) * duration)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        if killed == 20:
            break
    assert killed == 20
    before = {path: path.stat().st_mtime_ns for path in stored(broken)}
    assert finished(start(broken)) in (0, 1, 2)
    assert canonical(broken) == canonical(whole)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()), "kept, not redone"


def stored(folder: Path) -> list[Path]:
    return [p for p in (folder / ".roadworthy" / "store").rglob("*.safetensors") if p.is_file()]


@pytest.mark.slow
def test_control_c_leaves_a_usable_partial_audit_and_the_next_run_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path)
    # The weights take seconds: interrupt once something is kept and much is still to do.
    deadline = time.monotonic() + 120
    while not stored(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
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
