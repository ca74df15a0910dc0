"""Spellings, codes for missing, units, numbers as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.challenges.data_quality.codes import codes_in, impossible_codes, value_codes
from roadworthy.challenges.data_quality.spellings import (
    canonical,
    category_aliases,
    number_in,
    numbers_as_text,
    usual_spellings,
)
from roadworthy.challenges.data_quality.units import mixed_units, odd_cluster
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column

SEX = Column("sex", "category", ("Male", "male ", "Female", "FEMALE", "F", "other"))
AGE = Column("age", "numeric")


def test_spellings_of_one_category_are_counted_beyond_the_usual_one() -> None:
    # Male 4, "male " 1, Female 3, FEMALE 1, other 1; F does not occur
    codes = np.array([0, 0, 0, 0, 1, 2, 2, 2, 3, 5], float)[:, None]
    found = category_aliases(codes[:6], codes[6:], (SEX,))
    assert found.value == 0.2
    assert found.evidence[0].rows == (
        ("sex", "'male '", "'Male'", 1),
        ("sex", "'FEMALE'", "'Female'", 1),
    )


def test_abbreviations_count_only_where_each_has_one_longer_name() -> None:
    assert usual_spellings(["Male", "Female", "M", "F"], np.array([5, 5, 1, 1])) == {
        0: 0,
        1: 1,
        2: 0,
        3: 1,
    }
    # M could be Male or Married: nothing is assumed
    untouched = usual_spellings(["Male", "Married", "M"], np.array([5, 5, 1]))
    assert untouched == {0: 0, 1: 1, 2: 2}


@pytest.mark.parametrize(
    ("one", "other"),
    [("<=50K", ">50K"), ("1-2", "12"), ("A+", "A"), ("1.5", "15"), ("+", "-"), ("-1", "1")],
)
def test_punctuation_that_means_something_is_kept(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "cafe"),
        ("self-emp", "Self Emp"),
        ("Straße", "STRASSE"),
        ("ＡＢ", "ab"),
        ("x.", "x"),
    ],
)
def test_case_accents_space_and_width_do_not_matter(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=8, unique=True))
def test_the_usual_spelling_is_its_own_usual_spelling(names: list[str]) -> None:
    usual = usual_spellings(names, np.arange(1, len(names) + 1))
    assert all(usual[to] == to for to in usual.values())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.234,5", 1234.5),
        ("1,234", 1234.0),
        ("3,5", 3.5),
        ("€ 20", 20.0),
        ("-7 cm", -7.0),
        (".5", 0.5),
    ],
)
def test_numbers_are_read_in_either_notation(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("text", ["", "abc", "12-34", "1 or 2", "A1", "10th of May"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_in(text) is None


def test_a_column_of_numbers_and_a_slip_is_text_that_holds_numbers() -> None:
    column = Column("weight", "category", ("61", "72,5", "80 kg", "about 70"))
    codes = np.array([[0.0], [1], [2], [0], [1], [3]])
    found = numbers_as_text(codes, codes[:1], (column,))
    assert found.value == 1.0
    assert found.evidence[0].rows == (("weight", 3, 1, "about 70"),)
    assert numbers_as_text(codes, codes, (SEX,)).value == 0.0


def test_zero_glucose_is_a_code_and_zero_pregnancies_are_not() -> None:
    assert [c.value for c in codes_in(np.r_[[0.0] * 5, np.arange(44, 199)])] == [0.0]
    assert codes_in(np.r_[[0.0] * 111, np.repeat(np.arange(1, 15), 5)]) == []
    amounts = np.r_[[0.0] * 50, np.geomspace(50, 50_000, 60)]  # none spent is none spent
    assert codes_in(amounts) == []
    gains = np.geomspace(1_000, 15_000, 40)  # few rows have any, within an order of magnitude
    assert codes_in(np.r_[[0.0] * 41, gains]) == []
    assert [c.rows for c in codes_in(np.r_[[0.0] * 39, gains])] == [39]


@pytest.mark.parametrize("code", [-99.0, -999.0, 999.0, 9999.0, -1.0, -2208988800.0])
def test_codes_of_nines_and_early_dates_stand_apart(code: float) -> None:
    values = np.r_[np.arange(20.0, 90.0), [code, code]]
    assert [(c.value, c.rows) for c in codes_in(values)] == [(code, 2)]


def test_two_codes_in_one_column_are_both_found() -> None:
    assert {c.value for c in codes_in(np.r_[np.arange(20.0, 90.0), -99, 999, 999])} == {-99, 999}


def test_ninety_nine_hours_among_ninety_seven_and_ninety_eight_are_hours() -> None:
    assert codes_in(np.arange(1.0, 100.0)) == []


def test_the_worst_column_is_measured_and_all_are_listed() -> None:
    age = np.r_[np.arange(20.0, 100.0), [-99.0] * 20]
    pressure = np.r_[[0.0] * 5, np.linspace(60, 120, 95)]
    table = np.stack([age, pressure], axis=1)
    columns = (AGE, Column("pressure", "numeric"))
    found = impossible_codes(
        value_codes(table[:60], table[60:], columns), table[:60], table[60:], columns
    )
    assert found.value == 0.2
    assert [row[:3] for row in found.evidence[0].rows] == [("age", -99.0, 20), ("pressure", 0.0, 5)]


def test_an_array_is_one_column() -> None:
    series = np.random.default_rng(0).normal(size=(50, 20))
    series[3, 7] = -999
    found = impossible_codes(value_codes(series, series[:5]), series, series[:5])
    assert found.value == 2 / 1100  # row 3 is in both


def test_inches_among_centimetres() -> None:
    rng = np.random.default_rng(0)
    height = rng.normal(170, 8, 500)
    height[:10] /= 2.54
    found = mixed_units(height[:400, None], height[400:, None], (AGE,))
    assert found.value == 10 / 500
    assert found.evidence[0].rows[0][1] == "inch to centimetre"


def test_fahrenheit_among_celsius() -> None:
    celsius = np.random.default_rng(0).normal(37, 0.6, 300)
    celsius[:12] = celsius[:12] * 1.8 + 32
    assert odd_cluster(celsius).unit == "Fahrenheit and Celsius"


def test_a_long_tail_and_a_mixture_of_two_kinds_are_no_units() -> None:
    rng = np.random.default_rng(0)
    assert odd_cluster(rng.lognormal(3, 1, 1000)) is None
    assert odd_cluster(np.r_[rng.normal(10, 1, 300), rng.normal(17, 1, 60)]) is None


def test_where_nothing_can_be_measured_it_says_so() -> None:
    with pytest.raises(NotApplicable, match="categories"):
        category_aliases(np.zeros((3, 1)), np.zeros((3, 1)), (AGE,))
    with pytest.raises(NotApplicable, match="numbers"):
        mixed_units(np.zeros((3, 1)), np.zeros((3, 1)), (SEX,))


def test_empty_and_constant_columns_hold_nothing_odd() -> None:
    table = np.stack([np.full(10, np.nan), np.zeros(10)], axis=1)
    columns = (AGE, Column("x", "numeric"))
    assert mixed_units(table, table, columns).value == 0
    assert impossible_codes(value_codes(table, table, columns), table, table, columns).value == 0
