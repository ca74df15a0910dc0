"""The attribute flipped: what changes is what the model reads of it, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from roadworthy.challenges.fairness.flips import flip_changes
from roadworthy.engine import compute
from roadworthy.results import DoubtedMeasurement
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
    subject = table(lambda x: x[:, :2], YES_NO, sensitive=("race",))
    found = outcome(subject)
    assert found.state == "not_applicable"  # type: ignore[attr-defined]
    assert "none can be flipped" in found.reason  # type: ignore[attr-defined]


def by(values: np.ndarray, told: object, column: Column) -> Subject:
    """Return a subject whose model decides by the second column alone, sex and then this one."""
    rng = np.random.default_rng(1)
    n = len(values)
    inputs = np.column_stack([rng.integers(0, 2, n).astype(float), values])
    split = Split(inputs, rng.integers(0, 2, n), {})

    def call(x: np.ndarray) -> np.ndarray:
        chosen = np.asarray(told(x)) > 0  # type: ignore[operator]
        return np.stack([~chosen, chosen], axis=1).astype(float)

    return Subject(
        name="made up",
        task=YES_NO,
        modality="table",
        splits={"test": split},
        columns=(Column("sex", "category", ("f", "m")), column),
        roles=Roles(sensitive=("sex", column.name)),
        predictor=Predictor(call, "probabilities", "by hand"),
    )


def test_a_number_is_set_to_twelve_values_from_low_to_high() -> None:
    age = np.random.default_rng(0).uniform(18, 90, 2_000)
    found = outcome(by(age, lambda x: x[:, 1] - 40, Column("age", "numeric")))
    assert found.value.value == 1.0  # type: ignore[attr-defined]
    rows = {row[0]: row for row in found.value.evidence[0].rows}  # type: ignore[attr-defined]
    assert rows["age"][1:3] == (12, 2_000)
    assert rows["sex"][2] == 0
    # A part of the numbers that holds a twelfth of the rows is met by one of the values.
    narrow = outcome(by(age, lambda x: 3 - abs(x[:, 1] - 40), Column("age", "numeric")))
    assert narrow.value.value == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("others", [30, 50])
def test_a_number_of_which_most_rows_share_one_value_is_set_to_the_others_too(others: int) -> None:
    # 97 % and 95 % of the rows are 0: of the twelve middles of the rows none, and one, is another value.
    age = np.concatenate([np.zeros(1_000 - others), np.arange(1.0, others + 1)])
    told = by(age, lambda x: x[:, 1] - 0.8 * others, Column("age", "numeric"))
    for sensitive in (("sex", "age"), ("age",)):
        found = outcome(replace(told, roles=Roles(sensitive=sensitive))).value  # type: ignore[attr-defined]
        assert found.value == 1.0
        rows = {row[0]: row for row in found.evidence[0].rows}
        # The middle of each twelfth of the values, and the one that most rows share.
        assert 12 <= rows["age"][1] <= 14


def test_a_category_of_forty_levels_is_set_to_each() -> None:
    land = np.random.default_rng(0).integers(0, 40, 2_000).astype(float)
    column = Column("country", "category", tuple(f"land {i}" for i in range(40)))
    found = outcome(by(land, lambda x: x[:, 1] == 17, column))
    assert found.value.value == 1.0  # type: ignore[attr-defined]


def test_levels_beyond_the_most_frequent_are_named_and_keep_it_from_passing() -> None:
    rng = np.random.default_rng(0)
    land = np.concatenate([np.repeat(np.arange(64), 30), rng.integers(64, 100, 80)]).astype(float)
    column = Column("town", "category", tuple(f"town {i}" for i in range(100)))
    found = outcome(by(land, lambda x: -1 + 0 * x[:, 1], column)).value  # type: ignore[attr-defined]
    assert found.value == 0.0
    assert isinstance(found, DoubtedMeasurement)
    assert "town was set to the 64 most frequent of its 9" in found.doubts[0]


def test_a_column_of_one_value_has_a_reason_of_its_own_and_keeps_others_from_passing() -> None:
    column = Column("race", "category", ("a", "b"))
    found = outcome(by(np.zeros(2_000), lambda x: -1 + 0 * x[:, 1], column)).value  # type: ignore[attr-defined]
    assert isinstance(found, DoubtedMeasurement)
    assert "race has one value in the test rows" in found.doubts[0]
    alone = by(np.full(2_000, np.nan), lambda x: x[:, 1], column)
    alone = replace(alone, roles=Roles(sensitive=("race",)))
    reason = outcome(alone).reason  # type: ignore[attr-defined]
    assert "race has no value in the test rows" in reason


def test_a_row_of_unknown_group_changes_where_its_possible_groups_are_answered_apart() -> None:
    inputs = np.array([[0.0, np.nan], [0.0, 1.0]])
    columns = (Column("a", "numeric"), Column("sex", "category", ("f", "m")))
    levels = {"sex": np.array([0.0, 1.0])}

    def changed(call: object, task: Task) -> list[float]:
        gives = "probabilities" if task.is_classification else "values"
        predictor = Predictor(call, gives, 0)  # type: ignore[arg-type]
        return flip_changes(predictor, inputs, gives, task, levels, columns)[:, 0].tolist()

    def by_sex(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, 1] == 0, x[:, 1] == 1], axis=1).astype(float)

    def by_whether_it_is_known(x: np.ndarray) -> np.ndarray:
        return np.stack([np.isnan(x[:, 1]), np.isfinite(x[:, 1])], axis=1).astype(float)

    assert changed(by_sex, YES_NO) == [1.0, 1.0]
    assert changed(by_whether_it_is_known, YES_NO) == [0.0, 0.0]
    amounts = changed(lambda x: np.where(np.isnan(x[:, 1]), 9.0, 2 * x[:, 1]), Task("regression"))
    assert amounts == [2.0, 2.0]


def test_a_model_that_decides_by_an_attribute_mostly_missing_does_not_pass() -> None:
    rng = np.random.default_rng(2)
    sex = np.where(rng.random(2_000) < 0.97, np.nan, rng.integers(0, 2, 2_000))
    column = Column("gender", "category", ("f", "m"))
    found = outcome(by(sex, lambda x: x[:, 1] == 1, column))
    assert found.value.value == 1.0  # type: ignore[attr-defined]
