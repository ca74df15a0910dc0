"""Slices that nobody named: counts by hand, false alarms under noise, what is planted is found."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import fisher_exact

from roadworthy.errors import NotApplicable
from roadworthy.results import Intervals
from roadworthy.statistics import exact_newcombe
from roadworthy.statistics.slice_words import slices_in_words, slices_told
from roadworthy.statistics.slices import (
    Conditions,
    fewest_rows,
    largest_excess,
)

COLUMNS, VALUES = 6, 4


def noise(n: int, rng: np.random.Generator, columns: int = COLUMNS) -> Conditions:
    codes = rng.integers(0, VALUES, (n, columns))
    names = tuple(f"c{j}" for j in range(columns))
    return Conditions(
        codes, names, tuple(tuple(f"{name} is {v}" for v in range(VALUES)) for name in names)
    )


def halves(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random(n) < 0.5


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_upper_end_is_the_largest_of_every_slice_counted_one_by_one(depth: int) -> None:
    rng = np.random.default_rng(0)
    rows, half, wrong = noise(3000, rng, 4), halves(3000, rng), rng.random(3000) < 0.2
    found, _ = largest_excess(rows, wrong, half, floor=10, depth=depth)
    ends: list[float] = []
    for size in range(1, depth + 1):
        for columns in combinations(range(4), size):
            for values in product(range(VALUES), repeat=size):
                inside = (rows.codes[:, columns] == values).all(axis=1)
                if min(inside[half].sum(), inside[~half].sum()) >= 10:
                    counts = wrong[inside].sum(), inside.sum(), wrong[~inside].sum()
                    ends.append(exact_newcombe(*counts, (~inside).sum()).high)
    assert found.high == pytest.approx(max(ends), abs=1e-12)


def test_what_is_planted_in_two_conditions_is_found_first_and_measured_without_bias() -> None:
    values: list[float] = []
    first = covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows, half = noise(6000, rng), halves(6000, rng)
        inside = (rows.codes[:, 0] == 1) & (rows.codes[:, 2] == 3)
        wrong = rng.random(6000) < np.where(inside, 0.35, 0.15)
        worst, found = largest_excess(rows, wrong, half, floor=30)
        first += bool(found) and (found[0].slice.rows(rows) == inside).all()
        values.append(worst.value)
        covered += worst.low <= 0.2 <= worst.high
    assert first >= 38  # one draw of forty is too weak for the half that offers
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - 0.2) < 3 * error
    assert covered >= 37  # of 40 at 95 %; 37 or more with probability .95 at least


def test_of_pure_noise_at_most_one_run_in_twenty_confirms_a_slice() -> None:
    """The worst slice of noise looks bad in every run; it is confirmed in at most 5 % of them."""
    runs, confirmed, above, looked_bad = 200, 0, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(1000 + seed)
        rows, half, wrong = noise(2000, rng), halves(2000, rng), rng.random(2000) < 0.15
        worst, found = largest_excess(rows, wrong, half, floor=30)
        told = slices_told(found, "mistakes")
        confirmed += bool(told) and any(row[-1] for row in told[-1].rows)
        pairs = product(range(4), repeat=2)
        inside = [wrong[(rows.codes[:, :2] == pair).all(axis=1)].mean() for pair in pairs]
        looked_bad += max(inside) - wrong.mean() > 0.03
        above += worst.low > 0.0
    assert looked_bad > 0.9 * runs
    assert confirmed <= 0.05 * runs
    assert above <= 0.05 * runs  # 2.5 % are expected


def test_a_narrower_slice_stays_only_where_it_adds_and_a_copy_goes() -> None:
    rng = np.random.default_rng(1)
    rows = noise(8000, rng, 3)
    codes = rows.codes.copy()
    codes[:, 2] = codes[:, 0]  # says the same in other words
    rows, half = Conditions(codes, rows.names, rows.values), halves(8000, rng)
    wrong = rng.random(8000) < np.where(codes[:, 0] == 2, 0.4, 0.1)
    _, found = largest_excess(rows, wrong, half, floor=30)
    assert len(found) == 1
    assert found[0].slice.name in ("c0 is 2", "c2 is 2")


def test_the_first_half_is_tested_as_scipy_tests_two_by_two_tables() -> None:
    from roadworthy.statistics.slices import _more_often

    ours = _more_often(np.array([12.0]), np.array([40.0]), 50, 400)[0]
    table = [[12, 28], [38, 322]]
    assert ours == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


def test_only_the_half_that_confirms_enters_the_measured_excess() -> None:
    rng = np.random.default_rng(2)
    rows, half = noise(4000, rng), halves(4000, rng)
    inside = rows.codes[:, 1] == 0
    # Wrong in the slice on the half that offers, nowhere on the half that confirms.
    wrong = np.where(half, rng.random(4000) < 0.1, rng.random(4000) < np.where(inside, 0.5, 0.1))
    worst, found = largest_excess(rows, wrong, half, floor=30)
    offered = next(each for each in found if each.slice.name == "c1 is 0")
    assert offered.found.value > 0.3
    assert abs(offered.confirmed.value) < 0.06
    assert worst.value < 0.06
    assert not any(row[-1] for row in slices_told(found, "mistakes")[-1].rows)


def test_value_lower_end_and_first_name_are_of_the_slice_that_the_second_half_is_surest_of() -> (
    None
):
    rng = np.random.default_rng(7)
    rows, half = noise(6000, rng), halves(6000, rng)
    bait, weak = rows.codes[:, 0] == 1, rows.codes[:, 1] == 2
    # The first half sees most in a part that is nothing on the second.
    share = np.where(weak, 0.3, np.where(bait & ~half, 0.7, 0.1))
    worst, found = largest_excess(rows, rng.random(6000) < share, half, floor=30)
    assert "c0 is 1" in max(found, key=lambda each: each.found.value).slice.name
    assert found[0].slice.name == "c1 is 2"
    assert worst.value == pytest.approx(found[0].confirmed.value)
    assert worst.low < worst.value


def test_a_majority_that_is_worse_than_the_rest_is_a_part() -> None:
    rng = np.random.default_rng(5)
    other = rng.integers(0, 3, 8_000)
    sex = (rng.random(8_000) < 0.8).astype(np.int64)
    rows = Conditions(
        np.stack([sex, other], axis=1),
        ("sex", "c"),
        (("sex is f", "sex is m"), tuple(f"c is {v}" for v in range(3))),
    )
    wrong = rng.random(8_000) < np.where(sex == 1, 0.2, 0.02)
    worst, found = largest_excess(rows, wrong, halves(8_000, rng), floor=200)
    assert found[0].slice.name == "sex is m"
    assert worst.low < 0.18 < worst.high
    assert worst.low > 0.1


def test_renaming_columns_and_shuffling_rows_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    rows, half, wrong = noise(2000, rng), halves(2000, rng), rng.random(2000) < 0.2
    order = rng.permutation(2000)
    one, _ = largest_excess(rows, wrong, half, floor=30)
    other, _ = largest_excess(rows.take(order), wrong[order], half[order], floor=30)
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_unknown_values_are_no_condition_and_too_few_rows_are_not_applicable() -> None:
    rows = Conditions(np.full((100, 1), -1), ("c",), (("c is 0",),))
    with pytest.raises(NotApplicable, match="100 rows"):
        largest_excess(rows, np.zeros(100, bool), np.arange(100) % 2 == 0, floor=30)


def test_nothing_wrong_anywhere_has_no_excess_and_says_that_nothing_stands_out() -> None:
    rng = np.random.default_rng(4)
    rows, half = noise(1000, rng), halves(1000, rng)
    worst, found = largest_excess(rows, np.zeros(1000, bool), half, floor=30)
    assert (worst.value, worst.low, found) == (0.0, 0.0, [])
    assert slices_in_words(found, "wrong", 30).startswith("No part of at least 60 rows stands out")


def test_each_slice_that_is_worse_beyond_doubt_has_a_picture_and_a_sentence() -> None:
    rng = np.random.default_rng(7)
    rows, half = noise(8_000, rng), halves(8_000, rng)
    first, second = rows.codes[:, 0] == 0, rows.codes[:, 1] == 1
    wrong = rng.random(8_000) < 0.05 + 0.3 * first + 0.2 * (second & ~first)
    _, found = largest_excess(rows, wrong, half, floor=30)
    sure = [each for each in found if each.confirmed.low > 0.0]
    assert len(sure) >= 2
    said = slices_in_words(found, "wrong", 30)
    for each in sure[:3]:
        assert f"Where {each.slice.name}: " in said
    picture = slices_told(found, "mistakes")[0]
    assert isinstance(picture, Intervals)
    assert picture.labels == tuple(each.slice.name for each in found)
    assert picture.lows == tuple(each.confirmed.low for each in found)


def test_the_floor_follows_the_share_or_the_purpose_and_is_never_below_thirty() -> None:
    assert fewest_rows(2000, None, 0.05) == 50
    assert fewest_rows(100_000, 100, 0.05) == 50
    assert fewest_rows(100_000, 10, 0.05) == 30
