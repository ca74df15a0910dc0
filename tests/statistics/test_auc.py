"""The area under the ROC curve against pair counting, scikit-learn and the bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import NotApplicable
from roadworthy.statistics import auc, bootstrap
from roadworthy.statistics.auc import delong


def slow_delong(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Area and variance from all n x m comparisons, as in DeLong et al. (1988), equations 3 to 5."""
    high, low = scores[positive], scores[~positive]
    psi = (high[:, None] > low[None, :]) + 0.5 * (high[:, None] == low[None, :])
    area = psi.mean()
    v10, v01 = psi.mean(axis=1), psi.mean(axis=0)
    s10 = np.sum((v10 - area) ** 2) / (high.size - 1)
    s01 = np.sum((v01 - area) ** 2) / (low.size - 1)
    return area, s10 / high.size + s01 / low.size


@st.composite
def samples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    positives, negatives = draw(st.integers(2, 20)), draw(st.integers(2, 20))
    score = st.one_of(st.integers(-3, 3).map(float), st.floats(-5, 5))
    scores = draw(st.lists(score, min_size=positives + negatives, max_size=positives + negatives))
    return np.array(scores), np.arange(positives + negatives) < positives


@given(samples())
def test_fast_delong_is_slow_delong(sample: tuple[np.ndarray, np.ndarray]) -> None:
    fast = delong(*sample)
    assert (fast.value, fast.variance) == pytest.approx(slow_delong(*sample), abs=1e-12)


@given(samples())
def test_the_area_is_scikit_learns(sample: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import roc_auc_score

    scores, positive = sample
    assert auc(scores, positive).value == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


@given(samples(), st.randoms(use_true_random=False))
def test_order_of_rows_scale_of_scores_and_names_of_classes_change_nothing(
    sample: tuple[np.ndarray, np.ndarray], random
) -> None:
    scores, positive = sample
    m = auc(scores, positive)
    assert 0.0 <= m.low <= m.value <= m.high <= 1.0
    order = np.array(random.sample(range(scores.size), scores.size))
    moved = auc(2.0 * scores[order], positive[order])
    assert (moved.low, moved.high) == pytest.approx((m.low, m.high), abs=1e-9)
    swapped = auc(-scores, ~positive)
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx((m.value, m.low, m.high))
    mirrored = auc(-scores, positive)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - m.high, 1 - m.low), abs=1e-9)


def test_the_interval_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(500) < 150
    scores = rng.normal(size=500) + positive
    m = auc(scores, positive)
    b = bootstrap(
        lambda s, y: delong(s, y).value, [scores, positive], rng, strata=positive, unit=""
    )
    assert (m.low, m.high) == pytest.approx((b.low, b.high), abs=0.01)


def test_perfect_separation_of_few_rows_is_no_certainty() -> None:
    m = auc([4.0, 3.0, 2.0, 1.0], [True, True, False, False])
    assert (m.value, m.high) == (1.0, 1.0)
    assert m.low < 0.3
    many = auc(np.arange(400.0), np.arange(400) >= 200)
    assert 0.95 < many.low < 1.0


def test_scores_that_are_all_alike_order_nothing() -> None:
    m = auc([1.0] * 6, [True, False] * 3)
    assert (m.low, m.value, m.high) == (0.5, 0.5, 0.5)


def test_one_positive_row_says_nothing_about_others() -> None:
    m = auc(np.arange(10.0), np.arange(10) == 9)
    assert (m.value, m.low) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        ([], [], "0 positive and 0 negative"),
        ([1.0, 2.0], [True, True], "0 negative"),
        ([np.nan, 1.0], [True, False], "not numbers"),
    ],
)
def test_one_class_or_broken_scores_are_not_applicable(scores, positive, message: str) -> None:
    with pytest.raises(NotApplicable, match=message):
        auc(scores, positive)
