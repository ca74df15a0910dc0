"""What tells a planted subject from the one before."""

import numpy as np

from roadworthy.procedures.selftest.bench import _same


def test_tuples_of_arrays_are_compared_by_their_arrays() -> None:
    one = (np.arange(3), {"a": (np.ones(2), "x")})
    assert _same(one, (np.arange(3), {"a": (np.ones(2), "x")}))
    assert not _same(one, (np.arange(3), {"a": (np.zeros(2), "x")}))
    assert not _same(one, one[:1])
    assert not _same((1,), (1.5,))
