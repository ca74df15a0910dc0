import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    band_of,
    current,
    merged,
    next_repetition,
)
from roadworthy.procedures.selftest.tally import Tally
from roadworthy.results import AtMost

ALL = ("finding", "passing")
KIND = Kind("multiclass", "array", "300 to 999")


def tally(n: int, fails: int = 0) -> Tally:
    return Tally(n=n, fails=fails, passes=n - fails, measured=n, seconds=0.25 * n)


def entry(*batches: Batch, check="gap", code="1", severity=0.1) -> Entry:
    rungs = (RungRecord("bound", severity, tuple(batches)),) if batches else ()
    return Entry(
        check, "wrong_rows", None, AtMost(0.1, "here"), "share of rows", KIND, False, ALL, 400,
        {"gap": code}, rungs,
    )  # fmt: skip


def batch(first=0, n=10, fails=0, seed=0, subject="a") -> Batch:
    return Batch("digits", subject, seed, first, tally(n, fails))


def bound_tally(records: Records) -> Tally:
    (only,) = records.entries
    return only.tally("bound")


def test_counts_of_different_repetitions_are_added() -> None:
    both = merged([Records((entry(batch(0, 10, 1)),)), Records((entry(batch(10, 5, 2)),))])
    assert (bound_tally(both).n, bound_tally(both).fails) == (15, 3)


def test_the_same_repetitions_are_never_counted_twice() -> None:
    once = Records((entry(batch(0, 10, 1)),))
    longer = Records((entry(batch(0, 30, 2)),))  # the same ones and twenty more
    assert merged([once, once]) == merged([once])
    assert bound_tally(merged([once, longer])).n == 30


def test_of_overlapping_batches_the_later_one_does_not_count() -> None:
    parts = entry(batch(0, 10), batch(10, 20))
    whole = entry(batch(0, 25))  # made elsewhere, before the parts met
    assert bound_tally(merged([Records((parts,)), Records((whole,))])).n == 25


def test_other_code_another_bound_or_another_kind_of_subject_shares_no_counts() -> None:
    records = merged([Records((entry(batch()),)), Records((entry(batch(), code="2"),))])
    assert len(records.entries) == 2


def test_a_changed_check_does_not_inherit_its_record() -> None:
    records = Records((entry(batch(), code="old"),))
    assert current(records, {"gap": "old"}.get) == records
    assert current(records, {"gap": "new"}.get) == Records()
    assert current(records, {}.get) == Records()


def test_the_next_repetition_follows_those_that_are_known() -> None:
    records = Records((entry(batch(0, 10), batch(10, 5), batch(0, 99, seed=7)),))
    key = records.entries[0].key
    assert next_repetition(records, key, 0.1, "a", 0) == 15
    assert next_repetition(records, key, 0.1, "a", 7) == 99
    assert next_repetition(records, key, 0.2, "a", 0) == 0
    assert next_repetition(records, key, 0.1, "b", 0) == 0


@pytest.mark.parametrize(
    ("n", "band"), [(1, "under 300"), (999, "300 to 999"), (1_000, "1,000 to 2,999")]
)
def test_bands_of_size(n: int, band: str) -> None:
    assert band_of(n) == band


counts = st.integers(0, 40)
batches = st.builds(
    batch, first=st.sampled_from([0, 10, 20]), n=counts, seed=st.sampled_from([0, 1]),
    subject=st.sampled_from(["a", "b"]),
)  # fmt: skip
entries = st.builds(
    lambda found, check, code, severity: entry(*found, check=check, code=code, severity=severity),
    st.lists(batches, max_size=3), st.sampled_from(["gap", "leak"]), st.sampled_from(["1", "2"]),
    st.sampled_from([0.1, 0.2]),
)  # fmt: skip
cross_batches = st.builds(
    CrossBatch, st.sampled_from("ab"), st.just(0), st.just(0), counts, counts, counts
)
crossings = st.builds(
    lambda found, why: Crossing("wrong_rows", "gap", "leak", KIND, why, {"leak": "1"}, tuple(found)),
    st.lists(cross_batches, max_size=2), st.sampled_from(["", "rows repeat"]),
)  # fmt: skip
suites = st.builds(
    lambda found: Suite(KIND, ("gap", "leak"), {"leak": "1"}, tuple(found)),
    st.lists(
        st.builds(SuiteBatch, st.sampled_from("ab"), st.just(0), st.just(0), counts, counts),
        max_size=2,
    ),
)
naturals = st.builds(
    lambda value: NaturalRecord("pima", "gap", "zeros", "a paper", ("fail",), "fail", value, None, None, 5, "", {}),
    st.floats(0, 1),
)  # fmt: skip
any_records = st.builds(
    lambda e, c, s, n: Records(tuple(e), tuple(c), tuple(s), tuple(n)),
    st.lists(entries, max_size=3), st.lists(crossings, max_size=2), st.lists(suites, max_size=2),
    st.lists(naturals, max_size=2),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(any_records, any_records, any_records)
def test_merging_is_associative_commutative_and_idempotent(a, b, c) -> None:
    assert merged([merged([a, b]), c]) == merged([a, merged([b, c])])
    assert merged([a, b]) == merged([b, a])
    assert merged([merged([a]), merged([a])]) == merged([a])
