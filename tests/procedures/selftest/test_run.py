"""The harness on checks whose faults are known: honest, over-confident, blind, broken, mis-planted."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.engine import Registry, Store, artifact, check, control, fault, natural_fault
from roadworthy.errors import NotApplicable, UserError
from roadworthy.procedures.selftest import Effort, Records, record_for, selftest
from roadworthy.procedures.selftest.standing import is_qualified, misses_its_fault, standings
from roadworthy.results import AtLeast, AtMost, Example, Examples, Measurement
from roadworthy.statistics import fact, rate
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.natural import Natural

N = 400
BOUND = AtMost(0.1, "house default")
UNIT = "share of test rows"
EFFORT = Effort(seconds=600.0, least=40, most=220, curve=20, crossings=2, suites=5)


def subject(n: int = N) -> Subject:
    rng = np.random.default_rng(0)
    splits = {
        name: Split(rng.normal(size=(n, 3)), rng.integers(0, 2, n)) for name in ("train", "test")
    }
    return Subject("toy", Task("binary", ("no", "yes"), 1), "array", splits)


# An honest check: the share of positive labels with its exact interval.


@check(challenge="toy", requires=BOUND)
def share_of_ones(test_labels: np.ndarray) -> Measurement:
    """Share of test labels that are 1.

    Unit: share of test rows. Qualified at: severity 0.2 of `ones`, n = 400.
    """
    rows = np.flatnonzero(test_labels == 1)
    shown = Examples("ones", tuple(Example("test", int(row), "is 1") for row in rows[:20]))
    found = rate(len(rows), len(test_labels), unit=UNIT)
    return replace(found, evidence=(shown,))


@control(clears="share_of_ones")
def no_ones(subject: Subject, rng: np.random.Generator) -> Subject:
    """Make every test label 0."""
    return subject.with_target("test", np.zeros_like(subject.splits["test"].target))


@fault(breaks="share_of_ones", severities=(0.02, 0.1, 0.15), starts_from="no_ones")
def ones(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Make each test label 1 with the chance `severity`."""
    n = subject.splits["test"].n
    return subject.with_target("test", (rng.random(n) < severity).astype(np.int64))


# The same with an interval that is half as wide as it should be.


@check(challenge="toy", requires=BOUND)
def overconfident(test_labels: np.ndarray) -> Measurement:
    """Share of ones, too sure. Unit: share of test rows."""
    honest = rate(int(test_labels.sum()), len(test_labels), unit=UNIT)
    low = honest.value - (honest.value - honest.low) / 2
    high = honest.value + (honest.high - honest.value) / 2
    return replace(honest, low=low, high=high, distribution=_normal(honest.value, (high - low) / 4))


def _normal(value, error):
    from roadworthy.results import Estimate

    return Estimate(value, error)


@fault(breaks="overconfident", severities=(0.1,), starts_from="no_ones")
def ones_for_the_overconfident(
    subject: Subject, severity: float, rng: np.random.Generator
) -> Subject:
    """Make each test label 1 with the chance `severity`."""
    return ones(subject, severity, rng)


# A check that always passes, one that breaks when there is something to find.


@check(challenge="toy", requires=BOUND)
def blind(test_labels: np.ndarray) -> Measurement:
    """Nothing. Unit: share of test rows."""
    return rate(0, len(test_labels), unit=UNIT)


@fault(breaks="blind", severities=(0.1,), starts_from="no_ones")
def ones_for_the_blind(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Make each test label 1 with the chance `severity`."""
    return ones(subject, severity, rng)


@check(challenge="toy", requires=BOUND)
def fragile(test_labels: np.ndarray) -> Measurement:
    """Share of ones, or a crash. Unit: share of test rows."""
    if test_labels.mean() > 0.15:
        raise ValueError("too many ones")
    return rate(int(test_labels.sum()), len(test_labels), unit=UNIT)


@fault(breaks="fragile", severities=(0.1,), starts_from="no_ones")
def ones_for_the_fragile(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Make each test label 1 with the chance `severity`."""
    return ones(subject, severity, rng)


# A fault that plants more than it says.


@check(challenge="toy", requires=BOUND)
def share_again(test_labels: np.ndarray) -> Measurement:
    """Share of ones. Unit: share of test rows."""
    return rate(int(test_labels.sum()), len(test_labels), unit=UNIT)


@fault(breaks="share_again", severities=(0.1,), starts_from="no_ones")
def half_as_many_again(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Say `severity` and plant half as much again."""
    return ones(subject, 1.5 * severity, rng)


# A fact, with its exact grid.


@check(challenge="toy", requires=AtMost(0.01, "house default"))
def exact_ones(test_labels: np.ndarray) -> Measurement:
    """Share of ones, as a fact. Unit: share of test rows."""
    n = len(test_labels)
    return fact(float(test_labels.sum()) / n, n, unit=UNIT)


@fault(breaks="exact_ones", severities=(0.05,), starts_from="no_ones")
def so_many_ones(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Make a share `severity` of test labels 1, rounded to whole rows."""
    labels = subject.splits["test"].target.copy()
    rows = rng.choice(len(labels), round(severity * len(labels)), replace=False)
    labels[rows] = 1
    return subject.with_target("test", labels)


# A quality instead of a harm.


@check(challenge="toy", requires=AtLeast(0.9, "house default"))
def share_of_zeros(test_labels: np.ndarray) -> Measurement:
    """Share of test labels that are 0. Unit: share of test rows."""
    return rate(int((test_labels == 0).sum()), len(test_labels), unit=UNIT)


@fault(breaks="share_of_zeros", severities=(0.95,), starts_from="no_ones")
def fewer_zeros(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Leave a label 0 with the chance `severity`."""
    return ones(subject, 1 - severity, rng)


TOYS = (share_of_ones, no_ones, ones)


def harnessed(*functions, n: int = N, effort: Effort = EFFORT, **options):
    registry = Registry.of(*functions)
    return selftest(subject(n), registry, store=Store(None), effort=effort, **options)


def only_entry(result):
    (entry,) = result.found.entries
    return entry


def by_name(entry):
    return {s.mark.name: s for s in standings([entry])}


def test_an_honest_check_reaches_its_marks() -> None:
    result = harnessed(*TOYS)
    entry = only_entry(result)
    found = by_name(entry)
    assert result.complete
    assert not result.broken
    assert found["detected_harmful"].decision == "reached"
    assert found["pass_healthy"].decision == "reached"
    assert all(s.decision != "missed" for s in found.values())
    assert is_qualified([entry]) is not False
    whole = entry.tally("clean", "healthy", "bound", "harmful", "curve")
    # Clopper-Pearson covers at least 95 %; 0.93 is four standard errors below for 800 repetitions
    assert whole.coverage >= 0.93
    assert abs(whole.bias) < 4 * whole.bias_error


def test_an_overconfident_check_is_caught_at_the_bound() -> None:
    entry = only_entry(harnessed(overconfident, no_ones, ones_for_the_overconfident))
    found = by_name(entry)
    # Half the width: 1.96 / 2 standard errors, so 16 % on each side of the bound instead of 2.5 %
    assert found["false_fail_at_bound"].decision == "missed"
    assert found["false_pass_at_bound"].decision == "missed"
    # Far from the bound nothing is to be seen, which is why the bound is tested.
    assert found["detected_harmful"].decision == "reached"
    assert is_qualified([entry]) is False


def test_a_blind_check_is_caught_by_what_is_harmful() -> None:
    entry = only_entry(harnessed(blind, no_ones, ones_for_the_blind))
    found = by_name(entry)
    assert found["detected_harmful"].decision == "missed"
    assert found["false_pass_harmful"].decision == "missed"
    assert misses_its_fault([entry])


def test_a_check_that_breaks_is_shown_as_such() -> None:
    result = harnessed(fragile, no_ones, ones_for_the_fragile)
    entry = only_entry(result)
    assert entry.tally("harmful").errors == 5, "a rung is closed after five errors"
    assert entry.tally("clean").errors == 0
    assert is_qualified([entry]) is False
    assert "too many ones" in result.broken["fragile with ones_for_the_fragile"]


def test_a_fault_that_plants_another_truth_is_caught_by_bias_and_coverage() -> None:
    entry = only_entry(harnessed(share_again, no_ones, half_as_many_again))
    at_bound = entry.tally("bound")
    assert at_bound.bias == pytest.approx(0.05, abs=0.006)
    assert at_bound.coverage < 0.3
    assert at_bound.above > 0


def test_a_fact_is_planted_exactly_on_both_sides_of_its_bound() -> None:
    entry = only_entry(harnessed(exact_ones, no_ones, so_many_ones, n=297))
    assert entry.is_fact
    assert entry.tally("bound").passes == entry.tally("bound").n
    assert entry.tally("beyond").fails == entry.tally("beyond").n
    assert entry.tally("clean", "bound", "beyond", "harmful", "curve").coverage == 1.0
    assert is_qualified([entry]) is True


def test_a_quality_is_planted_as_the_value_that_the_check_should_find() -> None:
    entry = only_entry(harnessed(share_of_zeros, no_ones, fewer_zeros))
    assert {r.role: round(r.severity, 6) for r in entry.rungs if r.role != "curve"} == {
        "clean": 1.0, "healthy": 0.95, "bound": 0.9, "harmful": 0.8,
    }  # fmt: skip
    assert by_name(entry)["detected_harmful"].decision == "reached"
    assert abs(entry.tally("harmful").bias) < 0.01


def test_rows_that_were_planted_are_found_among_the_examples() -> None:
    entry = only_entry(harnessed(*TOYS))
    assert entry.tally("harmful").localisation == 1.0
    assert entry.tally("bound").localisation is None


def test_repetitions_differ_by_their_number_alone_and_a_second_run_goes_on() -> None:
    effort = replace(EFFORT, seconds=1e-9)  # one repetition of each control
    first, again = harnessed(*TOYS, effort=effort), harnessed(*TOYS, effort=effort)

    def untimed(result):
        return [replace(r.tally, seconds=0) for r in only_entry(result).rungs]

    assert untimed(first) == untimed(again)
    further = harnessed(*TOYS, effort=effort, known=first.known)
    assert all(r.batches[0].first == 1 for r in only_entry(further).rungs)
    (known,) = further.known.entries
    assert known.tally("bound").n == 2


def test_a_decided_control_is_not_prolonged_beyond_the_least() -> None:
    first = harnessed(*TOYS)
    further = harnessed(*TOYS, known=first.known)
    if by_name(only_entry(first))["detected_harmful"].decision == "reached":
        assert only_entry(further).tally("harmful").n == EFFORT.least


def test_a_changed_check_starts_a_new_record() -> None:
    first = harnessed(*TOYS)
    stale = replace(only_entry(first), code={"check share_of_ones": "another"})
    further = harnessed(*TOYS, known=replace(first.known, entries=(stale,)))
    assert further.known.entries == further.found.entries


def test_what_this_run_tested_is_shown_without_all_else_that_is_known() -> None:
    first = harnessed(*TOYS)
    other = replace(only_entry(first), check="another")
    further = harnessed(*TOYS, known=replace(first.known, entries=(only_entry(first), other)))
    assert [entry.check for entry in further.tested.entries] == ["share_of_ones"]
    assert replace(further, found=Records()).tested == further.known


def test_the_record_of_a_check_is_for_subjects_of_its_kind() -> None:
    result = harnessed(*TOYS)
    here = record_for("share_of_ones", subject(), result.known)
    assert here is not None
    assert here.detected_harmful == 1.0
    assert here.summary.startswith("the self-test found ")
    elsewhere = record_for("share_of_ones", subject(5_000), result.known)
    assert elsewhere is not None
    assert elsewhere.qualified is None
    assert elsewhere.repetitions == 0
    assert record_for("nothing", subject(), result.known) is None


# What cannot be planted, and who else alarms.


@check(challenge="toy", requires=BOUND)
def unfaulted(test_inputs: np.ndarray) -> Measurement:
    """Share of large values. Unit: share of test rows."""
    return rate(0, len(test_inputs), unit=UNIT)


@check(challenge="toy", requires=AtMost(0.05, "house default"))
def also_counts_ones(test_labels: np.ndarray) -> Measurement:
    """Share of ones, held to less. Unit: share of test rows."""
    return rate(int(test_labels.sum()), len(test_labels), unit=UNIT)


def test_what_has_no_fault_is_listed_as_such() -> None:
    result = harnessed(*TOYS, unfaulted)
    assert [s.name for s in result.skipped if "no fault" in s.reason] == ["unfaulted"]


def test_the_matrix_shows_who_else_alarms_and_leaves_out_who_cannot() -> None:
    result = harnessed(*TOYS, unfaulted, also_counts_ones, effort=replace(EFFORT, most=40))
    (cell,) = result.found.crossings
    assert (cell.fault, cell.check) == ("ones", "also_counts_ones")
    assert sum(b.alarms for b in cell.batches) == sum(b.n for b in cell.batches) == 2
    assert sum(b.alarms_without for b in cell.batches) == 0


def test_whole_audits_of_a_healthy_subject_are_counted() -> None:
    result = harnessed(*TOYS, exact_ones, so_many_ones, effort=replace(EFFORT, most=40))
    (suite,) = result.found.suites
    assert suite.checks == ("exact_ones", "share_of_ones")
    assert [(b.n, b.with_false_fail) for b in suite.batches] == [(5, 0)]


def test_a_false_fail_of_one_check_makes_the_whole_audit_false() -> None:
    effort = replace(EFFORT, most=40, suites=40)
    nervous = replace(
        BOUND, bound=0.06
    )  # fails at .03 of .06 too, since it sees three times as much
    marked = check(challenge="toy", requires=nervous)(_thrice)
    planting = fault(breaks="_thrice", severities=(), starts_from="no_ones")(_ones_for_thrice)
    result = harnessed(*TOYS, marked, planting, effort=effort)
    (batch,) = result.found.suites[0].batches
    assert batch.n == 40
    assert batch.with_false_fail == batch.false_fails["_thrice"] >= 1
    assert "share_of_ones" not in batch.false_fails


def _thrice(test_labels: np.ndarray) -> Measurement:
    """See three times as much. Unit: share of test rows."""
    return rate(3 * int(test_labels.sum()), len(test_labels), unit=UNIT)


def _ones_for_thrice(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Make labels 1 by chance."""
    return ones(subject, severity, rng)


@control(clears="share_of_ones")
def of_tables_only(subject: Subject, rng: np.random.Generator) -> Subject:
    """Say that it does not apply."""
    raise NotApplicable("only tables have columns")


@fault(breaks="share_of_ones", severities=(0.1,), starts_from="of_tables_only")
def in_tables(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Never reached."""
    return subject


@fault(breaks="share_of_ones", severities=(0.1,))
def broken_fault(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Divide by nothing."""
    return 1 / 0


@fault(breaks="share_of_ones", severities=(0.1,))
def greedy(
    subject: Subject, severity: float, rng: np.random.Generator, test_times: np.ndarray
) -> Subject:
    """Ask for what is not there."""
    return subject


def test_what_cannot_be_planted_is_skipped_with_its_reason_and_the_rest_goes_on() -> None:
    result = harnessed(
        *TOYS, of_tables_only, in_tables, broken_fault, greedy, effort=replace(EFFORT, most=40)
    )
    reasons = {s.name: s.reason for s in result.skipped}
    assert reasons["share_of_ones with in_tables"] == "only tables have columns"
    assert "broken_fault broke: ZeroDivisionError" in reasons["share_of_ones with broken_fault"]
    assert "greedy needs test_times" in reasons["share_of_ones with greedy"]
    assert list(result.broken) == ["share_of_ones with broken_fault"]
    assert only_entry(result).fault == "ones"


# Artifacts: computed once of the subject itself, and handed on where no field of theirs changed.

CALLS: list[str] = []


@artifact(cost="training")
def weights(train_inputs: np.ndarray) -> np.ndarray:
    """Pretend to train."""
    CALLS.append("trained")
    return train_inputs.mean(axis=0)


@artifact(per="split")
def claims(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Claim a chance for each row: (n,)."""
    CALLS.append("claimed")
    return 1 / (1 + np.exp(-inputs @ weights))


@check(challenge="toy", requires=BOUND)
def share_off(test_claims: np.ndarray, test_labels: np.ndarray) -> Measurement:
    """Share of labels that are 1 where none was claimed. Unit: share of test rows."""
    return rate(int(test_labels[test_claims > -1].sum()), len(test_labels), unit=UNIT)


@control(clears="share_off")
def as_claimed(subject: Subject, rng: np.random.Generator, test_claims: np.ndarray) -> Subject:
    """Make every label 0."""
    return subject.with_target("test", np.zeros(len(test_claims), np.int64))


@fault(breaks="share_off", severities=(0.1,), starts_from="as_claimed")
def off(
    subject: Subject, severity: float, rng: np.random.Generator, test_claims: np.ndarray
) -> Subject:
    """Make labels 1 by chance."""
    return subject.with_target("test", (rng.random(len(test_claims)) < severity).astype(np.int64))


def test_a_fault_in_the_labels_never_trains_again() -> None:
    CALLS.clear()
    result = harnessed(weights, claims, share_off, as_claimed, off, effort=replace(EFFORT, most=40))
    assert result.repetitions > 100
    assert CALLS == ["trained", "claimed"]
    entry = only_entry(result)
    assert "check share_off" in entry.code
    assert "artifact weights" not in entry.code, "a repetition computes no weights"


def test_ctrl_c_keeps_what_was_done() -> None:
    seen: list[object] = []

    def stop_after_a_while(event: object) -> None:
        seen.append(event)
        if len(seen) == 30:
            raise KeyboardInterrupt

    result = harnessed(*TOYS, emit=stop_after_a_while)
    assert not result.complete
    assert only_entry(result).tally("bound").n > 0


class Clock:
    """A millisecond passes at every look: time does not depend on what else the machine does."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.001
        return self.now


def test_time_is_shared_fairly(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for module in ("run", "repetition"):
        monkeypatch.setattr(f"roadworthy.procedures.selftest.{module}.time", clock)
    effort = replace(EFFORT, seconds=3.0, least=10_000, most=10_000, curve=0, suites=0, crossings=0)
    result = harnessed(*TOYS, exact_ones, so_many_ones, effort=effort)
    spent = [sum(r.tally.seconds for r in entry.rungs) for entry in result.found.entries]
    assert max(spent) < 1.6 * min(spent)


def test_unknown_names_are_said() -> None:
    with pytest.raises(UserError, match="share_of_ones"):
        harnessed(*TOYS, checks=["share_of_one"])
    with pytest.raises(UserError, match="quick, standard, full"):
        selftest(subject(), Registry.of(*TOYS), store=Store(None), profile="fast")


@natural_fault(breaks="share_of_ones", data="ones.csv")
def published_ones(folder) -> Natural:
    """Labels from a file."""
    labels = np.loadtxt(folder / "ones.csv", dtype=np.int64)
    split = Split(np.zeros((len(labels), 1)), labels)
    known = Subject("published", Task("binary", ("no", "yes"), 1), "array", {"test": split})
    return Natural(known, frozenset({"fail"}), "half of the labels are 1", "a paper")


def test_a_natural_fault_is_observed_where_its_data_is(tmp_path) -> None:
    effort = replace(EFFORT, most=40)
    absent = harnessed(*TOYS, published_ones, data_dir=tmp_path, effort=effort)
    assert any("ones.csv is not there" in s.reason for s in absent.skipped)
    np.savetxt(tmp_path / "ones.csv", np.arange(200) % 2, fmt="%d")
    (found,) = harnessed(*TOYS, published_ones, data_dir=tmp_path, effort=effort).found.naturals
    assert (found.verdict, found.expected, found.value) == ("fail", ("fail",), 0.5)
