"""Files of data: which reader for which file, and arrays stored by name."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.arrays import UNDIVIDED, UNLABELLED, Part, subject_from_arrays
from roadworthy.subject.assemble import subject_from_table
from roadworthy.subject.claims import refuse_false_npz, refuse_false_parquet, require_file
from roadworthy.subject.delimited import read_delimited
from roadworthy.subject.divide import SPELLINGS
from roadworthy.subject.images import read_image_folder
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import listed
from roadworthy.subject.reading import Reading
from roadworthy.subject.subject import Subject
from roadworthy.subject.table import Table, table_from_arrow
from roadworthy.subject.unlabelled import table_of
from roadworthy.subject.unlabelled_arrays import part_of

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITED = (".csv", ".tsv", ".txt", ".data")
PARQUET = (".parquet", ".pq")
INPUT_NAMES = ("x", "inputs", "images", "features", "data")
TARGET_NAMES = ("y", "target", "targets", "labels", "label")


def subject_from_file(
    source: str | Path | Mapping[str, str | Path],
    options: DataOptions | None = None,
    unlabelled: Any = None,  # Any: rows without a target, in any form that `subject_from` takes
) -> Subject:
    """Return the subject of a CSV, Parquet or npz file or a folder of images, without a model.

    A mapping of split names to tables (CSV, Parquet) is one subject. `unlabelled` holds rows without a target.
    """
    if isinstance(source, Mapping):
        from roadworthy.subject.live import subject_of_data

        return subject_of_data(source, options or DataOptions(), unlabelled=unlabelled)
    path = Path(source)
    options = options or DataOptions()
    require_file(path)
    if path.is_dir() or path.suffix.lower() == ".npz":
        return _from_arrays(path, options, unlabelled)
    table = read_table(path, options.reading)
    others = None if unlabelled is None else table_of(unlabelled, options)
    return subject_from_table(table, options, unlabelled=others)


def _from_arrays(path: Path, options: DataOptions, unlabelled: Any) -> Subject:  # Any: see above
    classes, notes = None, ()
    if path.is_dir():
        parts, classes, notes = read_image_folder(path)
        options = replace(options, input_range=options.input_range or (0.0, 1.0))
    else:
        parts = read_npz(path)
    if unlabelled is not None:
        others = part_of(unlabelled)
        parts, notes = {**parts, UNLABELLED: others.part}, (*notes, *others.notes)
    return subject_from_arrays(parts, options, name=str(path), class_names=classes, notes=notes)


def read_table(path: str | Path, reading: Reading | None = None) -> Table:
    """Return the table of a CSV or Parquet file."""
    path = Path(path)
    require_file(path)
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return table_from_arrow(read_parquet(path), str(path), reading=reading)
    if suffix in DELIMITED:
        return read_delimited(path, reading)
    raise UserError(
        f"{path}: {suffix or 'a file without an ending'} cannot be read as data. Give CSV "
        f"({listed(DELIMITED)}), Parquet ({listed(PARQUET)}), npz, or a folder of images."
    )


def read_parquet(path: Path) -> "pa.Table":
    """Return the Arrow table of a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            refuse_false_parquet(file.metadata, path)
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}). Write it again.") from None


def read_npz(path: Path) -> dict[str, Part]:
    """Return the parts of an npz file by the names of its arrays.

    `x_train`, `y_train`, `x_test`, `y_test` (or `train_images`, `train_labels`, ...), or `x`, `y`
    for undivided rows; `x_unlabelled` for rows without a target; any other array `NAME_train` describes the
    rows of that split.
    """
    refuse_false_npz(path)
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    by_split: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        split, what = _place_of(name)
        by_split.setdefault(split, {})[what] = values
    parts = {split: part for split, found in by_split.items() if (part := _part(found)) is not None}
    if not parts:
        shapes = [f"{name} {values.shape}" for name, values in arrays.items()]
        raise UserError(
            f"{path}: holds {listed(shapes)}, and none is known as inputs. Call the arrays x_train, "
            "y_train, x_test, y_test, or x and y."
        )
    return parts


def _place_of(name: str) -> tuple[str, str]:
    """Return the split and the rest of an array's name."""
    words = re.split(r"[_.]", name.lower())
    for i in (len(words) - 1, 0):
        split = UNLABELLED if words[i] == UNLABELLED else SPELLINGS.get(words[i])
        if split is not None and len(words) > 1:
            pieces = re.split(r"[_.]", name)
            return split, "_".join(pieces[:i] + pieces[i + 1 :])
    return UNDIVIDED, name


def _part(found: Mapping[str, np.ndarray]) -> Part | None:
    lower = {name.lower(): name for name in found}
    inputs = next((lower[n] for n in INPUT_NAMES if n in lower), None)
    if inputs is None:
        return None
    target = next((lower[n] for n in TARGET_NAMES if n in lower), None)
    beside = {n: values for n, values in found.items() if n not in (inputs, target)}
    return Part(found[inputs], None if target is None else found[target], beside)
