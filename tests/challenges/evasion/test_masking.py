"""Whether masked gradients are seen, and plain ones are not suspected."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion.attacking import budget_of, is_undone
from roadworthy.challenges.evasion.masking import (
    AIDED,
    BY_FAR,
    TOLERATED,
    UNAIDED,
    attack_doubts,
    gradient_doubts,
    gradients_that_fail,
    gradients_that_hide,
    gradients_that_lead,
    masked_gradient_wrapper,
    masked_gradients,
)
from roadworthy.challenges.evasion.mitigations.training import defensive_distillation
from roadworthy.engine import Registry, compute
from roadworthy.perturbation.budgets import queries
from roadworthy.perturbation.masking import COLUMNS, Signs
from roadworthy.results import AtMost, Table
from roadworthy.statistics import judge
from roadworthy.subject import (
    Network,
    Split,
    Subject,
    Task,
    builtin_subject,
    fields_of,
    subject_from,
)

REGISTRY = Registry.discover()
RNG = np.random.default_rng(0)
N, D, C = 120, 6, 3
WEIGHT = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]], np.float32)
PLAIN = {"gradients": True}


class Small(nn.Module):
    """A linear layer, behind what `how` says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.head = nn.Linear(D, C, bias=False)
        self.how = how

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = self.head(inputs - 0.5)
        if self.how == "sharp":
            return found * 500
        if self.how == "rounded":
            return self.head((inputs * 5).round() / 5 - 0.5)
        if self.how == "cut":
            return self.head((inputs > 0.5).float() - 0.5)
        return found


def subject(how: str) -> Subject:
    labels = np.arange(N) % C
    inputs = 0.5 + 0.2 * WEIGHT[labels] + RNG.normal(0, 0.02, (N, D))
    return Subject(
        name=how,
        task=Task("multiclass", ("a", "b", "c")),
        modality="array",
        splits={"test": Split(inputs.clip(0, 1).astype(np.float32), labels.astype(np.int64))},
        input_range=(0.0, 1.0),
        network=Network(partial(Small, how)),
        weights={"head.weight": WEIGHT},
    )


def found(how: str, *names: str, **given: Any) -> dict[str, Any]:
    outcomes = compute(REGISTRY, fields_of(subject(how)) | given, names)
    return {name: each.value for name, each in outcomes.items()}


def test_plain_gradients_are_not_suspected() -> None:
    values = found("plain", "masked_gradients", "attack_doubts")
    assert values["masked_gradients"].value == 0.0
    assert values["attack_doubts"] == ()


def test_large_logits_are_divided_and_gradients_then_lead() -> None:
    names = ("gradient_doubts", "attack_conduct", "test_masking_signs", "adversarial_error")
    values = found("sharp", *names)
    assert values["gradient_doubts"] == ()
    scale = values["attack_conduct"]["scale"]
    assert scale > 1
    assert np.log2(scale) % 1 == 0
    assert values["test_masking_signs"][:, COLUMNS.index("saturated")].mean() < 0.1
    assert f"divided by {scale:g}" in values["adversarial_error"].details
    assert f"divided by {scale:g}" in found("sharp", "masked_gradients")["masked_gradients"].details
    plain = found("plain", "adversarial_error", "attack_conduct")
    assert "scale" not in plain["attack_conduct"]
    assert "divided by" not in plain["adversarial_error"].details
    assert values["adversarial_error"].value >= plain["adversarial_error"].value


UNDONE = PLAIN | {"scale": 64.0, "steps": True}


def test_rows_that_fall_only_once_masking_is_undone_count_and_are_doubted() -> None:
    many, few = np.arange(N) < 60, np.arange(N) < 20
    table = signs(by_many_steps=many, by_unaided_steps=few)
    hides = masked_gradients(table, UNDONE)
    assert hides.value == 40 / 120
    assert judge(hides, TOLERATED).verdict == "fail"
    assert "divided by 64" in hides.details
    assert "such as rounding" in hides.details
    assert "turn 60 of 120 rows with that undone, and 20 of the model as it is: 40" in hides.details
    (doubt,) = attack_doubts(table, UNDONE, ())
    assert "60 of 120 rows where what hides them is undone, and 20 of the model as it is" in doubt
    assert "divide its logits by 64" in doubt
    assert "leave out the steps, such as rounding (which of the two" in doubt
    (only,) = attack_doubts(table, PLAIN | {"steps": True}, ())
    assert only.endswith("judged without: leave out the steps, such as rounding")
    assert attack_doubts(table, UNDONE, ("another",)) == ("another", doubt)
    assert gradient_doubts(table, UNDONE) == ()


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (3, 0), (40, 30)])
def test_what_is_undone_and_hides_no_more_than_luck_is_said_and_does_not_count(
    lost: int, won: int
) -> None:
    row = np.arange(N)
    table = signs(by_many_steps=row < 60, by_unaided_steps=(row >= lost) & (row < 60 + won))
    found = masked_gradients(table, UNDONE)
    assert found.value == 0.0
    assert found.details.endswith(f"and {60 - lost + won} of the model as it is.")
    assert attack_doubts(table, UNDONE, ()) == ()
    assert masked_gradients(table, PLAIN).details == ""


def test_columns_of_signs_lie_where_faults_plant_them() -> None:
    names = [COLUMNS[at] for at in (AIDED, BY_FAR, UNAIDED)]
    assert names == ["by_many_steps", "by_far", "by_unaided_steps"]


@pytest.mark.parametrize(("how", "times"), [("plain", 1), ("sharp", 4), ("rounded", 4)])
def test_where_something_is_undone_the_search_without_gradients_goes_on_longer(
    how: str, times: int
) -> None:
    options = {"attack_threat": {"eps": 0.05}}
    fields = fields_of(subject(how))
    names = ["adversarial_error", "attack_conduct"]
    values = compute(REGISTRY, fields, names, options=options)
    conduct = values["attack_conduct"].value
    assert is_undone(conduct) == (times > 1)
    chosen = budget_of("quick", {"norm": "linf", "eps": 0.05, "low": 0, "high": 1}, conduct)
    assert queries(chosen.black_box) == 100 * times
    tables = [e for e in values["adversarial_error"].value.evidence if isinstance(e, Table)]
    assert chosen.black_box[0].name in [row[0] for row in tables[0].rows]


def test_defensive_distillation_is_exposed_as_masking() -> None:
    digits = builtin_subject("digits")
    distilled = defensive_distillation(digits, 100.0)
    options = {"attack_threat": {"eps": 0.1}}
    names = ("masked_gradients", "test_masking_signs", "attack_doubts", "adversarial_error")
    values = compute(REGISTRY, fields_of(distilled), names, options=options)
    table = Signs(values["test_masking_signs"].value)
    helped, unaided = (table.column(c).mean() for c in ("by_many_steps", "by_unaided_steps"))
    assert unaided < helped - 0.15
    assert judge(values["masked_gradients"].value, TOLERATED).verdict == "fail"
    assert values["adversarial_error"].value.doubts == values["attack_doubts"].value != ()
    plain = compute(REGISTRY, fields_of(digits), names, options=options)
    assert plain["masked_gradients"].value.details == ""
    assert values["adversarial_error"].value.value > plain["adversarial_error"].value.value - 0.03


def signs(**columns: np.ndarray) -> np.ndarray:
    table = {name: np.zeros(N) for name in COLUMNS} | {"right": np.ones(N), "by_far": np.ones(N)}
    return np.stack([np.asarray((table | columns)[name], float) for name in COLUMNS], axis=1)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"flat": np.arange(N) < 20}, "exactly 0 on 20 of 120"),
        ({"by_far": np.arange(N) >= 40}, "40 of 120 rows .* half the range"),
        (
            {"by_one_step": np.arange(N) < 30, "by_many_steps": np.arange(N) < 5},
            "one step breaks 30 rows and ten steps 5",
        ),
        ({"saturated": np.arange(N) < 90}, "logits are too large"),
    ],
)
def test_each_sign_beyond_luck_is_a_doubt(columns: dict[str, Any], words: str) -> None:
    (doubt,) = gradient_doubts(signs(**columns), PLAIN)
    import re

    assert re.search(words, doubt)


@pytest.mark.parametrize(
    "columns",
    [
        {"flat": np.arange(N) < 6},
        {"by_far": np.arange(N) >= 10},
        {"by_one_step": np.arange(N) < 4, "by_many_steps": np.arange(N) >= N - 2},
        {"saturated": np.arange(N) < 50},
    ],
)
def test_what_luck_can_do_is_no_doubt(columns: dict[str, Any]) -> None:
    assert gradient_doubts(signs(**columns), PLAIN) == ()


def test_a_random_model_is_doubted_and_no_right_row_is_no_doubt() -> None:
    (doubt,) = gradient_doubts(signs(), PLAIN | {"random": True})
    assert "from call to call" in doubt
    assert gradient_doubts(signs(right=np.zeros(N), flat=np.ones(N)), PLAIN) == ()


@pytest.mark.parametrize("planted", [gradients_that_fail, gradients_that_hide])
def test_the_planted_share_is_what_the_check_finds(planted: Any) -> None:
    clean = gradients_that_lead(subject("plain"), RNG, signs(by_far=np.zeros(N)))
    table = clean.given["test_masking_signs"]
    assert masked_gradients(table, PLAIN).value == 0.0
    assert planted(clean, 0.0, RNG, table) is clean
    shares = [
        masked_gradients(
            planted(clean, 0.2, np.random.default_rng(k), table).given["test_masking_signs"],
            PLAIN,
        ).value
        for k in range(60)
    ]
    assert abs(np.mean(shares) - 0.2) < 3 * np.sqrt(0.16 / N / 60)


class Rounded(nn.Module):
    """Hard rounding and huge logits, as a defence."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 200.0 * self.inner((inputs * 5).round() / 5)


def test_rounding_and_large_logits_alone_are_seen_through_and_doubted() -> None:
    plain = subject("plain")
    assert plain.network is not None
    assert plain.weights is not None
    behind = replace(
        plain,
        network=Network(lambda: Rounded(plain.network.build()), "rounded"),
        weights={f"inner.{name}": value for name, value in plain.weights.items()},
    )
    names = ["gradient_doubts", "attack_doubts", "attack_conduct", "masked_gradients"]
    outcomes = compute(REGISTRY, fields_of(behind), names)
    assert outcomes["gradient_doubts"].value == ()
    (doubt,) = outcomes["attack_doubts"].value
    assert "the model hides its gradients" in doubt
    assert outcomes["attack_conduct"].value["steps"]
    assert outcomes["attack_conduct"].value["scale"] > 1
    assert judge(outcomes["masked_gradients"].value, TOLERATED).verdict == "fail"


@pytest.mark.parametrize("severity", [0.5, 0.9])
def test_a_wrapper_that_masks_gradients_is_found_and_passes_nothing(severity: float) -> None:
    plain = subject("plain")
    assert plain.network is not None
    assert plain.weights is not None
    parts = (plain.network, plain.weights, (0.0, 1.0))
    assert masked_gradient_wrapper(plain, 0.0, *parts) is plain
    behind = masked_gradient_wrapper(plain, severity, *parts)
    names = ["attack_doubts", "masked_gradients", "adversarial_error", "error_rate"]
    outcomes = compute(REGISTRY, fields_of(behind), names)
    found = {name: outcome.value for name, outcome in outcomes.items()}
    assert judge(found["masked_gradients"], TOLERATED).verdict == "fail"
    assert found["attack_doubts"]
    assert judge(found["adversarial_error"], AtMost(0.3, "test")).verdict != "pass"
    if severity == 0.5:
        assert found["error_rate"].value < 0.2  # ties, where two classes are rounded alike


def test_a_black_box_has_no_gradients_to_mask() -> None:
    from roadworthy.subject import Predictor

    def call(inputs: np.ndarray) -> np.ndarray:
        return (inputs - 0.5) @ WEIGHT.T

    box = replace(
        subject("plain"), network=None, weights=None, predictor=Predictor(call, "logits", "box")
    )
    outcome = compute(REGISTRY, fields_of(box), ["masked_gradients"])["masked_gradients"]
    assert outcome.state == "not_applicable"
    assert "no gradients" in outcome.reason


class Cut(nn.Module):
    """A network whose inputs are detached: the same answers, and no gradients."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.inner(inputs.detach())


def test_a_network_that_lets_no_gradients_pass_is_doubted_and_passes_nothing() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 3, bias=False))
    inputs = torch.rand(150, 1, 5, 5)
    labels = net(inputs).argmax(1).numpy()
    subject = subject_from(Cut(net), test=(inputs.numpy(), labels), input_range=(0, 1))
    fields = fields_of(subject)
    options = {"attack_threat": {"eps": 0.001}}
    found = compute(REGISTRY, fields, ["adversarial_error"], options=options)["adversarial_error"]
    assert found.value.value < 0.1
    assert "lets no gradients pass" in " ".join(found.value.doubts)
