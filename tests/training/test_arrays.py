"""The default networks for arrays."""

from functools import partial
from time import process_time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from roadworthy.subject import Task
from roadworthy.training.arrays import ArrayShape, DenseNetwork, ImageNetwork, Standardisation
from roadworthy.training.artifacts import default_network, predictor, recipe, trainer, weights


@pytest.mark.parametrize(
    ("size", "is_image", "channels", "pixels"),
    [
        ((8, 8), True, 1, (8, 8)),
        ((3, 32, 20), True, 3, (32, 20)),
        ((32, 20, 3), True, 3, (32, 20)),
        ((3, 32, 3), False, 3, (32, 3)),
        ((2, 100), False, 1, (2, 100)),
    ],
)
def test_sizes_are_read_as_images_where_they_are(
    size: tuple[int, ...], is_image: bool, channels: int, pixels: tuple[int, int]
) -> None:
    shape = ArrayShape(size, 2)
    assert (shape.is_image, shape.channels, shape.pixels) == (is_image, channels, pixels)
    assert not ArrayShape((64,), 2).is_image


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (1, 9, 5), (3, 32, 32), (40, 33, 3)])
@pytest.mark.parametrize("classes", [0, 5])
def test_images_of_any_size_become_logits_or_numbers(size: tuple[int, ...], classes: int) -> None:
    module = ImageNetwork(ArrayShape(size, classes))
    inputs = torch.rand(4, *size)
    with torch.no_grad():
        module.prepare(inputs)
        assert module(inputs).shape == ((4, 5) if classes else (4,))


def test_standardisation_skips_missing_values_and_constant_places() -> None:
    standardise = Standardisation((3,))
    inputs = torch.tensor([[1.0, 5.0, float("nan")], [3.0, 5.0, float("nan")]])
    standardise.prepare(inputs)
    found = standardise(inputs)
    # variances 1, 0, 0: a hundredth of their mean is added
    assert found[:, 0].tolist() == pytest.approx(
        [-1 / (1 + 1 / 300) ** 0.5] * 1 + [1 / (1 + 1 / 300) ** 0.5]
    )
    assert found[:, 1:].tolist() == [[0, 0], [0, 0]]
    standardise.prepare(torch.zeros(2, 3))
    assert standardise(torch.ones(1, 3)).tolist() == [[1, 1, 1]]


def test_the_default_network_reads_digits_in_seconds() -> None:
    data = load_digits()
    images, labels = data.images, data.target
    order = np.random.default_rng(0).permutation(len(images))
    train, validation, test = order[:1000], order[1000:1300], order[1300:]
    start = process_time()
    chosen = default_network(Task("multiclass", tuple("0123456789")), "array", images[train])
    trained = weights(
        trainer(
            chosen,
            recipe(images[train]),
            images[train],
            train_labels=labels[train],
            validation_inputs=images[validation],
            validation_labels=labels[validation],
        )
    )
    found = predictor(chosen, trained)(images[test]).argmax(axis=1)
    assert (found == labels[test]).mean() > 0.97
    assert process_time() - start < 30  # one where nothing else runs


def test_series_and_numbers_are_learned_by_the_dense_network() -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(600, 30)).cumsum(axis=1)
    chosen = default_network(Task("regression"), "array", series[:500])
    assert isinstance(chosen.build(), DenseNetwork)
    target = 100 + 20 * series.mean(axis=1)
    trained = weights(
        trainer(chosen, recipe(series[:500]), series[:500], train_targets=target[:500])
    )
    found = predictor(chosen, trained)(series[500:])
    assert 1 - ((found - target[500:]) ** 2).mean() / target[500:].var() > 0.9


def test_two_rows_are_enough_to_train() -> None:
    for build in (
        partial(ImageNetwork, ArrayShape((8, 8), 2)),
        partial(DenseNetwork, ArrayShape((8, 8), 2)),
    ):
        module = build().train()
        assert module(torch.rand(2, 8, 8)).isfinite().all()
