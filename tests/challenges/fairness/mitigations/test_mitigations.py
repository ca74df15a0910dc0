"""Remedies for unfairness: nothing at strength 0, gaps narrow beyond their shams, what cannot be done is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unequal_people import COLUMNS, REGISTRY, asked_of, gap, subject

from roadworthy.challenges.fairness.mitigations import (
    last_layer,
    thresholds,
    training,
    weights,
)
from roadworthy.challenges.fairness.mitigations.odds import Roc, best_thresholds, widest_gap
from roadworthy.challenges.fairness.training_faults import positives_of_one_group_left_out
from roadworthy.engine import Registry
from roadworthy.engine.identity import key_of
from roadworthy.errors import NotApplicable
from roadworthy.subject import Attribute, Column, Predictor, Roles, Subject, fields_of
from roadworthy.subject.saved import read_subject, save_subject

TRAINED = (
    training.equalized_odds_penalty,
    training.worst_group_first,
    training.adversarial_debiasing,
    weights.reweighing,
    weights.just_train_twice,
)
FITTED = (thresholds.thresholds_by_group, last_layer.last_layer_on_balanced_rows)
REMEDIES = (*TRAINED, *FITTED)


def applied(function: Callable[..., Subject], given: Subject, strength: float) -> Subject:
    names = [p.name for p in Registry.of(function).find(function.__name__).parameters[2:]]
    values = asked_of(given, [n for n in names if n != "rng"])
    if "rng" in names:
        values["rng"] = np.random.default_rng(1)
    return function(given, strength, **values)


def sham_of(function: Callable[..., Subject]) -> Callable[..., Subject]:
    mark: Any = Registry.of(function).find(function.__name__).mark
    return REGISTRY.shams[mark.sham].function  # type: ignore[return-value]  # a marked function


@pytest.fixture(scope="module")
def trained() -> Subject:
    given = subject()
    return replace(given, weights=asked_of(given, ["weights"])["weights"])


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_strength_of_nothing_is_the_identity(
    remedy: Callable[..., Subject], trained: Subject
) -> None:
    assert applied(remedy, trained, 0.0) is trained
    assert applied(sham_of(remedy), trained, 0.0) is trained


@pytest.mark.parametrize(
    ("remedy", "strength"),
    [
        (training.equalized_odds_penalty, 0.5),
        (training.adversarial_debiasing, 2.0),
        (thresholds.thresholds_by_group, 0.75),
        (weights.reweighing, 1.0),
        (training.worst_group_first, 1.0),
    ],
)
def test_the_gap_narrows_and_not_by_the_sham(
    remedy: Callable[..., Subject], strength: float, trained: Subject
) -> None:
    before = gap(trained)
    after, luck = (gap(applied(f, trained, strength)) for f in (remedy, sham_of(remedy)))
    assert before > 0.3
    assert after < 0.6 * before
    assert luck > 0.6 * before


def test_the_subject_that_was_given_is_left_as_it_is(trained: Subject) -> None:
    before = key_of(fields_of(trained))
    for remedy in REMEDIES:
        made = applied(
            remedy, trained, 1.0 if remedy is not thresholds.thresholds_by_group else 0.5
        )
        assert key_of(fields_of(made)) != before
        assert made.splits["test"] is trained.splits["test"]
    assert key_of(fields_of(trained)) == before


def test_reweighing_makes_group_and_class_independent() -> None:
    given = subject()
    found = applied(weights.reweighing, given, 1.0).splits["train"]
    assert found.row_weights is not None
    assert found.target is not None
    sex = found.attributes["sex"].values
    share = [
        np.average(found.target[sex == g], weights=found.row_weights[sex == g]) for g in (0, 1)
    ]
    assert share[0] == pytest.approx(share[1]) == pytest.approx(found.target.mean())


def test_reweighing_starts_from_the_weights_that_rows_have() -> None:
    given = subject()
    train = given.splits["train"]
    present = np.where(np.arange(train.n) % 3 == 0, 6.0, 1.0)
    given = given.with_split("train", replace(train, row_weights=present))
    found = applied(weights.reweighing, given, 1.0).splits["train"]
    assert found.row_weights is not None
    assert found.target is not None
    sex = found.attributes["sex"].values
    share = [
        np.average(found.target[sex == g], weights=found.row_weights[sex == g]) for g in (0, 1)
    ]
    wanted = np.average(found.target, weights=present)
    assert share[0] == pytest.approx(share[1]) == pytest.approx(wanted)
    ratio = found.row_weights / present
    assert len(np.unique(ratio.round(9))) == 4  # one factor for each group and class


def test_mistakes_weigh_more_and_the_sham_weighs_as_many(trained: Subject) -> None:
    asked = asked_of(trained, ["train_probabilities", "train_labels"])
    wrong = asked["train_probabilities"].argmax(axis=1) != asked["train_labels"]
    found, luck = (
        applied(f, trained, 4.0).splits["train"].row_weights
        for f in (weights.just_train_twice, weights.as_many_random_rows_weighed_up)
    )
    assert found is not None
    assert luck is not None
    assert found[wrong].min() / found[~wrong].max() == pytest.approx(5.0)
    assert sorted(found) == pytest.approx(sorted(luck))
    assert (found != luck).any()


def test_the_last_layer_is_that_of_scikit_learn_on_balanced_rows(trained: Subject) -> None:
    made = applied(last_layer.last_layer_on_balanced_rows, trained, 1.0)
    asked = asked_of(made, ["test_probabilities", "test_labels", "test_groups"])
    right = asked["test_probabilities"].argmax(axis=1) == asked["test_labels"]
    sex = asked["test_groups"]["sex"].codes
    each = [right[(asked["test_labels"] == y) & (sex == g)].mean() for y in (0, 1) for g in (0, 1)]
    # All cells count alike, so the use of the group as a hint is gone: they fare alike.
    assert max(each) - min(each) < 0.15
    again = asked_of(made, ["test_logits"])["test_logits"]
    weaker = applied(last_layer.last_layer_on_balanced_rows, trained, 1e-6)
    same = asked_of(weaker, ["test_logits"])["test_logits"]
    first = asked_of(trained, ["test_logits"])["test_logits"]
    assert np.abs((same[:, 1] - same[:, 0]) - (first[:, 1] - first[:, 0])).max() < 1e-3
    assert np.abs(again - first).max() > 0.1


def test_thresholds_are_those_of_a_search_by_hand() -> None:
    # Ranked, group a has the labels 1 1 0 0, group b 1 0 1 0.
    odds, labels = np.array([2.0, 1.0, -1.0, -2.0]), np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    curves = [Roc.of(odds, each) for each in labels]
    assert widest_gap(curves) == 0.5  # at 0 a has 2 of 2 and 0 of 2, b has 1 of 2 and 1 of 2

    def rates(most: float) -> np.ndarray:
        chosen = odds > best_thresholds(curves, most)[:, None]
        return np.array(
            [[c[y == k].mean() for k in (1, 0)] for c, y in zip(chosen, labels, strict=True)]
        )

    # Half apart: a gives up nothing (4 right), and b has 3 right with its first or its first three.
    half = rates(0.5)
    assert half[0].tolist() == [1.0, 0.0]
    assert half[1].tolist() in ([0.5, 0.0], [1.0, 0.5])
    # Not apart: (1, .5) is on both curves, 3 right each; of what else is on both, nobody and all, 2 each are.
    assert rates(0.0).tolist() == [[1.0, 0.5], [1.0, 0.5]]


def test_thresholds_by_group_work_around_a_black_box_as_around_the_network(
    trained: Subject,
) -> None:
    outputs = asked_of(trained, ["predictor"])["predictor"]
    boxed = replace(
        trained, network=None, weights=None, predictor=Predictor(outputs, "logits", "box")
    )
    one, other = (applied(thresholds.thresholds_by_group, s, 0.75) for s in (trained, boxed))
    first, second = (asked_of(s, ["test_logits"])["test_logits"] for s in (one, other))
    assert first[:, 1] - first[:, 0] == pytest.approx(second[:, 1] - second[:, 0], abs=1e-4)


def test_a_number_is_cut_where_its_groups_are(trained: Subject) -> None:
    ages = {
        name: replace(
            s,
            attributes={"age": Attribute(s.inputs[:, 2])},  # type: ignore[index]
        )
        for name, s in trained.splits.items()
    }
    old = replace(trained, splits=ages, roles=Roles(sensitive=("age",)))
    groups = asked_of(old, ["train_groups", "test_groups"])
    steps = thresholds._steps(COLUMNS, old.splits["train"].inputs, groups["train_groups"])["age"]  # type: ignore[arg-type]
    found = steps.group[np.searchsorted(steps.edges, old.splits["test"].inputs[:, 2], side="right")]  # type: ignore[index]
    assert (found == groups["test_groups"]["age"].codes).all()


def test_thresholds_by_group_are_refused_where_the_model_is_not_given_the_group(
    trained: Subject,
) -> None:
    unseen = replace(trained, columns=(COLUMNS[0], Column("height", "numeric"), COLUMNS[2]))
    with pytest.raises(NotApplicable, match="the model is not given sex"):
        applied(thresholds.thresholds_by_group, unseen, 0.5)


def test_repaired_models_are_saved_and_read_back(trained: Subject, tmp_path: Path) -> None:
    for remedy in FITTED:
        made = applied(remedy, trained, 0.5)
        save_subject(made, tmp_path / remedy.__name__, {})
        assert key_of(fields_of(read_subject(tmp_path / remedy.__name__))) == key_of(
            fields_of(made)
        )
    told = applied(training.equalized_odds_penalty, trained, 0.5)
    told = replace(told, weights=trained.weights)
    save_subject(told, tmp_path / "told", {})
    assert key_of(fields_of(read_subject(tmp_path / "told"))) == key_of(fields_of(told))


def test_the_fault_takes_positives_of_the_group_with_the_fewest() -> None:
    given = subject()
    asked = asked_of(given, ["train_groups", "train_labels"])
    assert positives_of_one_group_left_out(given, 0.0, np.random.default_rng(0), **asked) is given
    made = positives_of_one_group_left_out(given, 0.6, np.random.default_rng(0), **asked)
    positives = []
    for split in (given.splits["train"], made.splits["train"]):
        assert split.target is not None
        sex = split.attributes["sex"].values
        positives.append([int(((split.target == 1) & (sex == g)).sum()) for g in (0, 1)])
    (women, men), (women_left, men_left) = positives
    assert women < men == men_left
    assert women_left == women - round(0.6 * women)
    assert made.splits["test"] is given.splits["test"]


@pytest.mark.parametrize("remedy", [*TRAINED[:4], *FITTED])
def test_one_group_alone_is_nothing_to_compare(
    remedy: Callable[..., Subject], trained: Subject
) -> None:
    women = {
        name: replace(s, attributes={"sex": Attribute(np.zeros(s.n, np.int64), ("f", "m"))})
        for name, s in trained.splits.items()
    }
    with pytest.raises(NotApplicable, match=r"groups? "):
        applied(remedy, replace(trained, splits=women), 0.5)


def with_sex(given: Subject, codes: Callable[[np.ndarray], np.ndarray]) -> Subject:
    """The same people, whose group follows from their label and their group."""
    splits = {}
    for name, split in given.splits.items():
        both = np.stack([split.target, split.attributes["sex"].values])  # type: ignore[arg-type]
        splits[name] = replace(split, attributes={"sex": Attribute(codes(both), ("f", "m"))})
    return replace(given, splits=splits)


@pytest.mark.parametrize("remedy", [*TRAINED[:4], *FITTED])
def test_an_attribute_that_is_the_label_is_nothing_to_make_alike(
    remedy: Callable[..., Subject], trained: Subject
) -> None:
    with pytest.raises(NotApplicable, match=r"no (class|attribute) has"):
        applied(remedy, with_sex(trained, lambda both: both[0]), 0.5)


@pytest.mark.parametrize("remedy", TRAINED)
def test_a_group_of_which_all_are_positive_is_compared_where_it_can_be(
    remedy: Callable[..., Subject], trained: Subject
) -> None:
    # Of the negatives all are of group 0; of the positives both are.
    made = applied(remedy, with_sex(trained, lambda both: both[0] * both[1]), 0.5)
    (weights_of,) = asked_of(made, ["weights"]).values()
    assert all(np.isfinite(each).all() for each in weights_of.values())
