"""Remedies for too few rows, and their shams."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from roadworthy.challenges.data_quantity.faults import subsampled_training_set
from roadworthy.challenges.data_quantity.mitigations import (
    copies_in_place_of_pseudo_labels,
    copies_in_place_of_synthetic_rows,
    generative_augmentation,
    pretraining_without_structure,
    pseudo_labels,
    self_supervised_pretraining,
)
from roadworthy.engine import Registry, Store, compute
from roadworthy.engine.marks import mark_of
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, Pretraining, Recipe, Split, Subject, Task
from roadworthy.subject.fields import fields_of
from roadworthy.training import artifacts as training

Change = Callable[[Subject, float], Subject]
PAIRS: list[tuple[Change, Change]] = [
    (self_supervised_pretraining, pretraining_without_structure),
    (pseudo_labels, copies_in_place_of_pseudo_labels),
    (generative_augmentation, copies_in_place_of_synthetic_rows),
]


def subject() -> Subject:
    rng = np.random.default_rng(0)
    return Subject(
        name="blobs",
        task=Task("binary", ("a", "b"), 1),
        modality="array",
        splits={
            "train": Split(rng.normal(size=(20, 4)), rng.integers(0, 2, 20)),
            "unlabelled": Split(rng.normal(size=(30, 4)), None),
        },
        network=Network(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))),
        weights={"old": np.zeros(1)},
        recipe=Recipe(epochs=10),
    )


@pytest.mark.parametrize("change", [each for pair in PAIRS for each in pair])
def test_strength_0_changes_nothing(change: Change) -> None:
    before = subject()
    assert change(before, 0.0) is before


@pytest.mark.parametrize(("remedy", "control"), PAIRS)
def test_the_recipe_changes_alone_and_old_weights_go(remedy: Change, control: Change) -> None:
    before = subject()
    after, beside = remedy(before, 0.3), control(before, 0.3)
    assert after.recipe is not None
    assert after.recipe != before.recipe
    assert beside.recipe == replace(after.recipe, sham=True)
    for changed in (after, beside):
        assert changed.weights is None
        assert changed.splits == before.splits
        assert changed.network is before.network
    assert mark_of(remedy).sham == control.__name__  # type: ignore[union-attr]


def test_rows_that_the_fault_takes_away_stay_at_hand_without_their_target() -> None:
    before = subject()
    own = subsampled_training_set(before, 0.5, np.random.default_rng(0))
    assert own.splits["unlabelled"] is before.splits["unlabelled"]
    alone = replace(before, splits={"train": before.splits["train"]})
    fewer = subsampled_training_set(alone, 0.5, np.random.default_rng(0))
    kept, rest = fewer.splits["train"], fewer.splits["unlabelled"]
    assert (kept.n, rest.n, rest.target) == (10, 10, None)
    rows = np.concatenate([kept.source_rows, rest.source_rows])
    assert np.array_equal(np.sort(rows), np.arange(20))
    assert pseudo_labels(fewer, 0.1).recipe is not None


def test_strengths_are_epochs_doubt_and_rows() -> None:
    before = subject()
    recipe = before.recipe
    assert recipe is not None
    assert self_supervised_pretraining(before, 2.0).recipe == replace(
        recipe, pretraining=Pretraining("masked", 20)
    )
    assert pseudo_labels(before, 0.25).recipe == replace(recipe, pseudo_labels=0.75)
    assert generative_augmentation(before, 2.0).recipe == replace(recipe, synthetic=2.0)


@pytest.mark.parametrize(("remedy", "control"), PAIRS)
def test_without_a_recipe_there_is_nothing_to_train_by(remedy: Change, control: Change) -> None:
    for change in (remedy, control):
        with pytest.raises(NotApplicable, match="give a Recipe"):
            change(replace(subject(), recipe=None), 0.5)


def test_what_a_remedy_needs_and_has_not_is_said() -> None:
    before = subject()
    train = {"train": before.splits["train"]}
    with pytest.raises(NotApplicable, match="split `unlabelled`"):
        pseudo_labels(replace(before, splits=train), 0.1)
    with pytest.raises(NotApplicable, match="target is a number"):
        pseudo_labels(replace(before, task=Task("regression")), 0.1)
    convolution = Network(lambda: nn.Sequential(nn.Conv2d(1, 2, 8), nn.Flatten()))
    with pytest.raises(NotApplicable, match="no linear layer"):
        self_supervised_pretraining(replace(before, network=convolution), 0.5)
    large = Split(np.zeros((4, 3, 64, 64), np.float32), np.zeros(4, np.int64))
    with pytest.raises(NotApplicable, match="12,288 values"):
        generative_augmentation(before.with_split("train", large), 1.0)
    with pytest.raises(NotApplicable, match="no text"):
        generative_augmentation(replace(before, modality="text"), 1.0)


def test_a_changed_subject_is_trained_as_its_recipe_says_from_end_to_end() -> None:
    before = subject()
    registry = Registry.of(training)

    def weights(of: Subject) -> bytes:
        found = compute(registry, fields_of(of), ["weights"], store=Store())["weights"]
        assert found.state == "done", found.reason
        return found.value["2.weight"].tobytes()

    changed = [change(before, 0.5) for pair in PAIRS for change in pair]
    found = [weights(each) for each in [before.retrained(), *changed]]
    assert len(set(found)) == 7
