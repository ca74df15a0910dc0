"""Rows that do not fit in memory, from `subject_from` to an audit, against the same rows in memory."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roadworthy
from roadworthy.engine import streamed as in_engine
from roadworthy.engine.identity import Identifier
from roadworthy.errors import UserError
from roadworthy.subject import Recipe, Subject, subject_from
from roadworthy.subject import streamed as of_subject
from roadworthy.subject.streamed import StreamedRows

RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=0.01, patience=None)
CHECKS = ("error_rate", "overfitting_gap", "relative_log_loss", "exact_duplicates_within_train")


def rows(n: int, seed: int = 0, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    found = np.random.default_rng(seed).integers(0, 200, (n, 5))
    return found.astype(dtype), (found[:, 0] > 100).astype(np.int64)


def mapped(inputs: np.ndarray, file: Path) -> np.ndarray:
    np.save(file, inputs)
    return np.load(file, mmap_mode="r")


def parquet(inputs: np.ndarray, file: Path) -> roadworthy.ParquetRows:
    columns = {f"x{j}": pa.array(inputs[:, j]) for j in range(inputs.shape[1])}
    pq.write_table(pa.table(columns), file, row_group_size=100)
    return roadworthy.ParquetRows(file)


def in_file(kind: str, inputs: np.ndarray, folder: Path, name: str) -> Any:
    make = parquet if kind == "parquet" else mapped
    return make(inputs, folder / f"{name}.{'parquet' if kind == 'parquet' else 'npy'}")


def both(kind: str, folder: Path, dtype: str, **more: Any) -> list[Subject]:
    """The subject of rows in memory and that of the same rows in files."""
    given = {
        "train": rows(300, 0, dtype),
        "validation": rows(200, 1, dtype),
        "test": rows(200, 2, dtype),
    }
    found = {name: (in_file(kind, x, folder, name), y) for name, (x, y) in given.items()}
    return [subject_from(**each, recipe=RECIPE, name="rows", **more) for each in (given, found)]


FORMS = [("memmap", "float64"), ("memmap", "float32"), ("memmap", "uint8"), ("parquet", "float32")]


@pytest.mark.parametrize(("kind", "dtype"), FORMS)
def test_an_audit_of_streamed_rows_says_the_same_as_of_rows_in_memory(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    memory, files = both(kind, tmp_path, dtype)
    assert files.modality == "table"
    assert files.columns == memory.columns
    assert all(of_subject.is_streamed(split.inputs) for split in files.splits.values())
    expected, found = (
        roadworthy.audit(each, profile="quick", only=CHECKS, store=None, progress=False)
        for each in (memory, files)
    )
    for name in CHECKS:
        a, b = expected[name], found[name]
        assert a.value is not None
        assert (a.value, a.low, a.high, a.n) == (b.value, b.low, b.high, b.n)


@pytest.mark.parametrize("kind", ["memmap", "parquet"])
def test_streamed_rows_are_divided_and_sealed_as_rows_in_memory(kind: str, tmp_path: Path) -> None:
    x, y = rows(400)
    memory = subject_from(data=(x, y), proof=0.3)
    files = subject_from(data=(in_file(kind, x, tmp_path, "all"), y), proof=0.3)
    assert set(files.splits) == {"train", "validation", "test", "proof"}
    for name, split in memory.splits.items():
        inputs = files.splits[name].inputs
        assert isinstance(inputs, StreamedRows)
        assert inputs.shape == split.inputs.shape
        np.testing.assert_array_equal(inputs[:], split.inputs)
        np.testing.assert_array_equal(files.splits[name].target, split.target)
        assert inputs.blocks is None or sum(inputs.blocks) == len(inputs)
        assert inputs[3].shape == (5,)


def test_images_in_a_file_are_handed_on_as_they_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (60, 1, 4, 4)).astype(np.uint8)
    array = mapped(x, tmp_path / "x.npy")
    made = subject_from(train=(array, np.arange(60) % 2), test=(array[:30], np.arange(30) % 2))
    assert made.modality == "array"
    assert made.input_range == (0.0, 255.0)
    assert isinstance(made.splits["test"].inputs, np.memmap)
    wide = mapped(np.zeros((20, 300), np.float32), tmp_path / "wide.npy")
    assert subject_from(test=(wide, np.arange(20) % 2)).modality == "array"


def test_rows_without_a_target_may_be_streamed(tmp_path: Path) -> None:
    more = parquet(rows(50)[0], tmp_path / "more.parquet")
    made = subject_from(train=rows(300), unlabelled=more)
    np.testing.assert_array_equal(made.splits["unlabelled"].inputs[:], rows(50)[0])


def test_identity_is_that_of_the_rows(tmp_path: Path) -> None:
    source = parquet(rows(50)[0], tmp_path / "x.parquet")
    again = StreamedRows(source, np.arange(9))
    digests = [
        Identifier().of(each).digest
        for each in (
            StreamedRows(source),
            again,
            StreamedRows(source, np.arange(9)),
            StreamedRows(source, dtype=np.dtype("f8")),
        )
    ]
    assert digests[1] == digests[2]
    assert len(set(digests)) == 3


@pytest.mark.parametrize("kind", ["memmap", "parquet"])
def test_values_are_checked_chunk_by_chunk(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_subject, "CHUNK_BYTES", 7 * 5 * 4)
    x, y = rows(60)
    x[41, 2] = np.inf
    with pytest.raises(
        UserError, match=r"inputs of test hold infinite values \(first at index 41\)"
    ):
        subject_from(test=(in_file(kind, x, tmp_path, "x"), y))
    wide = np.zeros((40, 300), np.float32)
    wide[33, 7] = wide[38, 1] = 2
    with pytest.raises(
        UserError, match="but 2 test rows hold values outside of it, the first 2 in row 33"
    ):
        subject_from(test=(in_file(kind, wide, tmp_path, "wide"), y[:40]), input_range=(0, 1))


def test_columns_of_two_files_must_agree(tmp_path: Path) -> None:
    x, y = rows(60)
    source = parquet(x, tmp_path / "x.parquet")
    turned = roadworthy.ParquetRows(tmp_path / "x.parquet", ["x1", "x0", "x2", "x3", "x4"])
    with pytest.raises(UserError, match="columns must be the same in the same order"):
        subject_from(train=(source, y), test=(turned, y))


def test_what_needs_all_rows_in_memory_is_not_run_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_engine, "MOST_BYTES", 1000)
    _, files = both("parquet", tmp_path, "float32")
    report = roadworthy.audit(
        files, profile="quick", store=None, progress=False, only=("data_quality", "error_rate")
    )
    assert report["error_rate"].value is not None
    assert not [f for f in report if f.verdict == "error"]
    reasons = [f.reason for f in report if f.verdict == "not_run"]
    assert any("are read from their file when they are asked for" in reason for reason in reasons)


def test_repairs_and_self_tests_of_row_sources_are_refused(tmp_path: Path) -> None:
    _, files = both("parquet", tmp_path, "float32")
    for procedure in (roadworthy.fix, roadworthy.selftest):
        with pytest.raises(UserError, match=r"has to change rows in memory\. Give fewer rows"):
            procedure(files, store=None, progress=False)


def peak(n: int, file: Path) -> float:
    """Peak of the memory, in MB, that making a subject of n rows of 100 numbers takes."""
    inputs = np.lib.format.open_memmap(file, "w+", np.float32, (n, 100))
    target = np.arange(n) % 2
    inputs[:, 0] = np.arange(n)
    tracemalloc.start()
    subject_from(train=(inputs, target), test=(inputs[:500], target[:500]))
    found = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return found


def test_making_a_subject_takes_as_much_memory_for_many_rows_as_for_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_subject, "CHUNK_BYTES", 1 << 20)
    few, many = (peak(n, tmp_path / f"{n}.npy") for n in (10_000, 60_000))
    # 50,000 rows more are 40 MB in double precision; keys, names and positions of rows take some 200 bytes each.
    assert many - few < 14


MEMORY = """
import sys
from pathlib import Path
import numpy as np
import roadworthy
from roadworthy.training import streaming

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith("RssAnon")) // 1024

most = 0
ask = streaming.Rows.inputs

def watched(self, rows):
    global most
    most = max(most, anonymous())
    return ask(self, rows)

streaming.Rows.inputs = watched
streaming.ROWS_TO_PREPARE = 1000
recipe = roadworthy.Recipe(epochs=1, batch_size=256)
for n in (2_000, 10_000, 80_000):  # the first warms up; 84 MB more in the file of the third
    most = 0
    inputs = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, (n, 300))
    inputs[:, 0] = np.arange(n)
    target = np.arange(n) % 2
    subject = roadworthy.subject_from(train=(inputs, target), test=(inputs[:500], target[:500]), recipe=recipe)
    report = roadworthy.audit(subject, profile="quick", only="error_rate", store=None, progress=False)
    assert report["error_rate"].value is not None
    print(most)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_an_audit_with_training_takes_as_much_memory_for_many_rows_as_for_few(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "inputs.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, few, many = map(int, done.stdout.split())
    assert many - few < 45
