"""Remedies for data: nothing at strength 0, what was planted is taken out, shams take out as much of something else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.data_quality.faults import (
    copies,
    labels,
    telling,
    thinned,
    values,
)
from roadworthy.challenges.data_quality.mitigations import (
    balance,
)
from roadworthy.challenges.data_quality.mitigations import (
    labels as label_remedies,
)
from roadworthy.challenges.data_quality.mitigations import (
    splits as split_remedies,
)
from roadworthy.challenges.data_quality.mitigations import (
    values as value_remedies,
)
from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column, Recipe, Split, Subject, Task, fields_of

REGISTRY = Registry.discover()
COLUMNS = (
    Column("height", "numeric"),
    Column("weight", "numeric"),
    Column("sex", "category", ("male", "female")),
)


def table(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    sex = rng.integers(0, 2, n)
    height = rng.normal(170 + 8 * sex, 7, n)
    weight = rng.normal(70 + 6 * sex, 9, n)
    score = (height - 174) / 7 + (weight - 73) / 9 + sex
    return np.column_stack([height, weight, sex]), (score > 0.3).astype(np.int64)


def people(n: int = 600) -> Subject:
    rng = np.random.default_rng(0)
    made = {
        name: Split(*table(rows, rng))
        for name, rows in (("train", n), ("validation", 200), ("test", 300))
    }
    return Subject(
        "people", Task("binary", ("no", "yes"), 1), "table", made, columns=COLUMNS, recipe=Recipe(epochs=2)
    )  # fmt: skip


def applied(function: Callable[..., Subject], subject: Subject, strength: float) -> Subject:
    asked = Registry.of(function).find(function.__name__).parameters[2:]
    names = [p.name for p in asked if p.name != "rng"]
    found = compute(REGISTRY, fields_of(subject), names)
    arguments = {name: outcome.value for name, outcome in found.items()}
    if any(p.name == "rng" for p in asked):
        arguments["rng"] = np.random.default_rng(1)
    return function(subject, strength, **arguments)


def measured(subject: Subject, check: str) -> float:
    outcome = compute(REGISTRY, fields_of(subject), [check])[check]
    assert outcome.state == "done", outcome.reason
    return outcome.value.value


@pytest.mark.parametrize(
    ("remedy", "fault", "check", "severity"),
    [
        (value_remedies.one_spelling_per_category, values.category_spelled_otherwise, "category_aliases", 0.1),
        (value_remedies.one_unit_per_column, values.values_in_another_unit, "mixed_units", 0.1),
        (value_remedies.codes_read_as_missing_values, values.missing_written_as_a_code, "impossible_codes", 0.05),
        (value_remedies.leaking_column_masked, telling.column_that_gives_the_label_away, "single_column_leakage", 1.0),
        (split_remedies.split_without_leaks, copies.training_rows_copied_into_test, "exact_duplicates_across_splits", 0.1),
        (label_remedies.likely_label_errors_dropped, labels.wrong_train_labels, "label_errors_in_train", 0.12),
        (label_remedies.likely_label_errors_relabelled, labels.wrong_train_labels, "label_errors_in_train", 0.12),
    ],
)  # fmt: skip
def test_what_was_planted_is_taken_out(
    remedy: Callable[..., Subject], fault: Callable[..., Subject], check: str, severity: float
) -> None:
    broken = fault(people(), severity, np.random.default_rng(2))
    before = measured(broken, check)
    assert before > 0.5 * severity
    assert applied(remedy, broken, 0.0) is broken
    mended = applied(remedy, broken, 1.0)
    # Another column tells nearly as much, as it should.
    left = 0.9 if remedy is value_remedies.leaking_column_masked else 0.5 * before
    assert measured(mended, check) < left
    assert mended.weights is None
    if remedy not in (value_remedies.leaking_column_masked,):
        assert (mended.splits["test"].target == broken.splits["test"].target).all()


def test_values_are_put_right_to_what_they_were() -> None:
    clean = people()
    rng = np.random.default_rng(2)
    for fault, remedy in (
        (values.values_in_another_unit, value_remedies.one_unit_per_column),
        (values.category_spelled_otherwise, value_remedies.one_spelling_per_category),
    ):
        mended = applied(remedy, fault(clean, 0.1, rng), 1.0)
        for name, split in clean.splits.items():
            assert mended.splits[name].inputs == pytest.approx(split.inputs, rel=1e-6)


def test_proof_rows_are_put_right_too() -> None:
    broken = values.missing_written_as_a_code(people(), 0.05, np.random.default_rng(2))
    broken = broken.with_split("proof", broken.splits["test"])
    mended = applied(value_remedies.codes_read_as_missing_values, broken, 1.0)
    proof, test = mended.splits["proof"].inputs, mended.splits["test"].inputs
    assert np.array_equal(proof, test, equal_nan=True)
    assert np.isnan(proof).any()


def test_dropping_suspect_rows_drops_planted_ones_and_the_sham_any() -> None:
    clean = people(1_000)
    broken = labels.wrong_train_labels(clean, 0.12, np.random.default_rng(3))
    planted = clean.splits["train"].target != broken.splits["train"].target

    def wrong_left(subject: Subject) -> float:
        rows = subject.splits["train"].source_rows
        return float(planted[rows].mean())

    mended = applied(label_remedies.likely_label_errors_dropped, broken, 1.0)
    sham = applied(label_remedies.as_many_random_rows_dropped, broken, 1.0)
    assert mended.splits["train"].n == sham.splits["train"].n < 1_000
    assert wrong_left(mended) < 0.5 * planted.mean()
    assert wrong_left(sham) > 0.8 * planted.mean()
    relabelled = applied(label_remedies.likely_label_errors_relabelled, broken, 1.0)
    still = relabelled.splits["train"].target != clean.splits["train"].target
    luck = applied(label_remedies.as_many_random_rows_relabelled, broken, 1.0)
    lucky = luck.splits["train"].target != clean.splits["train"].target
    assert still.mean() < 0.5 * planted.mean() < 0.9 * lucky.mean()


def test_leaks_go_from_training_and_validation_and_test_rows_stay() -> None:
    subject = people()
    test = subject.splits["test"].inputs
    assert test is not None
    train = subject.splits["train"].inputs.copy()  # type: ignore[union-attr]
    held = subject.splits["validation"].inputs.copy()  # type: ignore[union-attr]
    train[:5], held[:3] = test[:5], test[10:13]
    leaky = subject.with_inputs("train", train).with_inputs("validation", held)
    mended = applied(split_remedies.split_without_leaks, leaky, 1.0)
    # A few rows more are near copies by chance.
    assert 570 < mended.splits["train"].n <= 595
    assert 185 < mended.splits["validation"].n <= 197
    assert measured(mended, "exact_duplicates_across_splits") == 0
    assert mended.splits["test"] is leaky.splits["test"]
    assert applied(split_remedies.as_many_rows_at_random, leaky, 1.0).splits["train"].n < 600
    names = ("train_content_hashes", "test_content_hashes")
    found = compute(REGISTRY, fields_of(subject), names)
    with pytest.raises(NotApplicable, match="no training or validation row"):
        split_remedies.split_without_leaks(subject, 1.0, *(found[n].value for n in reversed(names)))


def test_whole_entities_leave_training() -> None:
    subject = people(100)
    hashes = np.arange(1000, dtype=np.uint64)
    found = split_remedies.split_without_leaks(
        subject,
        1.0,
        np.stack([hashes[:300]] * 2, axis=1),
        np.stack([hashes[500:600]] * 2, axis=1),
        train_entities=np.arange(100) // 10,
        test_entities=np.array([3] * 300),
    )
    assert found.splits["train"].n == 90


def imbalanced() -> Subject:
    subject = people(2_000)
    return thinned.rarest_class_thinned_out(subject, 0.95, np.random.default_rng(0))


def test_the_thinned_class_is_rare_in_training_and_not_in_test() -> None:
    subject = imbalanced()
    counts = np.bincount(subject.splits["train"].target)  # type: ignore[arg-type]
    assert counts.min() < 0.1 * counts.max()
    assert subject.splits["test"].n == 300
    few = subject.with_split("train", Split(np.zeros((4, 3)), np.array([0, 1, 1, 1])))
    with pytest.raises(NotApplicable, match="training rows already"):
        thinned.rarest_class_thinned_out(few, 0.5, np.random.default_rng(0))


def test_weights_make_classes_count_alike_and_the_sham_deals_them_otherwise() -> None:
    subject = imbalanced()
    target = subject.splits["train"].target
    assert target is not None
    mended = balance.classes_weighed_equally(subject, 1.0, target).splits["train"].row_weights
    assert mended is not None
    by_class = np.bincount(target, mended)
    assert by_class[0] == pytest.approx(by_class[1])
    assert mended.mean() == pytest.approx(1.0)
    dealt = balance.weights_of_shuffled_rows(subject, 1.0, np.random.default_rng(0), target)
    given = dealt.splits["train"].row_weights
    assert given is not None
    assert np.sort(given) == pytest.approx(np.sort(mended))
    alike = np.bincount(target, given) / np.bincount(target)
    assert alike[target.argmax()] == pytest.approx(1.0, abs=0.3)
    with pytest.raises(NotApplicable, match="equally common"):
        balance.classes_weighed_equally(people(4), 1.0, np.array([0, 1, 0, 1]))


def test_classes_are_weighed_equally_from_the_weights_that_rows_have() -> None:
    target = np.repeat([0, 1], [900, 100])
    present = np.tile([3.0, 1.0, 0.0, 2.0], 250)
    subject = people().with_split("train", Split(np.zeros((1_000, 3)), target, row_weights=present))
    full = weights_of(balance.classes_weighed_equally(subject, 1.0, target))
    assert full.mean() == pytest.approx(1.0)
    assert np.bincount(target, full) == pytest.approx([500.0, 500.0])
    half = weights_of(balance.classes_weighed_equally(subject, 0.5, target))
    for weights, ratio in ((full, 9.0), (half, 3.0)):  # .9 to .1, to the power of the strength
        factor = weights[present > 0] / present[present > 0]
        rare = target[present > 0] == 1
        assert factor[rare] == pytest.approx(np.full(rare.sum(), ratio * factor[0]))
        assert factor[~rare] == pytest.approx(np.full((~rare).sum(), factor[0]))
        assert not weights[present == 0].any()
    rng = np.random.default_rng(0)
    dealt = weights_of(balance.weights_of_shuffled_rows(subject, 1.0, rng, target))
    factors, often = np.unique(
        (dealt[present > 0] / present[present > 0]).round(9), return_counts=True
    )
    assert len(factors) == 2  # the same two factors, wherever they lie
    assert factors[1] / factors[0] == pytest.approx(9.0)
    assert often[1] == pytest.approx(75, abs=15)  # a tenth of the 750 rows that count
    assert np.bincount(target, dealt)[0] > 800


def test_weights_that_make_classes_alike_already_leave_nothing_to_weigh() -> None:
    target = np.repeat([0, 1], [900, 100])
    present = np.repeat([1.0, 9.0], [900, 100]) / 1.8
    subject = people().with_split("train", Split(np.zeros((1_000, 3)), target, row_weights=present))
    with pytest.raises(NotApplicable, match="equally common"):
        balance.classes_weighed_equally(subject, 1.0, target)
    # A class of which no row counts stays out of it.
    none = np.repeat([1.0, 0.0], [900, 100])
    out = subject.with_split("train", replace(subject.splits["train"], row_weights=none))
    of_three = np.repeat([0, 1, 2], [600, 300, 100])
    found = weights_of(balance.classes_weighed_equally(out, 1.0, of_three))
    assert np.bincount(of_three, found) == pytest.approx([500.0, 500.0, 0.0])


def weights_of(subject: Subject) -> np.ndarray:
    found = subject.splits["train"].row_weights
    assert found is not None
    return found


def test_logit_adjustment_is_asked_of_the_recipe() -> None:
    subject = imbalanced()
    target = subject.splits["train"].target
    assert target is not None
    assert balance.logit_adjustment(subject, 0.0, target) is subject
    recipe = balance.logit_adjustment(subject, 0.5, target).recipe
    assert recipe is not None
    assert recipe.logit_adjustment == 0.5
    with pytest.raises(NotApplicable, match="Recipe"):
        balance.logit_adjustment(replace(subject, recipe=None), 0.5, target)
