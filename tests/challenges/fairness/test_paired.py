"""Two models on the same people: the change of a gap is taken over shared rows, groups redrawn with them."""

import numpy as np
import pytest

from roadworthy.engine import Store
from roadworthy.procedures.paired import Comparison, How, Side
from roadworthy.subject import Subject, fields_of

from .conftest import REGISTRY, recorded_subject


def decided(share: float) -> Subject:
    """Return decisions of which a share of those on group b is turned to "no"."""
    rng = np.random.default_rng(1)
    n = 2_000
    labels = rng.integers(0, 2, n)
    groups = np.where(rng.random(n) < 0.5, "a", "b")
    said = np.where(rng.random(n) < 0.8, labels, 1 - labels)
    turned = (groups == "b") & (rng.random(n) < share)
    return recorded_subject(labels, {"group": list(groups)}, predicted=np.where(turned, 0, said))


@pytest.mark.parametrize("check", ["demographic_parity_gap", "selection_ratio"])
def test_a_change_is_paired_and_found(check: str) -> None:
    how = How(registry=REGISTRY, store=Store(), resamples=100, seconds=60.0)
    sides = [Side(fields_of(decided(share)), how) for share in (0.6, 0.0)]
    found = Comparison(*sides).compared([check])[check]
    assert found.difference is not None
    assert found.difference.method.startswith("paired bootstrap over shared rows"), (
        found.difference.method,
        found.reason,
    )
    better = found.difference.low > 0 if check == "selection_ratio" else found.difference.high < 0
    assert better
    same = Comparison(sides[0], Side(fields_of(decided(0.6)), how)).compared([check])[check]
    assert same.untouched or (same.difference is not None and same.difference.value == 0.0)
