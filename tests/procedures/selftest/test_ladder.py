import pytest

from roadworthy.procedures.selftest.ladder import ALL_PROMISES, Scale, marks_of, rungs, scale_of
from roadworthy.results import AtLeast, AtMost

AT_MOST = AtMost(0.1, "house default")
AT_LEAST = AtLeast(0.9, "house default")


def severities(requirement, scale, curve=()):
    return {rung.role: rung.severity for rung in rungs(requirement, scale, curve)}


def test_rungs_of_a_tolerated_harm_are_none_half_all_and_twice_of_it() -> None:
    scale = scale_of(AT_MOST, "share of rows", "")
    assert severities(AT_MOST, scale) == pytest.approx(
        {"clean": 0.0, "healthy": 0.05, "bound": 0.1, "harmful": 0.2}
    )


def test_harm_of_a_quality_is_its_distance_from_the_ideal() -> None:
    scale = scale_of(AT_LEAST, "share of test rows", "")
    assert severities(AT_LEAST, scale) == pytest.approx(
        {"clean": 1.0, "healthy": 0.95, "bound": 0.9, "harmful": 0.8}
    )


def test_a_fault_may_name_another_ideal() -> None:
    scale = scale_of(AT_LEAST, "share of test rows", "Lower coverage.\n\n    Ideal: 0.95.\n")
    assert scale.ideal == 0.95
    assert severities(AT_LEAST, scale)["harmful"] == pytest.approx(0.85)


def test_a_share_is_never_planted_above_one_nor_as_harmful_when_it_cannot_pass_the_bound() -> None:
    high = AtMost(0.7, "house default")
    scale = scale_of(high, "share of rows", "")
    assert severities(high, scale)["harmful"] == 1.0
    whole = AtMost(1.0, "house default")
    assert "harmful" not in severities(whole, scale)


def test_other_units_have_no_cap() -> None:
    requirement = AtMost(0.7, "house default")
    assert severities(requirement, scale_of(requirement, "nats per row", ""))["harmful"] == 1.4


def test_a_fact_is_planted_on_both_sides_of_its_bound() -> None:
    requirement = AtMost(0.01, "house default")
    scale = scale_of(requirement, "share of test rows", "", fact_n=297)  # 2.97 rows
    found = severities(requirement, scale)
    assert found["bound"] == pytest.approx(2 / 297)
    assert found["beyond"] == pytest.approx(3 / 297)
    assert found["harmful"] == pytest.approx(6 / 297)
    assert found["bound"] <= requirement.bound < found["beyond"]


def test_a_bound_on_the_grid_of_a_fact_is_planted_as_it_is() -> None:
    requirement = AtMost(0.3, "house default")  # 3 of 10, although 0.3 / 0.1 is 2.9999...
    scale = scale_of(requirement, "share of rows", "", fact_n=10)
    assert severities(requirement, scale)["bound"] == pytest.approx(0.3)


def test_a_number_of_things_has_a_grid_of_one() -> None:
    assert scale_of(AT_MOST, "number of columns", "", fact_n=20).step == 1.0


def test_the_curve_has_the_severities_that_have_no_other_role() -> None:
    found = rungs(AT_MOST, Scale(0.0, 0.0, 1.0), (0.02, 0.1, 0.4))
    assert [rung.severity for rung in found if rung.role == "curve"] == [0.02, 0.4]
    assert [rung.severity for rung in found] == sorted(rung.severity for rung in found)


def test_only_wrong_verdicts_are_judged_below_the_stated_n() -> None:
    names = {
        (role, at_n): [
            mark.name
            for mark in marks_of(role, is_fact=False, promised=ALL_PROMISES if at_n else ())
        ]
        for role in ("healthy", "harmful", "bound", "curve")
        for at_n in (True, False)
    }
    assert names["harmful", True] == ["false_pass_harmful", "detected_harmful"]
    assert names["harmful", False] == ["false_pass_harmful"]
    assert names["healthy", False] == ["false_fail_healthy"]
    assert names["bound", False] == ["false_fail_at_bound", "false_pass_at_bound"]
    assert names["curve", True] == []
