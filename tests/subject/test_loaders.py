import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from roadworthy.errors import UserError
from roadworthy.subject.loaders import read_loader

X = torch.arange(40.0).reshape(20, 2)
Y = torch.arange(20) % 2


class Noisy(Dataset):
    def __len__(self) -> int:
        return 20

    def __getitem__(self, i):
        return X[i] + (torch.rand(2) if i % 2 else 0), Y[i]


class Once(IterableDataset):
    def __init__(self) -> None:
        self.left = iter(zip(X, Y, strict=True))

    def __iter__(self):
        return self.left


def test_a_plain_loader_and_a_data_set_are_read_in_order() -> None:
    for value in (DataLoader(TensorDataset(X, Y), batch_size=3), TensorDataset(X, Y)):
        loaded = read_loader(value, "train")
        assert np.array_equal(loaded.part.inputs, X.numpy())
        assert np.array_equal(loaded.part.target, Y.numpy())
        assert loaded.notes == ()


def test_a_shuffling_loader_is_read_in_the_order_of_its_data_set_and_said() -> None:
    loaded = read_loader(DataLoader(TensorDataset(X, Y), batch_size=3, shuffle=True), "train")
    assert np.array_equal(loaded.part.inputs, X.numpy())
    assert "shuffles" in loaded.notes[0]


def test_dropped_last_rows_are_read_too() -> None:
    loaded = read_loader(DataLoader(TensorDataset(X, Y), batch_size=7, drop_last=True), "train")
    assert len(loaded.part.inputs) == 20
    assert "left out its last rows" in loaded.notes[0]


def test_a_subset_sampler_says_which_rows_there_are() -> None:
    loader = DataLoader(TensorDataset(X, Y), sampler=SubsetRandomSampler([5, 2, 9]))
    assert read_loader(loader, "train").part.inputs[:, 0].tolist() == [4, 10, 18]


def test_augmentation_is_refused_because_it_belongs_to_the_recipe() -> None:
    with pytest.raises(
        UserError, match=r"train: 10 of 20 rows differ.*index 1.*belongs to the recipe"
    ):
        read_loader(DataLoader(Noisy(), batch_size=4, shuffle=True), "train")


def test_a_sampler_of_chance_is_refused_with_shuffle_false_as_the_way_out() -> None:
    class Chance:
        def __iter__(self):
            return iter(torch.randperm(20).tolist())

        def __len__(self) -> int:
            return 20

    with pytest.raises(UserError, match="shuffle=False"):
        read_loader(DataLoader(TensorDataset(X, Y), sampler=Chance()), "test")
    weighted = WeightedRandomSampler([1.0] * 20, 20)
    with pytest.raises(UserError, match="test"):
        read_loader(DataLoader(TensorDataset(X, Y), sampler=weighted), "test")


def test_a_loader_that_can_be_read_once_is_refused() -> None:
    with pytest.raises(UserError, match="20 rows at first and 0 when read again"):
        read_loader(DataLoader(Once()), "test")


def test_batches_may_be_dictionaries_and_other_shapes_say_what_was_expected() -> None:
    rows = [{"image": X[i], "label": Y[i]} for i in range(4)]
    assert read_loader(DataLoader(rows), "t").part.inputs.shape == (4, 2)
    with pytest.raises(UserError, match="batches have the keys a, b"):
        read_loader(DataLoader([{"a": 1, "b": 2}]), "t")
    with pytest.raises(UserError, match="this one has 3 parts"):
        read_loader(DataLoader([(1, 2, 3)]), "t")
