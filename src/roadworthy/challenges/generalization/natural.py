"""Published results in which a model is known to hold up badly on unseen rows."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.engine import natural_fault
from roadworthy.subject.columns import Column
from roadworthy.subject.natural import Natural
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

TRAIN_ROWS, TEST_ROWS = 6_000, 3_000  # of 32,561 and 16,281: seconds instead of minutes
ASIDE = ("label", "income", "split", "fnlwgt")
SOURCE = (
    "Kohavi & Becker (1996), adult.names of the UCI repository, table of results on the test split"
)


@natural_fault(breaks="overfitting_gap", data="tab_adult/adult.parquet")
def nearest_neighbour_of_adult(folder: Path) -> Natural:
    """Answer with the label of the nearest training row: never wrong on those, often on others."""
    return Natural(
        subject=_nearest_neighbour(folder / "tab_adult" / "adult.parquet"),
        verdict=frozenset({"fail"}),
        where="1-nearest-neighbour errs on 21.4 % of test rows, and on its own training rows hardly ever",
        source=SOURCE,
    )


@natural_fault(breaks="shortfall_to_simple_models", data="tab_adult/adult.parquet")
def nearest_neighbour_behind_boosting(folder: Path) -> Natural:
    """Compare the nearest neighbour on Adult with gradient boosting, which is known to be much better."""
    return Natural(
        subject=_nearest_neighbour(folder / "tab_adult" / "adult.parquet"),
        verdict=frozenset({"fail"}),
        where="1-nearest-neighbour errs on 21.4 % of test rows, gradient boosting on 13 %",
        source=SOURCE,
    )


def _nearest_neighbour(path: Path) -> Subject:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = [name for name in table.column_names if name not in ASIDE]
    columns, values = zip(*(_column(table, name) for name in names), strict=True)
    inputs, labels = np.stack(values, axis=1), table["label"].to_numpy().astype(np.int64)
    split = table["split"].to_numpy(zero_copy_only=False).astype(str)
    rng = np.random.default_rng(0)
    whole = Split(inputs, labels)
    splits = {
        name: whole.take(np.sort(rng.permutation(np.flatnonzero(split == name))[:count]))
        for name, count in (("train", TRAIN_ROWS), ("test", TEST_ROWS))
    }
    subject = Subject(
        "Adult", Task("binary", ("<=50K", ">50K"), 1), "table", splits, columns, people=True
    )
    return replace(subject, predictor=_predictor(subject))


def _column(table: "pa.Table", name: str) -> tuple[Column, np.ndarray]:
    import pyarrow as pa

    data = table[name].combine_chunks()
    if pa.types.is_string(data.type) or pa.types.is_large_string(data.type):
        encoded = data.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.float64)
        return Column(name, "category", tuple(encoded.dictionary.to_pylist())), codes
    return Column(name, "numeric"), data.to_numpy(zero_copy_only=False).astype(np.float64)


def _predictor(subject: Subject) -> Predictor:
    from sklearn.neighbors import KNeighborsClassifier

    train = subject.splits["train"]
    assert train.inputs is not None
    assert train.target is not None
    is_number = np.array([column.kind == "numeric" for column in subject.columns])
    middle, spread = train.inputs[:, is_number].mean(axis=0), train.inputs[:, is_number].std(axis=0)
    codes = [np.arange(len(column.categories)) for column in subject.columns if column.categories]

    def seen(inputs: np.ndarray) -> np.ndarray:
        category = inputs[:, ~is_number]
        one_hot = [category[:, [j]] == known for j, known in enumerate(codes)]
        return np.concatenate([(inputs[:, is_number] - middle) / spread, *one_hot], axis=1)

    model: Any = KNeighborsClassifier(1).fit(seen(train.inputs), train.target)  # Any: untyped

    def call(inputs: np.ndarray) -> np.ndarray:
        return model.predict_proba(seen(inputs))

    return Predictor(call, "probabilities", ("1-nearest-neighbour of Adult", TRAIN_ROWS))
