"""Weights of training rows: by weak parts, by a reference population; their shams; the faults that they are for."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.data_diversity.coverage import group_coverage
from roadworthy.challenges.data_diversity.mitigations import (
    as_many_rows_drawn_again,
    as_many_rows_weighed_up,
    reference_weights_of_shuffled_rows,
    rows_weighed_to_the_reference,
    weak_slices_drawn_again,
    weak_slices_weighed_up,
)
from roadworthy.challenges.data_diversity.thinning import group_left_out, slice_thinned_out
from roadworthy.errors import NotApplicable
from roadworthy.statistics.slices import Conditions
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.grouping import Grouping

TASK = Task("binary", ("no", "yes"), positive=1)
N = 400


def subject(n: int = N) -> Subject:
    split = Split(np.zeros((n, 2)), np.zeros(n, np.int64))
    return Subject("s", TASK, "array", {"train": split, "test": split})


def conditions(codes: np.ndarray) -> Conditions:
    return Conditions(codes[:, None], ("c",), (("c is 0", "c is 1", "c is 2"),))


def weights(of: Subject) -> np.ndarray:
    found = of.splits["train"].row_weights
    assert found is not None
    return found


TRAIN = np.repeat([0, 1, 2], [200, 180, 20])
VALIDATION = np.repeat([0, 1, 2], [200, 100, 100])
CORRECT = np.concatenate([np.ones(300, bool), np.arange(100) % 2 == 0])  # half wrong where c is 2


def test_training_rows_of_the_part_that_validation_rows_speak_against_count_for_more() -> None:
    given = conditions(TRAIN), conditions(VALIDATION), CORRECT
    found = weights(weak_slices_weighed_up(subject(), 9.0, *given))
    assert found.mean() == pytest.approx(1.0)
    # 20 rows count ten times as much as the 380 others: mean of (380 + 200) / 400 = 1.45.
    assert np.unique(found.round(9)).tolist() == pytest.approx([1 / 1.45, 10 / 1.45])
    assert (found[TRAIN == 2] > found[TRAIN != 2].max()).all()


def test_its_sham_deals_the_same_weights_to_other_rows() -> None:
    given = conditions(TRAIN), conditions(VALIDATION), CORRECT
    found = weights(weak_slices_weighed_up(subject(), 3.0, *given))
    sham = weights(as_many_rows_weighed_up(subject(), 3.0, np.random.default_rng(0), *given))
    assert sorted(sham) == pytest.approx(sorted(found))
    assert not np.array_equal(sham, found)


def test_where_no_part_is_weak_there_is_nothing_to_weigh() -> None:
    right = np.ones(len(VALIDATION), bool)
    with pytest.raises(NotApplicable, match="beyond luck"):
        weak_slices_weighed_up(subject(), 1.0, conditions(TRAIN), conditions(VALIDATION), right)
    none = conditions(np.zeros(N, np.int64))
    with pytest.raises(NotApplicable, match="collect some"):
        weak_slices_weighed_up(subject(), 1.0, none, conditions(VALIDATION), CORRECT)
    rng = np.random.default_rng(0)
    with pytest.raises(NotApplicable, match="collect some"):
        weak_slices_drawn_again(subject(), 1.0, rng, none, conditions(VALIDATION), CORRECT)


def numbered() -> Subject:
    """A subject whose training rows are their own numbers."""
    before = subject()
    train = replace(before.splits["train"], inputs=np.arange(N, dtype=np.float64)[:, None])
    return before.with_split("train", train)


def test_rows_of_the_weak_part_are_drawn_again_and_all_others_stay() -> None:
    before = numbered()
    given = conditions(TRAIN), conditions(VALIDATION), CORRECT
    made = weak_slices_drawn_again(before, 3.0, np.random.default_rng(0), *given)
    rows = made.splits["train"].inputs[:, 0].astype(int)
    assert np.array_equal(rows[:N], np.arange(N))
    assert np.bincount(rows, minlength=N).tolist() == [4 if c == 2 else 1 for c in TRAIN]
    assert len(made.splits["train"].target) == made.splits["train"].n == N + 60
    assert before.splits["train"].n == N
    half = weak_slices_drawn_again(before, 0.5, np.random.default_rng(0), *given)
    assert 0 < half.splits["train"].n - N < 20  # of 20 rows, each with a chance of a half


def test_its_sham_draws_as_many_rows_from_anywhere() -> None:
    before = numbered()
    given = conditions(TRAIN), conditions(VALIDATION), CORRECT
    made = as_many_rows_drawn_again(before, 3.0, np.random.default_rng(0), *given)
    rows = made.splits["train"].inputs[N:, 0].astype(int)
    assert len(rows) == 60
    assert (TRAIN[rows] == 2).mean() < 0.3
    assert as_many_rows_drawn_again(before, 0.0, np.random.default_rng(0), *given) is before


def groups(f: int, m: int) -> dict[str, Grouping]:
    return {"sex": Grouping(np.repeat([0, 1], [f, m]), ("f", "m"))}


def test_weights_give_every_group_its_share_of_the_reference() -> None:
    made = rows_weighed_to_the_reference(subject(), 1.0, groups(100, 300), groups(50, 50))
    found = weights(made)
    assert found[:100].sum() == pytest.approx(found[100:].sum())
    stated = {"sex": {"f": 0.75, "m": 0.25}}
    found = weights(rows_weighed_to_the_reference(subject(), 1.0, groups(100, 300), None, stated))
    assert found[:100].sum() == pytest.approx(3 * found[100:].sum())


def test_rows_weighed_already_are_raked_from_the_weights_that_they_have() -> None:
    train = replace(subject().splits["train"], row_weights=np.repeat([5.0, 1.0], [200, 200]))
    before = subject().with_split("train", train)
    stated = {"sex": {"f": 0.5, "m": 0.5}}
    given = groups(200, 200), None, stated
    found = weights(rows_weighed_to_the_reference(before, 1.0, *given))
    assert found[:200].sum() == pytest.approx(found[200:].sum())
    half = weights(rows_weighed_to_the_reference(before, 0.5, *given))
    # Factors of 1/5 at full strength, so 1 / sqrt(5) at half: 5 / sqrt(5) against 1.
    assert half[0] / half[-1] == pytest.approx(np.sqrt(5.0))
    rng = np.random.default_rng(0)
    sham = weights(reference_weights_of_shuffled_rows(before, 1.0, rng, *given))
    assert sham[:200].sum() > 2 * sham[200:].sum()  # no nearer to the reference


def test_two_attributes_are_raked_to_both_shares() -> None:
    rng = np.random.default_rng(0)
    sex, old = rng.integers(0, 2, N), rng.integers(0, 2, N)
    train = {"sex": Grouping(sex, ("f", "m")), "old": Grouping(old, ("n", "y"))}
    stated = {"sex": {"f": 0.3, "m": 0.7}, "old": {"n": 0.9, "y": 0.1}}
    found = weights(rows_weighed_to_the_reference(subject(), 1.0, train, None, stated))
    assert found[sex == 0].sum() / found.sum() == pytest.approx(0.3)
    assert found[old == 0].sum() / found.sum() == pytest.approx(0.9)


def test_coverage_counts_weighed_rows_by_weight_and_as_fewer() -> None:
    train, test = groups(1000, 9000), groups(500, 500)
    weighed = np.repeat([9.0, 1.0], [1000, 9000])
    before, after = (
        group_coverage(train, test),
        group_coverage(train, test, train_row_weights=weighed),
    )
    assert before.value == pytest.approx(0.8)
    assert after.value == pytest.approx(0.0, abs=1e-9)
    # (9,000 + 9,000)^2 / (1,000 x 81 + 9,000) = 3,600 rows of equal weight instead of 10,000.
    assert after.n == 3600


def test_strength_nought_changes_nothing_and_the_sham_only_where_weights_lie() -> None:
    train, validation = groups(100, 300), groups(200, 200)
    before = subject()
    assert rows_weighed_to_the_reference(before, 0.0, train, validation) is before
    assert (
        weak_slices_weighed_up(before, 0.0, conditions(TRAIN), conditions(VALIDATION), CORRECT)
        is before
    )
    found = weights(rows_weighed_to_the_reference(before, 1.0, train, validation))
    rng = np.random.default_rng(1)
    sham = weights(reference_weights_of_shuffled_rows(before, 1.0, rng, train, validation))
    assert sorted(sham) == pytest.approx(sorted(found))
    with pytest.raises(NotApplicable, match="no reference"):
        rows_weighed_to_the_reference(before, 1.0, train)


def test_faults_take_training_rows_of_one_part_and_leave_the_others() -> None:
    rng = np.random.default_rng(2)
    part = conditions(np.repeat([0, 1], [100, 300]))
    before = subject()
    assert slice_thinned_out(before, 0.0, rng, part) is before
    assert group_left_out(before, 0.0, rng, groups(100, 300)) is before
    made = slice_thinned_out(subject(), 0.95, rng, part)
    assert made.splits["train"].n == N - 95  # of c is 0, the only part of a tenth to four tenths
    assert made.splits["test"].n == N
    made = group_left_out(subject(), 0.8, rng, groups(100, 300))
    assert made.splits["train"].n == N - 80
    with pytest.raises(NotApplicable, match="one group"):
        group_left_out(subject(), 0.8, rng, {"sex": Grouping(np.zeros(N, np.int64), ("f",))})
