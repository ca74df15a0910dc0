"""Answers held back under attack: credited where they are, and exposed where the attack knows of the rule."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion import (
    artifacts,
    checks,
    masking,
    rejection,
    rejection_faults,
)
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.engine.marks import FaultMark, mark_of
from roadworthy.perturbation.joint import answered
from roadworthy.perturbation.model import AttackedModel
from roadworthy.quantities import identity, outputs, predictions
from roadworthy.subject import DecisionRule, Split, Subject, Task, fields_of, subject_from
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(
    artifacts, checks, masking, rejection, identity, outputs, predictions, training
)
LINF = {"norm": "linf", "eps": 8 / 255, "low": 0.0, "high": 1.0}
CHECK = "accepted_adversarial_error"


def subject_of(n: int = 120, classes: int = 4) -> Subject:
    rng = np.random.default_rng(classes)
    split = Split(rng.random((n, 1, 5, 5)).astype(np.float32), rng.integers(0, classes, n))
    task = Task("multiclass" if classes > 2 else "binary", tuple("abcdef"[:classes]))
    return Subject("made up", task, "array", {"test": split}, input_range=(0.0, 1.0))


def planted(share: float, classes: int = 4) -> Subject:
    subject, rng = subject_of(classes=classes), np.random.default_rng(3)
    labels = subject.splits["test"].target
    assert labels is not None
    clean = rejection_faults.rows_out_of_accepted_reach(subject, rng, LINF, labels)
    return rejection_faults.rows_within_accepted_reach(clean, share, rng, LINF, labels)


def measured(subject: Subject, name: str = CHECK, **options: object) -> Outcome:
    given = {CHECK: options} if options else {}
    return compute(REGISTRY, fields_of(subject), [name], options=given)[name]


def leads(subject: Subject) -> np.ndarray:
    """How far each row can be made to follow its nearest other class, in nats: by hand, 2 (eps - t) x scale x signs apart."""
    split, weights = subject.splits["test"], subject.weights
    assert split.inputs is not None
    assert split.target is not None
    assert weights is not None
    w, y = weights["head.weight"].astype(float), split.target
    logits = (split.inputs.reshape(len(y), -1).astype(float) - 0.5) @ w.T
    size = np.abs(w[y][:, None] - w[None]).sum(axis=2)
    found = logits - logits[np.arange(len(y)), y][:, None] + 8 / 255 * size
    found[np.arange(len(y)), y] = -np.inf
    return found.max(axis=1)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_planted_share_is_the_truth_and_is_found_and_rows_held_back_are_credited(
    classes: int,
) -> None:
    subject = planted(0.4, classes)
    follows = leads(subject)
    truth = float((follows > np.log(9)).mean())  # .9 against .1
    assert 0.25 < truth < 0.55
    assert ((follows > 0) & (follows < np.log(9))).mean() > 0.2  # wrong within reach, held back
    outcome = measured(subject)
    assert outcome.value is not None, outcome.reason
    assert outcome.value.value == pytest.approx(truth)
    plain = measured(subject, "adversarial_error").value
    assert plain.value == pytest.approx(float((follows > 0).mean()), abs=0.02)


def test_the_control_gives_no_wrong_answer_and_the_fault_at_0_changes_nothing() -> None:
    clean = planted(0.0)
    labels = clean.splits["test"].target
    assert labels is not None
    assert measured(clean).value.value == 0.0
    rng = np.random.default_rng(0)
    assert rejection_faults.rows_within_accepted_reach(clean, 0.0, rng, LINF, labels) is clean
    mark = mark_of(rejection_faults.rows_within_accepted_reach)
    assert isinstance(mark, FaultMark)
    assert {0.15, 0.3, 0.6} <= set(mark.severities)  # half the bound, the bound, twice


class TwoWays(nn.Module):
    """One value leads to two wrong classes at once, neither of which is ever sure; another leads to one that is."""

    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.tensor([400.0, 90.0]))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        unsure, sure = (self.gains * (inputs.flatten(1) - 0.5)).unbind(1)
        return torch.stack([torch.full_like(sure, 3.0), unsure, unsure, sure], dim=1)


def test_a_rule_that_looks_good_against_who_does_not_know_of_it_is_exposed() -> None:
    """By hand: both values up by .1 give logits 3, 40, 40, 9 and a probability of .5; the second alone gives 9 to 3."""
    labels = np.maximum(
        np.arange(40) - 36, 0
    )  # 1, 2 and 3 once each, answered wrongly and surely: 20 to 1
    test = (np.full((40, 1, 1, 2), 0.5, np.float32), labels)
    base = subject_from(TwoWays(), test=test, input_range=(0, 1))
    subject = replace(base, decision_rule=DecisionRule("abstain", 0.8))
    given = {"attack_threat": {"eps": 0.1}}
    found = compute(REGISTRY, fields_of(subject), [CHECK], options=given)[CHECK].value
    aware, unaware = found.value, float(found.evidence[0].rows[0][2])
    assert aware == 1.0
    assert unaware < 0.7
    assert "do not know of the rule" in found.details


def test_rows_held_back_count_as_wrong_where_clean_rows_are_held_back_too_often() -> None:
    subject = replace(planted(0.4), decision_rule=DecisionRule("abstain", 1.0))
    labels = subject.splits["test"].target
    assert labels is not None
    assert subject.weights is not None
    weights = {name: value / 200 for name, value in subject.weights.items()}
    unsure = replace(subject, weights=weights)  # nothing is ever sure: every row is held back
    found = measured(unsure).value
    assert found.value == 1.0
    assert "beyond the stated" in found.details
    assert measured(unsure, false_alarms=1.0).value.value == 0.0


def test_a_row_held_back_without_a_change_is_attacked_too() -> None:
    """One value, two classes, logits of 20 (x - .5): the row at .5 is unsure, and a step of .1 leads to .88 of either."""

    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steep = nn.Parameter(torch.tensor(20.0))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            lead = self.steep * (inputs.flatten(1) - 0.5)
            return torch.cat([torch.zeros_like(lead), lead], dim=1)

    inputs = np.full((20, 1, 1, 1), 0.5, np.float32)
    base = subject_from(Slope(), test=(inputs, np.arange(20) % 2), input_range=(0, 1))
    given = {"attack_threat": {"eps": 0.1}}
    # e^2 / (1 + e^2) = .881
    for threshold, expected in ((0.85, 1.0), (0.9, 0.0)):
        subject = replace(base, decision_rule=DecisionRule("abstain", threshold))
        options = {**given, CHECK: {"false_alarms": 1.0}}
        found = compute(REGISTRY, fields_of(subject), [CHECK], options=options)[CHECK]
        assert found.value.value == expected


def test_without_a_rule_it_is_the_adversarial_error() -> None:
    subject = replace(planted(0.4), decision_rule=None)
    assert measured(subject).value.value == measured(subject, "adversarial_error").value.value
    assert "no rule of abstaining" in measured(subject).value.details


def test_shards_change_nothing() -> None:
    subject = planted(0.5)
    whole = measured(subject, "test_rejection_attack").value
    split = subject.splits["test"]
    rows = np.arange(30, 50)
    part = measured(subject.with_split("test", split.take(rows)), "test_rejection_attack").value
    np.testing.assert_array_equal(part[:, :3], whole[rows][:, :3])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_the_joint_answer_is_wrong_exactly_where_a_wrong_class_is_given(threshold: float) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(scale=2, size=(500, 5)).astype(np.float32))
    model = AttackedModel(nn.Identity(), 5)
    for label in range(5):
        found = answered(model, label, threshold).logits(logits).argmax(1) != label
        sure, top = logits.softmax(1).max(1)
        assert torch.equal(found, (top != label) & (sure >= threshold))
