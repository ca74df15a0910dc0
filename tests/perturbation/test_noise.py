"""Noise belongs to its row: alike wherever the row stands, uniform and normal as it says, unlike between rows."""

import numpy as np
from scipy import stats

from roadworthy.perturbation.noise import RowNoise

IDS = np.random.default_rng(0).integers(0, 2**63, 2_000).astype(np.uint64)


def test_a_row_draws_the_same_numbers_in_any_company() -> None:
    noise = RowNoise(IDS, 3)
    cut = np.array([5, 1, 1999, 17])
    for drawn, of in (
        (noise.uniform((4, 3), "a"), noise.take(cut).uniform((4, 3), "a")),
        (noise.normal((7,), "a"), noise.take(cut).normal((7,), "a")),
        (noise.integers(10, (5,), "a"), noise.take(cut).integers(10, (5,), "a")),
    ):
        assert np.array_equal(drawn[cut], of)


def test_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    noise = RowNoise(IDS[:5])
    assert np.array_equal(noise.uniform((3,), "a"), noise.uniform((9,), "a")[:, :3])


def test_uniform_numbers_are_uniform_within_and_across_rows() -> None:
    found = RowNoise(IDS).uniform((50,), "start").astype(float)
    assert found.min() >= 0.0
    assert found.max() < 1.0
    assert stats.kstest(found.ravel()[:50_000], "uniform").pvalue > 1e-3
    assert stats.kstest(found[:, 0], "uniform").pvalue > 1e-3


def test_normal_numbers_are_normal() -> None:
    found = RowNoise(IDS).normal((25,), "start").astype(float)
    assert stats.kstest(found.ravel(), "norm").pvalue > 1e-3


def test_integers_are_uniform() -> None:
    counts = np.bincount(RowNoise(IDS).integers(7, (20,), "classes").ravel(), minlength=7)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_rows_draws_and_seeds_are_unlike() -> None:
    one = RowNoise(IDS, 0).uniform((1,), "a")[:, 0]
    others = (
        RowNoise(IDS, 1).uniform((1,), "a")[:, 0],
        RowNoise(IDS, 0).uniform((1,), "b")[:, 0],
        RowNoise(IDS + np.uint64(1), 0).uniform((1,), "a")[:, 0],
        RowNoise(IDS, 0).uniform((2,), "a")[:, 1],
    )
    for other in others:
        assert abs(stats.pearsonr(one, other).statistic) < 0.1  # 4.5 standard errors


def test_rows_numbered_one_after_another_are_unlike_too() -> None:
    found = RowNoise(np.arange(4_000, dtype=np.uint64)).uniform((2,), "a")
    assert abs(stats.pearsonr(found[:-1, 0], found[1:, 0]).statistic) < 0.08
    assert stats.kstest(found[:, 0].astype(float), "uniform").pvalue > 1e-3
