"""Gaps of rates by group: oracles by hand and published tables, and what is said of what is too small."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.fairness.artifacts import count_table
from roadworthy.challenges.fairness.natural import COMPARED, compas
from roadworthy.challenges.fairness.rates import (
    ERROR,
    FALSE_POSITIVE,
    PRECISION,
    SELECTION,
    TRUE_POSITIVE,
)
from roadworthy.engine.marks import CheckMark, mark_of
from roadworthy.results import DoubtedMeasurement, Measurement, Table
from roadworthy.statistics import exact_newcombe, judged
from roadworthy.subject import Task

from .conftest import REGISTRY, Measure, Of, outcome_of, recorded_subject

# Of 400 rows of a: 100 positives, 80 of them found, 300 negatives, 30 wrongly chosen.
# Of 200 rows of b: 100 positives, 60 of them found, 100 negatives, 20 wrongly chosen.
BOTH = (
    *(("a", 1, 1, 80), ("a", 1, 0, 20), ("a", 0, 1, 30), ("a", 0, 0, 270)),
    *(("b", 1, 1, 60), ("b", 1, 0, 40), ("b", 0, 1, 20), ("b", 0, 0, 80)),
)
BY_HAND = {
    "demographic_parity_gap": abs(110 / 400 - 80 / 200),
    "equal_opportunity_gap": 0.80 - 0.60,
    "equalized_odds_gap": max(0.80 - 0.60, abs(30 / 300 - 20 / 100)),
    "predictive_parity_gap": abs(80 / 110 - 60 / 80),
    "error_rate_gap": abs(50 / 400 - 60 / 200),
    "selection_ratio": (110 / 400) / (80 / 200),
}


def verdict_of(name: str, found: Measurement) -> tuple[str, str | None]:
    mark = REGISTRY.checks[name].mark
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    said = judged(found, mark.requires, mark.least)
    return said.verdict, said.reason_code


def table_of(found: Measurement, title: str) -> Table:
    return next(e for e in found.evidence if isinstance(e, Table) and e.title.startswith(title))


@pytest.mark.parametrize("name", BY_HAND)
def test_every_rate_follows_from_the_counts_as_worked_by_hand(
    name: str, of: Of, measure: Measure
) -> None:
    assert measure(of(*BOTH), name).value == pytest.approx(BY_HAND[name])


def test_the_interval_of_two_groups_is_that_of_newcombe_with_exact_limits(
    of: Of, measure: Measure
) -> None:
    found = measure(of(*BOTH), "equal_opportunity_gap")
    low, high = exact_newcombe(80, 100, 60, 100)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    assert found.n == 200  # the positives, not the rows


def test_the_lower_end_is_corrected_for_how_many_rates_were_looked_at_and_the_upper_is_not(
    of: Of, measure: Measure
) -> None:
    # True positive rates of 80 and 60 of 100; false positive rates 30 of 300 and 20 of 100.
    odds = measure(of(*BOTH), "equalized_odds_gap")
    alone = measure(of(*BOTH), "equal_opportunity_gap")
    assert odds.value == alone.value
    # The larger of two: to say that it is above d takes a half of the error for each (Bonferroni).
    assert odds.low == pytest.approx(exact_newcombe(80, 100, 60, 100, 0.975).low, abs=0.01)
    assert odds.low < alone.low - 0.015
    assert odds.high == pytest.approx(alone.high, abs=0.01)


@given(
    st.lists(
        st.tuples(st.integers(-1, 3), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=60)
def test_counts_give_the_rates_that_rows_give(rows: list[tuple[int, int, int]]) -> None:
    codes, labels, said = np.array(rows, np.int64).T
    counts = count_table(codes, 4, labels, said, 3)
    assert counts.sum() == len(rows)
    for g in range(4):
        own = codes == g
        for k in range(3):
            y, d = labels[own] == k, said[own] == k
            pairs = {
                SELECTION: (d, np.ones_like(d)),
                TRUE_POSITIVE: (d, y),
                FALSE_POSITIVE: (d, ~y),
                PRECISION: (y, d),
                ERROR: (labels[own] != said[own], np.ones_like(d)),
            }
            for rate, (hit, among) in pairs.items():
                assert rate.size(counts[g], k) == among.sum()
                assert rate.hits(counts[g], k) == (hit & among).sum()


def test_propublicas_table_is_reproduced_to_the_printed_digit(
    data_dir: Path, measure: Measure
) -> None:
    subject = compas(data_dir, ())
    rows = table_of(measure(subject, "equalized_odds_gap"), "Every group").rows
    rates = {(row[0], str(row[1]).endswith("true")): row[3] for row in rows}
    # Larson, Mattu, Kirchner & Angwin (2016): FPR 44.85 and 23.45 %, FNR 27.99 and 47.72 %.
    for group, fpr, fnr in zip(COMPARED, (0.4485, 0.2345), (0.2799, 0.4772), strict=True):
        assert rates[f"race: {group}", False] == fpr
        found = rates[f"race: {group}", True]
        assert isinstance(found, float)
        assert round(1.0 - found, 4) == fnr
    sizes = table_of(measure(subject, "demographic_parity_gap"), "Every group").rows
    assert {r[0]: r[1] for r in sizes}["race: African-American"] == 3696
    assert {r[0]: r[1] for r in sizes}["race: Caucasian"] == 2454
    gap = measure(compas(data_dir), "equalized_odds_gap")
    assert gap.value == pytest.approx(0.4485 - 0.2345, abs=1e-4)
    assert verdict_of("equalized_odds_gap", gap)[0] == "fail"


def test_a_tiny_group_is_named_and_keeps_a_fair_subject_from_passing(
    of: Of, measure: Measure
) -> None:
    fair = [(g, 0, d, n) for g in "ab" for d, n in ((1, 2_000), (0, 2_000))]
    passes = measure(of(*fair), "demographic_parity_gap")
    assert verdict_of("demographic_parity_gap", passes) == ("pass", None)
    for n, status in ((29, "too few"), (99, "no pass"), (100, "yes")):
        found = measure(
            of(*fair, ("c", 0, 1, n // 2), ("c", 0, 0, n - n // 2)), "demographic_parity_gap"
        )
        rows = {row[0]: row for row in table_of(found, "Every group").rows}
        assert (rows["group: c"][1], rows["group: c"][-1]) == (n, status)
        if n < 100:
            assert isinstance(found, DoubtedMeasurement)
            assert (
                f'a pass needs 100 rows in each group of group, and "c" has {n}' in found.doubts[0]
            )
            assert verdict_of("demographic_parity_gap", found) == (
                "inconclusive",
                "insufficient_n",
            )


def test_a_tiny_group_does_not_hide_a_gap_between_large_ones(of: Of, measure: Measure) -> None:
    found = measure(
        of(
            *(("a", 0, 1, 900), ("a", 0, 0, 100), ("b", 0, 1, 500), ("b", 0, 0, 500)),
            *(("c", 0, 1, 0), ("c", 0, 0, 5)),
        ),
        "demographic_parity_gap",
    )
    assert found.value == pytest.approx(0.4)  # c has a rate of 0 and takes no part
    assert verdict_of("demographic_parity_gap", found)[0] == "fail"


def test_one_large_group_and_one_tiny_is_too_few_for_a_verdict(of: Of, measure: Measure) -> None:
    found = measure(
        of(("a", 0, 1, 500), ("a", 0, 0, 500), ("b", 0, 1, 6)), "demographic_parity_gap"
    )
    assert found.n == 6
    assert verdict_of("demographic_parity_gap", found) == ("inconclusive", "insufficient_n")


def test_the_purpose_says_how_small_a_group_may_be(of: Of, measure: Measure) -> None:
    rows = [(g, 0, d, 75) for g in "ab" for d in (0, 1)]
    assert measure(of(*rows), "demographic_parity_gap").n == 300
    found = measure(of(*rows), "demographic_parity_gap", smallest_group=200)
    assert found.n == 150
    assert verdict_of("demographic_parity_gap", found)[0] == "inconclusive"
    large = [("a", 0, d, 50_000) for d in (0, 1)] + [("b", 0, d, 4_000) for d in (0, 1)]
    for name in ("demographic_parity_gap", "selection_ratio"):
        assert verdict_of(name, measure(of(*large), name)) == ("pass", None)
        found = measure(of(*large), name, smallest_group=10_000)
        assert verdict_of(name, found) == ("inconclusive", "insufficient_n")
        assert isinstance(found, DoubtedMeasurement)
        assert '"b" has 8,000' in found.doubts[0]
    small = [(g, 0, d, 6) for g in "ab" for d in (0, 1)]
    judged_at_ten = measure(
        of(*small, ("c", 0, 1, 900)), "demographic_parity_gap", smallest_group=10
    )
    assert judged_at_ten.n == 924


def test_a_group_of_positives_alone_has_no_false_positive_rate(of: Of, measure: Measure) -> None:
    subject = of(
        *(("a", 1, 1, 300), ("a", 1, 0, 100)),
        *(("b", 1, 1, 300), ("b", 1, 0, 100), ("b", 0, 0, 400), ("b", 0, 1, 100)),
    )
    found = measure(subject, "equalized_odds_gap")
    assert found.value == 0.0  # of the true positive rates
    assert isinstance(found, DoubtedMeasurement)  # never a pass: nothing is known of a's negatives
    assert (
        'needs 100 positives and as many negatives in each group of group, and "a" has 0'
        in (found.doubts[0])
    )
    rows = [r for r in table_of(found, "Every group").rows if r[0] == "group: a"]
    assert [r[2:4] for r in rows] == [(400, 0.75), (0, None)]
    assert verdict_of("equalized_odds_gap", found)[0] == "inconclusive"


def test_an_attribute_equal_to_the_label_leaves_each_rate_one_group(of: Of) -> None:
    subject = of(("yes", 1, 1, 300), ("yes", 1, 0, 100), ("no", 0, 1, 50), ("no", 0, 0, 400))
    found = outcome_of(subject, "equal_opportunity_gap")
    assert found.state == "not_applicable"
    assert 'of 400 positives all are "yes"' in found.reason


def test_a_class_that_the_task_does_not_name_is_refused() -> None:
    subject = recorded_subject(
        np.array([0, 1, 2]), {"g": ["a", "b", "a"]}, predicted=np.array([0, 1, 1])
    )
    found = outcome_of(subject, "error_rate_gap")
    assert "Labels run from 0 to 2, but the task has the classes 0 to 1" in found.reason


def test_forty_levels_are_all_shown_and_their_luck_is_said(measure: Measure) -> None:
    rng = np.random.default_rng(1)
    groups = [f"level {i % 40:02d}" for i in range(4_000)]
    subject = recorded_subject(
        rng.integers(0, 2, 4_000), {"state": groups}, predicted=rng.integers(0, 2, 4_000)
    )
    found = measure(subject, "demographic_parity_gap")
    assert len(table_of(found, "Every group").rows) == 40
    gap = table_of(found, "Gaps").rows[0]
    # E[range] of 40 normals is 4.32 standard errors of .05.
    assert gap[2] == pytest.approx(4.32 * 0.05, abs=0.01)
    assert gap[1] == pytest.approx(found.value, abs=1e-4)
    assert gap[3] == pytest.approx(gap[1] - gap[2], abs=2e-4)  # what luck leaves
    assert found.low == 0.0


def test_classes_are_compared_one_against_the_rest(measure: Measure) -> None:
    task = Task("multiclass", ("x", "y", "z"))
    labels = np.repeat([0, 1, 2, 0, 1, 2], 200)
    groups = ["a"] * 600 + ["b"] * 600
    said = labels.copy()
    said[600:700] = 2  # half of the x of b are taken for z
    subject = recorded_subject(labels, {"group": groups}, task, predicted=said)
    assert measure(subject, "equal_opportunity_gap").value == pytest.approx(0.5)
    odds = measure(subject, "equalized_odds_gap")
    assert odds.value == pytest.approx(0.5)
    assert len(table_of(odds, "Gaps").rows) == 6
    # z: 200 of 600 against 300 of 600
    assert measure(subject, "demographic_parity_gap").value == pytest.approx(100 / 600)
    ratio = outcome_of(subject, "selection_ratio")
    assert "which of 3 classes is the favour" in ratio.reason


def test_rows_of_unknown_group_widen_the_interval_to_all_they_may_be(
    of: Of, measure: Measure
) -> None:
    rows = (("a", 0, 1, 600), ("a", 0, 0, 400), ("b", 0, 1, 400), ("b", 0, 0, 600))
    known = measure(of(*rows), "demographic_parity_gap")
    found = measure(of(*rows, ("", 0, 1, 100), ("", 0, 0, 100)), "demographic_parity_gap")
    assert found.value == known.value
    assert found.low < known.low - 0.08  # nearest: 600 of 1,100 and 500 of 1,100
    assert found.high > known.high + 0.05
    assert "The group of 200 more is not known" in found.details
    assert table_of(found, "Every group").rows[-1] == (
        *("group: (not known)", 200, 0.5, None, None, None, "as bounds"),
    )
    every = of(("", 0, 1, 100), ("", 0, 0, 100))
    assert outcome_of(every, "demographic_parity_gap").state == "not_applicable"


@pytest.mark.parametrize("known", [0.0, 0.3])
@pytest.mark.parametrize(
    "name", ["demographic_parity_gap", "selection_ratio", "error_rate_gap", "calibration_gap"]
)
def test_an_attribute_of_which_one_group_alone_is_known_keeps_the_others_from_passing(
    name: str, known: float, measure: Measure
) -> None:
    rng = np.random.default_rng(3)
    n = 40_000
    sex = [("f", "m")[i % 2] for i in range(n)]
    race = ["white" if u < known else "" for u in rng.random(n)]
    labels, said = rng.integers(0, 2, n), np.arange(n) // 2 % 2
    chances = np.full((n, 2), 0.5)

    def of(groups: dict[str, list[str]]) -> Measurement:
        if name == "calibration_gap":
            return measure(recorded_subject(labels, groups, probabilities=chances), name)
        return measure(recorded_subject(labels, groups, predicted=said), name)

    assert verdict_of(name, of({"sex": sex}))[0] == "pass"
    both = of({"sex": sex, "race": race})
    assert verdict_of(name, both) == ("inconclusive", "unreliable")
    assert isinstance(both, DoubtedMeasurement)
    assert f"the group by race is not known for {race.count(''):,} rows" in both.doubts


def test_crossed_groups_show_what_no_attribute_shows_alone(measure: Measure) -> None:
    # Decided positive: women x and men y always, the others never. By sex and by place half and half.
    sex = ["f"] * 400 + ["m"] * 400
    place = (["x"] * 200 + ["y"] * 200) * 2
    said = np.array([1] * 200 + [0] * 400 + [1] * 200)
    subject = recorded_subject(said, {"sex": sex, "place": place}, predicted=said)
    assert measure(subject, "demographic_parity_gap").value == 0.0
    found = measure(subject, "intersectional_parity_gap")
    assert found.value == 1.0
    assert "By sex × place" in found.details
    one = recorded_subject(said, {"sex": sex}, predicted=said)
    assert outcome_of(one, "intersectional_parity_gap").state == "not_applicable"


def test_the_harm_may_be_to_be_chosen(of: Of, measure: Measure) -> None:
    rows = (("a", 0, 1, 100), ("a", 0, 0, 900), ("b", 0, 1, 200), ("b", 0, 0, 800))
    assert measure(of(*rows), "selection_ratio").value == pytest.approx(0.5)
    other = measure(of(*rows), "selection_ratio", selection_ratio={"favourable": "negative"})
    assert other.value == pytest.approx(800 / 900)
    assert 'decided "no"' in other.details


def test_the_ratio_of_error_rates_stands_beside_their_gap(of: Of, measure: Measure) -> None:
    # 50 of 400 against 60 of 200
    rows = table_of(measure(of(*BOTH), "error_rate_gap"), "Smallest over largest").rows
    assert rows[0][2] == pytest.approx(0.125 / 0.3, abs=1e-4)
    low, high = (float(end) for end in str(rows[0][3]).split(" to "))
    # Katz: exp(ln(.4167) -+ 1.96 sqrt(1/50 - 1/400 + 1/60 - 1/200)) = .298 to .582
    assert (low, high) == pytest.approx((0.298, 0.582), abs=0.02)


def test_each_group_is_held_against_all_others_and_corrected_for_how_many_there_are(
    of: Of, measure: Measure
) -> None:
    from scipy.stats import fisher_exact
    from statsmodels.stats.multitest import multipletests

    chosen = {"a": (70, 100), "b": (50, 100), "c": (55, 100), "d": (57, 100)}
    rows = [(g, 0, d, n) for g, (x, of_g) in chosen.items() for d, n in ((1, x), (0, of_g - x))]
    table = table_of(measure(of(*rows), "demographic_parity_gap"), "Every group")
    assert table.header[-2] == "p (Holm)"
    alone = []
    for x, of_g in chosen.values():
        counts = [[x, of_g - x], [232 - x, 300 - (232 - x)]]
        tails = [fisher_exact(counts, alternative=a).pvalue for a in ("less", "greater")]
        alone.append(min(1.0, 2 * min(tails)))
    expected = multipletests(alone, method="holm")[1]
    assert min(alone) < 0.02 < min(expected)  # so that the correction is seen
    assert [float(str(row[-2])) for row in table.rows] == pytest.approx(expected, rel=0.06)


def test_small_samples_break_four_fifths_by_luck_and_nothing_fails(
    of: Of, measure: Measure
) -> None:
    # Two groups of 50 at 10 %: 68.7 % of samples are below .8 when rates are equal (exact sum).
    found = measure(
        of(("a", 0, 1, 6), ("a", 0, 0, 44), ("b", 0, 1, 4), ("b", 0, 0, 46)), "selection_ratio"
    )
    assert found.value == pytest.approx(4 / 6)
    share = float(found.details.split("below 0.80 in ")[1].split(" %")[0])
    assert share == pytest.approx(68.7, abs=4)
    assert verdict_of("selection_ratio", found)[0] == "inconclusive"


@given(st.permutations(range(4)), st.integers(0, 10_000))
@settings(max_examples=15)
def test_renaming_groups_changes_nothing(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 4, 600)
    labels, said = rng.integers(0, 2, 600), rng.integers(0, 2, 600)
    named = [
        recorded_subject(labels, {"g": [n[c] for c in code]}, predicted=said)
        for n in ("abcd", [f"{i}" for i in order])
    ]
    one, other = (outcome_of(s, "equalized_odds_gap").value for s in named)
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_every_check_of_the_room_states_its_unit_and_what_to_do() -> None:
    for name, marked in REGISTRY.checks.items():
        if isinstance(marked.mark, CheckMark) and marked.mark.challenge == "fairness":
            assert mark_of(marked.function) is marked.mark
            text = marked.function.__doc__ or ""
            assert "Unit:" in text, name
            assert "Next:" in text, name
