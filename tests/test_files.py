"""Writing what a user keeps: everything or nothing."""

from pathlib import Path

import pytest

from roadworthy import files
from roadworthy.errors import UserError


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "in_the_way").write_text("a file")
    contents = {
        tmp_path / "out" / "first.txt": b"1",
        tmp_path / "in_the_way" / "second.txt": b"2",
    }
    with pytest.raises(UserError, match=r"second\.txt: could not be written"):
        files.write_all(contents)
    assert [path.name for path in tmp_path.rglob("*")] == ["in_the_way"]


def test_what_was_there_before_is_kept_where_the_new_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(UserError):
        files.write_all({tmp_path / "a.txt": b"new", tmp_path / "a.txt" / "b": b""})
    assert (tmp_path / "a.txt").read_text() == "old"


def test_asking_whether_a_folder_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    files.require_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--out"):
        files.require_writable(tmp_path / "file" / "b")
