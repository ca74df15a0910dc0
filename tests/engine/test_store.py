"""The store: exact round trips, nothing half-written, whatever is damaged is a miss."""

import errno
import json
import os
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from roadworthy.engine import Store
from roadworthy.engine.encoding import decode, encode
from roadworthy.engine.temporary import Temporary
from roadworthy.errors import UserError
from roadworthy.results import (
    Axis,
    Curve,
    Estimate,
    Measurement,
    Series,
    doubted,
    short_of_examples,
)

KEY = "ab" * 32

CURVE = Curve("c", Axis("x"), Axis("y", "nats"), (Series("s", (1, 2.5), (None, 0.1)),))
MEASURED = Measurement(0.1, 0.0, 0.2, 30, "share", "t", Estimate(0.1, 0.02, 4.0), evidence=(CURVE,))


def assert_same(one: Any, other: Any) -> None:
    """Whether two values are alike in every type and bit."""
    assert type(one) is type(other) or {type(one), type(other)} <= {np.ndarray, np.memmap}
    if isinstance(one, np.ndarray | np.generic):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, dict):
        assert_same(list(one.items()), list(other.items()))
    elif isinstance(one, complex):
        assert_same([one.real, one.imag], [other.real, other.imag])
    elif isinstance(one, float):
        assert struct.pack("<d", one) == struct.pack("<d", other) or one != one
    else:
        assert one == other


arrays = npst.arrays(
    npst.scalar_dtypes() | npst.unicode_string_dtypes() | npst.byte_string_dtypes(),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
scalars = (
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers()),
    *(st.text(), st.text(st.characters()), arrays, arrays.map(lambda a: a.ravel()[:1].sum())),
)
kept = st.recursive(
    st.one_of(*(s for s in scalars[:-1])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(kept)
@settings(max_examples=150)
def test_a_value_comes_back_as_it_was_down_to_the_last_type(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp() / "round"
    handed_on = Store(folder).put(KEY, value)
    found = Store(folder).get(KEY)
    assert found is not None
    assert found.not_applicable is None
    assert_same(handed_on, value)
    assert_same(found.value, value)


@pytest.mark.parametrize(
    "value",
    [
        *(doubted(MEASURED, ("misled",)), short_of_examples(MEASURED, ('"c" has 20',))),
        *(MEASURED, CURVE, {"a": [MEASURED]}, (1, (2, [3, {"4": None}]))),
        *(np.float32(1.5), np.bool_(True), np.datetime64("2026-11-20"), np.array(3.0)),
        *(np.array([1], ">i4"), np.zeros((0, 3)), np.array([]), np.array([], "U1"), 10**500),
        *(np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(10)[::-2], True, -0.0, "\ud800"),
        *(np.zeros(3, np.float16), np.complex64(1j), {1: 2, (1, "a"): 3}, [], (), {}),
        {"bool": np.array([True]), "wide": np.arange(3.0), "odd": np.array([1, 2, 3], "i1")},
    ],
)
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_artifacts_return_comes_back_as_it_was(value, kind: str, tmp_path: Path):
    store = Store(tmp_path / "store" if kind == "file" else None)
    assert_same(store.put(KEY, value), value)
    again = store if kind == "memory" else Store(tmp_path / "store")
    found = again.get(KEY)
    assert found is not None
    assert_same(found.value, value)


def test_the_file_is_a_safetensors_file(tmp_path: Path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    Store(tmp_path).put(
        KEY, {"mask": np.array([True]), "logits": array, "when": np.datetime64(1, "s")}
    )
    (file,) = tmp_path.rglob("*.safetensors")
    tensors = safetensors.numpy.load_file(file)
    assert_same(tensors["1"], array)
    assert_same(tensors["0"], np.array([True]))
    assert tensors["2"].dtype == np.uint8


def test_a_large_array_is_mapped_and_small_ones_are_not(tmp_path: Path):
    large = np.arange(2_000_000.0)
    store = Store(tmp_path)
    for found in (store.put(KEY, large), Store(tmp_path).get(KEY).value):  # pyright: ignore
        owner = found
        while isinstance(owner, np.ndarray):
            owner = owner.base
        assert type(owner.obj).__name__ == "mmap"
        assert_same(np.array(found), large)
        assert found.ctypes.data % 8 == 0


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_arrays_cannot_be_written_to_and_containers_are_ones_own(kind: str, tmp_path: Path):
    store = Store(tmp_path / "s" if kind == "file" else None)
    first = store.put(KEY, {"a": np.zeros(3), "b": [1]})
    with pytest.raises(ValueError, match="read-only"):
        first["a"][0] = 1
    first["b"].append(2)
    found = store.get(KEY)
    assert found is not None
    assert found.value["b"] == [1]


def test_that_a_quantity_does_not_apply_is_kept(tmp_path: Path):
    Store(tmp_path).put_not_applicable(KEY, "there is one class; two are needed")
    found = Store(tmp_path).get(KEY)
    assert found is not None
    assert found.not_applicable == "there is one class; two are needed"


@dataclass(frozen=True)
class Own:
    x: int
    inner: object = None
    derived: int = field(init=False, default=0)


@dataclass(frozen=True)
class Other:
    x: int


def test_records_are_made_from_the_allow_list_alone_nested_ones_too(tmp_path: Path):
    value = Own(1, [Own(2, Axis("x"))])
    assert Store(tmp_path, records=(Own,)).put(KEY, value) == value
    assert Store(tmp_path, records=(Own,)).get(KEY).value == value  # pyright: ignore
    assert Store(tmp_path).get(KEY) is None
    assert Store(tmp_path, records=(Own,)).get(KEY) is not None, "a miss for one is no damage"
    with pytest.raises(TypeError, match=r"Other.*what can be kept"):
        Store(tmp_path, records=(Own,)).put(KEY, Own(1, Other(2)))


def test_a_record_of_another_class_of_the_same_name_is_refused(tmp_path: Path):
    twin = dataclass(frozen=True)(type("Axis", (), {"__annotations__": {"label": str}}))
    with pytest.raises(TypeError, match="Axis"):
        Store(tmp_path).put(KEY, twin("x"))


def test_a_record_whose_fields_have_changed_is_a_miss():
    encoded = encode(Own(1, 2), {"Own": Own})
    with pytest.raises(ValueError, match=r"inner.*were expected"):
        decode(encoded, {"Own": Other})


@pytest.mark.parametrize(
    "value",
    [
        *(object(), {1, 2}, b"bytes", lambda: 1, np.array([object()]), np.array([(1,)], "i4,")),
        *(
            Path("a"),
            np.ma.masked_array([1]),
            [{"deep": (1, {2})}],
            range(3),
            type("S", (str,), {})("a"),
        ),
    ],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_cannot_be_kept_is_refused_by_its_type(value, kind: str, tmp_path: Path):
    store = Store(tmp_path / "s" if kind == "file" else None)
    with pytest.raises(TypeError, match="what can be kept"):
        store.put(KEY, value)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert store.get(KEY) is None


def written(folder: Path, value: object) -> Path:
    Store(folder).put(KEY, value)
    (file,) = folder.rglob("*.safetensors")
    return file


def test_a_flipped_bit_anywhere_is_a_miss_and_the_file_goes(tmp_path: Path):
    value = {"text": "abc", "array": np.arange(5, dtype=np.int16), "number": 0.5}
    file = written(tmp_path, value)
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file.write_bytes(damaged)
        assert Store(tmp_path).get(KEY) is None, f"byte {position} of {len(whole)}"
        assert not file.exists()
        file.parent.mkdir(exist_ok=True)
    file.write_bytes(whole)
    assert_same(Store(tmp_path).get(KEY).value, value)  # pyright: ignore


@pytest.mark.parametrize("region", ["length", "header", "data"])
def test_a_flipped_bit_in_a_large_file_is_a_miss(region: str, tmp_path: Path):
    file = written(tmp_path, np.arange(1_000_000.0))
    length = int.from_bytes(file.read_bytes()[:8], "little")
    position = {"length": 6, "header": 8 + length - 3, "data": 8 + length + 5_000_001}[region]
    with file.open("r+b") as opened:
        opened.seek(position)
        byte = opened.read(1)[0]
        opened.seek(position)
        opened.write(bytes([byte ^ 4]))
    assert Store(tmp_path).get(KEY) is None
    assert not file.exists()


@pytest.mark.parametrize("n", [3, 1_000_000])
def test_a_truncated_or_longer_file_is_a_miss(n: int, tmp_path: Path):
    file = written(tmp_path, np.arange(float(n)))
    whole = file.read_bytes()
    sizes = {*range(0, min(len(whole), 400), 7), len(whole) // 2, len(whole) - 1}
    for size in sizes:
        file.write_bytes(whole[:size])
        assert Store(tmp_path).get(KEY) is None, size
        assert not file.exists()
    file.write_bytes(whole + b"\0")
    assert Store(tmp_path).get(KEY) is None


def with_checksum(header: dict, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file as an attacker would write it: anything, with a checksum that is right."""
    from hashlib import sha256

    metadata = {"checksum": "0" * 64, "structure": header.pop("structure")}
    text = json.dumps({"__metadata__": metadata, **header}, separators=(",", ":")).encode()
    whole = (length or len(text)).to_bytes(8, "little") + text + data
    return whole.replace(b"0" * 64, sha256(whole).hexdigest().encode(), 1)


def claim(structure: object, **tensor: object) -> dict:
    return {"structure": json.dumps({"dict": [["value", structure]]}), **tensor}


TWO_GB = 1 << 31
CLAIMS = {
    "2 GB of header": (claim(1), TWO_GB),
    "2 GB of data": (
        claim(
            {"array": [0, "|u1", [TWO_GB]]},
            **{"0": {"dtype": "U8", "shape": [TWO_GB], "data_offsets": [0, TWO_GB]}},
        ),
        None,
    ),
    "a shape that its bytes do not fill": (
        claim(
            {"array": [0, "<f8", [1 << 40]]},
            **{"0": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 0]}},
        ),
        None,
    ),
    "an array that is not there": (claim({"array": [7, "<f8", [1]]}), None),
    "a record that is not allowed": (claim({"record": ["system", [["x", "ls"]]]}), None),
    "a record with other fields": (claim({"record": ["Axis", [["nonsense", 1]]]}), None),
    "a record that refuses its fields": (
        claim({"record": ["Measurement", [[n, n == "low"] for n in vars(MEASURED)]]}),
        None,
    ),
    "objects": (claim({"array": [0, "|O", [1]]}), None),
    "an unknown tag": (claim({"call": ["os.system"]}), None),
    "no JSON": ({"structure": "{"}, None),
    "deep nesting": ({"structure": "[" * 100_000 + "]" * 100_000}, None),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_file_that_claims_what_is_not_there_is_a_miss_and_no_allocation(
    what: str, tmp_path: Path
):
    header, length = CLAIMS[what]
    file = written(tmp_path, 1)
    file.write_bytes(with_checksum(dict(header), length=length))
    import tracemalloc

    tracemalloc.start()
    found = Store(tmp_path).get(KEY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is None
    assert peak < 100_000_000


def test_without_a_file_there_is_nothing(tmp_path: Path):
    store = Store(tmp_path)
    assert not store.has(KEY)
    assert store.get(KEY) is None
    store.put(KEY, 1)
    assert store.has(KEY)


def test_a_folder_that_cannot_be_made_is_refused_with_the_way_out(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.*--store"):
        Store(tmp_path / "file" / "store")


class FullDisk:
    """A file that takes so many bytes and then says that the disk is full."""

    def __init__(self, file: Any, room: int) -> None:
        self._file = file
        self._room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)


@pytest.mark.parametrize("room", [0, 200, 5000])
def test_a_full_disk_leaves_nothing_half_written_and_the_value_in_memory(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = Temporary.__init__

    def open_on_a_full_disk(self: Temporary, folder: Path) -> None:
        opened(self, folder)
        self.file = FullDisk(self.file, room)  # pyright: ignore

    monkeypatch.setattr(Temporary, "__init__", open_on_a_full_disk)
    store = Store(tmp_path)
    value = np.arange(3000.0)
    assert_same(store.put(KEY, value), value)
    assert "No space left" in (store.problem or "")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert_same(store.get(KEY).value, value)  # pyright: ignore
    assert Store(tmp_path).get(KEY) is None


def test_a_store_whose_folder_vanishes_goes_on_in_memory(tmp_path: Path):
    store = Store(tmp_path / "store")
    shutil.rmtree(tmp_path / "store")
    assert store.put(KEY, 5) == 5
    assert store.problem
    assert store.get(KEY).value == 5  # pyright: ignore


def test_temporary_files_of_the_dead_are_removed_and_of_the_living_kept(tmp_path: Path):
    Store(tmp_path)
    child = os.fork()
    if child == 0:
        Temporary(tmp_path / "tmp").file.write(b"half")
        os._exit(0)
    os.waitpid(child, 0)
    living = Temporary(tmp_path / "tmp")
    elsewhere = tmp_path / "tmp" / "another.host-x1y2-77"
    old = tmp_path / "tmp" / "another.host-z1y2-78"
    for file in (elsewhere, old):
        file.write_bytes(b"")
    os.utime(old, (0, 0))
    assert len(list((tmp_path / "tmp").iterdir())) == 4
    Store(tmp_path)
    assert set((tmp_path / "tmp").iterdir()) == {living.path, elsewhere}
    living.__exit__(None, None, None)


def test_memory_is_bounded_by_forgetting_the_oldest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("roadworthy.engine.store.MEMORY_BYTES", 100_000)
    store = Store()
    for i in range(20):
        store.put(f"{i:064}", np.zeros(1000))
        store.get(f"{0:064}")
    assert store.has(f"{0:064}"), "used all the time"
    assert not store.has(f"{1:064}")
    assert store.has(f"{19:064}")
