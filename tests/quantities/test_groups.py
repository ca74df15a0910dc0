"""Groups by sensitive attributes: one set of names for all splits, numbers cut, the unknown left out."""

import numpy as np
import pytest

from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable, UserError
from roadworthy.quantities.groups import group_intersections, group_levels, groups
from roadworthy.subject import Attribute, Roles, Split, Subject, Task, fields_of


def category(codes: list[int], *names: str) -> Attribute:
    return Attribute(np.array(codes, np.int64), names)


def number(*values: float) -> Attribute:
    return Attribute(np.array(values, np.float64))


AGES = tuple(float(age) for age in range(20, 61))  # quartiles 30, 40, 50


def test_a_group_that_only_the_test_rows_have_keeps_its_name() -> None:
    train = {"race": category([0, 1], "black", "white")}
    test = {"race": category([0, 1, -1], "asian", "white")}
    levels = group_levels(train, None, test)
    found = groups(test, levels)["race"]
    assert found.names == ("black", "white", "asian")
    assert found.codes.tolist() == [2, 1, -1]
    assert groups(train, levels)["race"].codes.tolist() == [0, 1]
    assert found.sizes.tolist() == [0, 1, 1]


def test_forty_levels_are_all_kept() -> None:
    names = tuple(f"state {i}" for i in range(40))
    test = {"state": category(list(range(40)), *names)}
    assert groups(test, group_levels(test_sensitive=test))["state"].names == names


def test_a_number_is_cut_at_the_quartiles_of_the_training_rows() -> None:
    train, test = {"age": number(*AGES)}, {"age": number(29.9, 30, 39, 40, 50, 99, np.nan)}
    found = groups(test, group_levels(train, None, test))["age"]
    assert found.names == ("under 30", "30 up to 40", "40 up to 50", "50 and over")
    assert found.codes.tolist() == [0, 1, 1, 2, 3, 3, -1]
    assert found.cut == "quartiles of the training rows"
    alone = groups(test, group_levels(test_sensitive=test))["age"]
    assert alone.cut == ""  # six different values are groups of their own
    assert alone.names == ("29.9", "30", "39", "40", "50", "99")
    many = {"age": number(*AGES)}
    assert groups(many, group_levels(test_sensitive=many))["age"].cut == "quartiles of all rows"


def test_edges_that_are_given_take_the_place_of_quartiles() -> None:
    test = {"age": number(*AGES), "sex": category([0] * 41, "f")}
    levels = group_levels(test_sensitive=test)
    found = groups(test, levels, edges="age:25,45")["age"]
    assert found.names == ("under 25", "25 up to 45", "45 and over")
    assert found.sizes.tolist() == [5, 20, 16]
    assert found.cut == "edges that were given"


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ("old:25", r'names "old"; the sensitive attributes are age, sex'),
        ("25,45", r'names "25,45"'),
        ("age:45,25", "ascending numbers were expected"),
        ("age:young", "ascending numbers were expected"),
        ("age:", "ascending numbers were expected"),
        ("age:nan", "ascending numbers were expected"),
        ("sex:1", r'cuts "sex", whose values are groups already \(f\)'),
    ],
)
def test_edges_that_make_no_sense_are_refused_with_the_way_out(edges: str, said: str) -> None:
    test = {"age": number(*AGES), "sex": category([0] * 41, "f")}
    with pytest.raises(UserError, match=said):
        groups(test, group_levels(test_sensitive=test), edges=edges)


def test_a_number_that_is_mostly_its_least_value_makes_two_groups() -> None:
    gains = {"gain": number(*[0.0] * 90, *range(100, 120))}
    found = groups(gains, group_levels(gains))["gain"]
    assert found.names == ("under 100", "100 and over")
    assert found.sizes.tolist() == [90, 20]


def test_an_attribute_without_any_value_has_unknown_groups_only() -> None:
    for empty in (number(np.nan, np.nan), category([-1, -1])):
        found = groups({"x": empty}, group_levels({"x": empty}))["x"]
        assert found.codes.tolist() == [-1, -1]
        assert found.names == ()


def test_names_in_one_file_and_many_numbers_in_the_other_are_refused() -> None:
    with pytest.raises(UserError, match=r'"age" holds names .* in some splits and 41 different'):
        group_levels({"age": category([0], "old")}, None, {"age": number(*AGES)})
    few = group_levels({"age": category([0, 1], "1", "2")}, None, {"age": number(1.0, 2.0)})
    assert groups({"age": number(2.0)}, few)["age"].codes.tolist() == [1]


def test_one_attribute_has_no_intersections() -> None:
    test = {"sex": category([0, 1], "f", "m")}
    with pytest.raises(NotApplicable, match=r"one sensitive attribute \(sex\)"):
        group_intersections(groups(test, group_levels(test)))


def test_groups_are_found_by_name_in_every_split() -> None:
    sensitive = {"sex": category([0, 1], "f", "m"), "race": category([1, -1], "x", "y")}
    split = Split(None, np.zeros(2, np.int64), sensitive)
    subject = Subject(
        name="people",
        task=Task("binary", ("no", "yes"), 1),
        modality="predictions",
        splits={"train": split, "test": split},
        roles=Roles(sensitive=("sex", "race")),
    )
    names = ["test_groups", "train_groups", "test_group_intersections", "validation_groups"]
    found = compute(Registry.discover(), fields_of(subject), names)
    assert found["test_groups"].value["sex"].codes.tolist() == [0, 1]
    assert found["train_groups"].value["race"].codes.tolist() == [1, -1]
    assert found["test_group_intersections"].value["sex × race"].codes.tolist() == [1, -1]
    assert found["validation_groups"].state == "missing"
