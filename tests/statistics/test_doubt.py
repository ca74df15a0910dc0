"""Verdicts of doubted measurements: they may fail, and why they do not pass is told apart."""

from roadworthy.results import AtMost, doubted, short_of_examples
from roadworthy.statistics import judged, rate

BOUND = AtMost(0.3, "house default")
FEW = ('"c" has 20',)


def test_a_measurement_of_too_few_does_not_pass_and_says_that_more_are_needed() -> None:
    found = judged(short_of_examples(rate(1, 200), FEW), BOUND)
    assert (found.verdict, found.reason_code) == ("inconclusive", "insufficient_n")
    assert found.reason.startswith('Too few for a pass: "c" has 20. Measured:')


def test_an_instrument_that_may_have_failed_is_not_reliable() -> None:
    found = judged(doubted(rate(1, 200), ("gradients are 0",)), BOUND)
    assert (found.verdict, found.reason_code) == ("inconclusive", "unreliable")


def test_harm_that_was_found_fails_whatever_the_doubt() -> None:
    assert judged(short_of_examples(rate(150, 200), FEW), BOUND).verdict == "fail"


def test_below_the_least_n_the_doubt_is_said_and_no_number_of_any_kind_of_row() -> None:
    found = judged(short_of_examples(rate(1, 20), FEW), BOUND, least=30)
    assert found.reason_code == "insufficient_n"
    assert '"c" has 20' in found.reason
    assert found.examples_needed is None


def test_where_a_doubt_remains_no_number_of_rows_is_said_to_decide() -> None:
    for make in (short_of_examples, doubted):
        found = judged(make(rate(50, 200), FEW), BOUND)  # the interval reaches over the bound
        assert found.verdict == "inconclusive"
        assert "would decide" not in found.reason
