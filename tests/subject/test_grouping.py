"""Groupings: sizes, what is unknown, and several attributes at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.subject.grouping import Grouping, crossed


def test_sizes_count_every_name_and_leave_the_unknown_out() -> None:
    grouping = Grouping(np.array([0, 2, 2, -1]), ("a", "b", "c"))
    assert grouping.sizes.tolist() == [1, 0, 2]
    assert grouping.unknown == 1
    assert grouping.take(np.array([1, 3])).codes.tolist() == [2, -1]
    assert grouping.take(np.array([True, False, False, True])).names == ("a", "b", "c")


@given(
    st.lists(st.tuples(*[st.integers(-1, 1), st.integers(-1, 2), st.integers(-1, 1)]), min_size=1)
)
def test_crossed_groups_are_those_of_numpy_and_unknown_where_one_is(
    rows: list[tuple[int, ...]],
) -> None:
    columns = np.array(rows, np.int64).T
    names = (("f", "m"), ("x", "y", "z"), ("young", "old"))
    parts = {
        n: Grouping(c, of) for n, c, of in zip(("sex", "race", "age"), columns, names, strict=True)
    }
    deep = crossed(parts, 3)
    assert list(deep) == ["sex × race", "sex × age", "race × age", "sex × race × age"]
    assert list(crossed(parts)) == list(deep)[:3]
    whole = deep["sex × race × age"]
    is_known = (columns >= 0).all(axis=0)
    expected = np.ravel_multi_index(tuple(columns[:, is_known]), (2, 3, 2))
    assert whole.codes[is_known].tolist() == expected.tolist()
    assert (whole.codes[~is_known] == -1).all()
    assert whole.names[4] == "f, z, young"  # 0 x 6 + 2 x 2 + 0
    assert len(set(whole.names)) == 12
