"""Numbers in sentences."""

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.statistics.wording import amount, amounts


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_different_values_are_never_shown_alike(values: list[float]) -> None:
    distinct = {round(v, 6) for v in values}
    shown = amounts(sorted(distinct), "share of rows")
    assert len(set(shown)) == len(distinct)


def test_shares_are_percentages_and_other_units_stand_behind_the_number() -> None:
    assert amounts((0.0312, 0.05), "share of test rows") == ["3.12 %", "5 %"]
    assert amounts((1234.5, 0.25), "seconds") == ["1,234", "0.25"]
    assert amounts((1234.5, 1234.0), "seconds") == ["1,234.5", "1,234"]
    assert amounts((0.0000001, float("inf")), "seconds") == ["1e-07", "inf"]
    assert amount("3.12 %", "share of test rows") == "3.12 % of test rows"
    assert amount("0.4", "") == "0.4"
