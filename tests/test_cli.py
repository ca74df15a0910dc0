"""The command line as a user meets it: help that can be pasted, errors that name the way out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ("audit", "init", "list", "describe", "report", "selftest")


def roadworthy(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "roadworthy", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def test_help_is_shown_without_importing_torch_within_half_a_second(tmp_path: Path) -> None:
    code = (
        "import sys, time, roadworthy.cli as c\n"
        "sys.argv = ['roadworthy', '--help']\n"
        "try: c.main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(f'{\"torch\" in sys.modules}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "audit" in done.stdout
    assert done.stderr.endswith("False")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_in_a_line_that_can_be_pasted(command: str, tmp_path: Path) -> None:
    shown = roadworthy(command, "--help", folder=tmp_path)
    assert shown.returncode == 0
    assert re.search(rf"Example:\s+roadworthy {command}", shown.stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audit", "digitz"], "digits"),
        (["audit", "--sed", "1"], "--seed"),
        (["adit"], "audit"),
        (["audit", "digits", "--only", "fairnes"], "--only"),
        (["audit", "digits", "--budget", "soon"], "10m"),
        (["audit", "digits", "--profile", "fast"], "quick"),
        (["audit", "--data", "none.csv", "--target", "y"], "none.csv"),
        (["audit"], "roadworthy init"),
        (["describe", "overfiting_gap"], "overfitting_gap"),
        (["report", "nowhere"], "nowhere"),
        (["init", "none.csv"], "none.csv"),
    ],
)
def test_a_mistake_is_one_message_with_the_way_out(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    done = roadworthy(*arguments, folder=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.json")), "something was half-written"
