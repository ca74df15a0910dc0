import numpy as np
import pyarrow as pa
import pytest

from roadworthy.subject import propose, read_table, roles_of
from roadworthy.subject.table import table_from_arrow


def proposed(columns, target=None):
    found = propose(table_from_arrow(pa.table(columns), "t"), target)
    return {p.column: (p.role, p.reason) for p in found}


def columns(n=200):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n)
    return {
        "row_id": np.arange(n),
        "patient": rng.integers(0, 60, n),
        "visit": np.datetime64("2020-01-01") + rng.integers(0, 900, n),
        "gender": rng.choice(["f", "m"], n),
        "age": rng.integers(18, 90, n),
        "site": rng.choice(["A", "B", "C"], n),
        "weight": rng.random(n),
        "unit": ["mg"] * n,
        "nothing": [None] * n,
        "comment": [f"the patient said number {i} twice" for i in range(n)],
        "lab": rng.normal(size=n),
        "billing_code": np.where(label == 1, "E11", "Z00"),
        "split": np.where(np.arange(n) < 100, "train", "test"),
        "diagnosis": label,
    }


@pytest.mark.parametrize(
    ("column", "role", "reason"),
    [
        ("row_id", "id", "a different value in every row"),
        ("patient", "entity", "different values in 200 rows"),
        ("visit", "time", "it holds dates"),
        ("gender", "sensitive", "speaks of sex"),
        ("age", "sensitive", "speaks of age"),
        ("site", "source", "where a row was recorded"),
        ("weight", "weight", "sampling weight"),
        ("unit", "dropped", "the same value in every row"),
        ("nothing", "dropped", "no values"),
        ("comment", "dropped", "prose"),
        ("lab", "input", "numbers from"),
        ("billing_code", "dropped", 'alone foretells "diagnosis" in 100.0% of the rows'),
        ("split", "split", "names of splits"),
        ("diagnosis", "target", "2 different"),
    ],
)
def test_every_column_gets_a_role_and_a_reason_in_plain_words(column, role, reason) -> None:
    found = proposed(columns())
    assert found[column][0] == role
    assert reason in found[column][1]


def test_the_user_s_target_is_taken() -> None:
    assert proposed(columns(), "gender")["gender"][0] == "target"
    assert proposed(columns(), "gender")["billing_code"][0] == "input"


def test_the_roles_are_those_that_an_audit_takes() -> None:
    roles = roles_of(propose(table_from_arrow(pa.table(columns()), "t")))
    assert roles.target == "diagnosis"
    assert roles.sensitive == ("gender", "age")
    assert roles.entity == "patient"
    assert roles.dropped == ("unit", "nothing", "comment", "billing_code")


def test_a_number_computed_from_the_target_is_proposed_to_be_dropped() -> None:
    y = np.random.default_rng(0).normal(size=300)
    found = proposed({"a": np.arange(300) % 7, "b": 3 * y + 1, "target": y})
    assert found["b"][0] == "dropped"
    assert "correlation of 1.0000" in found["b"][1]
    assert found["a"][0] == "input"


def test_adult_gets_the_roles_of_its_readme(data_dir) -> None:
    found = {p.column: p for p in propose(read_table(data_dir / "tab_adult" / "adult.parquet"))}
    assert found["label"].role == "target"
    assert found["income"].role == "dropped"
    assert found["fnlwgt"].role == "weight"
    assert {c for c, p in found.items() if p.role == "sensitive"} == {
        "age", "marital_status", "race", "sex", "native_country",
    }  # fmt: skip
    assert found["split"].role == "split"


def test_honest_columns_of_real_tables_are_not_dropped(data_dir) -> None:
    for file, target in (("tab_pima/pima", "outcome"), ("tab_german/german_credit", "class-label"),
                         ("tab_wine/wine_quality", "quality")):  # fmt: skip
        found = propose(read_table(data_dir / f"{file}.parquet"))
        assert [p.column for p in found if p.role == "target"] == [target]
        assert not [p for p in found if p.role == "dropped"]


def test_a_column_of_a_small_table_is_not_dropped_for_telling_rows_apart() -> None:
    rng = np.random.default_rng(0)
    found = proposed({"height": rng.permutation(40) / 2, "label": rng.integers(0, 2, 40)})
    assert found["height"] == ("input", "numbers from 0 to 19.5")
