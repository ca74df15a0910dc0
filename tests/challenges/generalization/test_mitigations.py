"""Remedies change recipe or architecture and nothing else; none at strength 0; more with more strength."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from torch import nn

from roadworthy.challenges.generalization import mitigations as room
from roadworthy.challenges.generalization import training_faults
from roadworthy.engine import FaultMark, MitigationMark, Registry
from roadworthy.errors import NotApplicable
from roadworthy.subject import Augmentation, Network, Recipe, Split, Subject, Task
from roadworthy.training.trainer import SubjectTrainer

REGISTRY = Registry.of(room, training_faults)
RECIPE = Recipe(epochs=20, patience=8, dropout=None)


def chain(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(16, width),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 3),
    )


def built_at(width: int) -> Network:
    return Network(partial(chain, width), "a chain")


def subject_of(shape: tuple[int, ...] = (4, 4), modality: Any = "array", n: int = 90) -> Subject:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = rng.normal(size=(n, *shape)).astype(np.float32)
    x.reshape(n, -1)[:, :3] += 2.0 * np.eye(3, dtype=np.float32)[y]
    splits: dict[Any, Split] = {
        name: Split(x[part], y[part])
        for name, part in (
            ("train", slice(0, 45)),
            ("validation", slice(45, 60)),
            ("test", slice(60, n)),
        )
    }
    weights = {"a": np.zeros(1)}
    task = Task("multiclass", ("a", "b", "c"))
    return Subject(
        "made up", task, modality, splits, network=built_at(8), recipe=RECIPE, weights=weights
    )


def apply(name: str, subject: Subject, strength: float) -> Subject:
    found = REGISTRY.mitigations[name].function(subject=subject, strength=strength)
    assert isinstance(found, Subject)
    return found


def hidden(subject: Subject) -> list[int]:
    assert subject.network is not None
    layers = [m for m in subject.network.build().modules() if isinstance(m, nn.Linear)]
    return [m.out_features for m in layers[:-1]]


CHANGES: dict[str, Callable[[Subject], Any]] = {
    "early_stopping": lambda s: s.recipe.patience,
    "weight_decay": lambda s: s.recipe.weight_decay,
    "l1": lambda s: s.recipe.l1,
    "dropout": lambda s: s.recipe.dropout,
    "augmentation": lambda s: s.recipe.augmentation,
    "fewer_parameters": hidden,
    "fewer_layers": hidden,
    "longer_training": lambda s: (s.recipe.epochs, s.recipe.patience),
    "more_parameters": hidden,
}
EXPECTED = {
    ("early_stopping", 0.75): 2,
    ("weight_decay", 0.1): pytest.approx(1e-4 + 0.1),
    ("l1", 1e-4): 1e-4,
    ("dropout", 0.5): pytest.approx(0.6),  # 1 - 0.8 x 0.5
    ("augmentation", 2.0): (
        Augmentation("rotation", 30.0),
        Augmentation("shift", 0.2),
        Augmentation("scaling", 0.2),
    ),
    ("fewer_parameters", 0.75): [2, 2],
    ("fewer_layers", 1.0): [8],
    ("longer_training", 3.0): (80, 32),
    ("more_parameters", 1.0): [16, 16],
}


def test_every_remedy_is_tested_here() -> None:
    assert set(REGISTRY.mitigations) == set(CHANGES) == {name for name, _ in EXPECTED}


@pytest.mark.parametrize(("name", "strength"), EXPECTED)
def test_a_remedy_changes_what_it_says_and_drops_the_trained_weights(
    name: str, strength: float
) -> None:
    subject = subject_of()
    changed = apply(name, subject, strength)
    assert CHANGES[name](changed) == EXPECTED[name, strength]
    assert changed.weights is None
    assert changed.splits is subject.splits


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_at_strength_zero_the_subject_is_left_alone(name: str) -> None:
    subject = subject_of()
    assert apply(name, subject, 0.0) is subject


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_without_a_recipe_nothing_can_be_trained_again(name: str) -> None:
    with pytest.raises(NotApplicable, match="recipe"):
        apply(name, replace(subject_of(), recipe=None), 1.0)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_remedy_is_proven_on_a_fault_that_breaks_one_of_its_targets(name: str) -> None:
    mark = REGISTRY.mitigations[name].mark
    assert isinstance(mark, MitigationMark)
    assert list(mark.strengths) == sorted(mark.strengths)
    assert len(mark.strengths) <= 4
    fault = REGISTRY.faults[str(mark.repairs)].mark
    assert isinstance(fault, FaultMark)
    assert fault.breaks in mark.targets
    assert not fault.truth


def test_early_stopping_needs_rows_to_watch() -> None:
    subject = subject_of()
    unseen = replace(subject, splits={k: v for k, v in subject.splits.items() if k != "validation"})
    with pytest.raises(NotApplicable, match="--validation"):
        apply("early_stopping", unseen, 0.5)
    never = subject.retrained(recipe=replace(RECIPE, patience=None))
    assert apply("early_stopping", never, 0.5).recipe.patience == 10  # type: ignore[union-attr]


def test_sgd_takes_a_hundredth_of_the_decay() -> None:
    subject = subject_of().retrained(recipe=replace(RECIPE, optimizer="sgd", weight_decay=0.0))
    assert apply("weight_decay", subject, 0.1).recipe.weight_decay == 0.001  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("shape", "modality", "kinds"),
    [
        ((8, 8, 3), "array", ["rotation", "shift", "scaling"]),
        ((1, 8, 8), "array", ["rotation", "shift", "scaling"]),
        ((16,), "array", ["noise", "mixup"]),
        ((2, 60), "array", ["noise", "mixup"]),
        ((6,), "table", ["mask", "jitter"]),
    ],
)
def test_what_is_changed_at_random_depends_on_the_inputs(
    shape: tuple[int, ...], modality: str, kinds: list[str]
) -> None:
    changed = apply("augmentation", subject_of(shape, modality), 1.0)
    assert changed.recipe is not None
    assert [each.kind for each in changed.recipe.augmentation] == kinds
    with pytest.raises(NotApplicable, match="text"):
        apply("augmentation", subject_of(shape, "text"), 1.0)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_remedy_can_be_trained_and_changes_what_the_model_says(name: str) -> None:
    from roadworthy.subject import Variant
    from roadworthy.training.jobs import Examples

    subject = subject_of()
    changed = apply(
        name,
        subject,
        REGISTRY.mitigations[name].mark.strengths[-1] if name != "fewer_layers" else 1.0,
    )  # type: ignore[union-attr]
    answers = []
    for each in (subject, changed):
        train, test = each.splits["train"], each.splits["test"]
        assert train.inputs is not None
        assert train.target is not None
        assert each.network is not None
        assert each.recipe is not None
        validation = each.splits["validation"]
        trainer = SubjectTrainer(
            network=each.network,
            recipe=each.recipe,
            training=Examples(train.inputs, train.target),
            validation=Examples(validation.inputs, validation.target),  # type: ignore[arg-type]
            classes=3,
        )
        assert test.inputs is not None
        answers.append(trainer.probabilities([Variant()], test.inputs)[0])
    assert answers[0].shape == answers[1].shape
    assert np.isfinite(answers[1]).all()
    if name != "early_stopping":  # the best epoch may be the same one
        assert not np.array_equal(answers[0], answers[1])


FAULT_CASES = sorted(REGISTRY.faults)


def planted(name: str, severity: float, subject: Subject) -> Subject:
    found = REGISTRY.faults[name].function(
        subject=subject,
        severity=severity,
        rng=np.random.default_rng(0),
        network=subject.network,
        recipe=subject.recipe,
    )
    assert isinstance(found, Subject)
    return found


@pytest.mark.parametrize("name", FAULT_CASES)
def test_a_fault_of_severity_zero_is_none_and_test_rows_always_stay(name: str) -> None:
    subject = subject_of()
    assert planted(name, 0.0, subject) is subject
    broken = planted(name, 0.5, subject)
    assert broken.splits["test"] is subject.splits["test"]
    assert broken.splits["validation"] is subject.splits["validation"]
    assert broken.weights is None


def test_noise_is_planted_in_the_share_that_was_asked_for() -> None:
    subject = subject_of()
    broken = planted("memorised_noise", 0.4, subject)
    before, after = subject.splits["train"].target, broken.splits["train"].target
    assert before is not None
    assert after is not None
    assert int(np.sum(before != after)) == 18
    assert broken.recipe is not None
    assert (broken.recipe.patience, broken.recipe.weight_decay, broken.recipe.dropout) == (
        None,
        0,
        0,
    )
    assert broken.recipe.epochs == 200


def test_a_tiny_training_set_keeps_every_class_and_the_number_of_steps() -> None:
    broken = planted("tiny_training_set", 0.8, subject_of())
    train = broken.splits["train"]
    assert train.target is not None
    assert np.bincount(train.target).tolist() == [3, 3, 3]
    assert broken.recipe is not None
    assert broken.recipe.epochs == 100  # 45 rows to 9
    assert np.bincount(planted("tiny_training_set", 1.0, subject_of()).splits["train"].target).tolist() == [2, 2, 2]  # type: ignore[arg-type]  # fmt: skip


def test_an_oversize_model_has_layers_too_many_and_few_rows() -> None:
    subject = subject_of(n=450)
    train, rest = subject.splits["train"], subject.splits["test"]
    subject = subject.with_split("train", rest).with_split("test", train)  # 390 rows to train
    broken = planted("oversize_model", 3.0, subject)
    assert hidden(broken) == [8, 8, 16, 16, 16]
    kept = broken.splits["train"].target
    assert kept is not None
    assert np.bincount(kept).tolist() == [33, 33, 33]
    assert broken.recipe is not None
    assert (broken.recipe.epochs, broken.recipe.patience) == (79, None)  # 390 rows to 99


def test_what_makes_a_network_smaller_can_act_on_an_oversize_one() -> None:
    broken = planted("oversize_model", 4.0, subject_of())
    assert hidden(apply("fewer_layers", broken, 2.0)) == [8, 8, 16, 16]
    assert hidden(apply("fewer_parameters", broken, 0.5)) == [4, 4, 8, 8, 8, 8]


def test_an_underfit_model_is_narrower_and_trained_for_less() -> None:
    broken = planted("underfit_model", 0.75, subject_of())
    assert hidden(broken) == [2, 2]
    assert broken.recipe is not None
    assert broken.recipe.epochs == 5
