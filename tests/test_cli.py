"""The command line as a user meets it: help that can be pasted, errors that name the way out."""

import json
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
        (["audit", "--sed", "1"], "roadworthy audit --help`"),
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


COUNTED = ("--only", "exact_duplicates_within_train", "--quiet")


def test_a_table_for_each_split_and_its_conventions_are_options(tmp_path: Path) -> None:
    rows = "".join(f"{i},{('a', 'unknown')[i % 2]},{i % 3 > 0:d}\n" for i in range(40))
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("age,job,label\n" + rows)
    done = roadworthy(
        *("audit", "--train", "train.csv", "--test", "test.csv", "--target", "label"),
        *("--missing-codes", "unknown,-1", "--proof", "0.5", "--no-people", "--out", "out"),
        *COUNTED,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "audit.json").read_text())["subject"]
    assert {split["name"]: split["rows"] for split in found["splits"]}["test"] == 20
    assert 'train.csv: "unknown" was read as a missing value in job' in found["notes"]
    assert found["people"] is False


def test_the_file_of_settings_says_how_data_are_read(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(
        "age;label\n" + "".join(f"{i},5;{i % 3 > 0:d}\n" for i in range(40))
    )
    shown = roadworthy("init", "data.csv", "--yes", "--missing-codes", "-1", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    with (tmp_path / "roadworthy.toml").open("a") as settings:
        settings.write('out = "out"\n')
    done = roadworthy("audit", *COUNTED, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = json.loads((tmp_path / "out" / "audit.json").read_text())["subject"]["notes"]
    assert notes[0] == "fields are separated by a semicolon; numbers have a decimal comma"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "a.csv", "--train", "b.csv"],
        ["--split", "part", "--train", "b.csv"],
        ["--data", "a.csv", "--decimal", "x"],
        ["--data", "a.csv", "--encoding", "utf9"],
    ],
)
def test_options_that_contradict_each_other_are_refused(
    arguments: list[str], tmp_path: Path
) -> None:
    done = roadworthy("audit", *arguments, "--target", "y", folder=tmp_path)
    assert done.returncode == 4
    assert arguments[2] in done.stderr
