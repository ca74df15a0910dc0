"""Coverage of groups: shares against stated ones and against test rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from roadworthy.challenges.data_diversity.coverage import group_coverage, reference_shares
from roadworthy.challenges.data_diversity.coverage_faults import (
    group_thinned_out,
    groups_dealt_at_random,
)
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import AtMost
from roadworthy.statistics import judged
from roadworthy.statistics.slices import Conditions
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.grouping import Grouping, crossed

LEVELS = {"sex": {"names": ("f", "m"), "edges": None, "cut": ""}}


def grouping(f: int, m: int, unknown: int = 0) -> dict[str, Grouping]:
    return {"sex": Grouping(np.repeat([0, 1, -1], [f, m, unknown]), ("f", "m"))}


def test_against_a_stated_share_the_interval_is_clopper_pearsons() -> None:
    found = group_coverage(grouping(200, 800), reference_shares={"sex": {"f": 0.5, "m": 0.5}})
    assert found.value == pytest.approx(0.6)  # a fifth instead of a half
    exact = binomtest(200, 1000).proportion_ci(0.95)
    assert found.high == pytest.approx(1 - exact.low / 0.5, abs=1e-9)
    halved = binomtest(200, 1000).proportion_ci(
        0.975
    )  # two groups: each lower end at half the error
    assert found.low == pytest.approx(1 - halved.high / 0.5, abs=1e-6)
    assert "sex: f: 20.0 % of the training rows (200), 50.0 % is the stated share" in found.details


def test_rows_of_unknown_group_are_counted_as_is_worst_for_either_end() -> None:
    stated = {"sex": {"f": 0.5, "m": 0.5}}
    found = group_coverage(grouping(200, 800, 50), reference_shares=stated)
    assert found.value == pytest.approx(0.6)  # of those that are known
    # None of the 50 are women: 200 of 1,050; all are: 250 of 1,050.
    least = binomtest(200, 1050).proportion_ci(0.95).low
    most = binomtest(250, 1050).proportion_ci(0.975).high
    assert found.high == pytest.approx(1 - least / 0.5, abs=1e-9)
    assert found.low == pytest.approx(1 - most / 0.5, abs=1e-6)
    assert "The group of 50 more is not known" in found.details


def test_rows_mostly_of_unknown_group_do_not_pass() -> None:
    stated = {"sex": {"f": 0.5, "m": 0.5}}
    found = group_coverage(grouping(2_000, 2_000, 36_000), reference_shares=stated)
    assert found.high > 0.8
    there = group_coverage(grouping(20_000, 20_000), grouping(500, 500, 9_000))
    # If all whose group is not known are women they are 95 % of test rows, and half of the training rows.
    assert 0.4 < there.high < 0.55
    assert there.low == 0.0 or there.low < 0.0


@settings(max_examples=40)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 1000))
def test_every_deal_of_rows_of_unknown_group_lies_within(
    in_training: int, in_test: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, in_training + 1), rng.integers(0, in_test + 1)
    found = group_coverage(grouping(80, 120, in_training), grouping(50, 50, in_test))
    full = group_coverage(
        grouping(80 + a, 120 + in_training - a), grouping(50 + b, 50 + in_test - b)
    )
    assert found.low <= full.low + 1e-9
    assert full.high <= found.high + 1e-9


def test_against_test_rows_the_ratio_is_that_of_the_conditional_test() -> None:
    found = group_coverage(grouping(100, 900), grouping(60, 240))
    # 100 of 1,000 against 60 of 300: half of its share. Given 160 in all, binomial with odds ratio x 1000 / 300.
    assert found.value == pytest.approx(0.5)
    exact = binomtest(100, 160).proportion_ci(0.95)
    assert found.high == pytest.approx(1 - exact.low / (1 - exact.low) * 300 / 1000, abs=1e-9)


def test_the_interval_errs_in_at_most_a_fortieth_on_each_side_where_the_share_is_on_the_bound() -> (
    None
):
    rng = np.random.default_rng(0)
    low = high = 0
    for _ in range(400):
        f, there = rng.binomial(2000, 0.24), rng.binomial(1000, 0.3)  # lacks a fifth
        found = group_coverage(grouping(f, 2000 - f), grouping(there, 1000 - there))
        low += found.low > 0.2
        high += found.high < 0.2
    assert low <= 18  # of 400; 10 are expected at most, 18 or fewer then with probability .99
    assert high <= 18


def test_a_tiny_group_is_never_dropped_and_keeps_the_whole_from_passing() -> None:
    codes = np.repeat([0, 1, 2], [5000, 5000, 12])
    there = np.repeat([0, 1, 2], [2000, 2000, 4])
    train = {"group": Grouping(codes, ("a", "b", "tiny"))}
    test = {"group": Grouping(there, ("a", "b", "tiny"))}
    assert group_coverage(train, test).high > 0.5


def test_a_group_that_only_test_rows_have_lacks_everything() -> None:
    train = {"group": Grouping(np.zeros(500, np.int64), ("a", "b"))}
    test = {"group": Grouping(np.repeat([0, 1], [150, 50]), ("a", "b"))}
    found = group_coverage(train, test)
    assert found.value == 1.0
    assert found.low > 0.8


def test_attributes_whose_shares_are_not_stated_are_held_against_test_rows() -> None:
    sex = grouping(1_000, 1_000)["sex"]
    train = {"sex": sex, "place": Grouping(np.repeat([0, 1], [1_900, 100]), ("a", "b"))}
    test = {"sex": sex, "place": Grouping(np.repeat([0, 1], [1_000, 1_000]), ("a", "b"))}
    stated = {"sex": {"f": 0.5, "m": 0.5}}
    found = group_coverage(train, test, reference_shares=stated)
    assert found.value == pytest.approx(0.9)
    assert "place: b" in found.details
    assert "the share of the test rows" in found.details
    both = crossed(train)
    found = group_coverage(train, test, both, crossed(test), reference_shares=stated)
    names = [row[0] for row in found.evidence[0].rows]  # type: ignore[union-attr]
    assert not any("×" in name for name in names)  # test rows are no reference of what was stated
    alone = group_coverage(
        {"sex": sex},
        reference_shares=stated,
        train_conditions=Conditions(sex.codes[:, None], ("sex",), (("sex is f", "sex is m"),)),
        test_conditions=Conditions(0 * sex.codes[:, None], ("sex",), (("sex is f", "sex is m"),)),
    )
    assert alone.value == pytest.approx(0.0)


SEX, SEX_OF_TEST = (grouping(n, n)["sex"] for n in (10_000, 4_000))
RACE, RACE_OF_TEST = (Grouping(each.codes, ("a", "b")) for each in (SEX, SEX_OF_TEST))
NOT_KNOWN = Grouping(np.full(8_000, -1), ("a", "b"))
BY_RACE = {"race": {"a": 0.5, "b": 0.5}}
OF_CONDITIONS = {
    "train_conditions": Conditions(SEX.codes[:, None], ("old",), (("not old", "old"),)),
    "test_conditions": Conditions(SEX_OF_TEST.codes[:, None], ("old",), (("not old", "old"),)),
}


@pytest.mark.parametrize(
    ("given", "attribute", "side"),
    [
        ({"train_groups": {"sex": SEX, "race": RACE}, "test_groups": {"sex": SEX_OF_TEST}}, "race", "test"),
        ({"train_groups": {"sex": SEX, "race": RACE}, "test_groups": {"sex": SEX_OF_TEST, "race": NOT_KNOWN}}, "race", "test"),
        ({"train_groups": {"sex": SEX}, "test_groups": {"sex": SEX_OF_TEST, "race": RACE_OF_TEST}}, "race", "training"),
        ({"train_groups": {"sex": SEX, "race": RACE}, "reference_shares": BY_RACE}, "sex", "test"),
        ({"train_groups": None, "reference_shares": BY_RACE, **OF_CONDITIONS}, "race", "training"),
    ],
)  # fmt: skip
def test_an_attribute_that_cannot_be_looked_at_is_named_and_keeps_it_from_passing(
    given: dict, attribute: str, side: str
) -> None:
    bound = AtMost(0.2, "house default")
    found = group_coverage(**given)
    assert found.high < bound.bound  # what could be looked at has its share
    assert judged(found, bound, 200).reason_code == "unreliable"
    said = f"the group by {attribute} is not known for any of the {side} rows"
    assert found.doubts == (said,)  # type: ignore[attr-defined]


def test_where_every_attribute_can_be_looked_at_there_is_no_doubt() -> None:
    train, test = {"sex": SEX, "race": RACE}, {"sex": SEX_OF_TEST}
    found = group_coverage(train, test, reference_shares=BY_RACE)
    assert judged(found, AtMost(0.2, "house default"), 200).verdict == "pass"


def test_a_group_of_the_population_that_no_row_has_lacks_everything() -> None:
    levels = {"race": {"names": ("a", "b"), "edges": None, "cut": ""}}
    shares = reference_shares(levels, shares="race: a=.5, b=.3, c=.2")
    train = {"race": Grouping(np.repeat([0, 1], [500, 300]), ("a", "b"))}
    found = group_coverage(train, reference_shares=shares)
    assert found.value == 1.0
    assert "race: c" in found.details
    assert found.low > 0.9


def test_shares_of_a_number_name_the_groups_that_it_is_cut_into() -> None:
    levels = {"age": {"names": (), "edges": np.array([30.0, 50.0]), "cut": "quartiles"}}
    cut = ("under 30", "30 up to 50", "50 and over")
    train = {"age": Grouping(np.repeat([0, 1, 2], 100), cut, "edges that were given")}
    right = "age: under 30=.2, 30 up to 50=.6, 50 and over=.2"
    assert len(reference_shares(levels, train, shares=right)["age"]) == 3
    for wrong in ("age: young=.5, old=.5", "age: under 30=.2, 30-50=.6, 50 and over=.2"):
        with pytest.raises(UserError, match="its groups are under 30, 30 up to 50, 50 and over"):
            reference_shares(levels, train, shares=wrong)


def test_parts_that_nobody_named_are_looked_at_from_a_twentieth_on() -> None:
    values = (("old", "young", "rare"),)
    train = Conditions(np.repeat([0, 1, 2], [950, 50, 0])[:, None], ("age",), values)
    test = Conditions(np.repeat([0, 1, 2], [160, 35, 5])[:, None], ("age",), values)
    found = group_coverage(train_conditions=train, test_conditions=test)
    # 5 % of training against 17.5 % of test rows; "rare" is 2.5 % of test rows and left out.
    assert found.value == pytest.approx(1 - 0.05 / 0.175)
    assert [row[0] for row in found.evidence[0].rows] == ["young", "old"]


def test_control_deals_fairly_and_the_fault_takes_what_it_says() -> None:
    rng = np.random.default_rng(1)
    train, test = grouping(3000, 17_000), grouping(6000, 14_000)
    before = Subject(
        "people", Task("binary", ("n", "y"), positive=1), "predictions", {"test": Split(None, None)}
    )
    clean = groups_dealt_at_random(before, rng, train, test)
    dealt = clean.given["train_groups"], clean.given["test_groups"]
    assert abs(group_coverage(*dealt).value) < 0.05
    assert group_thinned_out(clean, 0.0, rng, *dealt) is clean
    made = group_thinned_out(clean, 0.4, rng, *dealt)
    found = group_coverage(made.given["train_groups"], made.given["test_groups"])
    assert found.value == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age: old=1", "the sensitive attributes are sex"),
        ("sex: f=.5, x=.5", "its groups are f, m"),
        ("sex: f=half, m=.5", 'says "f=half"'),
        ("sex: f=.5, m=.3", "sum to 0.8"),
    ],
)
def test_shares_that_make_no_sense_are_refused_with_the_way_to_write_them(
    text: str, said: str
) -> None:
    with pytest.raises(UserError, match=r"reference_shares\.shares") as caught:
        reference_shares(LEVELS, shares=text)
    assert said in str(caught.value)


def test_without_groups_and_reference_there_is_nothing_to_measure() -> None:
    with pytest.raises(NotApplicable, match="no training rows"):
        group_coverage(test_groups=grouping(5, 5))
    with pytest.raises(NotApplicable, match="--sensitive"):
        group_coverage(grouping(5, 5))
    with pytest.raises(NotApplicable, match="--set"):
        reference_shares(LEVELS)
