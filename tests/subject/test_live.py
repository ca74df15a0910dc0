import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from roadworthy.errors import LackOfMemory, UserError
from roadworthy.subject import Recipe, fields_of, subject_from


def images(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 1, 4, 4)).astype(np.float32), np.arange(n) % 3


def frame(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.normal(size=n), "b": rng.choice(["x", "y"], n), "label": np.arange(n) % 2}
    )


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    def forward(self, x):
        return self.layers(x)


def test_a_module_and_pairs_of_arrays_are_all_that_is_needed() -> None:
    net = Net()
    made = subject_from(net, train=images(), validation=images(seed=1), test=images(seed=2))
    assert made.modality == "array"
    assert made.task.kind == "multiclass"
    assert {name: split.n for name, split in made.splits.items()} == dict.fromkeys(
        ("train", "validation", "test"), 60
    )
    assert np.array_equal(made.splits["train"].inputs, images()[0])
    assert fields_of(made)["recipe"].code == "missing_recipe"
    assert subject_from(net, test=images(), recipe=Recipe(epochs=1)).recipe == Recipe(epochs=1)


def test_loaders_tensors_and_data_sets_say_the_same_as_arrays() -> None:
    x, y = images()
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    for form in (tensors, TensorDataset(*tensors), DataLoader(TensorDataset(*tensors), 7), (x, y)):
        made = subject_from(Net(), test=form)
        assert np.array_equal(made.splits["test"].inputs, x)
        assert np.array_equal(made.splits["test"].target, y)


def test_tables_of_every_library_say_the_same() -> None:
    data = frame()
    forms = (
        data,
        pa.Table.from_pandas(data, preserve_index=False),
        dict(data),
        data.to_dict("list"),
    )
    for form in forms:
        made = subject_from(data=form, target="label", sensitive="b")
        assert [column.name for column in made.columns] == ["a", "b"]
        assert made.columns[1].categories == ("x", "y")
        assert made.roles.sensitive == ("b",)
        assert made.splits["train"].n == 36


def test_a_table_of_inputs_and_a_column_of_targets_go_together() -> None:
    data = frame()
    pair = (data[["a", "b"]], data["label"])
    made = subject_from(train=pair, test=pair)
    assert made.roles.target == "target"
    assert made.splits["test"].target.tolist() == data["label"].tolist()


def test_categories_of_several_tables_get_common_codes() -> None:
    train, test = frame(), frame()
    test["b"] = "y"
    test.loc[0, "b"] = "z"
    made = subject_from(train=train, test=test, target="label")
    assert made.columns[1].categories == ("x", "y", "z")
    assert made.splits["test"].inputs[:2, 1].tolist() == [2, 1]


def test_files_can_be_given_by_split(tmp_path) -> None:
    frame().to_csv(tmp_path / "train.csv", index=False)
    frame(seed=1).to_parquet(tmp_path / "test.parquet")
    made = subject_from(
        train=tmp_path / "train.csv", test=str(tmp_path / "test.parquet"), target="label"
    )
    assert made.splits["test"].n == 60
    assert made.splits["train"].n + made.splits["validation"].n == 60


def test_training_rows_alone_are_divided_where_no_model_has_seen_them() -> None:
    made = subject_from(train=images(100))
    assert set(made.splits) == {"train", "validation", "test"}
    made = subject_from(Net(), train=images(100))
    assert set(made.splits) == {"train"}
    assert "training rows cannot stand in" in " ".join(made.notes)


def test_rows_of_numbers_are_a_table_and_codes_of_tokens_are_not() -> None:
    rng = np.random.default_rng(0)
    made = subject_from(data=(rng.normal(size=(50, 3)), np.arange(50) % 2))
    assert made.modality == "table"
    assert [column.name for column in made.columns] == ["x0", "x1", "x2"]
    tokens = rng.integers(0, 9, (50, 3))
    made = subject_from(lambda x: x[:, :2] * 1.0, test=(tokens, np.arange(50) % 2))
    assert made.modality == "array"
    assert made.splits["test"].inputs.dtype == tokens.dtype


def test_whole_numbers_are_numbers_to_a_module_that_takes_numbers() -> None:
    rows = np.random.default_rng(0).integers(0, 9, (50, 3))
    labels = np.arange(50) % 2
    made = subject_from(nn.Linear(3, 2), test=(rows, labels))
    assert made.splits["test"].inputs.dtype == np.float64
    made = subject_from(
        nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(6, 2)), test=(rows, labels)
    )
    assert made.splits["test"].inputs.dtype == rows.dtype
    assert subject_from(data=(rows, labels)).modality == "table"


def test_names_of_classes_and_a_positive_one_can_be_given() -> None:
    x, y = images()
    made = subject_from(data=(x, y % 2), classes=["cat", "dog"], positive="cat", name="pets")
    assert made.task.classes == ("cat", "dog")
    assert made.task.positive == 0
    assert made.name == "pets"


def test_one_hot_targets_are_read_as_classes() -> None:
    x, y = images()
    made = subject_from(data=(x, np.eye(3)[y]))
    assert made.task.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "No data to audit"),
        ({"data": images(), "test": images()}, "give it alone"),
        ({"test": 7}, "test is a int"),
        ({"test": (images()[0], np.arange(5))}, "a target of shape (60,) was expected"),
        ({"train": images(), "test": (np.zeros((5, 9)), np.arange(5) % 2)}, "rows of all splits must have one shape"),
        ({"train": frame(), "test": images(), "target": "label"}, "Give all of them in one form"),
        ({"train": frame(), "test": frame()[["a", "label"]], "target": "label"}, "lacks b"),
        ({"test": (np.array(["a", "b"]), [0, 1])}, "not numbers"),
        ({"test": (np.array([[np.inf], [1.0]]), [0, 1])}, "infinite values"),
        ({"data": images(), "sensitive": "sex"}, 'no array "sex" (--sensitive)'),
        ({"data": frame(), "target": "lable"}, 'Did you mean "label"'),
        ({"data": {"a": [1, 2], "label": [1]}, "target": "label"}, "different lengths: a 2, label 1"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_audited_says_why(given, said) -> None:
    with pytest.raises(UserError) as caught:
        subject_from(**given)
    assert said in str(caught.value)


def test_mixed_types_in_a_data_frame_are_read_and_said() -> None:
    data = frame()
    data["c"] = [1, "two", 3.5] * 20
    data["d"] = [*range(59), "oops"]
    made = subject_from(data=data, target="label")
    kinds = {column.name: column.kind for column in made.columns}
    assert kinds["c"] == "category"
    assert kinds["d"] == "numeric"
    assert any(
        "\"d\" mixes numbers with text: 'oops' (first in row 60)" in note for note in made.notes
    )


def test_duplicate_columns_of_a_data_frame_are_named() -> None:
    data = pd.concat([frame(), frame()[["a"]]], axis=1)
    with pytest.raises(UserError, match="more than once: a"):
        subject_from(data=data, target="label")


@pytest.mark.parametrize("most", [5, 0])
def test_a_model_with_memory_for_few_rows_is_shown_fewer_and_refused_for_none(most: int) -> None:
    class Greedy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            if len(inputs) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            return self.layer(inputs)

    rng = np.random.default_rng(0)
    test = rng.normal(size=(60, 3)).astype(np.float32), np.arange(60) % 2
    if most:
        assert subject_from(Greedy(), test=test).splits["test"].n
        return
    with pytest.raises(LackOfMemory, match=r"shape \(1, 3\).*Memory does not suffice"):
        subject_from(Greedy(), test=test)
