"""Rows made by a generator that learned what each class looks like."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

from roadworthy.errors import UserError
from roadworthy.subject import Column, Network, Recipe
from roadworthy.training.codings import ArrayCoding, TableCoding
from roadworthy.training.generative import ConditionalGenerator, with_synthetic_rows
from roadworthy.training.jobs import Examples, Job

COLUMNS = (
    Column("income", "numeric"),
    Column("children", "numeric"),
    Column("city", "category", ("a", "b", "c", "nowhere")),
    Column("empty", "numeric"),
)


def table(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class 1 has more income, fewer children, lives in c; income is missing more often in class 0."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    income = np.exp(rng.normal(7 + labels, 0.5))
    income[rng.random(n) < 0.3 - 0.2 * labels] = np.nan
    children = rng.poisson(3 - 2 * labels).astype(float)
    city = np.where(rng.random(n) < 0.8, 2 * labels, rng.integers(0, 3, n)).astype(float)
    city[rng.random(n) < 0.1] = np.nan
    return np.stack([income, children, city, np.full(n, np.nan)], axis=1), labels


@pytest.fixture(scope="module")
def of_table() -> tuple[ConditionalGenerator, np.ndarray, np.ndarray, np.ndarray]:
    rows, _ = table(600)
    labels = table(600)[1]
    made = ConditionalGenerator.fit(rows, labels, columns=COLUMNS, seed=0, steps=200)
    asked = np.repeat([0, 1], 500)
    return made, rows, asked, made.sample(asked, np.random.default_rng(0))


def test_a_table_goes_through_its_coding_unchanged_but_for_the_ranks() -> None:
    rows, _ = table(300)
    coding = TableCoding.of(rows, COLUMNS)
    assert coding.sizes == (2, 4, 2)  # income missing or not; a, b, c and missing; empty or not
    vectors = coding.encode(rows, np.random.default_rng(0))
    assert vectors.shape == (300, 3 + 8)
    assert (vectors[:, 3:].sum(axis=1) == 3).all()
    present = np.isfinite(rows[:, 0])
    assert vectors[present, 0].std() == pytest.approx(1, abs=0.1)
    back = coding.decode(vectors, vectors)
    assert np.array_equal(np.isnan(back), np.isnan(rows))
    assert np.array_equal(back[:, 2], rows[:, 2], equal_nan=True)
    assert ks_2samp(back[:, 1], rows[:, 1]).statistic < 0.03


def test_codes_whole_numbers_missing_cells_and_ranges_are_as_in_real_rows(
    of_table: tuple[ConditionalGenerator, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, rows, asked, found = of_table
    assert set(found[np.isfinite(found[:, 2]), 2]) == {0.0, 1.0, 2.0}
    assert set(found[:, 1]) <= set(rows[:, 1])
    assert np.isnan(found[:, 3]).all()
    assert np.nanmin(found[:, 0]) >= np.nanmin(rows[:, 0])
    assert np.nanmax(found[:, 0]) <= np.nanmax(rows[:, 0])
    missing = [np.isnan(found[asked == code, 0]).mean() for code in (0, 1)]
    assert missing[0] == pytest.approx(0.3, abs=0.15)
    assert missing[1] < missing[0]


def test_columns_of_a_generated_table_are_distributed_as_the_real_ones(
    of_table: tuple[ConditionalGenerator, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, rows, _, found = of_table
    for j in (0, 1):
        real, made = (each[np.isfinite(each[:, j]), j] for each in (rows, found))
        assert ks_2samp(real, made).statistic < 0.08
    shares = [
        np.bincount(each[np.isfinite(each[:, 2]), 2].astype(int), minlength=3) / len(each)
        for each in (rows, found)
    ]
    assert np.abs(shares[0] - shares[1]).max() < 0.12


def test_what_is_learned_from_generated_rows_holds_for_real_ones(
    of_table: tuple[ConditionalGenerator, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    _, _, asked, found = of_table
    test, labels = table(600, seed=1)

    def seen(rows: np.ndarray) -> np.ndarray:
        return np.nan_to_num(rows, nan=-1)

    def right(rows: np.ndarray, of: np.ndarray) -> float:
        forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=0)
        return forest.fit(seen(rows), of).score(seen(test), labels)

    assert right(found, asked) > right(*table(600)) - 0.06


def test_generated_digits_are_read_as_the_digits_that_were_asked_for() -> None:
    data = load_digits()
    inputs, labels = (data.images / 16).astype(np.float32), data.target
    made = ConditionalGenerator.fit(inputs[:800], labels[:800], seed=0, steps=200)
    asked = np.arange(600) % 10
    found = made.sample(asked, np.random.default_rng(0))
    assert found.shape == (600, 8, 8)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    reader = LogisticRegression(max_iter=500).fit(found.reshape(600, -1), asked)
    assert reader.score(inputs[800:].reshape(-1, 64), labels[800:]) > 0.6  # chance: .1
    spread = [each[of == 3].std(axis=0).mean() for each, of in ((inputs, labels), (found, asked))]
    assert 0.5 < spread[1] / spread[0] < 1.5  # not one and the same three


def test_the_same_seeds_make_the_same_rows_and_others_others() -> None:
    rows, labels = table(80)
    one, again, other = (
        ConditionalGenerator.fit(rows, labels, columns=COLUMNS, seed=seed, steps=10).sample(
            labels, np.random.default_rng(0)
        )
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again, equal_nan=True)
    assert not np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("size", [(20, 20), (3, 18, 22), (17, 19, 3), (30,), (4, 6)])
def test_arrays_of_any_small_shape_are_made_with_missing_values_as_in_real_rows(
    size: tuple[int, ...],
) -> None:
    rows = np.random.default_rng(0).integers(3, 9, (12, *size)).astype(np.float64)
    rows[:6, 0] = np.nan
    made = ConditionalGenerator.fit(rows, np.arange(12) % 2, steps=2)
    found = made.sample(np.zeros(40, np.int64), np.random.default_rng(0))
    assert found.shape == (40, *size)
    assert np.nanmin(found) >= 3
    assert np.nanmax(found) <= 8
    assert {int(np.isnan(row[0]).all()) for row in found} == {0, 1}
    assert np.isfinite(found[:, 1:]).all()


def test_whole_numbers_of_an_array_stay_whole() -> None:
    rows = np.random.default_rng(0).integers(0, 255, (20, 6, 6)).astype(np.uint8)
    coding = ArrayCoding.of(rows)
    assert (coding.decode(coding.encode(rows), np.random.default_rng(0)) == rows).all()
    assert coding.decode(np.full((1, 36), 0.013), np.random.default_rng(0)).dtype == np.uint8


def test_a_generator_follows_a_numeric_target() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(100, 20, 400)
    rows = (target * 3 + rng.normal(0, 6, 400))[:, None]
    made = ConditionalGenerator.fit(
        rows, target, columns=(Column("x", "numeric"),), seed=0, steps=200
    )
    found = made.sample(target, rng)
    assert np.corrcoef(found[:, 0], target)[0, 1] > 0.8


def test_synthetic_rows_are_added_in_the_number_asked_for_and_a_sham_adds_copies() -> None:
    rows, labels = table(40)
    network = Network(lambda: nn.Linear(4, 2))
    job = Job(network, Recipe(synthetic=0.5), Examples(rows, labels), columns=COLUMNS)
    more = with_synthetic_rows(job)
    assert more.inputs.shape == (60, 4)
    assert np.array_equal(more.inputs[:40], rows, equal_nan=True)
    known = {row.tobytes() for row in rows}
    assert len({row.tobytes() for row in more.inputs[40:]} - known) > 10
    copies = with_synthetic_rows(replace(job, recipe=Recipe(synthetic=0.5, sham=True)))
    assert {row.tobytes() for row in copies.inputs[40:]} <= known
    assert (copies.target == more.target).all()


def test_what_is_too_large_or_too_few_is_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"3 x 64 x 64\); the generator makes at most 3,072"):
        ConditionalGenerator.fit(np.zeros((4, 3, 64, 64)), np.zeros(4, np.int64))
    with pytest.raises(UserError, match="at least 2 rows"):
        ConditionalGenerator.fit(np.zeros((1, 3)), np.zeros(1, np.int64))
