"""What is proven survives every attack, and what is smoothed is worth its closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion import artifacts, certified, checks, faults
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.cascade import Outcomes
from roadworthy.quantities import identity, outputs
from roadworthy.results import Measurement
from roadworthy.subject import Network, Predictor, Split, Subject, Task
from roadworthy.subject.builtin import digits
from roadworthy.subject.fields import fields_of
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(artifacts, checks, certified, identity, outputs, training)
LINF = {"norm": "linf", "eps": 8 / 255, "low": 0.0, "high": 1.0}


def planted(share: float, n: int = 100) -> Subject:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, n)
    split = Split(rng.random((n, 1, 5, 5)).astype(np.float32), labels)
    task = Task("multiclass", tuple("abcd"))
    subject = Subject("made up", task, "array", {"test": split}, input_range=(0.0, 1.0))
    return faults.rows_within_reach(subject, share, np.random.default_rng(3), LINF, labels)


def computed(subject: Subject, *names: str, **options: object) -> dict[str, Outcome]:
    return compute(REGISTRY, fields_of(subject), list(names), options=options)


def test_on_a_linear_network_the_proof_and_the_attack_meet() -> None:
    found = computed(planted(0.4), "certified_error", "adversarial_error")
    proven, shown = (outcome.value for outcome in found.values())
    assert isinstance(proven, Measurement)
    assert isinstance(shown, Measurement)
    assert proven.value == shown.value
    assert 0.25 < proven.value < 0.55


def trained_digits() -> Subject:
    """Digits with a small dense network, trained for a moment."""
    subject = digits()
    train = subject.splits["train"]
    assert train.inputs is not None
    assert train.target is not None
    inputs, labels = torch.from_numpy(train.inputs), torch.from_numpy(train.target)

    def dense() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    module = dense()
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(inputs), labels)
        loss.backward()
        optimizer.step()
    weights = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    return replace(subject, network=Network(dense), weights=weights)


def test_every_row_that_is_certified_survives_the_attacks_on_a_trained_network() -> None:
    names = ("test_certified_lead", "test_attack_first", "certified_error", "adversarial_error")
    some_proven = False
    for eps in (0.01, 0.03, 0.1):
        found = computed(trained_digits(), *names, attack_threat={"eps": eps})
        lead, table, proven, shown = (found[name].value for name in names)
        outcomes = Outcomes(table)
        assert not (outcomes.broken & (lead > 0)).any()
        assert not (~outcomes.correct & (lead > 0)).any()
        # how near attacks came is no nearer than what is proven to be left
        assert (outcomes.column("margin") >= lead - 1e-4).all()
        assert shown.value <= proven.value
        some_proven |= bool((lead > 0).mean() > 0.3)
    assert some_proven


def test_smoothing_certifies_what_the_closed_form_of_a_linear_network_allows() -> None:
    subject = planted(1e-9)  # out of reach
    options = {"smoothing_plan": {"sigma": 0.05, "samples": 500}}
    names = ("smoothed_error", "test_smoothed_votes", "smoothing_plan", "test_smoothed_rows")
    found = computed(subject, *names, **options)
    measured, votes, plan, rows = (found[name].value for name in names)
    assert isinstance(measured, Measurement), found["smoothed_error"].reason
    assert measured.n == 50
    assert plan["sigma"] == pytest.approx(0.05)
    split = subject.splits["test"]
    assert split.inputs is not None
    assert split.target is not None
    assert subject.weights is not None
    signs = subject.weights["head.weight"].astype(float)
    y = split.target[rows]
    logits = (split.inputs[rows].reshape(len(y), -1) - 0.5) @ signs.T
    length = np.linalg.norm(signs[y][:, None] - signs[None], axis=2)
    lead = logits[np.arange(len(y)), y][:, None] - logits
    distance = np.where(length > 0, lead / np.maximum(length, 1e-9), np.inf).min(1)
    assert (votes[distance > 0.1, 0] == y[distance > 0.1]).all()
    # several classes only shorten what is certified below the distance
    assert measured.value >= (distance < plan["radius"]).mean()
    assert measured.value < 0.7
    assert "of 50 rows" in measured.details
    curve = measured.evidence[0].series[0]
    assert list(curve.y) == sorted(curve.y, reverse=True)


def test_wrong_and_uncertain_rows_count_and_too_few_samples_are_refused() -> None:
    plan = {"sigma": 0.1, "samples": 1000, "guesses": 10, "alpha": 0.001, "radius": 0.05}
    votes = np.array([[0, 1000], [1, 1000], [0, 510], [0, 600]])
    found = certified.smoothed_error(votes, np.zeros(4, np.int64), plan)
    # right and certain; wrong; abstains (510 of 1,000 may be chance); right at less than .05
    assert found.value == 0.75
    assert "1 abstain, 1 are wrong" in found.details
    threat = {"eps": 0.05}
    with pytest.raises(UserError, match="at least 40"):
        certified.smoothing_plan(threat, (0.0, 1.0), "quick", samples=10)
    grey = certified.smoothing_plan(threat, (0.0, 255.0), "quick", sigma=0.01)
    assert grey["sigma"] == pytest.approx(2.55)
    with pytest.raises(NotApplicable, match="no size"):
        certified.smoothing_plan({"eps": 0.0}, (0.0, 1.0), "quick")


def test_a_black_box_is_smoothed_and_not_bounded() -> None:
    def call(inputs: np.ndarray) -> np.ndarray:
        flat = np.asarray(inputs).reshape(len(inputs), -1)
        return np.stack([flat[:, k] for k in range(4)], axis=1)

    box = replace(
        planted(0.2), network=None, weights=None, predictor=Predictor(call, "logits", "a box")
    )
    found = computed(box, "certified_error", "smoothed_error")
    assert found["certified_error"].code == "not_applicable"
    assert "black box" in (found["certified_error"].reason or "")
    assert isinstance(found["smoothed_error"].value, Measurement)
