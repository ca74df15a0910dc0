import json
import subprocess
import sys

import pytest

from roadworthy.errors import UserError
from roadworthy.procedures.selftest.ledger import accumulate, parsed, published, read, text_of
from roadworthy.procedures.selftest.records import Batch, Entry, Kind, Records, RungRecord
from roadworthy.procedures.selftest.tally import Tally
from roadworthy.results import AtMost

ALL = ("finding", "passing")
KIND = Kind("binary", "table", "1,000 to 2,999")


def records(seed: int = 0, n: int = 10) -> Records:
    rung = RungRecord("harmful", 0.2, (Batch("digits", "k", seed, 0, Tally(n=n, fails=n)),))
    return Records(
        (
            Entry(
                "gap", "wrong_rows", "redrawn", AtMost(0.1, "here"), "share of rows", KIND, False,
                ALL, 400, {"gap": "1"}, (rung,),
            ),
        )
    )  # fmt: skip


def test_a_file_grows_over_runs_and_reads_back_exactly(tmp_path) -> None:
    path = tmp_path / ".roadworthy" / "selftest.json"
    assert read(path) == Records()
    assert accumulate(path, records(seed=0)) == records(seed=0)
    together = accumulate(path, records(seed=1, n=5))
    assert read(path) == together
    assert together.entries[0].tally("harmful").fails == 15
    assert not list(path.parent.glob(".selftest.json.*")), "a temporary file was left"


def test_the_text_is_json_with_one_line_per_entry() -> None:
    text = text_of(records())
    assert json.loads(text)["schema_version"] == "1.0"
    assert sum('"check": "gap"' in line for line in text.splitlines()) == 1
    assert parsed(text, "here") == records()


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("{", "line 1"),
        ("", "line 1"),
        ("[1, 2]", "no schema_version"),
        ('{"schema_version": "x"}', "no schema_version"),
        ('{"schema_version": "9.0"}', "Upgrade"),
        ('{"schema_version": "1.0", "entries": [{"check": 3}]}', "damaged at entries.0"),
    ],
)
def test_a_damaged_file_is_said_with_the_way_out_and_never_written_over(
    tmp_path, damaged, said
) -> None:
    path = tmp_path / "selftest.json"
    path.write_text(damaged)
    for attempt in (lambda: read(path), lambda: accumulate(path, records())):
        with pytest.raises(UserError, match=said) as raised:
            attempt()
        assert "--record" in str(raised.value)
        assert str(path) in str(raised.value)
    assert path.read_text() == damaged


def test_bytes_that_are_no_text_are_a_damaged_file(tmp_path) -> None:
    path = tmp_path / "selftest.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="could not be read"):
        read(path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(UserError, match="could not be written"):
        accumulate(blocker / "selftest.json", records())


def test_two_processes_lose_nothing(tmp_path) -> None:
    path = tmp_path / "selftest.json"
    code = (
        "import sys; from pathlib import Path;"
        "from roadworthy.procedures.selftest.ledger import accumulate, parsed;"
        "from dataclasses import replace;"
        "base = parsed(Path(sys.argv[2]).read_text(), 'base');"
        "entry = base.entries[0]; rung = entry.rungs[0]; batch = rung.batches[0];\n"
        "for seed in range(int(sys.argv[3]), int(sys.argv[3]) + 10):\n"
        "    new = replace(rung, batches=(replace(batch, seed=seed),))\n"
        "    accumulate(Path(sys.argv[1]), replace(base, entries=(replace(entry, rungs=(new,)),)))\n"
    )
    base = tmp_path / "base.json"
    base.write_text(text_of(records()))
    command = [sys.executable, "-c", code, str(path), str(base)]
    running = [subprocess.Popen([*command, start]) for start in ("0", "100")]
    assert [process.wait(600) for process in running] == [0, 0]
    assert len(read(path).entries[0].rungs[0].batches) == 20


def test_the_published_record_can_be_read() -> None:
    assert isinstance(published(), Records)
