import numpy as np
import pytest

from roadworthy.engine import Registry, check, control, fault
from roadworthy.errors import UserError
from roadworthy.procedures.selftest.plan import planned, reasons_to_alarm
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import rate

BOUND = AtMost(0.1, "house default")


@check(challenge="toy", requires=BOUND, least=30)
def gap(test_labels: np.ndarray) -> Measurement:
    """A gap.

    Unit: share of rows. Qualified at: severity 0.2 of `wrong`, n = 1,500; passes at half the bound
    from 3,000 rows.
    Next: look at 20 rows.
    """
    return rate(0, len(test_labels))


@check(challenge="toy", requires=BOUND)
def silent(test_labels: np.ndarray) -> Measurement:
    """Nothing is stated."""
    return rate(0, len(test_labels))


@check(challenge="toy")
def described(test_labels: np.ndarray) -> Measurement:
    """A list to look at."""
    return rate(0, len(test_labels))


@control(clears="gap")
def cleaned(subject, rng):
    """Do nothing."""
    return subject


@fault(breaks="gap", severities=(0.2,), starts_from="cleaned")
def wrong(subject, severity, rng):
    """Plant.

    Also alarms: silent (sees the same rows), described (it lists
    everything).

    Leaves the rest alone, as gap (does).
    """
    return subject


@fault(breaks="silent", severities=(0.2,))
def from_the_subject_itself(subject, severity, rng):
    """Plant."""
    return subject


@fault(breaks="gab", severities=(0.2,))
def misdirected(subject, severity, rng):
    """Plant."""
    return subject


@fault(breaks="gap", severities=(0.2,), starts_from="cleand")
def from_nowhere(subject, severity, rng):
    """Plant."""
    return subject


def test_each_check_meets_its_faults_from_their_controls() -> None:
    trials, skipped = planned(
        Registry.of(gap, silent, described, cleaned, wrong, from_the_subject_itself)
    )
    assert [(t.check.name, t.fault.name, t.control and t.control.name) for t in trials] == [
        ("gap", "wrong", "cleaned"),
        ("silent", "from_the_subject_itself", None),
    ]
    assert [(s.name, s.reason) for s in skipped] == [
        ("described", "a description; nothing is required of it")
    ]
    assert trials[0].least == 30


def test_what_is_promised_follows_from_the_n_that_the_check_states() -> None:
    trials, _ = planned(Registry.of(gap, silent, cleaned, wrong, from_the_subject_itself))
    assert trials[0].promised_at(1_499) == ()
    assert trials[0].promised_at(1_500) == ("finding",)
    assert trials[0].promised_at(3_000) == ("finding", "passing")
    assert trials[1].promised_at(1) == ("finding", "passing")


@pytest.mark.parametrize(("bad", "near"), [(misdirected, "gap"), (from_nowhere, "cleaned")])
def test_a_fault_that_names_what_does_not_exist_is_said_with_its_place(bad, near) -> None:
    with pytest.raises(UserError, match=f'Did you mean "{near}"') as raised:
        planned(Registry.of(gap, cleaned, bad))
    assert "test_plan.py:" in str(raised.value)


def test_reasons_of_others_to_alarm_are_read_from_the_fault() -> None:
    (trial,), _ = planned(Registry.of(gap, cleaned, wrong))
    assert reasons_to_alarm(trial.fault) == {
        "silent": "sees the same rows",
        "described": "it lists everything",
    }
