"""Groups that carry one pattern are found; the check says what it does, and fails on its faults alone."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.poisoning import backdoor_faults as faults
from roadworthy.challenges.poisoning.backdoor import BOUND, backdoor_evidence, suspect_rows
from roadworthy.challenges.poisoning.layout import Layout, layout_of
from roadworthy.challenges.poisoning.planting import backdoored
from roadworthy.challenges.poisoning.suspects import groups_among
from roadworthy.challenges.poisoning.triggers import Trigger, triggers_of
from roadworthy.engine import CheckMark, Registry, Store, compute, mark_of
from roadworthy.results import Measurement
from roadworthy.statistics import judge, judged
from roadworthy.subject import Column, Split, Subject, Task, builtin_subject, fields_of


def train_of(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    train = subject.splits["train"]
    assert train.inputs is not None
    assert train.target is not None
    return train.inputs, train.target


def digits_layout() -> tuple[np.ndarray, np.ndarray, Layout]:
    inputs, labels = train_of(builtin_subject("digits"))
    return inputs, labels, layout_of(inputs, {})


def test_quarters_of_an_image_are_its_quarters() -> None:
    layout = layout_of(np.zeros((3, 1, 4, 4), np.float32) + np.arange(3)[:, None, None, None], {})
    assert layout.block.reshape(4, 4).tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]


def test_rows_with_one_patch_are_one_group_and_the_patch_is_read_from_them() -> None:
    inputs, labels, layout = digits_layout()
    attack = backdoored(inputs, labels, layout, 0.02, np.random.default_rng(1))
    groups = groups_among(layout.positions(attack.inputs, attack.inputs), attack.labels, layout)
    first = next(group for group in groups if group.target == attack.target)
    assert len(np.intersect1d(first.rows, attack.rows)) >= 0.9 * len(attack.rows)
    assert len(first.rows) <= 1.2 * len(attack.rows)
    patched = np.flatnonzero((attack.inputs != inputs).any(axis=0).ravel())
    small = triggers_of(first, attack.inputs, layout)[1]
    assert set(small.columns.tolist()) <= set(patched.tolist())


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    inputs, labels, layout = digits_layout()
    attack = backdoored(inputs, labels, layout, 0.02, np.random.default_rng(1))
    order = np.random.default_rng(0).permutation(len(labels))
    there = groups_among(layout.positions(attack.inputs, attack.inputs), attack.labels, layout)
    mixed = attack.inputs[order]
    here = groups_among(layout.positions(mixed, mixed), attack.labels[order], layout)
    found = [(g.target, sorted(order[g.rows].tolist())) for g in here]
    assert found == [(g.target, sorted(g.rows.tolist())) for g in there]


def test_an_added_pattern_stays_within_what_was_seen_and_elsewhere_is_as_large() -> None:
    inputs, _, layout = digits_layout()
    trigger = Trigger(np.arange(64), np.full(64, 0.7), added=True)
    assert trigger.over(inputs, layout).max() == 1.0
    put = Trigger(np.array([3, 9]), np.array([1.0, 1.0]), added=False)
    other = put.elsewhere(inputs, layout, np.random.default_rng(0))
    assert ((other != inputs).reshape(len(inputs), -1).sum(axis=1) <= 2).all()
    assert other.dtype == inputs.dtype


def test_a_table_keeps_its_codes_and_its_missing_values_under_a_pattern() -> None:
    columns = (Column("a", "numeric"), Column("b", "category", ("x", "y", "z")))
    inputs = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [np.nan, 0.0]])
    fitted = {
        "numeric": np.array([0]),
        "scale": np.array([1.0]),
        "indicated": np.array([0]),
        "category_column": np.array([1, 1, 1]),
        "category_code": np.array([0.0, 1.0, 2.0]),
    }
    layout = layout_of(inputs, fitted, columns)
    changed = Trigger(np.array([1]), np.array([2.0]), added=False).over(inputs, layout)
    assert changed[:, 1].tolist() == [2.0] * 4
    np.testing.assert_array_equal(changed[:, 0], inputs[:, 0])
    random = Trigger(np.array([1]), np.array([2.0]), added=False)
    kept = random.elsewhere(inputs, layout, np.random.default_rng(0))
    assert set(kept[:, 1].tolist()) <= {0.0, 1.0, 2.0}


def frozen(severity: float, seed: int, n: int = 4_000) -> Measurement:
    subject = builtin_subject("digits")
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    clean = faults.pattern_that_turns_as_many_as_chance(subject, rng, labels)
    given = clean.given["pattern_turns"]
    broken = faults.pattern_that_turns_rows(clean, severity, rng, given)
    return backdoor_evidence(broken.given["pattern_turns"])


def test_what_still_turns_rows_without_the_suspects_passes_nothing() -> None:
    rng = np.random.default_rng(0)
    all_rows, without, elsewhere = (rng.random(400) < share for share in (0.93, 0.9, 0.02))
    found = backdoor_evidence(np.stack([all_rows, without | all_rows, elsewhere], axis=1) * 1.0)
    assert found.high < 0.1  # that alone would pass
    judgement = judged(found, BOUND, least=100)
    assert (judgement.verdict, judgement.reason_code) == ("inconclusive", "unreliable")
    assert "rows that were not found may carry it too" in judgement.reason
    gone = backdoor_evidence(np.stack([all_rows, elsewhere, elsewhere], axis=1) * 1.0)
    assert judged(gone, BOUND, least=100).verdict == "fail"
    nothing = backdoor_evidence(np.zeros((400, 3)))
    assert judged(nothing, BOUND, least=100).verdict == "pass"


def requirement() -> CheckMark:
    mark = mark_of(backdoor_evidence)
    assert isinstance(mark, CheckMark)
    return mark


@pytest.mark.parametrize("severity", [0.0, 0.05, 0.1, 0.2])
def test_what_is_planted_is_measured(severity: float) -> None:
    values = [frozen(severity, seed).value for seed in range(10)]
    assert np.mean(values) == pytest.approx(severity, abs=0.01)


def test_the_verdict_follows_what_is_planted() -> None:
    mark = requirement()
    assert mark.requires is not None
    said = [judge(frozen(s, 0), mark.requires, mark.least).verdict for s in (0.0, 0.05, 0.2)]
    assert said == ["pass", "pass", "fail"]


def test_planting_nothing_changes_nothing() -> None:
    subject = builtin_subject("digits")
    rng = np.random.default_rng(0)
    assert faults.patch_backdoor(subject, 0.0, rng, {}) is subject
    assert faults.blended_backdoor(subject, 0.0, rng, {}) is subject
    assert faults.pattern_that_turns_rows(subject, 0.0, rng, np.zeros((1, 3))) is subject


def test_a_planted_backdoor_is_found_and_its_rows_are_named() -> None:
    subject = builtin_subject("digits")
    broken = faults.patch_backdoor(subject, 0.02, np.random.default_rng(3), {})
    before, after = train_of(subject)[1], train_of(broken)[1]
    planted = np.flatnonzero((train_of(subject)[0] != train_of(broken)[0]).any(axis=(1, 2, 3)))
    assert set(np.flatnonzero(before != after)) <= set(planted)
    names = ["backdoor_evidence", "suspect_pattern", "suspect_rows"]
    found = compute(Registry.discover(), fields_of(broken), names, store=Store())
    measured = found["backdoor_evidence"].value
    assert isinstance(measured, Measurement), found["backdoor_evidence"]
    mark = requirement()
    assert mark.requires is not None
    assert judge(measured, mark.requires, mark.least).verdict == "fail"
    rows = found["suspect_pattern"].value["rows"]
    assert len(np.intersect1d(rows, planted)) >= 0.8 * len(planted)
    assert replace(measured, evidence=()).n == found["suspect_pattern"].value["asked"].size


def test_of_a_table_the_columns_of_a_pattern_are_named() -> None:
    columns = (Column("age", "numeric"), Column("job", "category", ("none", "full")))
    pattern = {
        "rows": np.array([3, 4]),
        "target": 1,
        "columns": np.array([1, 0]),
        "examined": 7,
        "added": False,
    }
    searched, task = np.arange(20), Task("binary", ("no", "yes"), 1)
    told = suspect_rows(pattern, task, searched, columns).details
    assert "Columns of their pattern, the clearest first: job, age." in told
    assert "Coordinates of their pattern, the clearest first: 1, 0." in (
        suspect_rows(pattern, task, searched).details
    )
    blended = {
        **pattern,
        "columns": np.arange(3),
        "values": np.array([0.1, -0.4, 0.2]),
        "added": True,
    }
    assert "Their pattern is added over the whole input, most at coordinates 1, 2, 0." in (
        suspect_rows(blended, task, searched).details
    )


@pytest.mark.slow
def test_a_trigger_of_three_columns_of_a_table_is_found() -> None:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        codes = rng.choice(6, (n, 4), p=[0.4, 0.25, 0.15, 0.1, 0.07, 0.03])
        numbers = rng.normal(size=(n, 3)).round(1)
        labels = (numbers[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int)
        return Split(np.concatenate([numbers, codes], axis=1), labels)

    splits = {"train": split(600), "validation": split(300), "test": split(400)}
    columns = (
        *(Column(f"x{j}", "numeric") for j in range(3)),
        *(Column(f"c{j}", "category", tuple("abcdef")) for j in range(4)),
    )
    subject = Subject("made up", Task("binary", ("n", "y")), "table", splits, columns=columns)
    registry = Registry.discover()
    fitted = compute(registry, fields_of(subject), ["feature_map"], store=Store())["feature_map"]
    broken = faults.patch_backdoor(
        subject, 0.05, np.random.default_rng(1), fitted.value, subject.columns
    )
    found = compute(
        registry, fields_of(broken), ["backdoor_evidence", "suspect_pattern"], store=Store()
    )
    measured = found["backdoor_evidence"].value
    assert isinstance(measured, Measurement), found["backdoor_evidence"]
    mark = requirement()
    assert mark.requires is not None
    assert judge(measured, mark.requires, mark.least).verdict == "fail"
    planted = np.flatnonzero(train_of(subject)[1] != train_of(broken)[1])
    rows = found["suspect_pattern"].value["rows"]
    assert len(np.intersect1d(rows, planted)) >= 0.9 * len(planted)
