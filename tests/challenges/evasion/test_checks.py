"""Adversarial error through the engine: exact where the truth is planted, an error where the attack fails."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion import artifacts, checks, faults
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.engine.marks import FaultMark, mark_of
from roadworthy.perturbation.cascade import COLUMNS, Outcomes
from roadworthy.quantities import identity, outputs
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import judged, percent
from roadworthy.subject import Network, Predictor, Split, Subject, Task
from roadworthy.subject.fields import fields_of
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(artifacts, checks, identity, outputs, training)
LINF = {"norm": "linf", "eps": 8 / 255, "low": 0.0, "high": 1.0}
L2 = {"norm": "l2", "eps": 8 / 255, "low": 0.0, "high": 1.0}


def subject_of(n: int = 150, classes: int = 4, high: float = 1.0) -> Subject:
    rng = np.random.default_rng(classes)
    split = Split((high * rng.random((n, 1, 5, 5))).astype(np.float32), rng.integers(0, classes, n))
    task = Task("multiclass" if classes > 2 else "binary", tuple("abcdef"[:classes]))
    return Subject("made up", task, "array", {"test": split}, input_range=(0.0, high))


def planted(share: float, *, l2: bool = False, n: int = 150, classes: int = 4) -> Subject:
    subject, rng = subject_of(n, classes), np.random.default_rng(3)
    labels = subject.splits["test"].target
    assert labels is not None
    if l2:
        values = {**L2, "eps": artifacts.L2 * 25**0.5}
        return faults.rows_within_l2_reach(subject, share, rng, values, labels)
    return faults.rows_within_reach(subject, share, rng, LINF, labels)


def measured(subject: Subject, check: str = "adversarial_error", **fields: object) -> Outcome:
    given = {**fields_of(subject), **fields}
    options = fields.pop("options", {})
    return compute(REGISTRY, given, [check], options=options)[check]


def within(subject: Subject, norm: str, eps: float) -> float:
    """Share of rows that can be turned, by the closed form: margin at most eps times the dual norm."""
    split, weights = subject.splits["test"], subject.weights
    assert split.inputs is not None
    assert split.target is not None
    assert weights is not None
    signs, y = weights["head.weight"].astype(float), split.target
    logits = (split.inputs.reshape(len(y), -1).astype(float) - 0.5) @ signs.T
    lead = logits[np.arange(len(y)), y][:, None] - logits
    size = np.linalg.norm(signs[y][:, None] - signs[None], 1 if norm == "linf" else 2, axis=2)
    lead[np.arange(len(y)), y] = np.inf
    return float((lead < eps * size).any(axis=1).mean())


@pytest.mark.parametrize("l2", [False, True], ids=["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_planted_share_is_the_worst_case_and_is_found_exactly(l2: bool, classes: int) -> None:
    subject = planted(0.4, l2=l2, classes=classes)
    eps = artifacts.L2 * 5 if l2 else 8 / 255
    truth = within(subject, "l2" if l2 else "linf", eps)
    assert 0.3 < truth < 0.5
    outcome = measured(subject, "adversarial_l2_error" if l2 else "adversarial_error")
    assert isinstance(outcome.value, Measurement), outcome.reason
    assert outcome.value.value == pytest.approx(truth)
    assert outcome.value.n == 150
    assert "quick budget" in outcome.value.method


def test_the_control_is_out_of_reach_and_the_fault_at_0_changes_nothing() -> None:
    subject = planted(0.4)
    labels = subject.splits["test"].target
    assert labels is not None
    rng = np.random.default_rng(0)
    for control, fault, threat in (
        (faults.rows_out_of_reach, faults.rows_within_reach, LINF),
        (faults.rows_out_of_l2_reach, faults.rows_within_l2_reach, L2),
    ):
        clean = control(subject, rng, threat, labels)
        assert within(clean, str(threat["norm"]), 8 / 255) == 0.0
        assert fault(clean, 0.0, rng, threat, labels) is clean
        mark = mark_of(fault)
        assert isinstance(mark, FaultMark)
        assert {0.15, 0.3, 0.6} <= set(mark.severities)  # half the bound, the bound, twice
    assert measured(faults.rows_out_of_reach(subject, rng, LINF, labels)).value.value == 0.0


def test_at_eps_0_the_error_is_that_of_the_model() -> None:
    subject = planted(0.3)
    labels = subject.splits["test"].target
    assert labels is not None
    wrong = subject.with_target("test", np.where(np.arange(150) < 40, (labels + 1) % 4, labels))
    outcome = measured(wrong, options={"attack_threat": {"eps": 0.0}})
    assert outcome.value.value == 40 / 150
    assert "allows no change at all: 40 of 150 rows" in outcome.value.details


def test_rows_outside_of_the_stated_range_are_refused_with_row_and_value() -> None:
    subject = planted(0.3)
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    inputs = inputs.copy()
    inputs[17, 0, 2, 2] = 1.5
    outcome = measured(subject.with_inputs("test", inputs))
    assert outcome.state == "dependency_failed"
    assert outcome.value is None
    assert "row 17 (counted from 0) with 1.5" in (outcome.reason or "")


def test_without_a_range_nothing_is_measured_and_the_way_out_is_said() -> None:
    outcome = measured(replace(planted(0.3), input_range=None))
    assert outcome.state == "missing"
    assert "--input-range" in (outcome.reason or "")


class Raising(nn.Module):
    """Answers some calls and then none."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left, self.weight = calls, nn.Parameter(torch.randn(4, 25))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("the accelerator fell off the bus")
        return inputs.flatten(1) @ self.weight.T


def predictor_of(module: nn.Module, *, blind: bool = False, gives: str = "logits") -> Predictor:
    def call(inputs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(np.array(inputs, np.float32))).numpy()

    return Predictor(call, gives, "made for a test", None if blind else module)


def test_an_attack_that_fails_half_way_is_an_error_and_no_robustness() -> None:
    subject = subject_of()
    for calls in (6, 20):
        outcome = measured(replace(subject, predictor=predictor_of(Raising(calls))))
        assert outcome.state == "dependency_failed"
        assert "fell off the bus" in (outcome.reason or "")
        assert outcome.value is None


def linear_net(subject: Subject) -> nn.Module:
    assert subject.network is not None
    assert subject.weights is not None
    net = subject.network.build()
    net.load_state_dict({k: torch.from_numpy(v) for k, v in subject.weights.items()})
    return net


def test_a_model_that_gives_probabilities_is_found_as_weak_as_its_logits() -> None:
    subject = planted(0.4)
    told = nn.Sequential(linear_net(subject), nn.Softmax(dim=1))
    predictor = predictor_of(told, gives="probabilities")
    outcome = measured(replace(subject, network=None, weights=None, predictor=predictor))
    assert outcome.value.value == pytest.approx(within(subject, "linf", 8 / 255))


def test_a_black_box_is_attacked_by_its_outputs_and_the_finding_says_so() -> None:
    subject = planted(0.4)
    predictor = predictor_of(linear_net(subject), blind=True)
    found = measured(replace(subject, network=None, weights=None, predictor=predictor)).value
    truth = within(subject, "linf", 8 / 255)
    assert 0.7 * truth <= found.value <= truth
    assert "no gradients" in found.details
    withstand = percent(1 - found.value)
    assert f"So at most {withstand} withstand it: the quick budget" in found.details


def through_numpy(inputs: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(inputs.numpy())


def through_a_step(inputs: torch.Tensor) -> torch.Tensor:
    """Values as they are, by an operation of which torch has no derivative, which shows on the way back alone."""
    return inputs + 0 * torch.heaviside(inputs, torch.zeros(()))


@pytest.mark.parametrize("cut", [through_numpy, through_a_step])
def test_a_network_that_cuts_its_gradients_is_attacked_by_its_outputs(
    cut: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    class Cut(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return cut(self.net(inputs))

    subject = planted(0.4)
    predictor = predictor_of(Cut(linear_net(subject)))
    found = measured(replace(subject, network=None, weights=None, predictor=predictor)).value
    assert found.value > 0.7 * within(subject, "linf", 8 / 255)
    assert "no gradients" in found.details


def test_the_model_is_left_in_the_mode_that_it_was_in() -> None:
    subject = planted(0.4)
    net = linear_net(subject).train()
    measured(replace(subject, network=None, weights=None, predictor=predictor_of(net)))
    assert net.training
    assert all(p.requires_grad for p in net.parameters())


def test_as_many_rows_as_there_is_time_for_are_attacked_and_they_are_the_denominator() -> None:
    subject = planted(0.3, n=400)
    names = ["adversarial_error", "test_attack_outcomes"]
    found = compute(REGISTRY, fields_of(subject), names)
    assert found["adversarial_error"].value.n == 200
    outcomes = Outcomes(found["test_attack_outcomes"].value)
    assert outcomes.attacked.sum() == 200
    assert np.isnan(outcomes.table[~outcomes.attacked]).all()
    more = measured(subject, options={"test_attacked_rows": {"most": 300}})
    assert more.value.n == 300


def test_a_doubt_keeps_from_passing_and_never_from_failing() -> None:
    fields = (LINF, "quick", {"gradients": True}, ())
    table = np.full((300, len(COLUMNS)), np.nan)
    table[:, COLUMNS.index("correct")], table[:, COLUMNS.index("broken")] = 1.0, 0.0
    table[:, COLUMNS.index("forward")] = table[:, COLUMNS.index("backward")] = 1.0
    bound = AtMost(0.3, "house default")
    sure = checks.adversarial_error(table, *fields)
    assert judged(sure, bound).verdict == "pass"
    doubted = checks.adversarial_error(table, *fields, ("many gradients are zero",))
    found_so = judged(doubted, bound)
    assert (found_so.verdict, found_so.reason_code) == ("inconclusive", "unreliable")
    assert "many gradients are zero" in found_so.reason
    table[:200, COLUMNS.index("broken")] = 1.0
    table[:200, COLUMNS.index("distance")] = 0.02
    worse = checks.adversarial_error(table, *fields, ("many gradients are zero",))
    assert judged(worse, bound).verdict == "fail"


def test_a_black_box_that_gives_classes_alone_cannot_pass_for_what_a_search_did_not_see() -> None:
    plain = subject_of()
    labels = plain.splits["test"].target
    assert labels is not None
    subject = faults.rows_out_of_reach(plain, np.random.default_rng(0), LINF, labels)
    net = linear_net(subject)

    def classes(inputs: np.ndarray) -> np.ndarray:
        found = net(torch.from_numpy(np.asarray(inputs, np.float32))).argmax(1)
        return np.eye(4, dtype=np.float32)[found.numpy()]

    box = Predictor(classes, "logits", "made for a test")
    blind = replace(subject, network=None, weights=None, predictor=box)
    bound = AtMost(0.3, "house default")
    for check in ("adversarial_error", "adversarial_l2_error"):
        found = judged(measured(blind, check).value, bound)
        assert (found.verdict, found.reason_code) == ("inconclusive", "unreliable"), check
        assert "moved the outputs" in found.reason
    clean = measured(blind, options={"attack_threat": {"eps": 0.0}})
    assert judged(clean.value, bound).verdict == "pass"  # nothing was searched for


class Rounded(nn.Module):
    """Hides a linear network behind comparisons: gradients are zero, and pass no rounding either."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        levels = (torch.arange(1, 65) - 0.5) / 64
        passed = (inputs.unsqueeze(-1) > levels).float().sum(dim=-1) / 64
        return self.net(passed + 0 * inputs)


def test_hidden_gradients_are_noticed_escalated_and_leave_the_finding_unreliable() -> None:
    subject = planted(0.25)
    predictor = predictor_of(Rounded(linear_net(subject)))
    hidden = replace(subject, network=None, weights=None, predictor=predictor)
    names = [
        "adversarial_error",
        "test_attack_surprises",
        "test_attack_first",
        "test_attack_second",
    ]
    found = compute(REGISTRY, fields_of(hidden), names)
    assert len(found["test_attack_surprises"].value) == 1
    first, second = (Outcomes(found[name].value) for name in names[2:])
    assert second.column("forward").sum() > first.column("forward").sum()
    assert second.broken[first.broken].all()
    found_so = judged(found["adversarial_error"].value, AtMost(0.6, "house default"))
    assert found_so.reason_code == "unreliable"


def test_rows_in_shards_are_what_they_are_together() -> None:
    subject = planted(0.4, n=42)
    fields = fields_of(subject)
    names = ["test_attacked_inputs", "test_attacked_labels", "test_attacked_ids", "attack_seed"]
    shared = [*names, "attack_conduct", "predictor", "output_kind", "test_attack_first"]
    found = {name: out.value for name, out in compute(REGISTRY, fields, shared).items()}
    inputs, labels, ids, seed = (found[name] for name in names)
    parts = [
        artifacts.attack_first(
            found["predictor"],
            subject.task,
            found["output_kind"],
            inputs[first : first + 7],
            labels[first : first + 7],
            ids[first : first + 7],
            LINF,
            "quick",
            found["attack_conduct"],
            seed,
        )
        for first in range(0, 42, 7)
    ]
    np.testing.assert_allclose(
        np.concatenate(parts), found["test_attack_first"], rtol=1e-3, atol=1e-3
    )


def test_a_network_that_looks_codes_up_is_not_attacked_as_an_array() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Embedding(10, 4))
    outcome = measured(replace(subject_of(), predictor=predictor_of(module, gives="logits")))
    assert outcome.state == "not_applicable"
    assert "codes" in (outcome.reason or "")


def test_a_factory_of_a_network_is_used_as_it_is() -> None:
    subject = planted(0.4)
    assert isinstance(subject.network, Network)
    assert subject.network.build().middle == 0.5


@pytest.mark.parametrize("eps", [8.0, -1.0, float("nan")])
@pytest.mark.parametrize("threat", ["attack_threat", "l2_attack_threat"])
def test_a_size_that_is_no_share_of_the_range_is_refused(threat: str, eps: float) -> None:
    given = fields_of(planted(0.2))
    found = compute(REGISTRY, given, [threat], options={threat: {"eps": eps}})[threat]
    assert found.state == "error"
    assert f"{threat}.eps is" in found.reason
    assert "share of the range" in found.reason
