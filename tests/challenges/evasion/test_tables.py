"""Adversarial error on tables through the engine: exact where the truth is planted, constraints by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.evasion import artifacts, table_faults, tables
from roadworthy.engine import Outcome, Registry, compute
from roadworthy.engine.marks import FaultMark, mark_of
from roadworthy.errors import NotApplicable, UserError
from roadworthy.perturbation.cascade import COLUMNS
from roadworthy.quantities import identity, outputs
from roadworthy.results import Bars, Curve, Measurement
from roadworthy.subject import Column, Network, Predictor, Roles, Split, Subject, Task
from roadworthy.subject.fields import fields_of
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(artifacts, tables, identity, outputs, training)
COLUMN = (
    Column("age", "numeric"),
    Column("income", "numeric"),
    Column("colour", "category", ("red", "green", "blue")),
    Column("weight", "numeric"),
    Column("sex", "category", ("f", "m")),
)


def rows_of(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack(
        [
            np.round(rng.normal(50, 30, n)),
            rng.lognormal(10, 0.5, n),
            rng.integers(0, 3, n),
            rng.normal(70, 12, n),
            rng.integers(0, 2, n),
        ]
    )


def subject_of(n: int = 150, classes: int = 2) -> Subject:
    rng = np.random.default_rng(classes)
    splits = {
        name: Split(rows_of(size, seed), rng.integers(0, classes, size))
        for name, size, seed in (("train", 400, 0), ("test", n, 1))
    }
    task = Task("binary" if classes == 2 else "multiclass", tuple("abcd"[:classes]))
    return Subject("made up", task, "table", splits, COLUMN, Roles(sensitive=("sex",)))


def threat_of(subject: Subject, **options: object) -> tables.Threat:
    constraints = tables.table_constraints(subject.columns, subject.roles)
    inputs = subject.splits["train"].inputs
    assert inputs is not None
    return tables.table_threat(inputs, subject.columns, constraints, **options)


def planted(share: float, n: int = 150, classes: int = 2) -> Subject:
    subject, rng = subject_of(n, classes), np.random.default_rng(3)
    labels = subject.splits["test"].target
    assert labels is not None
    return table_faults.table_rows_within_reach(subject, share, rng, threat_of(subject), labels)


def measured(subject: Subject, **options: object) -> Outcome:
    names = ["adversarial_table_error", "test_table_attack"]
    found = compute(REGISTRY, fields_of(subject), names, options=options)
    return found[names[0]]


def within(subject: Subject) -> float:
    """Share of rows that can be turned, by the closed form: a lead of at most 2 per column that differs."""
    split, weights = subject.splits["test"], subject.weights
    assert split.inputs is not None
    assert split.target is not None
    assert weights is not None
    y, signs = split.target, weights["head.weight"].astype(float)
    off = (split.inputs[:, weights["columns"]] - weights["centre"]) / weights["unit"]
    logits = off @ signs.T
    lead = logits[np.arange(len(y)), y][:, None] - logits
    most = np.abs(signs[y][:, None] - signs[None]).sum(2)
    lead[np.arange(len(y)), y] = np.inf
    return float((lead < most).any(axis=1).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_the_planted_share_is_the_worst_case_and_is_found_exactly(classes: int) -> None:
    subject = planted(0.4, classes=classes)
    truth = within(subject)
    assert 0.3 < truth < 0.5
    outcome = measured(subject)
    assert isinstance(outcome.value, Measurement), outcome.reason
    assert outcome.value.value == pytest.approx(truth)
    assert outcome.value.n == 150
    assert "quick budget" in outcome.value.method
    assert "sex" in outcome.value.details


def test_the_control_is_out_of_reach_and_the_fault_at_0_changes_nothing() -> None:
    subject = subject_of()
    labels = subject.splits["test"].target
    assert labels is not None
    rng, threat = np.random.default_rng(0), threat_of(subject)
    clean = table_faults.table_rows_out_of_reach(subject, rng, threat, labels)
    assert within(clean) == 0.0
    assert measured(clean).value.value == 0.0
    assert table_faults.table_rows_within_reach(clean, 0.0, rng, threat, labels) is clean
    mark = mark_of(table_faults.table_rows_within_reach)
    assert isinstance(mark, FaultMark)
    assert {0.15, 0.3, 0.6} <= set(mark.severities)  # half the bound, the bound, twice
    still = threat_of(subject, spreads=0.0)
    with pytest.raises(NotApplicable, match="known reach"):
        table_faults.table_rows_out_of_reach(subject, rng, still, labels)


def test_rows_that_were_wrong_without_any_change_count_and_evidence_names_columns() -> None:
    subject = planted(0.3)
    labels = subject.splits["test"].target
    assert labels is not None
    wrong = subject.with_target("test", np.where(np.arange(150) < 40, 1 - labels, labels))
    found = measured(wrong).value
    clean = measured(wrong, table_threat={"spreads": 0.0, "swaps": 0})
    assert clean.state == "not_applicable"
    assert "no column may change" in (clean.reason or "")
    assert found.value > 40 / 150
    assert "40 more were wrong" in found.details
    bars, curve = found.evidence[:2]
    assert isinstance(bars, Bars)
    assert set(bars.labels) <= {"age", "income", "weight"}
    assert isinstance(curve, Curve)
    series = curve.series[0]
    assert series.y[0] == pytest.approx(110 / 150)
    assert series.y[-1] == pytest.approx(1 - found.value)
    assert list(series.y) == sorted(series.y, reverse=True)


def test_constraints_follow_roles_and_options_and_refuse_unknown_names() -> None:
    subject = subject_of()
    roles = Roles(sensitive=("sex", "race"), entity="age")
    found = tables.table_constraints(subject.columns, roles, fixed="colour", rising="income")
    assert found == {"fixed": ("age", "colour", "sex"), "rising": ("income",), "falling": ()}
    with pytest.raises(UserError, match="wieght"):
        tables.table_constraints(subject.columns, roles, falling="wieght")
    with pytest.raises(UserError, match="neither rise nor fall"):
        tables.table_constraints(subject.columns, roles, falling="income", rising="income")


def test_a_category_that_is_to_rise_is_named() -> None:
    subject = subject_of()
    rising = {"table_constraints": {"rising": "colour"}}
    outcome = compute(REGISTRY, fields_of(subject), ["table_threat"], options=rising)[
        "table_threat"
    ]
    assert outcome.code == "user_error"
    assert "colour cannot rise or fall" in outcome.reason


def test_a_column_has_the_budget_that_is_stated_for_it() -> None:
    subject = subject_of()
    usual = threat_of(subject)
    threat = threat_of(subject, budgets="age=0, weight = 0.5")
    assert threat["up"][0] == 0
    assert threat["up"][3] == pytest.approx(5 * usual["up"][3])
    assert threat["up"][1] == usual["up"][1]
    for stated in ("weight", "weight=-1", "size=1", "age=x"):
        with pytest.raises(UserError, match="budgets of table_threat"):
            threat_of(subject, budgets=stated)


def test_a_network_that_looks_codes_up_is_attacked_by_swaps() -> None:
    class Colour(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding.from_pretrained(torch.tensor([[2.0, 0], [0, 2.0], [2.0, 0]]))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.table(inputs[:, 2].long())

    subject = subject_of()
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    right = subject.with_target("test", (inputs[:, 2] == 1).astype(np.int64))
    known = replace(
        right, network=Network(Colour), weights={"table.weight": Colour().table.weight.numpy()}
    )
    assert measured(known).value.value == 1.0
    fixed = {"table_constraints": {"fixed": "colour"}}
    assert measured(known, **fixed).value.value == 0.0


def test_a_black_box_is_attacked_by_its_answers() -> None:
    subject = planted(0.4)
    assert subject.network is not None
    assert subject.weights is not None
    net = subject.network.build()
    net.load_state_dict({k: torch.from_numpy(v) for k, v in subject.weights.items()})

    def call(inputs: np.ndarray) -> np.ndarray:
        return net(torch.from_numpy(np.asarray(inputs, np.float32))).detach().numpy()

    box = replace(
        subject, network=None, weights=None, predictor=Predictor(call, "logits", "made for a test")
    )
    found = measured(box).value
    assert within(subject) - 0.03 <= found.value <= within(subject)
    assert "by its outputs alone" in found.details

    def classes(inputs: np.ndarray) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[call(inputs).argmax(axis=1)]

    blind = measured(replace(box, predictor=Predictor(classes, "logits", "classes alone"))).value
    assert "moved the outputs" in blind.doubts[0]

    def fails(inputs: np.ndarray) -> np.ndarray:
        if len(inputs) > 100:
            raise RuntimeError("half-way")
        return call(inputs)

    broken = measured(replace(box, predictor=Predictor(fails, "logits", "another")))
    assert broken.state == "dependency_failed"
    assert "half-way" in (broken.reason or "")


def test_arrays_have_no_columns_and_numbers_no_other_class() -> None:
    array = fields_of(replace(subject_of(), columns=(), modality="array"))
    found = compute(REGISTRY, array, ["table_threat"])["table_threat"]
    assert found.code == "not_applicable"
    assert "no table" in (found.reason or "")
    numbers = replace(planted(0.1), task=Task("regression"))
    assert measured(numbers).state in ("not_applicable", "missing")


def test_rows_in_shards_are_what_they_are_together() -> None:
    subject = planted(0.4, n=42)
    needs = ["inputs", "labels", "ids"]
    names = [*(f"test_table_attacked_{name}" for name in needs), "predictor", "test_table_attack"]
    out = compute(REGISTRY, fields_of(subject), names)
    inputs, labels, ids, predictor, whole = (out[name].value for name in names)
    seed = compute(REGISTRY, fields_of(subject), ["attack_seed"])["attack_seed"].value
    parts = [
        tables.test_table_attack(
            predictor,
            subject.task,
            "logits",
            inputs[i : i + 7],
            labels[i : i + 7],
            ids[i : i + 7],
            threat_of(subject),
            "quick",
            seed,
        )
        for i in range(0, 42, 7)
    ]
    assert whole.shape == (42, len(COLUMNS) + len(COLUMN))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-3, atol=1e-3)
