"""The largest of many, in two steps: sharper than Bonferroni over all, and no more often wrong."""

import numpy as np
import pytest

from roadworthy.errors import NotApplicable
from roadworthy.statistics import largest_of, largest_of_many, rate


def test_one_number_is_itself_but_for_what_the_first_step_spends() -> None:
    alone = largest_of_many([rate(30, 100)])
    # 0.025 less a tenth: the Clopper-Pearson end Beta(0.0225; 30, 71)
    from scipy.stats import beta

    assert alone.low == pytest.approx(beta.ppf(0.0225, 30, 71), abs=1e-3)
    assert alone.high == pytest.approx(rate(30, 100).high, abs=1e-6)


def test_alike_numbers_are_corrected_for_all_of_them() -> None:
    many = [rate(30, 100)] * 20
    # none is left out, each has a twentieth of 0.0225
    from scipy.stats import beta

    assert largest_of_many(many).low == pytest.approx(beta.ppf(0.0225 / 20, 30, 71), abs=2e-3)
    assert largest_of_many(many).high == largest_of(many).high


def test_nothing_is_no_number() -> None:
    with pytest.raises(NotApplicable):
        largest_of_many([])


@pytest.mark.parametrize(
    "shares",
    [
        [0.1] * 40,
        [0.1] + [0.0] * 39,
        [0.1] * 5 + [0.07] * 35,
    ],
)
def test_a_lower_end_is_above_the_truth_in_one_of_forty_samples_at_most(
    shares: list[float],
) -> None:
    rng = np.random.default_rng(0)
    samples = 80
    above = 0
    for _ in range(samples):
        drawn = rng.binomial(200, shares)
        above += largest_of_many([rate(int(hits), 200) for hits in drawn]).low > 0.1
    assert above / samples <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / samples)
