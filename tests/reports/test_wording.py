"""Numbers, verdicts and states in words, with every expectation worked out by hand."""

from dataclasses import replace

import pytest
import synthetic_audits as made

from roadworthy.reports import wording
from roadworthy.results import AtMost, Fact, Finding, Multiplicity


def finding(value: float, low: float, high: float, unit: str, bound: float) -> Finding:
    return replace(
        made.findings()[0], value=value, low=low, high=high, unit=unit,
        requirement=AtMost(bound, "house default"), distribution=Fact(value),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "low", "high", "unit", "bound", "said"),
    [
        # width 5.0 points, of which two digits are shown: one decimal
        (0.0812, 0.0601, 0.1098, "share of rows", 0.05, "8.1 % of rows (95 % interval 6.0 to 11.0 %); must be at most 5 %"),
        (0.5, 0.3, 0.7, "share", 0.9, "50 % (95 % interval 30 to 70 %); must be at most 90 %"),
        # 4.96 % rounds to the bound, which would hide its side: one decimal more
        (0.0448, 0.0401, 0.0496, "share of rows", 0.05, "4.48 % of rows (95 % interval 4.01 to 4.96 %); must be at most 5 %"),
        (1234.5, 1200.2, 1300.9, "nats", 2000, "1,234 nats (95 % interval 1,200 to 1,301); must be at most 2,000"),
        (3, 3, 3, "rows", 0.5, "3 rows (counted exactly; no chance is involved); must be at most 0.5"),
        (-0.02, -0.04, 0.0001, "nats", 0.1, "−0.020 nats (95 % interval −0.040 to 0.000); must be at most 0.1"),
    ],
)  # fmt: skip
def test_a_number_is_said_with_interval_and_bound(
    value: float, low: float, high: float, unit: str, bound: float, said: str
) -> None:
    line = wording.number_line(finding(value, low, high, unit, bound))
    assert line.replace("\u00a0", " ") == said


def test_nothing_measured_is_no_number() -> None:
    unmeasured = replace(made.findings()[0], value=None)
    assert wording.number_line(unmeasured) == ""
    assert wording.quantity(unmeasured) is None


@pytest.mark.parametrize("bound", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("digits", range(1, 6))
def test_rounding_never_moves_a_number_across_or_onto_its_bound(bound: float, digits: int) -> None:
    value = bound + 10.0**-digits * 0.4
    said = wording.quantity(finding(value, value, value + 0.3, "nats", bound))
    assert said is not None
    assert float(said.value) > bound


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({}, "fail", "3 of 5 decided checks fail."),
        ({"findings": made.findings()[3:]}, "error", "1 check broke; nothing that was decided fails."),
        ({"findings": made.findings()[3:4]}, "inconclusive", "Nothing was decided."),
        ({"findings": made.findings()[3:4] + made.findings()[8:10]}, "inconclusive", "Nothing fails; 1 required check is undecided."),
        ({"findings": made.findings()[8:10]}, "pass", "All 2 decided checks pass."),
        ({"findings": made.findings()[8:10], "complete": False}, "inconclusive", "Nothing fails so far; 2 checks decided."),
        ({"findings": ()}, "inconclusive", "Nothing was decided."),
    ],
)  # fmt: skip
def test_the_headline_says_the_state(changes: dict, state: str, said: str) -> None:
    audit = replace(made.audit_of(made.findings()), **changes)
    assert wording.headline(audit) == (state, said)


def test_a_fail_that_may_be_luck_is_called_a_lead() -> None:
    said = " ".join(wording.multiplicity_words(made.full()))
    assert "2 of 3 fails remain" in said
    assert "Only a lead, to be confirmed on new data: overfitting_gap." in said


def test_where_nothing_is_decided_nothing_is_counted() -> None:
    said = wording.multiplicity_words(
        replace(made.full(), multiplicity=Multiplicity(0, 0.0, (), "none"))
    )
    assert said == ("No check was decided, so there is nothing to correct for.",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2026-01-02T12:00:00+00:00", "2 January 2026, 12:00 UTC"),
        ("2026-01-02T12:00:00", "2 January 2026, 12:00"),
        ("yesterday", "yesterday"),
    ],
)
def test_dates_in_words(given: str, said: str) -> None:
    assert wording.date_words(given) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.1234, "0.123 s"), (41.3, "41.3 s"), (200, "3 min 20 s")]
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert wording.seconds_words(seconds) == said


def test_what_the_selftest_knows_is_said_for_each_state() -> None:
    assert wording.record_words(made.RECORD).startswith("Qualified here: In 2,000 repetitions")
    assert wording.record_words(made.MISSED).startswith("Missed its own faults here:")
    assert wording.record_words(replace(made.RECORD, qualified=None)).startswith("Not qualified")
    assert wording.record_words(None).startswith("Not qualified here: the self-test has no record")
