"""A change of one class's inputs is measured as planted, remedies mend it, and other attacks do not alarm."""

import numpy as np
import pytest

from roadworthy.challenges.poisoning.class_changes import class_change, unlike
from roadworthy.challenges.poisoning.class_faults import (
    classes_dealt_anew,
    mark_on_one_class,
    noisy_class,
    shifted_class,
)
from roadworthy.challenges.poisoning.class_remedies import (
    changed_most,
    changed_rows_dropped,
    changed_rows_moved_back,
)
from roadworthy.challenges.poisoning.telling_apart import told_apart
from roadworthy.engine import CheckMark, Registry, Store, compute, mark_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Column, Split, Subject, Task, builtin_subject, fields_of

TASK = Task("multiclass", ("a", "b", "c"))
COLUMNS = (*(Column(f"x{j}", "numeric") for j in range(5)), Column("c", "category", ("u", "v")))


def a_table(seed: int, n: int = 900) -> Subject:
    rng = np.random.default_rng(seed)

    def split(n: int) -> Split:
        labels = np.arange(n) % 3
        numbers = rng.normal(size=(n, 5)) + labels[:, None]
        return Split(np.column_stack([numbers, rng.integers(0, 2, n)]).astype(float), labels)

    splits = {"train": split(n), "validation": split(n // 2), "test": split(n // 2)}
    return Subject("made up", TASK, "table", splits, columns=COLUMNS)


def measured(subject: Subject) -> Measurement:
    found = compute(Registry.discover(), fields_of(subject), ["class_change"], store=Store())
    assert isinstance(found["class_change"].value, Measurement), found["class_change"]
    return found["class_change"].value


def verdict(measurement: Measurement) -> str:
    mark = mark_of(class_change)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    return judge(measurement, mark.requires, mark.least).verdict


def with_mark(subject: Subject, severity: float, seed: int) -> Subject:
    rng = np.random.default_rng(seed)
    clean = classes_dealt_anew(subject, rng)
    fields = compute(Registry.discover(), fields_of(clean), ["feature_map"], store=Store())
    return mark_on_one_class(clean, severity, rng, fields["feature_map"].value, COLUMNS)


@pytest.mark.parametrize("severity", [0.0, 0.125, 0.25, 0.5])
def test_the_share_that_is_marked_is_measured(severity: float) -> None:
    values = [measured(with_mark(a_table(s), severity, s)).value for s in range(4)]
    # drawn one by one of 300 rows, four times: standard error 0.0144 at most; some held-out rows are let through
    assert np.mean(values) == pytest.approx(severity, abs=0.04)


def test_the_verdict_follows_what_is_planted() -> None:
    said = [verdict(measured(with_mark(a_table(0), s, 0))) for s in (0.0, 0.1, 0.5)]
    assert said == ["pass", "pass", "fail"]


def test_ordinary_splits_do_not_fail() -> None:
    assert "fail" not in {verdict(measured(a_table(seed))) for seed in range(8)}


def test_few_rows_of_a_class_are_not_judged() -> None:
    subject = builtin_subject("digits")
    broken = shifted_class(subject, 1.0, np.random.default_rng(0))
    found = measured(broken)
    assert found.low > 0.5
    assert found.n < 200
    assert verdict(found) == "inconclusive"


@pytest.mark.parametrize("attack", [shifted_class, noisy_class])
def test_a_change_of_no_rows_is_none_and_touches_one_class_only(attack) -> None:  # type: ignore[no-untyped-def]
    subject = a_table(1)
    assert attack(subject, 0.0, np.random.default_rng(0)) is subject
    broken, before = attack(subject, 0.5, np.random.default_rng(0)), subject.splits["train"]
    after = broken.splits["train"]
    changed = np.flatnonzero((after.inputs != before.inputs).any(axis=1))
    assert len(changed) == 150
    assert len(np.unique(before.target[changed])) == 1
    np.testing.assert_array_equal(after.inputs[:, 5], before.inputs[:, 5])
    # noise of a standard deviation in five columns overlaps with none: less of it can be told
    assert verdict(measured(broken)) == ("fail" if attack is shifted_class else "inconclusive")


def test_the_class_dealt_anew_has_the_same_rows() -> None:
    subject = a_table(2)
    dealt = classes_dealt_anew(subject, np.random.default_rng(0))
    for label in range(3):
        pools = [
            np.concatenate([s.inputs[s.target == label] for s in each.splits.values()])
            for each in (subject, dealt)
        ]
        np.testing.assert_array_equal(*(np.sort(pool, axis=0) for pool in pools))


def test_samples_alike_are_told_by_luck_alone_and_noise_is_seen() -> None:
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(20):
        told = told_apart(rng.normal(size=(150, 10)), rng.normal(size=(150, 10)))
        gaps.append(told.first.mean() - told.second.mean())
    assert abs(np.mean(gaps)) < 0.02
    # N(0, 1) against N(0, 4) in ten dimensions: the norms overlap in about a tenth
    told = told_apart(2 * rng.normal(size=(300, 10)), rng.normal(size=(300, 10)))
    assert told.first.mean() - told.second.mean() > 0.6


def test_classes_with_few_rows_are_not_asked() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 50 + [1] * 20)
    found = unlike(rng.normal(size=(70, 3)), labels, rng.normal(size=(70, 3)), labels, rng)
    assert set(found["train"][:50]) <= {0, 1}
    assert set(found["train"][50:]) == {-1}


def flagged(subject: Subject) -> dict[str, np.ndarray]:
    found = compute(Registry.discover(), fields_of(subject), ["unlike_validation"], store=Store())
    return found["unlike_validation"].value


def labels_of(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    train, validation = subject.splits["train"].target, subject.splits["validation"].target
    assert train is not None
    assert validation is not None
    return train, validation


def test_remedies_of_strength_zero_are_none() -> None:
    subject = a_table(3)
    assert changed_rows_dropped(subject, 0.0, {}, *labels_of(subject)) is subject
    assert changed_rows_moved_back(subject, 0.0, {}, *labels_of(subject)) is subject


def test_changed_rows_leave_and_moved_ones_come_back() -> None:
    subject = builtin_subject("digits")
    before = subject.splits["train"]
    broken = shifted_class(subject, 0.5, np.random.default_rng(1))
    hit = np.flatnonzero((broken.splits["train"].inputs != before.inputs).any(axis=(1, 2, 3)))
    flags = flagged(broken)
    most = changed_most(flags, *labels_of(broken))
    assert len(np.intersect1d(most.rows, hit)) >= 0.8 * len(hit)
    left = changed_rows_dropped(broken, 1.0, flags, *labels_of(broken)).splits["train"]
    assert before.n - left.n == len(most.rows)
    moved = changed_rows_moved_back(broken, 1.0, flags, *labels_of(broken)).splits["train"]
    apart = [
        np.abs(s.inputs[hit] - before.inputs[hit]).mean() for s in (broken.splits["train"], moved)
    ]
    assert apart[1] < 0.75 * apart[0]


def test_a_class_that_was_changed_whole_is_not_dropped() -> None:
    subject = builtin_subject("digits")
    broken = shifted_class(subject, 1.0, np.random.default_rng(1))
    with pytest.raises(NotApplicable, match="changed_rows_moved_back"):
        changed_rows_dropped(broken, 1.0, flagged(broken), *labels_of(broken))
