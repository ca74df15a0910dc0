import numpy as np
import pytest

from roadworthy.procedures.selftest.stopping import DETECTED_HARMFUL, PASS_HEALTHY
from roadworthy.procedures.selftest.tally import Repetition, Tally, tally_of, total


def repetition(verdict="fail", estimate=0.2, low=0.1, high=0.3, truth=0.2, localised=None):
    return Repetition(verdict, estimate, low, high, truth, localised, 0.5, 1)


def test_counts_verdicts_and_reads_rates_with_exact_intervals() -> None:
    tally = total(tally_of(repetition(v)) for v in ["fail"] * 9 + ["inconclusive"])
    assert (tally.n, tally.fails, tally.undecided) == (10, 9, 1)
    assert tally.rate(DETECTED_HARMFUL) == 0.9
    # Clopper-Pearson 9 of 10: 0.555 to 0.997 (published tables)
    assert tally.interval(DETECTED_HARMFUL) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert tally.rate(PASS_HEALTHY) == 0.0


def test_bias_is_the_mean_error_with_its_standard_error() -> None:
    errors = np.array([0.1, -0.1, 0.3, 0.1])
    tally = total(tally_of(repetition(estimate=0.5 + e, low=0, high=1, truth=0.5)) for e in errors)
    assert tally.bias == pytest.approx(0.1)
    assert tally.bias_error == pytest.approx(errors.std(ddof=1) / 2)


def test_coverage_counts_intervals_on_either_side_of_the_truth() -> None:
    found = [(0.1, 0.3), (0.21, 0.3), (0.1, 0.19), (0.2, 0.3)]  # covers, above, below, touches
    tally = total(tally_of(repetition(low=low, high=high)) for low, high in found)
    assert (tally.above, tally.below, tally.coverage) == (1, 1, 0.5)


def test_what_was_not_measured_has_no_estimate_and_is_counted_as_such() -> None:
    broken = Repetition("error", None, None, None, 0.2, None, 0.1, 1, reason="ValueError: no")
    tally = tally_of(broken)
    assert (tally.n, tally.errors, tally.measured) == (1, 1, 0)
    assert tally.bias is None
    assert tally.coverage is None


def test_localisation_is_the_mean_over_those_that_name_rows() -> None:
    tally = total(tally_of(repetition(localised=share)) for share in (1.0, 0.5, None))
    assert tally.localisation == 0.75
    assert Tally().localisation is None
