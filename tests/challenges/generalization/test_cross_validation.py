"""Cross-validation against the test rows, through hand-made merits and a fast trainer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from roadworthy.challenges.generalization.cross_validation import cross_validated_error, split_luck
from roadworthy.challenges.generalization.folds import (
    fold_answers,
    fold_test_merit,
    folds,
    held_out_merit,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import Intervals
from roadworthy.statistics import clopper_pearson, nadeau_bengio, wilson


def test_the_luck_of_a_split_is_test_minus_held_out() -> None:
    held = np.arange(200) % 10 < 8
    found = split_luck(held, np.repeat([1.0, 0.0], [90, 10]), np.arange(200) % 5, 0.25, held[:50])
    assert found.value == pytest.approx(0.1)  # 0.9 - 0.8
    assert found.low < 0.1 < found.high
    assert "80.0 % right on 200 training rows (5 folds)" in found.details
    shown = found.evidence[0]
    assert isinstance(shown, Intervals)
    assert shown.values == pytest.approx((0.8, 0.9))


def test_rows_without_a_fold_play_no_part() -> None:
    held = np.arange(200) % 10 < 8
    among = np.concatenate([np.full(40, -2), np.arange(200) % 5, np.full(10, -1)])
    one = split_luck(held, np.ones(100), np.arange(200) % 5, 0.25)
    other = split_luck(held, np.ones(100), among, 0.25)
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_one_test_row_is_no_split() -> None:
    with pytest.raises(NotApplicable, match="at least two"):
        split_luck(np.ones(20, bool), np.ones(1), np.arange(20) % 5, 0.25)


def test_the_cross_validated_error_shows_every_interval() -> None:
    codes = np.repeat(np.arange(5), 40)
    wrong = np.concatenate([np.arange(40) < hits for hits in (2, 4, 6, 8, 10)])
    found = cross_validated_error(~wrong, codes, 0.25)
    assert found.value == pytest.approx(30 / 200)
    shown = found.evidence[0]
    assert isinstance(shown, Intervals)
    ends = dict(zip(shown.labels, zip(shown.lows, shown.highs, strict=True), strict=True))
    assert ends["all rows"] == pytest.approx(tuple(clopper_pearson(30, 200)))
    assert ends["all rows, Wilson"] == pytest.approx(tuple(wilson(30, 200)))
    corrected = nadeau_bengio([0.05, 0.1, 0.15, 0.2, 0.25], 0.25, unit="share of rows")
    assert ends["folds, Nadeau-Bengio"] == pytest.approx((corrected.low, corrected.high))
    assert found.low == pytest.approx(max(min(corrected.low, ends["all rows"][0]), 0.0))
    assert "between folds 5.0 % to 25.0 %" in found.details


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_rows_drawn_alike_are_no_luck_and_picked_ones_are(
    kind: str, data: Callable[..., Any]
) -> None:
    d = data(kind, 1_500, 800)
    is_class = kind == "multiclass"
    labels = d.train_target if is_class else None
    hashes = np.stack([np.arange(1_500)] * 2, axis=1).astype(np.uint64)
    numbers = folds(hashes, np.random.default_rng(0), labels, folds=5)
    answers = fold_answers(d.trainer(), numbers, d.train_inputs, d.test_inputs)
    scale = None if is_class else 1.0
    held = held_out_merit(answers, numbers, labels, None if is_class else d.train_target, scale)
    test = fold_test_merit(
        answers, d.test_target if is_class else None, None if is_class else d.test_target, scale
    )
    fair = split_luck(held, test, numbers, 0.25)
    assert fair.low < 0.02 < fair.high
    picked = split_luck(held, np.sort(test)[300:], numbers, 0.25)
    assert picked.low > 0.05
