"""The bootstrap against scipy's BCa, and where it must say that it cannot tell."""

import numpy as np
import pytest
from scipy import stats

from roadworthy.errors import NotApplicable
from roadworthy.statistics import bootstrap, from_replicates
from roadworthy.statistics.bootstrap import _blocks


def test_bca_is_scipys_on_a_skewed_sample() -> None:
    x = np.random.default_rng(0).exponential(size=2000)
    found = bootstrap(np.mean, [x], np.random.default_rng(1), resamples=4000, unit="")
    theirs = stats.bootstrap(
        (x,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found.method == "BCa bootstrap"
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_the_same_generator_gives_the_same_interval() -> None:
    x = np.arange(50.0)
    one = bootstrap(np.median, [x], np.random.default_rng(3), unit="")
    other = bootstrap(np.median, [x], np.random.default_rng(3), unit="")
    assert one == other


def test_whole_clusters_are_redrawn() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(40), 10)
    x = rng.normal(size=40)[clusters]  # ten copies of 40 numbers
    together = bootstrap(np.mean, [x], rng, clusters=clusters, unit="")
    apart = bootstrap(np.mean, [x], rng, unit="")
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(
        np.sqrt(10), rel=0.2
    )


def test_strata_keep_their_sizes_and_clusters_their_rows() -> None:
    strata = np.array([0] * 6 + [1] * 4)
    clusters = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    blocks = _blocks(10, strata, clusters)
    assert blocks.layer.tolist() == [0, 0, 0, 1, 1]
    assert blocks.rows(np.array([4, 0, 4])).tolist() == [8, 9, 0, 1, 8, 9]
    sizes = []

    def share(s: np.ndarray) -> float:
        sizes.append(s.mean())
        return float(len(sizes))

    bootstrap(share, [strata], np.random.default_rng(0), 99, strata=strata, unit="")
    assert set(sizes[:100]) == {0.4}


def test_resamples_that_all_agree_say_nothing() -> None:
    with pytest.raises(NotApplicable, match="say nothing about chance"):
        bootstrap(np.mean, [np.ones(30)], np.random.default_rng(0), unit="")


def test_a_statistic_that_often_has_no_value_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="20 of 100"):
        from_replicates(1.0, [np.nan] * 20 + list(range(80)), n=10, unit="")


def test_one_row_cannot_be_resampled() -> None:
    with pytest.raises(NotApplicable):
        bootstrap(np.mean, [np.array([1.0])], np.random.default_rng(0), unit="")


def test_an_estimate_beyond_its_replicates_is_reflected_not_believed() -> None:
    # Replicates of an extreme lie on one side: 2 x 10 - (11 .. 20) lies on the other.
    m = from_replicates(10.0, np.linspace(11, 20, 200), n=100, unit="")
    assert m.method == "reflected bootstrap"
    assert m.high < 10.0


def test_tails_that_the_resamples_cannot_show_are_not_stored() -> None:
    m = from_replicates(0.0, np.random.default_rng(0).normal(size=199), n=100, unit="")
    assert m.distribution.probabilities[0] >= 0.004
