import numpy as np
import pytest

from roadworthy.procedures.selftest.stopping import (
    ANY_FALSE_FAIL,
    DETECTED_HARMFUL,
    ERROR_RATE,
    FALSE_FAIL_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    PASS_HEALTHY,
    Mark,
    decide,
    log_evidence_above,
    log_evidence_below,
)


def decided_by(mark: Mark, rate: float, rng: np.random.Generator, most: int = 1_500) -> str:
    """Look after every fifth repetition of a control whose true rate is `rate`."""
    hits = np.cumsum(rng.random(most) < rate)
    for n in range(5, most + 1, 5):
        decision = decide(mark, int(hits[n - 1]), n)
        if decision != "open":
            return decision
    return "open"


def share(mark: Mark, rate: float, decision: str, runs: int = 200) -> float:
    rng = np.random.default_rng(5)
    return sum(decided_by(mark, rate, rng) == decision for _ in range(runs)) / runs


@pytest.mark.parametrize("mark", [FALSE_FAIL_AT_BOUND, PASS_HEALTHY, DETECTED_HARMFUL])
def test_a_rate_on_its_mark_is_rarely_called_missed_however_often_one_looks(mark: Mark) -> None:
    # 200 runs at an error rate of 2.5 %: more than 12 (6 %) happen with probability 0.002
    assert share(mark, mark.rate, "missed") <= 0.06


@pytest.mark.parametrize("mark", [FALSE_FAIL_AT_BOUND, PASS_HEALTHY, DETECTED_HARMFUL])
def test_a_rate_that_must_be_excluded_is_rarely_called_reached(mark: Mark) -> None:
    assert share(mark, mark.shown, "reached") <= 0.06


def test_an_exact_interval_at_its_bound_is_found_to_keep_its_mark() -> None:
    assert share(FALSE_FAIL_AT_BOUND, 0.025, "reached", runs=60) >= 0.7


def test_rates_far_from_their_marks_are_decided_soon() -> None:
    assert decide(FALSE_FAIL_HEALTHY, 0, 188) == "reached"
    assert decide(FALSE_FAIL_HEALTHY, 0, 187) == "open"
    assert decide(PASS_HEALTHY, 22, 22) == "reached"
    assert decide(DETECTED_HARMFUL, 0, 5) == "missed"  # 20 times a hit rate of .05 in a row
    assert decide(ANY_FALSE_FAIL, 0, 93) == "reached"


def test_nothing_is_decided_before_the_first_repetition() -> None:
    assert decide(DETECTED_HARMFUL, 0, 0) == "open"


def test_evidence_after_one_repetition_is_the_mean_likelihood_ratio() -> None:
    # One hit against "at most .2": uniform over (.2, 1) has mean rate .6, so .6 / .2 = 3.
    assert np.exp(log_evidence_above(1, 1, 0.2)) == pytest.approx(3.0)
    # One miss: mean of 1 - p is .4, so .4 / .8 = .5.
    assert np.exp(log_evidence_above(0, 1, 0.2)) == pytest.approx(0.5)


def test_evidence_has_mean_one_where_the_rate_is_on_the_tested_value() -> None:
    # Over the two outcomes of one repetition: p E(hit) + (1 - p) E(miss) = 1, exactly.
    for evidence in (log_evidence_above, log_evidence_below):
        mean = 0.05 * np.exp(evidence(1, 1, 0.05)) + 0.95 * np.exp(evidence(0, 1, 0.05))
        assert mean == pytest.approx(1.0)


def test_error_rate_is_that_of_a_verdict() -> None:
    assert ERROR_RATE == 0.025
