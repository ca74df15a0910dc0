"""Rows that are read while training goes on, against the same rows in memory."""

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from roadworthy.engine.identity import Identifier
from roadworthy.errors import UserError
from roadworthy.subject import Augmentation, Network, Recipe
from roadworthy.training import sources, streaming
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train
from roadworthy.training.running import evaluate
from roadworthy.training.schedule import orders
from roadworthy.training.sources import ParquetRows, SomeRows, is_streamed
from roadworthy.training.streaming import rows_on

RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=0.01, patience=None)
RNG = np.random.default_rng(0)


class Scaled(nn.Module):
    """Fits its scaling to what `prepare` is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.2), nn.Linear(8, 2))
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("n", torch.zeros(()))

    def prepare(self, inputs: Tensor) -> None:
        self.mean.copy_(inputs.nan_to_num().mean(dim=0))
        self.n.fill_(len(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.inner((inputs - self.mean).nan_to_num())


def data(n: int = 300) -> Examples:
    inputs = np.random.default_rng(1).normal(size=(n, 5))
    inputs[3, 2] = np.nan
    return Examples(inputs, (inputs[:, 0] > 0).astype(np.int64))


def parquet(inputs: np.ndarray, file: Path, rows: int) -> ParquetRows:
    columns = {f"x{j}": pa.array(inputs[:, j], from_pandas=True) for j in range(inputs.shape[1])}
    pq.write_table(pa.table(columns), file, row_group_size=rows)
    return ParquetRows(file)


def of(inputs: object, like: Examples) -> Examples:
    return Examples(cast(np.ndarray, inputs), like.target, like.row_weights)


def mapped(inputs: np.ndarray, file: Path) -> np.ndarray:
    np.save(file, inputs)
    return np.load(file, mmap_mode="r")


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_memory_mapped_and_parquet_rows_train_the_same_weights_as_rows_in_memory(
    tmp_path: Path,
) -> None:
    rows = data()
    recipe = replace(RECIPE, augmentation=(Augmentation("noise", 0.1),))
    expected = train(Network(Scaled), recipe, rows, rows)
    array = mapped(rows.inputs, tmp_path / "inputs.npy")
    assert is_streamed(array)
    found = of(array, rows)
    assert same(train(Network(Scaled), recipe, found, found), expected)
    # Up to four row groups are in memory at once: the order is that of rows in memory.
    found = of(parquet(rows.inputs, tmp_path / "inputs.parquet", 75), rows)
    assert same(train(Network(Scaled), recipe, found, found), expected)


def test_many_row_groups_are_ordered_by_blocks(tmp_path: Path) -> None:
    rows = data()
    source = parquet(rows.inputs, tmp_path / "inputs.parquet", 30)
    assert source.blocks == (30,) * 10
    found = train(Network(Scaled), RECIPE, of(source, rows))

    class Blocks(SomeRows):
        blocks = (30,) * 10

    again = Blocks(rows.inputs, np.arange(300))
    assert same(train(Network(Scaled), RECIPE, of(again, rows)), found)
    assert not same(train(Network(Scaled), RECIPE, rows), found)


def test_each_row_group_is_read_once_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = parquet(data(1000).inputs, tmp_path / "inputs.parquet", 40)
    reads: list[int] = []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, i, *rest: reads.append(i) or read(self, i, *rest),
    )
    (order,) = islice(orders(1000, RECIPE, source.blocks), 1)
    for chosen in order.tensor_split(31):
        source[chosen.numpy()]
    assert sorted(reads) == list(range(25))


def test_parquet_rows_are_the_rows_of_the_table(tmp_path: Path) -> None:
    file = tmp_path / "inputs.parquet"
    table = {
        "a": pa.array([1.5, None, 3, 4, 5, 6, 7]),
        "b": pa.array([1, 2, 3, None, 5, 6, 7]),
        "c": pa.array([True, False, None, True, True, True, False]),
    }
    pq.write_table(pa.table(table), file, row_group_size=3)
    rows = ParquetRows(file)
    expected = np.array(
        [
            [1.5, 1, 1],
            [np.nan, 2, 0],
            [3, 3, np.nan],
            [4, np.nan, 1],
            [5, 5, 1],
            [6, 6, 1],
            [7, 7, 0],
        ],
        np.float32,
    )
    assert (rows.shape, rows.ndim, len(rows), rows.blocks) == ((7, 3), 2, 7, (3, 3, 1))
    assert rows.nbytes == expected.nbytes
    np.testing.assert_array_equal(rows[:], expected)
    np.testing.assert_array_equal(rows[2:5], expected[2:5])
    np.testing.assert_array_equal(rows[np.array([6, 0, 6, -2])], expected[[6, 0, 6, -2]])
    np.testing.assert_array_equal(rows[expected[:, 0] > 4], expected[4:])
    assert rows[:0].shape == (0, 3)
    np.testing.assert_array_equal(ParquetRows(file, ["b", "a"])[:], expected[:, [1, 0]])


def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "words.parquet"
    with pytest.raises(UserError, match=r"words.parquet: could not be read as Parquet"):
        ParquetRows(file)
    pq.write_table(pa.table({"a": [1.0], "name": ["x"]}), file)
    with pytest.raises(UserError, match=r"name \(string\) is not a number"):
        ParquetRows(file)
    with pytest.raises(UserError, match=r"no column z\. .* the file has a, name"):
        ParquetRows(file, ["a", "z"])
    file.write_text("no Parquet")
    with pytest.raises(UserError, match="could not be read as Parquet"):
        ParquetRows(file)


def test_some_rows_of_streamed_inputs_are_streamed(tmp_path: Path) -> None:
    rows = data()
    chosen = np.sort(RNG.choice(300, 200, replace=False))
    source = parquet(rows.inputs, tmp_path / "inputs.parquet", 60)
    some = of(source, rows).take(chosen)
    assert isinstance(some.inputs, SomeRows)
    assert some.inputs.shape == (200, 5)
    assert sum(some.inputs.blocks or ()) == 200
    np.testing.assert_array_equal(some.inputs[:], rows.inputs[chosen].astype(np.float32))
    array = of(mapped(rows.inputs, tmp_path / "inputs.npy"), rows).take(chosen[::-1])
    expected = train(Network(Scaled), RECIPE, rows.take(chosen[::-1]))
    assert same(train(Network(Scaled), RECIPE, array), expected)
    assert SomeRows(source, chosen[::-1]).blocks is None
    assert not isinstance(rows.take(chosen).inputs, SomeRows)


def test_identity_is_that_of_the_content(tmp_path: Path) -> None:
    rows = data()
    first = parquet(rows.inputs, tmp_path / "a.parquet", 60)
    again = parquet(rows.inputs, tmp_path / "b.parquet", 60)
    other = parquet(rows.inputs + 1, tmp_path / "c.parquet", 60)

    def digest(inputs: object) -> str:
        found = Identifier().of(inputs)
        assert found.unknown is None
        return found.digest

    assert digest(first) == digest(again) != digest(other)
    some = [SomeRows(source, np.arange(k)) for source, k in ((first, 5), (again, 5), (first, 6))]
    assert digest(some[0]) == digest(some[1]) != digest(some[2])


def test_preprocessing_is_fitted_to_a_random_subset_of_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "ROWS_TO_PREPARE", 100)
    rows = data()
    array = mapped(rows.inputs, tmp_path / "inputs.npy")
    weights = train(Network(Scaled), RECIPE, of(array, rows))
    assert weights["n"] == 100
    assert weights["mean"] == pytest.approx(np.nanmean(rows.inputs, axis=0), abs=0.35)
    assert train(Network(Scaled), RECIPE, rows)["n"] == 300
    monkeypatch.setattr(streaming, "BYTES_IN_MEMORY", 50 * 5 * 4)
    assert len(rows_on(of(array, rows), Scaled(), "cpu").sample(0)) == 50


def test_large_arrays_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = data()
    expected = train(Network(Scaled), RECIPE, rows)
    monkeypatch.setattr(sources, "BYTES_IN_MEMORY", rows.inputs.size * 4 - 1)
    assert rows_on(rows, Scaled(), "cpu").source is rows.inputs
    assert same(train(Network(Scaled), RECIPE, rows), expected)


MEMORY = """
import sys
from pathlib import Path
import numpy as np
import torch
from torch import nn
from roadworthy.subject import Network, Recipe
from roadworthy.training import streaming
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train
from roadworthy.training.running import evaluate

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) for l in lines if l.startswith("RssAnon")) // 1024

most = 0

class Watched(nn.Linear):
    def prepare(self, inputs):
        pass

    def forward(self, inputs):
        global most
        most = max(most, anonymous())
        return super().forward(inputs)

streaming.ROWS_TO_PREPARE = 1000
for n in (3_000, 60_000):  # 5 and 96 MB
    most = 0
    inputs = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, (n, 400))
    rows = Examples(inputs, np.arange(n) % 2)
    recipe = Recipe(epochs=1, batch_size=256)
    train(Network(lambda: Watched(400, 2)), recipe, rows, rows)
    evaluate(Watched(400, 2), inputs)
    print(most)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_memory_is_flat_in_the_number_of_rows(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "inputs.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 25


def test_outputs_of_streamed_inputs_are_those_of_arrays(tmp_path: Path) -> None:
    rows, module = data(2500), Scaled()
    expected = evaluate(module, rows.inputs)
    source = parquet(rows.inputs, tmp_path / "inputs.parquet", 700)
    assert np.array_equal(evaluate(module, cast(np.ndarray, source)), expected)
