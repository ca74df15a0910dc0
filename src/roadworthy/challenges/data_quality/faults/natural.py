"""Published data with known defects."""

from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.engine import natural_fault
from roadworthy.subject import (
    DataOptions,
    Roles,
    Split,
    Subject,
    Task,
    subject_from_table,
)
from roadworthy.subject.natural import Natural

ADULT = "Kohavi 1996; counted in the UCI files"
CONFIDENT = "Northcutt, Athalye & Mueller 2021: candidates judged by five people each"


@natural_fault(breaks="exact_duplicates_across_splits", data="tab_adult/adult.parquet")
def test_rows_of_adult_in_training(folder: Path) -> Natural:
    """Read UCI Adult in its published split, of whose test rows 26 are also training rows."""
    return Natural(
        _adult(folder),
        frozenset({"fail"}),
        "26 of the 16,281 published test rows have the inputs of a training row.",
        ADULT,
    )


@natural_fault(breaks="single_column_leakage", data="tab_adult/adult.parquet")
def income_among_the_inputs_of_adult(folder: Path) -> Natural:
    """Read UCI Adult with the column `income`, of which the label is a renaming."""
    return Natural(
        _adult(folder, dropped=()),
        frozenset({"fail"}),
        "The column income is the label in words.",
        ADULT,
    )


@natural_fault(breaks="impossible_codes", data="tab_pima/pima.parquet")
def hidden_zeros_of_pima(folder: Path) -> Natural:
    """Read Pima Indians Diabetes, where zeros stand for missing in five columns."""
    return Natural(
        _table(folder / "tab_pima/pima.parquet", Roles(target="outcome")),
        frozenset({"fail"}),
        "Zeros stand for missing: glucose 5, blood pressure 35, skin thickness 227, insulin 374, bmi 11; "
        "those of pregnancies are genuine.",
        "Smith et al. 1988; Breault 2001 on the zeros",
    )


@natural_fault(breaks="exact_duplicates_within_train", data="tab_wine/wine_quality.parquet")
def repeated_wines(folder: Path) -> Natural:
    """Read Wine Quality, where one row in six repeats another."""
    return Natural(
        _table(folder / "tab_wine/wine_quality.parquet", Roles(target="quality", domain="domain")),
        frozenset({"fail"}),
        "240 of 1,599 red and 937 of 4,898 white wines repeat an earlier row.",
        "Cortez et al. 2009; counted in the UCI files",
    )


@natural_fault(breaks="near_duplicates_across_splits", data="img_cifar10/test.parquet")
def test_pictures_of_cifar_in_training(folder: Path) -> Natural:
    """Read the CIFAR-10 pictures, of whose test half 286 are nearly in training."""
    train = _pictures(folder / "img_cifar10/train.parquet", 50_000)
    test = _pictures(folder / "img_cifar10/test.parquet", 10_000)
    subject = Subject(
        "CIFAR-10",
        Task("multiclass", tuple(str(c) for c in range(10))),
        "array",
        {"train": train, "test": test},
    )
    return Natural(
        subject,
        frozenset({"fail"}),
        "286 of 10,000 test pictures nearly equal a training picture, by hand.",
        "Barz & Denzler 2020, ciFAIR",
    )


@natural_fault(breaks="label_errors_in_test", data="img_digits/mnist_test_cleanlab_pred_probs.npz")
def wrong_test_labels_of_mnist(folder: Path) -> Natural:
    """Read the MNIST test labels, 15 of them wrong, with cross-validated probabilities."""
    with np.load(folder / "img_digits/mnist_test_cleanlab_pred_probs.npz") as recorded:
        probabilities = recorded["probs"].astype(np.float64)
    with np.load(folder / "img_digits/mnist.npz") as data:
        labels = data["y_test"].astype(np.int64)
    return Natural(
        _predictions("MNIST", probabilities, labels),
        frozenset({"pass"}),
        "15 of 10,000 test labels are wrong (0.15 %): less than is tolerated.",
        CONFIDENT,
    )


@natural_fault(breaks="label_errors_in_test", data="img_cifar10/test.parquet")
def wrong_test_labels_of_cifar(folder: Path) -> Natural:
    """Read the CIFAR-10 test labels, 54 of them wrong, with cross-validated probabilities."""
    import pyarrow.parquet as pq

    columns = ["label", "cleanlab_pred_probs"]
    table = pq.read_table(folder / "img_cifar10/test.parquet", columns=columns)
    probabilities = np.array(table["cleanlab_pred_probs"].to_pylist(), np.float64)
    labels = np.array(table["label"], np.int64)
    return Natural(
        _predictions("CIFAR-10", probabilities, labels),
        frozenset({"pass"}),
        "54 of 10,000 test labels are wrong (0.54 %): less than is tolerated.",
        CONFIDENT,
    )


def _adult(folder: Path, dropped: tuple[str, ...] = ("income",)) -> Subject:
    roles = Roles(target="label", dropped=dropped)
    return _table(folder / "tab_adult/adult.parquet", roles)


def _table(path: Path, roles: Roles) -> Subject:
    import pyarrow.parquet as pq

    from roadworthy.subject.table import table_from_arrow

    table = table_from_arrow(pq.read_table(path), path.name)
    return subject_from_table(table, DataOptions(roles, proof=0.0))


def _pictures(path: Path, expected: int) -> Split:
    from io import BytesIO

    import pyarrow.parquet as pq
    from PIL import Image

    table = pq.read_table(path, columns=["jpeg", "label"])
    assert table.num_rows == expected, f"{path}: {table.num_rows} rows, expected {expected}"
    encoded: list[Any] = table["jpeg"].to_pylist()  # Any: pyarrow's rows are bytes here
    pictures = np.stack([np.asarray(Image.open(BytesIO(picture))) for picture in encoded])
    labels = np.array(table["label"], np.int64)
    return Split(np.moveaxis(pictures, 3, 1), labels)


def _predictions(name: str, probabilities: np.ndarray, labels: np.ndarray) -> Subject:
    kept = np.clip(probabilities, 0, None)
    recorded = {"probabilities": kept / kept.sum(axis=1, keepdims=True)}
    classes = tuple(str(c) for c in range(probabilities.shape[1]))
    test = Split(None, labels, recorded=recorded)
    return Subject(name, Task("multiclass", classes), "predictions", {"test": test})
