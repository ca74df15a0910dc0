"""The attribute flipped: what changes is what the model reads of it, and nothing else."""

import numpy as np

from roadworthy.challenges.fairness.flips import flip_changes
from roadworthy.engine import compute
from roadworthy.subject import Attribute, Column, Predictor, Roles, Split, Subject, Task, fields_of

from .conftest import REGISTRY, YES_NO

CLASSES = Task("multiclass", ("x", "y", "z"))


def table(call: object, task: Task, *, sensitive: tuple[str, ...] = ("sex",)) -> Subject:
    rng = np.random.default_rng(0)
    n = 1_000
    inputs = np.column_stack([rng.normal(size=n), rng.integers(0, 3, n), rng.normal(size=n)])
    columns = (
        Column("income", "numeric"),
        Column("sex", "category", ("d", "f", "m")),
        Column("age", "numeric"),
    )
    target = rng.integers(0, 2, n) if task.is_classification else rng.normal(size=n)
    attributes = {
        "sex": Attribute(inputs[:, 1].astype(np.int64), ("d", "f", "m")),
        "age": Attribute(inputs[:, 2]),
    }
    split = Split(inputs, target, attributes)
    gives = "probabilities" if task.is_classification else "values"
    return Subject(
        name="made up",
        task=task,
        modality="table",
        splits={"test": split},
        columns=columns,
        roles=Roles(sensitive=sensitive),
        predictor=Predictor(call, gives, "by hand"),  # type: ignore[arg-type]
    )


def outcome(subject: Subject) -> object:
    return compute(REGISTRY, fields_of(subject), ["counterfactual_flip"])["counterfactual_flip"]


def test_rows_count_that_change_for_any_other_value() -> None:
    # Only men with an income between 0 and 1 are decided otherwise than all others with it.
    def call(inputs: np.ndarray) -> np.ndarray:
        above = inputs[:, 0] > np.where(inputs[:, 1] == 2, 1.0, 0.0)
        return np.stack([~above, above], axis=1).astype(float)

    subject = table(call, YES_NO)
    income = subject.splits["test"].inputs[:, 0]  # type: ignore[index]
    found = outcome(subject)
    assert found.value.value == np.mean((income > 0) & (income <= 1))  # type: ignore[attr-defined]
    assert "when sex is set to another value" in found.value.details  # type: ignore[attr-defined]


def test_one_column_of_outputs_and_numbers_are_read_as_decisions_and_amounts() -> None:
    subject = table(lambda x: 0.5 + 0.2 * (x[:, 1] == 1), YES_NO)
    assert outcome(subject).value.value == 1.0  # type: ignore[attr-defined]
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    amounts = flip_changes(
        Predictor(lambda x: 3.0 * x[:, 1], "values", 0),
        inputs,
        "values",
        Task("regression"),
        {"sex": np.array([0.0, 1.0, 2.0])},
        subject.columns,
    )
    assert np.unique(amounts).tolist() == [3.0, 6.0]
    moved = table(lambda x: 0.05 * x[:, 1] + 0 * x[:, 0], Task("regression"))
    assert outcome(moved).value.value < 1.0  # type: ignore[attr-defined]


def test_a_model_that_does_not_see_the_attribute_is_said_so() -> None:
    found = outcome(table(lambda x: x[:, :2], YES_NO, sensitive=("age",)))
    assert found.state == "not_applicable"  # type: ignore[attr-defined]
    assert "none can be flipped" in found.reason  # type: ignore[attr-defined]


def test_a_missing_value_is_not_flipped() -> None:
    inputs = np.array([[0.0, np.nan], [0.0, 1.0]])
    columns = (Column("a", "numeric"), Column("sex", "category", ("f", "m")))
    changed = flip_changes(
        Predictor(
            lambda x: np.stack([x[:, 1] == 0, x[:, 1] == 1], axis=1).astype(float),
            "probabilities",
            0,
        ),
        inputs,
        "probabilities",
        YES_NO,
        {"sex": np.array([0.0, 1.0])},
        columns,
    )
    assert changed[:, 0].tolist() == [0.0, 1.0]
