"""Paired differences: what is untouched, what is exact, what is resampled, and what cannot be paired."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from roadworthy.engine import Outcome, Registry, Store, artifact, check, events
from roadworthy.errors import NotApplicable
from roadworthy.procedures.fix.affordable import dear_checks
from roadworthy.procedures.paired import (
    Compared,
    Comparison,
    How,
    Side,
    difference_of,
    effects_of,
    margin_of,
    paired_effects,
)
from roadworthy.procedures.paired.again import length, taken
from roadworthy.procedures.paired.redrawing import _same
from roadworthy.quantities import identity
from roadworthy.results import AtLeast, AtMost, Effect, Estimate, Measurement, doubted
from roadworthy.statistics import bootstrap, fact, measured, paired_rate_difference, rate
from roadworthy.statistics import mean as mean_of
from roadworthy.statistics.slices import Conditions
from roadworthy.subject import Grouping, Split, Subject, Task
from roadworthy.subject.fields import fields_of

CALLS: list[int] = []


@artifact(per="split", shape="n", rows=True)
def answers(probabilities: np.ndarray) -> np.ndarray:
    """Most probable class."""
    return probabilities.argmax(axis=1)


@artifact(per="split", shape="n", rows=True)
def correct(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether it is right."""
    return answers == labels


@artifact()
def median_confidence(test_probabilities: np.ndarray) -> float:
    """A summary of test rows: their median confidence."""
    return float(np.median(test_probabilities.max(axis=1)))


@artifact(cost="forward")
def heavy_summary(test_probabilities: np.ndarray) -> float:
    """A summary of test rows that is too dear to make again and again."""
    return float(test_probabilities[:, 1].mean())


@check(challenge="toy", requires=AtMost(0.2, "test"))
def share_wrong(test_correct: np.ndarray) -> Measurement:
    """Share of wrong answers."""
    return rate(int((~test_correct).sum()), len(test_correct), unit="share of rows")


@check(challenge="toy", requires=AtLeast(0.7, "test"))
def share_right(test_correct: np.ndarray) -> Measurement:
    """Share of right answers."""
    return rate(int(test_correct.sum()), len(test_correct), unit="share of rows")


@check(challenge="toy", requires=AtMost(2.0, "test"))
def mean_loss(test_losses: np.ndarray) -> Measurement:
    """Mean loss."""
    return mean_of(test_losses, unit="nats per row")


@artifact(per="split", shape="n", rows=True)
def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log loss."""
    return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-9, 1.0))


@check(challenge="toy", requires=AtMost(0.5, "test"))
def wrong_where_sure(
    test_correct: np.ndarray,
    test_probabilities: np.ndarray,
    median_confidence: float,
    rng: np.random.Generator,
    *,
    resamples: int = 99,
) -> Measurement:
    """Share wrong above the median confidence."""
    CALLS.append(resamples)
    sure = test_probabilities.max(axis=1) >= median_confidence
    return bootstrap(
        lambda wrong: float(wrong.mean()),
        [(~test_correct[sure]).astype(float)],
        rng,
        resamples,
        unit="share of sure rows",
    )


@check(challenge="toy", requires=AtMost(0.5, "test"))
def rests_on_a_dear_summary(test_labels: np.ndarray, heavy_summary: float) -> Measurement:
    """Distance of claimed and true rate."""
    d = abs(heavy_summary - float(test_labels.mean()))
    return measured(d, len(test_labels), Estimate(d, 0.01), unit="share of rows", method="toy")


@artifact(cost="attack")
def attacked_few(test_probabilities: np.ndarray) -> np.ndarray:
    """Of a tenth of the rows, so that it has no entry for each."""
    return test_probabilities[:40]


@artifact()
def doubts(attacked_few: np.ndarray) -> tuple[str, ...]:
    """Sentences on the whole."""
    return ("one row is odd",) if attacked_few.mean() > 0 else ()


@check(challenge="toy", requires=AtMost(0.2, "test"))
def share_wrong_doubted(test_correct: np.ndarray, doubts: tuple[str, ...]) -> Measurement:
    """Share of wrong answers, doubted."""
    measured = rate(int((~test_correct).sum()), len(test_correct), unit="share of rows")
    return doubted(measured, doubts)


@check(challenge="toy", requires=AtMost(2.0, "test"))
def mean_of_few(attacked_few: np.ndarray) -> Measurement:
    """Of what was attacked."""
    return mean_of(attacked_few[:, 0], unit="probability")


@artifact(cost="attack")
def attacked_otherwise(test_probabilities: np.ndarray) -> np.ndarray:
    """Another attack."""
    return test_probabilities[:40]


@check(challenge="toy", requires=AtMost(2.0, "test"))
def mean_of_others(attacked_otherwise: np.ndarray) -> Measurement:
    """Of what was attacked otherwise."""
    return mean_of(attacked_otherwise[:, 0], unit="probability")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def train_share_wrong(train_correct: np.ndarray) -> Measurement:
    """Share of wrong answers on training rows."""
    return rate(int((~train_correct).sum()), len(train_correct), unit="share of rows")


@check(challenge="toy", requires=AtMost(3, "test"))
def rows_counted(train_labels: np.ndarray) -> Measurement:
    """A fact."""
    return fact(float((train_labels == 1).sum()), len(train_labels), unit="number of rows")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def of_the_labels(test_labels: np.ndarray) -> Measurement:
    """Rest on nothing that a model changes."""
    return rate(int(test_labels.sum()), len(test_labels), unit="share of rows")


@check(challenge="toy")
def a_note(test_correct: np.ndarray) -> Measurement:
    """Describe."""
    return rate(int((~test_correct).sum()), len(test_correct), unit="share of rows")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def cannot_after(test_probabilities: np.ndarray) -> Measurement:
    """Raise where the model is never sure."""
    if test_probabilities.max() < 0.99:
        raise NotApplicable("no row is sure")
    return rate(0, len(test_probabilities), unit="share of rows")


ALL = (
    answers,
    correct,
    losses,
    median_confidence,
    heavy_summary,
    share_wrong,
    share_right,
    mean_loss,
    wrong_where_sure,
    rests_on_a_dear_summary,
    attacked_few,
    attacked_otherwise,
    doubts,
    share_wrong_doubted,
    mean_of_few,
    mean_of_others,
    train_share_wrong,
    rows_counted,
    of_the_labels,
    a_note,
    cannot_after,
)
REGISTRY = Registry.of(*ALL)


def split(labels: np.ndarray, probabilities: np.ndarray, places: np.ndarray | None = None) -> Split:
    return Split(
        None,
        labels,
        source_rows=np.arange(len(labels)) if places is None else places,
        recorded={"probabilities": probabilities},
    )


def probabilities(rng: np.random.Generator, labels: np.ndarray, right: float) -> np.ndarray:
    """Answers of which a share `right` is right, with varied confidence."""
    sure = rng.uniform(0.55, 0.999, len(labels))
    said = np.where(rng.random(len(labels)) < right, labels, 1 - labels)
    found = np.empty((len(labels), 2))
    found[np.arange(len(labels)), said] = sure
    found[np.arange(len(labels)), 1 - said] = 1 - sure
    return found


def subject(seed: int, right: float = 0.9, n: int = 400, labels_seed: int = 0) -> Subject:
    labels = np.random.default_rng(labels_seed).integers(0, 2, n)
    rng = np.random.default_rng(seed)
    return Subject(
        "toy",
        Task("binary", ("no", "yes"), 1),
        "predictions",
        {name: split(labels, probabilities(rng, labels, right)) for name in ("train", "test")},
    )


def how(**changes: Any) -> How:
    return How(**{"registry": REGISTRY, "store": Store(None), "resamples": 199, **changes})


def effects(before: Subject, after: Subject, *checks: str, **changes: Any) -> Mapping[str, Effect]:
    found = paired_effects(
        fields_of(before),
        fields_of(after),
        checks or tuple(REGISTRY.checks),
        how(**changes),
        name="m",
    )
    return {effect.check: effect for effect in found}


def test_what_rests_on_nothing_changed_is_untouched_and_differs_by_exactly_nothing() -> None:
    found = effects(subject(1), subject(2))
    effect = found["of_the_labels"]
    assert effect.effect == "untouched"
    assert effect.difference is not None
    assert (effect.difference.low, effect.difference.value, effect.difference.high) == (0, 0, 0)
    assert effect.non_inferior
    assert found["share_wrong"].effect != "untouched"


def test_a_share_of_rows_takes_the_exact_paired_interval_in_its_own_direction() -> None:
    one, other = subject(1, 0.9), subject(2, 0.8)
    found = effects(one, other, "share_wrong", "share_right")
    before, after = (
        s.splits["test"].recorded["probabilities"].argmax(1) == s.splits["test"].target
        for s in (one, other)
    )
    expected = paired_rate_difference(~after, ~before)
    difference = found["share_wrong"].difference
    assert difference is not None
    assert difference.value == pytest.approx(expected.value)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
    mirrored = found["share_right"].difference
    assert mirrored is not None
    assert mirrored.value == pytest.approx(-expected.value)
    assert found["share_wrong"].harm == pytest.approx(found["share_right"].harm)
    assert found["share_wrong"].effect == found["share_right"].effect == "harmed"


def test_a_mean_takes_the_paired_t() -> None:
    difference = effects(subject(1), subject(2), "mean_loss")["mean_loss"].difference
    assert difference is not None
    assert "paired t" in difference.method


def test_summaries_of_test_rows_are_made_anew_and_inner_resamples_are_few() -> None:
    CALLS.clear()
    effect = effects(subject(1), subject(2), "wrong_where_sure")["wrong_where_sure"]
    assert effect.difference is not None
    assert "paired bootstrap" in effect.difference.method
    assert effect.difference.low < effect.difference.value < effect.difference.high
    assert set(CALLS[2:]) == {39}


def test_long_comparisons_say_which_check_they_are_at() -> None:
    seen: list[object] = []
    effects(subject(1), subject(2), "share_wrong", "mean_loss", emit=seen.append)
    said = [(e.name, e.done, e.total) for e in seen if isinstance(e, events.Progress)]
    assert said == [("comparison of share_wrong", 0, 2), ("comparison of mean_loss", 1, 2)]


def test_without_time_for_a_hundred_resamples_groups_of_rows_are_left_out() -> None:
    found = effects(subject(1), subject(2), "wrong_where_sure", seconds=1e-6)
    difference = found["wrong_where_sure"].difference
    assert difference is not None
    assert "jackknife" in difference.method
    whole = effects(subject(1), subject(2), "wrong_where_sure")["wrong_where_sure"].difference
    assert whole is not None
    ratio = (difference.high - difference.low) / (whole.high - whole.low)
    assert 0.5 < ratio < 2.0


def test_a_dear_summary_of_test_rows_is_not_paired_and_says_so() -> None:
    effect = effects(subject(1), subject(2), "rests_on_a_dear_summary")["rests_on_a_dear_summary"]
    assert "heavy_summary" in effect.reason
    assert effect.difference is not None
    # both have limits at 1.96 x .01: their root of squares is 1.96 x .01 x sqrt 2
    assert effect.difference.high - effect.difference.value == pytest.approx(0.0277, abs=1e-4)


def test_sentences_stay_as_they_were_found_and_what_is_doubted_is_paired_all_the_same() -> None:
    found = effects(subject(1), subject(2, 0.8), "share_wrong_doubted", "share_wrong")
    doubted, plain = (found[name].difference for name in ("share_wrong_doubted", "share_wrong"))
    assert doubted is not None
    assert plain is not None
    assert (doubted.low, doubted.high) == pytest.approx((plain.low, plain.high))
    assert doubted.method == plain.method


def test_what_the_target_takes_in_any_case_is_not_dear() -> None:
    before, after = (Side(fields_of(subject(seed)), how()) for seed in (1, 2))
    checks = ["share_wrong", "mean_of_few", "mean_of_others"]
    assert dear_checks(before, after, checks, "share_wrong") == {"mean_of_few", "mean_of_others"}
    assert dear_checks(before, after, checks, "share_wrong_doubted") == {"mean_of_others"}
    assert dear_checks(before, after, checks, "mean_of_others") == {"mean_of_few"}


def with_inputs(given: Subject) -> Subject:
    inputs = np.random.default_rng(9).normal(size=(400, 2))
    return replace(
        given,
        splits={name: replace(rows, inputs=inputs) for name, rows in given.splits.items()},
    )


def test_rows_are_paired_by_content_whatever_their_order() -> None:
    one, other = with_inputs(subject(1)), with_inputs(subject(2))
    order = np.random.default_rng(3).permutation(400)
    rows = other.splits["test"].take(order)
    shuffled = other.with_split("test", replace(rows, source_rows=np.arange(400)))
    registry = Registry.of(*ALL, identity)
    usual, mixed = (
        effects(one, each, "share_wrong", "mean_loss", registry=registry)
        for each in (other, shuffled)
    )
    assert "paired" in mixed["mean_loss"].difference.method  # pyright: ignore
    for name in usual:
        assert mixed[name].difference == usual[name].difference


def test_of_rows_that_only_some_are_shared_those_are_compared() -> None:
    one, other = with_inputs(subject(1)), with_inputs(subject(2))
    fewer = other.with_split("test", other.splits["test"].take(np.arange(100, 400)))
    both = one.with_split("test", one.splits["test"].take(np.arange(100, 400)))
    registry = Registry.of(*ALL, identity)
    found = effects(one, fewer, "share_wrong", registry=registry)["share_wrong"].difference
    expected = effects(both, fewer, "share_wrong", registry=registry)["share_wrong"].difference
    assert found is not None
    assert expected is not None
    assert (found.value, found.n) == (pytest.approx(expected.value), 300)


def test_without_shared_rows_the_two_are_taken_as_independent() -> None:
    one, other = subject(1), subject(2)
    shorter = replace(other, splits={n: s.take(np.arange(300)) for n, s in other.splits.items()})
    found = effects(one, shorter, "share_wrong")["share_wrong"]
    assert found.difference is not None
    assert "independent" in found.reason  # predictions without inputs have no row ids


def test_training_rows_that_both_have_are_paired_too() -> None:
    same = effects(subject(1), subject(2), "train_share_wrong")["train_share_wrong"]
    assert same.difference is not None
    assert "independent" not in same.reason


def test_facts_differ_plainly() -> None:
    one = subject(1)
    relabelled = one.with_target("train", np.zeros(400, np.int64))
    effect = effects(one, relabelled, "rows_counted")["rows_counted"]
    assert effect.difference is not None
    assert effect.difference.low == effect.difference.high == effect.difference.value < 0
    assert effect.effect == "helped"
    assert effect.difference.p_value is None


def test_a_note_has_a_difference_and_no_margin() -> None:
    effect = effects(subject(1), subject(2, 0.5), "a_note")["a_note"]
    assert effect.difference is not None
    assert (effect.margin, effect.non_inferior, effect.harm) == (None, None, None)
    assert effect.effect == "no_effect_shown"
    assert effect.verdict_before == "note"


def test_what_one_side_lacks_is_not_measured_and_never_zero() -> None:
    dull = subject(2)
    test = dull.splits["test"]
    dulled = dull.with_split(
        "test", replace(test, recorded={"probabilities": np.full((test.n, 2), 0.5)})
    )
    effect = effects(subject(1), dulled, "cannot_after")["cannot_after"]
    assert (effect.effect, effect.difference, effect.after) == ("not_measured", None, None)
    assert "after: no row is sure" in effect.reason
    assert (effect.verdict_before, effect.verdict_after) == ("pass", "not_run")


def test_answers_that_are_the_same_on_every_row_leave_what_so_many_rows_could_hide() -> None:
    one = subject(1)
    rows = one.splits["test"]
    softer = 0.5 + 0.5 * (rows.recorded["probabilities"] - 0.5)
    other = one.with_split("test", replace(rows, recorded={"probabilities": softer}))
    difference = effects(one, other, "share_wrong")["share_wrong"].difference
    assert difference is not None
    assert difference.value == 0.0
    assert difference.high == pytest.approx(1 - 0.025 ** (1 / 400))
    assert difference.p_value == 1.0


def test_a_margin_is_half_of_what_is_tolerated() -> None:
    assert margin_of(AtMost(0.1, ""), "share of rows") == 0.05
    assert margin_of(AtLeast(0.9, ""), "share of rows") == pytest.approx(0.05)
    assert margin_of(AtLeast(-4.0, ""), "nats per row") == 2.0
    assert margin_of(None, "share of rows") is None


def test_a_check_that_passes_keeps_half_of_its_room() -> None:
    # (.15 - .08) / 2: accuracy .92 under a bound of .85
    assert margin_of(AtMost(0.15, ""), "share of rows", 0.08) == pytest.approx(0.035)
    assert margin_of(AtLeast(0.85, ""), "share of rows", 0.92) == pytest.approx(0.035)
    assert margin_of(AtMost(0.15, ""), "share of rows", -0.3) == pytest.approx(0.075)


def test_harm_beyond_the_margin_is_not_excluded() -> None:
    found = effects(subject(1, 0.92), subject(1, 0.80), "share_wrong", "of_the_labels")
    before = found["share_wrong"].before
    assert before is not None
    assert found["share_wrong"].margin == pytest.approx((0.2 - before) / 2)
    assert not found["share_wrong"].non_inferior
    small = effects(subject(1, 0.92), subject(1, 0.92, n=400), "share_wrong")
    assert small["share_wrong"].non_inferior


def test_a_harm_that_one_of_many_checks_shows_by_luck_is_none() -> None:
    names = ("share_wrong", "share_right", "mean_loss", "wrong_where_sure", "of_the_labels")
    outcome = Outcome(names[0], "done", rate(40, 400, unit="share of rows"))
    # 2.3 standard errors: p = .0214 two-sided, which Holm makes .107 of five
    worse = measured(0.02, 400, Estimate(0.02, 0.02 / 2.3), unit="share of rows", method="t")
    no_change = measured(0.0, 400, Estimate(0.0, 0.01), unit="share of rows", method="t")

    def kinds(count: int) -> list[str]:
        found = {
            name: Compared(name, outcome, outcome, no_change if k else worse, untouched=False)
            for k, name in enumerate(names[:count])
        }
        return [effect.effect for effect in effects_of(found, how(), name="m")]

    assert kinds(1) == ["harmed"]
    assert kinds(2) == ["harmed", "no_effect_shown"]  # .043
    assert kinds(5) == ["no_effect_shown"] * 5


def test_another_level_widens_the_interval() -> None:
    sides = [Side(fields_of(subject(seed)), how()) for seed in (1, 2)]
    found = Comparison(*sides).compared(["share_wrong"])["share_wrong"].difference
    assert found is not None
    usual, strict = difference_of(found), difference_of(found, level=0.975)
    assert strict.low < usual.low < usual.high < strict.high


def test_swapping_the_sides_turns_the_sign() -> None:
    there = effects(subject(1), subject(2, 0.8))
    back = effects(subject(2, 0.8), subject(1))
    for name in ("share_wrong", "mean_loss", "rests_on_a_dear_summary"):
        one, other = there[name].difference, back[name].difference
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_groups_of_rows_are_redrawn_with_the_rows() -> None:
    sex = Grouping(np.array([0, 1, -1]), ("f", "m"))
    groups = {"sex": sex, "age": Grouping(np.array([2, 0, 1]), ("a", "b", "c"))}
    assert length(groups) == 3
    again = taken(groups, np.array([2, 2, 0]))
    assert again["sex"].codes.tolist() == [-1, -1, 0]
    assert again["age"].codes.tolist() == [1, 1, 2]
    assert length({**groups, "short": sex.take(np.array([0]))}) is None


def test_conditions_of_rows_are_redrawn_with_them_and_told_apart_by_what_they_say() -> None:
    codes = np.array([[0, 1], [1, 0], [-1, 1]])
    one = Conditions(codes, ("a", "b"), (("a is 0", "a is 1"), ("b is 0", "b is 1")))
    assert length(one) == 3
    assert taken(one, np.array([2, 0, 0])).codes.tolist() == [[-1, 1], [0, 1], [0, 1]]
    assert _same(one, Conditions(codes.copy(), one.names, one.values))
    assert not _same(one, Conditions(codes.copy(), ("a", "c"), one.values))
    assert not _same(one, one.take(np.array([1, 0, 2])))
