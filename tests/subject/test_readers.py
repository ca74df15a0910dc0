import io
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from roadworthy.errors import UserError
from roadworthy.subject import DataOptions, Roles, read_table, subject_from_file


def npy_header(shape, dtype="<f8") -> bytes:
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_arrays_named_by_split_become_splits(tmp_path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"{what}_{s}": v for s, n in (("train", 50), ("val", 20), ("test", 30)) for what, v in (
        ("x", rng.random((n, 4, 4))), ("y", np.arange(n) % 2), ("sex", np.arange(n) % 2))}  # fmt: skip
    np.savez(tmp_path / "d.npz", **arrays)
    made = subject_from_file(tmp_path / "d.npz", DataOptions(Roles(sensitive=("sex",))))
    assert {name: split.n for name, split in made.splits.items()} == {
        "train": 50, "validation": 20, "test": 30,
    }  # fmt: skip
    assert made.splits["test"].attributes["sex"].names == ("0", "1")


@pytest.mark.parametrize("names", [("train_images", "train_labels"), ("x", "y"), ("X", "Y")])
def test_usual_names_of_arrays_are_known(tmp_path, names) -> None:
    x, y = np.random.default_rng(0).random((40, 3, 3)), np.arange(40) % 2
    np.savez(tmp_path / "d.npz", **{names[0]: x, names[1]: y[:, None]})
    assert sum(s.n for s in subject_from_file(tmp_path / "d.npz").splits.values()) == 40


def test_arrays_that_nobody_knows_are_listed(tmp_path) -> None:
    np.savez(tmp_path / "d.npz", foo=np.zeros(3))
    with pytest.raises(UserError, match=r"holds foo \(3,\).*Call the arrays x_train"):
        subject_from_file(tmp_path / "d.npz")


def test_a_header_that_claims_gigabytes_is_refused_before_anything_is_read(tmp_path) -> None:
    path = npz(
        tmp_path / "d.npz", x=npy_header((2**28,)) + bytes(80), y=npy_header((1,)) + bytes(8)
    )
    with pytest.raises(
        UserError, match=r"array x: the header claims an array of shape \(268435456,\)"
    ):
        subject_from_file(path)


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path) -> None:
    path = npz(tmp_path / "d.npz", x=npy_header((10,)) + bytes(80))
    raw = bytearray(path.read_bytes())
    at = raw.find(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    raw[at : at + 4] = struct.pack("<I", 2**31)
    path.write_bytes(bytes(raw))
    with pytest.raises(UserError, match="claims to unpack"):
        subject_from_file(path)


def test_python_objects_in_arrays_are_refused_unread(tmp_path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{}, []], object), y=np.arange(2))
    with pytest.raises(UserError, match="Python objects"):
        subject_from_file(tmp_path / "d.npz")


def test_a_parquet_file_that_claims_gigabytes_is_refused(tmp_path) -> None:
    batch = pa.table({"a": pa.array(np.zeros(1_000_000, np.int64)), "y": pa.nulls(1_000_000)})
    with parquet.ParquetWriter(tmp_path / "d.parquet", batch.schema) as writer:
        for _ in range(100):
            writer.write_table(batch)
    assert (tmp_path / "d.parquet").stat().st_size < 1_000_000
    with pytest.raises(UserError, match="claims 100,000,000 rows of 2 columns"):
        read_table(tmp_path / "d.parquet")


@pytest.mark.parametrize("name", ["d.parquet", "d.npz"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PK\x03\x04 and so on", b"x" * 1000])
def test_damaged_and_empty_files_are_named(tmp_path, name, content) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        subject_from_file(tmp_path / name, DataOptions(Roles(target="y")))
    assert name in str(caught.value)


def test_a_cut_off_parquet_file_is_named(tmp_path) -> None:
    parquet.write_table(pa.table({"a": list(range(1000))}), tmp_path / "d.parquet")
    whole = (tmp_path / "d.parquet").read_bytes()
    (tmp_path / "d.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_table(tmp_path / "d.parquet")


def test_unknown_endings_and_missing_files_say_what_can_be_read(tmp_path) -> None:
    with pytest.raises(UserError, match="no such file"):
        subject_from_file(tmp_path / "nowhere.csv")
    (tmp_path / "d.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"\.xlsx cannot be read as data. Give CSV"):
        subject_from_file(tmp_path / "d.xlsx")


def picture(path, value, mode="L", size=(6, 5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_a_folder_per_class_is_read_as_images_between_zero_and_one(tmp_path) -> None:
    for i in range(10):
        picture(tmp_path / "cat" / f"{i}.png", i)
        picture(tmp_path / "dog" / f"{i}.png", 255 - i)
    made = subject_from_file(tmp_path)
    assert made.task.classes == ("cat", "dog")
    assert sum(split.n for split in made.splits.values()) == 20
    split = made.splits["train"]
    assert split.inputs.shape[1:] == (1, 5, 6)
    assert split.inputs.dtype == np.float32
    dogs = np.concatenate([s.inputs[s.target == 1] for s in made.splits.values()])
    assert (dogs.max(), dogs.min()) == pytest.approx((1.0, 246 / 255))


def test_folders_of_splits_hold_folders_of_classes(tmp_path) -> None:
    for split in ("train", "val", "test"):
        for i in range(6):
            picture(tmp_path / split / "a" / f"{i}.png", (i, 0, 0), "RGB")
            picture(tmp_path / split / "b" / f"{i}.png", (0, i, 9), "RGB")
    made = subject_from_file(tmp_path)
    assert {name: split.n for name, split in made.splits.items()} == dict.fromkeys(
        ("train", "validation", "test"), 12
    )
    assert made.splits["test"].inputs.shape == (12, 3, 5, 6)


def test_images_of_several_sizes_and_no_images_are_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="no images"):
        subject_from_file(tmp_path)
    picture(tmp_path / "a" / "0.png", 0)
    picture(tmp_path / "b" / "1.png", 0, size=(7, 7))
    with pytest.raises(UserError, match=r"2 sizes: 6 by 5 \(0.png\), 7 by 7 \(1.png\)"):
        subject_from_file(tmp_path)


def test_a_damaged_image_is_named(tmp_path) -> None:
    picture(tmp_path / "a" / "0.png", 0)
    buffer = io.BytesIO()
    Image.effect_noise((6, 5), 50).save(buffer, "png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").write_bytes(buffer.getvalue()[:50])
    with pytest.raises(UserError, match=r"1\.png"):
        subject_from_file(tmp_path)
    (tmp_path / "b" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1\.png: not a readable image"):
        subject_from_file(tmp_path)


def test_mnist_is_read_as_it_lies(data_dir) -> None:
    made = subject_from_file(data_dir / "img_digits" / "mnist.npz", DataOptions(proof=0.0))
    assert made.splits["test"].n == 10_000
    assert made.splits["train"].n + made.splits["validation"].n == 60_000
    assert made.splits["test"].inputs.dtype == np.uint8
    assert np.array_equal(made.splits["test"].source_rows, np.arange(10_000))
    counts = np.bincount(made.splits["train"].target) + np.bincount(
        made.splits["validation"].target
    )
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
