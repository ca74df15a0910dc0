from dataclasses import replace
from io import StringIO

from rich.console import Console

from roadworthy.procedures.selftest.records import (
    Batch,
    CrossBatch,
    Crossing,
    Entry,
    Kind,
    NaturalRecord,
    Records,
    RungRecord,
    Suite,
    SuiteBatch,
)
from roadworthy.procedures.selftest.table import console, markdown, power_curve
from roadworthy.procedures.selftest.tally import Tally
from roadworthy.results import AtMost

KIND = Kind("binary", "table", "1,000 to 2,999")


def rung(role, severity, fails, n) -> RungRecord:
    found = Tally(n=n, fails=fails, passes=n - fails, measured=n, above=1, truth_sum=severity * n)
    return RungRecord(role, severity, (Batch("toy", "k", 0, 0, found),))


ENTRY = Entry(
    "gap", "wrong", None, AtMost(0.1, "here"), "share of rows", KIND, False, ("finding", "passing"),
    2_000, {}, (rung("clean", 0.0, 0, 40), rung("bound", 0.1, 2, 40), rung("harmful", 0.2, 40, 40)),
)  # fmt: skip


def crossing(check: str, alarms: int, without: int, why: str = "") -> Crossing:
    batch = CrossBatch("k", 0, 0, 5, alarms, without)
    return Crossing("wrong", "gap", check, KIND, why, {}, (batch,))


RECORDS = Records(
    entries=(ENTRY,),
    crossings=(
        crossing("quiet", 0, 0),
        crossing("always", 5, 5),
        crossing("nervous", 4, 1),
        crossing("related", 5, 0, "sees the same rows"),
    ),
    suites=(Suite(KIND, ("gap",), {}, (SuiteBatch("k", 0, 0, 60, 2, {"gap": 2}),)),),
    naturals=(
        NaturalRecord(
            "pima", "gap", "374 zeros", "a paper", ("fail",), "pass", 0.01, 0.0, 0.05, 768, "", {}
        ),
    ),
)


def test_the_page_shows_counts_rates_and_exact_intervals() -> None:
    page = markdown(RECORDS)
    assert "## Binary table, 1,000 to 2,999 test rows" in page
    # Clopper-Pearson 2 of 40: 0.6 % to 16.9 % (the package's own doctest of `judge` has the same)
    assert "2 of 40 (5.0 %; 0.6 % to 16.9 %)" in page
    assert "0: 0 %; 0.1 (bound): 5.0 %; 0.2: 100 %" in page
    assert "2 of 60 audits by 1 checks had a false fail" in page


def test_alarms_at_the_faults_of_others_are_listed_with_their_reason_or_its_lack() -> None:
    page = markdown(RECORDS)
    assert "2 of 4 pairs are silent" in page
    assert "| `wrong` | `nervous` | 4 of 5 (without the fault 1) | **no reason given** |" in page
    assert "| `wrong` | `related` | 5 of 5 (without the fault 0) | sees the same rows |" in page
    assert "`quiet`" not in page


def test_a_natural_fault_that_was_overlooked_is_said() -> None:
    assert "**no**, expected fail" in markdown(RECORDS)


def test_an_empty_record_is_a_page_too() -> None:
    assert "Nothing is known yet." in markdown(Records())


def test_the_terminal_shows_a_line_per_check_and_fault() -> None:
    screen = StringIO()
    Console(file=screen, width=200).print(console(RECORDS))
    assert "2/40" in screen.getvalue()
    assert "missed" in screen.getvalue()
    broken = replace(ENTRY.rungs[0], batches=(Batch("toy", "k", 0, 0, Tally(n=3, errors=3)),))
    Console(file=screen, width=200).print(console(Records((replace(ENTRY, rungs=(broken,)),))))
    assert "broke" in screen.getvalue()


def test_power_is_a_curve_with_its_uncertainty() -> None:
    curve = power_curve([ENTRY])
    (series,) = curve.series
    assert series.x == (0.0, 0.1, 0.2)
    assert series.y == (0.0, 0.05, 1.0)
    assert series.low is not None
    assert 0.005 < series.low[1] < 0.05
    assert curve.x.unit == "share of rows"
