"""The space in which neighbours are sought."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from roadworthy.quantities.features import feature_map, features, robust_scale
from roadworthy.subject import Column

NUMERIC = Column("age", "numeric")
COLOUR = Column("colour", "category", ("red", "green", "blue"))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_table_by_hand() -> None:
    # median 2, quartiles 1 and 3: scale 2 / 1.349; the missing value lies at the median
    inputs = np.array([[0.0, 0], [1, 0], [2, 1], [3, 1], [4, np.nan], [np.nan, 1]])
    fitted = feature_map(inputs, rng(), (NUMERIC, COLOUR))
    found = features(inputs, fitted)
    assert found.dtype == np.float32
    z = (np.array([0, 1, 2, 3, 4, 2]) - 2) / (2 / 1.349)
    assert found[:, 0] == pytest.approx(z / np.sqrt(1 + z**2 / 9), abs=1e-6)
    assert found[:, 1].tolist() == [0, 0, 0, 0, 0, 1]  # missing age
    half = np.float32(np.sqrt(0.5))
    assert found[:, 2].tolist() == [0, 0, 0, 0, half, 0]  # missing colour
    assert found[:, 3].tolist() == [half, half, 0, 0, 0, 0]  # red
    assert found.shape == (6, 5)


def test_another_category_is_at_distance_one() -> None:
    inputs = np.array([[1.0, 0], [1.0, 1]])
    found = features(inputs, feature_map(inputs, rng(), (NUMERIC, COLOUR)))
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(1)


def test_rows_beyond_the_training_rows_stay_finite_and_near() -> None:
    inputs = np.array([[1.0, 0], [2.0, 1], [3.0, 0]])
    fitted = feature_map(inputs, rng(), (NUMERIC, COLOUR))
    found = features(np.array([[1e300, 2], [np.nan, np.nan], [-np.inf, 7]]), fitted)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 3


def test_constant_and_empty_columns_do_not_divide_by_zero() -> None:
    columns = (NUMERIC, Column("empty", "numeric"), Column("large", "numeric"))
    inputs = np.column_stack([np.full(10, 3.0), np.full(10, np.nan), np.full(10, 1e9 / 3)])
    found = features(inputs, feature_map(inputs, rng(), columns))
    assert found.tolist() == [[0, 0, 0, 1]] * 10
    assert robust_scale(inputs).tolist() == [1, 1, 1]


def test_a_column_mostly_zero_is_scaled_by_its_standard_deviation() -> None:
    column = np.r_[np.zeros(90), np.full(10, 100.0)][:, None]
    assert robust_scale(column)[0] == pytest.approx(30)  # 100 * sqrt(.1 * .9)


def test_only_the_64_most_frequent_categories_have_a_place() -> None:
    codes = np.r_[np.arange(200), np.arange(100, 200)].astype(float)[:, None]
    column = Column("town", "category", tuple(map(str, range(200))))
    found = features(codes, feature_map(codes, rng(), (column,)))
    assert found.shape == (300, 64)
    assert (found[100:164] > 0).sum() == 64


@pytest.mark.parametrize("shape", [(300, 7), (200, 8, 8), (150, 3, 20, 20)])
def test_arrays_keep_the_leading_principal_components(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(1).normal(size=shape).cumsum(axis=-1)
    fitted = feature_map(inputs, rng())
    found = features(inputs, fitted)
    flat = inputs.reshape(len(inputs), -1)
    standard = (flat - fitted["mean"]) / fitted["scale"]
    oracle = PCA(min(64, flat.shape[1]), svd_solver="full").fit(standard)
    assert found.shape == (len(inputs), min(64, flat.shape[1]))
    assert found.var(axis=0, ddof=1)[:10] == pytest.approx(
        oracle.explained_variance_[:10], rel=1e-2
    )


def test_arrays_with_missing_values_constant_pixels_and_one_row() -> None:
    inputs = np.random.default_rng(1).normal(size=(20, 4, 4))
    inputs[:, 0, 0], inputs[3, 1, 1], inputs[:, 2, 2] = 5.0, np.nan, np.nan
    assert np.isfinite(features(inputs, feature_map(inputs, rng()))).all()
    one = np.full((1, 4, 4), 3.0)
    assert np.isfinite(features(one, feature_map(one, rng()))).all()


def test_rows_can_be_mapped_one_by_one() -> None:
    inputs = np.random.default_rng(1).normal(size=(20, 4, 4))
    fitted = feature_map(inputs, rng())
    alone = np.concatenate([features(inputs[i : i + 1], fitted) for i in range(20)])
    assert alone == pytest.approx(features(inputs, fitted), abs=1e-5)
