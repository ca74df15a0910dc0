"""The log of openings: appended to, counted by rows, never silently lost."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.errors import UserError
from roadworthy.procedures.proof import Look, ProofLog, hash_of_rows


def look(log: ProofLog, what: str, rows: str = "r") -> Look:
    return log.open(subject="s", rows=rows, n=200, mitigation="m", target="t", what=what)


def test_every_further_look_at_the_same_rows_is_stricter(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "proof.jsonl"
    log = ProofLog(path)
    first, second = look(log, "a"), look(log, "b")
    assert (first.time, second.time) == (1, 2)
    assert (first.level, second.level) == (0.95, 0.975)
    assert look(log, "c", rows="others").time == 1
    assert look(ProofLog(path), "d").time == 3
    assert len(path.read_text().splitlines()) == 4


def test_the_same_look_again_shows_nothing_new_and_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    first = look(ProofLog(path), "a")
    assert look(ProofLog(path), "a") == first
    assert len(path.read_text().splitlines()) == 1


def test_without_a_file_looks_count_for_one_run() -> None:
    log = ProofLog(None)
    assert [look(log, what).time for what in "ab"] == [1, 2]


def test_a_log_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "proof.jsonl"
    look(ProofLog(path), "a")
    path.write_text(path.read_text() + "half a li")
    with pytest.raises(UserError, match="line 2"):
        ProofLog(path)


def test_rows_have_one_name_in_any_order() -> None:
    ids = np.array([3, 1, 2], np.uint64)
    assert hash_of_rows(ids) == hash_of_rows(ids[::-1])
    assert hash_of_rows(ids) != hash_of_rows(ids[:2])


def test_a_log_that_cannot_be_written_keeps_the_rows_sealed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = ProofLog(tmp_path / "file" / "proof.jsonl")
    with pytest.raises(UserError, match="stay sealed"):
        look(log, "a")
