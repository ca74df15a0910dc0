"""Labels that a person reviewed: what the sheet holds, and what is taken back from it and refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from roadworthy.challenges.data_quality.mitigations.reviewed import (
    reviewed_label_errors_mended,
    the_review_dealt_to_other_rows,
)
from roadworthy.errors import NotApplicable, UserError
from roadworthy.procedures.review import Reviewed, in_words, is_filled, read_review, sheet_csv
from roadworthy.procedures.review.sheet import COLUMNS, content_of
from roadworthy.procedures.rows import RowTable
from roadworthy.subject import Split, Subject, Task

CLASSES = ("cat", "dog", "bird")
IDS = {name: np.arange(12, dtype=np.uint64) + at for name, at in (("train", 0), ("test", 20))}


def subject() -> Subject:
    """Return twelve training rows from the places 100 to 111 of their file, labelled in turn, and other splits."""

    def split(first: int, n: int = 12) -> Split:
        return Split(
            np.arange(n, dtype=float)[:, None], np.arange(n) % 3, source_rows=first + np.arange(n)
        )

    made = {"train": split(100), "validation": split(0, 6), "test": split(200), "proof": split(300)}
    return Subject("pets", Task("multiclass", CLASSES, None), "array", made)


def line(split: str, row: int, label: str, decision: str, content: str = "") -> str:
    return f"{split},{row},{content},{label},,,{decision}"


def sheet(path: Path, *lines: str, header: Sequence[str] = COLUMNS) -> Path:
    path.write_text("\n".join([",".join(header), *lines]) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Reviewed:
    return read_review(path, subject(), IDS)


def test_decisions_are_read_by_row_of_the_file_and_test_rows_are_left(tmp_path: Path) -> None:
    found = read(
        sheet(
            tmp_path / "review.csv",
            line("train", 100, "cat", "dog", "x0000000000000000"),
            line("train", 101, "dog", " Drop "),
            line("train", 102, "bird", "keep"),
            line("train", 103, "cat", "CAT"),
            line("train", 104, "dog", ""),
            line("validation", 0, "cat", "bird"),
            line("test", 200, "cat", "dog"),
            line("test", 201, "dog", "drop"),
        )
    )
    assert set(found.labels) == {"train", "validation"}
    assert found.labels["train"].source_rows.tolist() == [100, 101]
    assert found.labels["train"].labels.tolist() == [0, 1]
    assert found.labels["train"].decisions.tolist() == [1, -1]
    record = found.record
    assert (record.rows, record.decided, record.kept) == (8, 7, 2)
    assert (record.dropped, record.relabelled, record.test_rows_left) == (1, 2, 2)
    assert len(record.sha256) == 64
    words = in_words(record)
    assert "7 of 8 labels" in words[0]
    assert "2 test rows wrong, left as it is" in words[1]


def test_a_sheet_that_a_table_program_has_saved_is_read(tmp_path: Path) -> None:
    plain = read(sheet(tmp_path / "a.csv", line("train", 100, "cat", "dog")))
    mangled = tmp_path / "b.csv"
    mangled.write_bytes(
        "\ufeffsplit;source_row;content;label;suggested;sureness;decision\r\n"
        "train;100,0;;cat;dog;0,93;dog\r\n;;;;;;\r\n".encode()
    )
    again = read(mangled)
    assert again.labels["train"].decisions.tolist() == plain.labels["train"].decisions.tolist()
    assert again.record.relabelled == 1
    assert again.record.sha256 != plain.record.sha256


def test_a_data_frame_is_read_too() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"split": ["train", "train"], "source_row": [100, 101], "label": ["cat", "dog"], "decision": ["dog", None]}
    )  # fmt: skip
    assert read_review(frame, subject(), {}).labels["train"].decisions.tolist() == [1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([line("train", 999, "cat", "dog")], "train row 999: no row of that number"),
        ([line("train", 300, "cat", "dog")], "sealed for the proof"),
        ([line("train", 200, "cat", "dog")], "now one of test"),
        ([line("trian", 100, "cat", "dog")], "no such split; there are train, validation, test"),
        ([line("train", 100, "dog", "cat")], 'labelled "cat" in this data'),
        ([line("train", 100, "cat", "dog", "x00ff")], "holds other values"),
        ([line("train", 100, "cat", "brid")], 'Did you mean "bird"'),
        (["train,first,,cat,,,dog"], "source_row is no whole number"),
        ([line("train", 100, "cat", "dog"), line("train", 100, "cat", "drop")], "train row 100: is there twice"),
        ([line("train", 100, "cat", "")], "no decision is filled in"),
        ([], "the sheet is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_sheet_is_said(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        read(sheet(tmp_path / "review.csv", *lines))
    assert str(refused.value).startswith(str(tmp_path / "review.csv"))


def test_all_problems_are_told_at_once_and_one_kind_only_once(tmp_path: Path) -> None:
    many = [line("train", 1000 + i, "cat", "dog") for i in range(20)]
    with pytest.raises(UserError) as refused:
        read(sheet(tmp_path / "r.csv", *many, line("train", 100, "cat", "brid")))
    said = str(refused.value)
    assert "2 problems" in said
    assert "train row 1000, train row 1001" in said
    assert "and 15 more" in said
    assert said.count("\n") == 2


def test_the_same_row_twice_with_one_decision_is_one(tmp_path: Path) -> None:
    twice = [line("train", 100, "cat", "dog")] * 2
    assert read(sheet(tmp_path / "r.csv", *twice)).record.relabelled == 1


def test_a_sheet_without_its_columns_and_one_that_is_not_there(tmp_path: Path) -> None:
    other = sheet(tmp_path / "r.csv", "1,2", header=("id", "verdict"))
    with pytest.raises(
        UserError, match=r"split, source_row, label, decision is not there; there are id"
    ):
        read(other)  # fmt: skip
    with pytest.raises(UserError, match=r"nowhere\.csv"):
        read(tmp_path / "nowhere.csv")


def test_numbers_have_no_labels_to_review() -> None:
    number = Subject("n", Task("regression", (), None), "array", subject().splits)
    with pytest.raises(UserError, match="predicts a number"):
        read_review("review.csv", number, {})


def test_a_class_that_is_called_like_a_decision_is_refused(tmp_path: Path) -> None:
    drops = Subject("d", Task("binary", ("keep", "sell"), 1), "array", subject().splits)
    with pytest.raises(UserError, match='a class is called "keep"'):
        read_review(sheet(tmp_path / "r.csv", line("train", 100, "keep", "sell")), drops, {})


def test_classes_that_are_numbers_survive_a_table_program(tmp_path: Path) -> None:
    digits = Subject("d", Task("multiclass", ("0", "1", "2"), None), "array", subject().splits)
    path = sheet(tmp_path / "r.csv", line("train", 100, "0.0", "2.0"))
    assert read_review(path, digits, {}).labels["train"].decisions.tolist() == [2]


def test_the_remedy_does_what_was_decided_and_touches_nothing_else(tmp_path: Path) -> None:
    before = subject()
    lines = [line("train", 100, "cat", "dog"), line("train", 101, "dog", "drop"), line("validation", 0, "cat", "drop")]  # fmt: skip
    review = read(sheet(tmp_path / "r.csv", *lines, line("test", 200, "cat", "dog"))).labels
    after = reviewed_label_errors_mended(before, 1.0, label_review=review)
    train = after.splits["train"]
    assert train.source_rows.tolist() == [100, *range(102, 112)]
    assert train.target is not None
    assert train.target.tolist() == [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert after.splits["validation"].source_rows.tolist() == [1, 2, 3, 4, 5]
    assert after.splits["test"] is before.splits["test"]
    assert after.splits["proof"] is before.splits["proof"]
    assert before.splits["train"].target is not None
    assert before.splits["train"].target.tolist()[:3] == [0, 1, 2]
    assert reviewed_label_errors_mended(before, 0.0, label_review=review) is before


def test_the_sham_changes_as_many_rows_of_the_same_labels(tmp_path: Path) -> None:
    before = subject()
    lines = [line("train", 100, "cat", "dog"), line("train", 103, "cat", "dog"), line("train", 101, "dog", "drop")]  # fmt: skip
    review = read(sheet(tmp_path / "r.csv", *lines)).labels
    counts: list[list[int]] = []
    rows: set[tuple[int, ...]] = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        train = the_review_dealt_to_other_rows(before, 1.0, rng, label_review=review).splits["train"]  # fmt: skip
        assert train.target is not None
        counts.append(np.bincount(train.target, minlength=3).tolist())
        rows.add(tuple(sorted(set(range(100, 112)) - set(train.source_rows.tolist()))))
    assert counts == [[2, 5, 4]] * 20  # two cats are dogs now, one dog is gone
    assert len(rows) > 1
    rng = np.random.default_rng(0)
    assert the_review_dealt_to_other_rows(before, 0.0, rng, label_review=review) is before


def test_rows_that_are_gone_or_labelled_otherwise_by_now_are_passed_over(tmp_path: Path) -> None:
    lines = [line("train", 100, "cat", "dog"), line("train", 101, "dog", "cat")]
    review = read(sheet(tmp_path / "r.csv", *lines)).labels
    fewer = subject().with_split("train", subject().splits["train"].take(np.arange(1, 12)))
    target = fewer.splits["train"].target
    assert target is not None
    after = reviewed_label_errors_mended(fewer, 1.0, label_review=review).splits["train"].target
    assert after is not None
    assert np.flatnonzero(after != target).tolist() == [0]
    changed = fewer.with_target("train", np.roll(target, 1))
    same = reviewed_label_errors_mended(changed, 1.0, label_review=review).splits["train"].target
    assert np.array_equal(np.roll(target, 1), np.asarray(same))


def test_without_a_review_or_with_nothing_wrong_the_remedy_does_not_apply(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="--reviewed FILE"):
        reviewed_label_errors_mended(subject(), 1.0)
    kept = read(sheet(tmp_path / "r.csv", line("train", 100, "cat", "keep"))).labels
    with pytest.raises(NotApplicable, match="no training or validation label wrong"):
        reviewed_label_errors_mended(subject(), 1.0, label_review=kept)
    cats = [line("train", row, "cat", "drop") for row in (100, 103, 106, 109)]
    gone = read(sheet(tmp_path / "r.csv", *cats)).labels
    with pytest.raises(NotApplicable, match="no row of some class"):
        reviewed_label_errors_mended(subject(), 1.0, label_review=gone)


def test_a_sheet_in_which_somebody_wrote_is_known(tmp_path: Path) -> None:
    columns = {name: np.array(["a", "b"], dtype=object) for name in COLUMNS}
    columns["decision"] = np.array(["", ""], dtype=object)
    path = tmp_path / "review.csv"
    assert not is_filled(path)
    path.write_bytes(sheet_csv(RowTable(columns)))
    assert not is_filled(path)
    path.write_text(path.read_text().replace("b,b,\n", "b,b,drop\n"))
    assert is_filled(path)
    assert content_of(np.array([255], np.uint64)).tolist() == ["x00000000000000ff"]
