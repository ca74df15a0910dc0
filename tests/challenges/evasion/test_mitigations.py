"""Remedies against an adversary and against corruption: what each changes, and what it leaves alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from roadworthy.challenges import evasion
from roadworthy.challenges.evasion import mitigations as room
from roadworthy.challenges.evasion.brittle_faults import brittle_feature
from roadworthy.challenges.evasion.mitigations import building, training
from roadworthy.engine import MitigationMark, Registry
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject, builtin_subject

REGISTRY = Registry.discover()
HERE = Registry.of(building, training)
THREAT = {"norm": "linf", "eps": 0.1, "low": 0.0, "high": 1.0}
GIVEN = {"attack_threat": THREAT, "input_range": (0.0, 1.0), "output_kind": "logits"}
DIGITS = builtin_subject("digits")


def made(name: str, strength: float, subject: Subject = DIGITS, **given: Any) -> Subject:
    marked = {**HERE.mitigations, **HERE.shams}[name]
    wanted = {p.name for p in marked.parameters}
    values = {k: v for k, v in {**GIVEN, **given}.items() if k in wanted}
    return marked.function(subject=subject, strength=strength, **values)


def test_the_room_has_what_it_promises() -> None:
    assert len(HERE.mitigations) >= 11
    assert room.__doc__
    assert evasion.__doc__


@pytest.mark.parametrize("name", HERE.mitigations)
def test_strength_0_changes_nothing(name: str) -> None:
    assert made(name, 0.0) is DIGITS


@pytest.mark.parametrize("name", [*HERE.mitigations, *HERE.shams])
def test_a_remedy_trains_nothing_and_leaves_the_rows_alone(name: str) -> None:
    found = made(name, 1.0)
    assert found.weights is None
    assert found.splits is DIGITS.splits
    assert (found.recipe, found.network) != (DIGITS.recipe, DIGITS.network)


@pytest.mark.parametrize("name", HERE.mitigations)
def test_targets_faults_and_shams_are_there(name: str) -> None:
    mark = REGISTRY.mitigations[name].mark
    assert isinstance(mark, MitigationMark)
    assert set(mark.targets) <= set(REGISTRY.checks)
    assert mark.repairs in REGISTRY.faults
    assert mark.sham is None or mark.sham in REGISTRY.shams
    assert list(mark.strengths) == sorted(mark.strengths)
    assert len(mark.strengths) <= 4


def test_a_remedy_that_trains_needs_a_recipe() -> None:
    for name in HERE.mitigations:
        with pytest.raises(NotApplicable, match="recipe"):
            made(name, 1.0, replace(DIGITS, recipe=None))


def test_the_size_is_in_parts_of_the_audited_one_and_the_control_has_the_same_budget() -> None:
    found = made("adversarial_training", 1.5).recipe
    control = made("training_on_random_moves", 1.5).recipe
    assert found is not None
    assert control is not None
    assert found.adversarial is not None
    assert control.adversarial is not None
    assert found.adversarial.eps == pytest.approx(0.15)
    assert control.adversarial.random
    assert replace(control, adversarial=replace(control.adversarial, random=False)) == found
    free = made("free_adversarial_training", 1.0).recipe
    assert free is not None
    assert free.epochs * 4 == found.epochs


def test_what_comes_before_stays_in_the_recipe() -> None:
    first = made("noise_training", 0.1)
    both = made("corruption_training", 3.0, first).recipe
    assert both is not None
    assert [(a.kind, a.amount) for a in both.augmentation] == [
        ("gaussian", 0.1),
        ("corruption", 3.0),
    ]


def test_probabilities_are_no_members_of_an_ensemble() -> None:
    with pytest.raises(NotApplicable, match="probabilities"):
        made("ensembling", 3.0, output_kind="probabilities")


@pytest.mark.parametrize("name", ["digits", "series"])
def test_a_brittle_feature_is_one_faint_pattern_for_each_class(name: str) -> None:
    subject = DIGITS
    if name == "series":
        flat = {
            n: s.inputs.reshape(s.n, 64) for n, s in DIGITS.splits.items() if s.inputs is not None
        }
        subject = replace(
            DIGITS, splits={n: replace(s, inputs=flat[n]) for n, s in DIGITS.splits.items()}
        )

    def broken(severity: float) -> Subject:
        assert subject.network is not None
        assert subject.recipe is not None
        rng = np.random.default_rng(0)
        return brittle_feature(subject, severity, rng, subject.network, subject.recipe, THREAT)

    assert broken(0.0) is subject
    for split in ("train", "test"):
        before, after = subject.splits[split].inputs, broken(0.5).splits[split].inputs
        labels = subject.splits[split].target
        assert before is not None
        assert after is not None
        assert labels is not None
        assert 0.0 <= after.min() <= after.max() <= 1.0
        pattern = after - (0.5 + (before - 0.5) * 0.9)
        np.testing.assert_allclose(np.abs(pattern), 0.05, atol=1e-6)
        for c in range(10):
            of_class = pattern[labels == c]
            np.testing.assert_allclose(
                of_class, np.broadcast_to(of_class[0], of_class.shape), atol=1e-6
            )
        assert len({p.round(3).tobytes() for p in pattern}) == 10
