from dataclasses import replace

import numpy as np
import pytest

from roadworthy.procedures.selftest.ladder import Role
from roadworthy.procedures.selftest.records import Batch, Entry, Kind, Records, RungRecord
from roadworthy.procedures.selftest.standing import (
    is_qualified,
    misses_its_fault,
    record_for,
    summary_of,
)
from roadworthy.procedures.selftest.tally import Tally
from roadworthy.results import AtMost
from roadworthy.subject import Split, Subject, Task

KIND = Kind("binary", "table", "1,000 to 2,999")
SEVERITY: dict[Role, float] = {"clean": 0.0, "healthy": 0.05, "bound": 0.1, "harmful": 0.2}


SPLIT = Split(np.zeros((1_500, 2)), np.zeros(1_500, np.int64))
SUBJECT = Subject("toy", Task("binary", ("n", "y")), "table", {"test": SPLIT})


def entry(promised=("finding", "passing"), errors=0, **counts: tuple[int, int, int]) -> Entry:
    """Make an entry from (passes, fails, undecided) per role."""
    rungs = tuple(
        RungRecord(role, SEVERITY[role], (Batch("toy", "k", 0, 0, tally(*counts[role], errors)),))
        for role in SEVERITY
        if role in counts
    )
    return Entry(
        "gap", "wrong", None, AtMost(0.1, "here"), "share", KIND, False, promised, 2_000, {}, rungs
    )


def tally(passes: int, fails: int, undecided: int, errors: int) -> Tally:
    n = passes + fails + undecided + errors
    return Tally(n=n, passes=passes, fails=fails, undecided=undecided, errors=errors)


GOOD = {
    "clean": (200, 0, 0),
    "healthy": (195, 0, 5),
    "bound": (3, 4, 393),
    "harmful": (0, 299, 1),
}


def test_a_check_is_qualified_when_every_mark_is_reached() -> None:
    assert is_qualified([entry(**GOOD)]) is True
    assert is_qualified([]) is None


@pytest.mark.parametrize(
    ("role", "counts"),
    [
        ("bound", (3, 40, 357)),
        ("bound", (40, 3, 357)),
        ("healthy", (160, 40, 0)),
        ("healthy", (60, 0, 140)),
        ("harmful", (0, 80, 20)),
        ("harmful", (20, 280, 0)),
    ],
)
def test_one_missed_mark_disqualifies(role, counts) -> None:
    assert is_qualified([entry(**{**GOOD, role: counts})]) is False


def test_few_repetitions_decide_nothing() -> None:
    few = {role: tuple(min(c, 3) for c in counts) for role, counts in GOOD.items()}
    assert is_qualified([entry(**{**few, "bound": (0, 0, 3), "harmful": (0, 3, 0)})]) is None


def test_below_the_stated_n_only_wrong_verdicts_disqualify() -> None:
    undecided = {**GOOD, "healthy": (20, 0, 180), "harmful": (0, 50, 250)}
    assert is_qualified([entry(**undecided)]) is False
    assert is_qualified([entry(promised=(), **undecided)]) is None
    assert is_qualified([entry(promised=(), **GOOD)]) is True
    assert is_qualified([entry(promised=(), **{**GOOD, "harmful": (40, 260, 0)})]) is False


def test_a_check_that_broke_is_not_qualified() -> None:
    assert is_qualified([entry(errors=1, **GOOD)]) is False
    assert misses_its_fault([entry(errors=1, **GOOD)])
    assert "broke in 4 repetitions" in summary_of([entry(errors=1, **GOOD)])


def test_every_fault_of_a_check_counts() -> None:
    missed = replace(entry(**{**GOOD, "harmful": (0, 80, 20)}), fault="another")
    assert is_qualified([entry(**GOOD), missed]) is False


def test_alarming_too_often_is_not_missing_the_fault() -> None:
    nervous = entry(**{**GOOD, "bound": (3, 40, 357)})
    assert is_qualified([nervous]) is False
    assert not misses_its_fault([nervous])


def test_a_record_says_that_a_check_is_blind_to_its_own_fault() -> None:
    blind = entry(**{**GOOD, "harmful": (300, 0, 0)})
    for found, is_blind in ((blind, True), (entry(**GOOD), False)):
        record = record_for(found.check, SUBJECT, Records(entries=(found,)))
        assert record is not None
        assert record.blind is is_blind


def test_the_summary_says_what_was_found_in_plain_numbers() -> None:
    assert summary_of([entry(**GOOD)]) == (
        "the self-test found 299 of 300 planted faults of this kind at n = 2,000; "
        "0 false alarms in 400 healthy audits; "
        "4 false fails in 400 and 3 false passes in 400 at the bound"
    )


def test_a_record_holds_rates_of_this_kind_of_subject() -> None:
    record = record_for("gap", SUBJECT, Records((entry(**GOOD),)))
    assert record is not None
    assert record.subject_kind == "binary table, 1,000 to 2,999 test rows"
    assert record.repetitions == 1_100 + 0 * len(GOOD)
    assert record.false_fail_at_bound == 0.01
    assert record.pass_healthy == 0.975
    assert record.detected_harmful == pytest.approx(299 / 300)
    assert record.qualified is True
