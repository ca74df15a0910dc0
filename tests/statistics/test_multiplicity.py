"""Corrections for many tests against statsmodels, scipy and their definitions."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from roadworthy.statistics import benjamini_hochberg, holm, surviving

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(p_values)
def test_holm_is_statsmodels(p: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)  # statsmodels searches all memory at every call
        expected = multipletests(p, method="holm")[1]
    assert np.allclose(holm(p), expected, atol=1e-12)


@given(p_values)
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    assert np.allclose(benjamini_hochberg(p), false_discovery_control(p), atol=1e-12)


def test_surviving_is_the_definition_of_zhao_small_and_su_by_hand() -> None:
    # Those up to .5: .004, .012, .03, .4 become .008, .024, .06, .8. Holm over four at .05:
    # .008 <= .05/4 = .0125 survives; .024 > .05/3 = .0167 does not, nor any after it.
    p = [0.9, 0.004, 0.51, 0.012, 0.03, 0.4, 1.0]
    assert surviving(p).tolist() == [False, True, False, False, False, False, False]
    # Plain Holm over all seven would have needed .004 <= .05/7 = .0071: the same here, but with
    # twenty more at 0.9 it needs .0019, while the discarded ones cost nothing.
    assert surviving(p + [0.9] * 20)[1]
    assert holm(p + [0.9] * 20)[1] > 0.05


def test_a_lone_fail_survives_up_to_half_of_alpha() -> None:
    assert surviving([0.025]).tolist() == [True]
    assert surviving([0.026]).tolist() == [False]
    assert surviving([]).tolist() == []


@given(p_values, st.randoms(use_true_random=False))
def test_the_order_of_checks_changes_nothing(p: list[float], random) -> None:
    order = random.sample(range(len(p)), len(p))
    for correct in (holm, benjamini_hochberg, surviving):
        assert np.allclose(correct(p)[order], correct([p[i] for i in order]))


def test_forty_checks_on_their_bounds_give_a_false_survivor_in_five_percent_of_runs() -> None:
    rng = np.random.default_rng(0)
    runs = np.mean([surviving(rng.uniform(size=40)).any() for _ in range(4000)])
    assert 0.035 <= runs <= 0.06
