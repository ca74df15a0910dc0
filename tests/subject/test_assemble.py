import time

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.errors import UserError
from roadworthy.subject import DataOptions, Roles, read_table, subject_from_table
from roadworthy.subject.table import table_from_arrow


def subject(columns, roles, **options):
    table = table_from_arrow(pa.table(columns), "t.csv")
    return subject_from_table(table, DataOptions(roles, **options))


def random_columns(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=n),
        "sex": rng.choice(["f", "m"], n),
        "who": rng.integers(0, n // 4, n),
        "when": rng.random(n) * 1e6,
        "y": (rng.random(n) < 0.2).astype(int),
    }


def rows_of(made, *names):
    return np.concatenate([made.splits[name].source_rows for name in names if name in made.splits])


def test_without_marks_rows_are_divided_60_20_20_with_the_classes_in_proportion() -> None:
    made = subject(random_columns(), Roles(target="y"))
    sizes = {name: split.n for name, split in made.splits.items()}
    assert sizes == {"train": 600, "validation": 200, "test": 200}
    shares = [split.target.mean() for split in made.splits.values()]
    assert max(shares) - min(shares) < 0.01
    assert sorted(rows_of(made, "train", "validation", "test")) == list(range(1000))
    assert any("600 train, 200 validation, 200 test" in note for note in made.notes)


def test_a_row_falls_into_its_split_whatever_the_order_of_rows_and_columns() -> None:
    columns = random_columns()
    made = subject(columns, Roles(target="y"))
    order = np.random.default_rng(1).permutation(1000)
    shuffled = {name: columns[name][order] for name in reversed(list(columns))}
    again = subject(shuffled, Roles(target="y"))
    for name in ("train", "validation", "test"):
        assert set(made.splits[name].source_rows) == set(order[again.splits[name].source_rows])


def test_equal_rows_are_never_divided() -> None:
    columns = {n: np.tile(v[:250], 4) for n, v in random_columns().items() if n in ("x", "sex")}
    columns["y"] = random_columns()["y"]
    made = subject(columns, Roles(target="y"))
    seen = [set(split.inputs[:, 0]) for split in made.splits.values()]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]


def test_an_entity_is_never_divided_and_is_no_input() -> None:
    made = subject(random_columns(), Roles(target="y", entity="who"))
    assert "who" not in [column.name for column in made.columns]
    people = [set(split.attributes["who"].values) for split in made.splits.values()]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert made.people


def test_with_a_time_the_last_rows_are_tested() -> None:
    made = subject(random_columns(), Roles(target="y", time="when"))
    latest = {name: split.attributes["when"].values for name, split in made.splits.items()}
    assert latest["train"].max() < latest["validation"].min()
    assert latest["validation"].max() < latest["test"].min()


def test_with_time_and_entity_nobody_in_training_is_seen_later() -> None:
    made = subject(random_columns(), Roles(target="y", time="when", entity="who"))
    train, test = made.splits["train"], made.splits["test"]
    assert not set(train.attributes["who"].values) & set(test.attributes["who"].values)
    assert train.attributes["when"].values.max() < test.attributes["when"].values.max()


def test_marked_rows_keep_their_split_and_validation_is_taken_from_training() -> None:
    columns = random_columns()
    columns["split"] = np.where(np.arange(1000) < 700, "Train", "TEST")
    made = subject(columns, Roles(target="y"))
    assert set(rows_of(made, "test")) == set(range(700, 1000))
    assert (made.splits["train"].n, made.splits["validation"].n) == (560, 140)
    assert any("140 of 700 training rows were set aside for validation" in n for n in made.notes)


def test_a_split_column_of_another_name_can_be_named_and_unknown_words_are_refused() -> None:
    columns = random_columns()
    columns["part"] = np.where(np.arange(1000) < 700, "train", "other")
    with pytest.raises(UserError, match="'other', which is no split"):
        subject(columns, Roles(target="y"), split="part")
    columns["part"] = np.where(np.arange(1000) < 700, "dev", "holdout")
    made = subject(columns, Roles(target="y"), split="part")
    assert {name: split.n for name, split in made.splits.items()} == {
        "validation": 700,
        "test": 300,
    }


def test_proof_rows_are_sealed_from_large_tests_only_and_in_proportion() -> None:
    large = subject(random_columns(6000), Roles(target="y"))
    assert large.splits["test"].n + large.splits["proof"].n == 1200
    assert large.splits["proof"].n == pytest.approx(240, abs=2)
    assert large.splits["proof"].target.mean() == pytest.approx(
        large.splits["test"].target.mean(), abs=0.01
    )
    small = subject(random_columns(), Roles(target="y"))
    assert "proof" not in small.splits
    assert any("no proof rows were sealed" in note for note in small.notes)
    assert "proof" not in subject(random_columns(6000), Roles(target="y"), proof=0.0).splits
    assert subject(random_columns(), Roles(target="y"), proof=0.5).splits[
        "proof"
    ].n == pytest.approx(100, abs=1)


def test_a_trained_model_has_seen_training_rows_and_nothing_is_divided_anew() -> None:
    made = subject(random_columns(), Roles(target="y"), model_is_trained=True)
    assert set(made.splits) == {"test", "proof"}
    assert any("name it with --split COLUMN" in note for note in made.notes)


def test_sensitive_columns_stay_inputs_unless_dropped() -> None:
    made = subject(random_columns(), Roles(target="y", sensitive=("sex",)))
    assert "sex" in [column.name for column in made.columns]
    assert made.splits["test"].attributes["sex"].names == ("f", "m")
    made = subject(random_columns(), Roles(target="y", sensitive=("sex",), dropped=("sex",)))
    assert "sex" not in [column.name for column in made.columns]
    assert "sex" in made.splits["test"].attributes


def test_missing_values_are_nan_in_every_kind_of_column() -> None:
    columns = {"a": [1.0, None, 3.0] * 5, "b": ["x", None, "y"] * 5, "y": [0, 1, 1] * 5}
    made = subject(columns, Roles(target="y"))
    inputs = np.concatenate([split.inputs for split in made.splits.values()])
    assert inputs.dtype == np.float64
    assert np.isnan(inputs).sum(axis=0).tolist() == [5, 5]


def test_columns_that_say_nothing_are_left_out_or_named() -> None:
    n = 100
    columns = {
        "name": [f"person{i}" for i in range(n)],
        "empty": [None] * n,
        "same": [7] * n,
        "x": list(range(n)),
        "y": [0, 1] * (n // 2),
    }
    made = subject(columns, Roles(target="y"))
    assert [column.name for column in made.columns] == ["same", "x"]
    assert {"name", "empty"} <= set(made.roles.dropped)
    assert any("the same value in every row: same" in note for note in made.notes)


def test_ten_rows_are_enough_to_be_read() -> None:
    made = subject({"x": list(range(10)), "y": [0, 1] * 5}, Roles(target="y"))
    assert sum(split.n for split in made.splits.values()) == 10
    assert min(split.n for split in made.splits.values()) >= 2


def test_all_wrong_names_are_told_at_once_with_the_nearest_right_ones() -> None:
    with pytest.raises(UserError) as caught:
        subject(random_columns(), Roles(target="Y_", sensitive=("sexx",), dropped=("wen",)))
    message = str(caught.value)
    assert "3 problems" in message
    assert '"sexx" (--sensitive). Did you mean "sex"?' in message
    assert '"wen" (--drop). Did you mean "when"?' in message


def test_without_a_target_the_columns_are_listed() -> None:
    with pytest.raises(UserError, match=r"name one with --target\. There are: x, sex"):
        subject(random_columns(), Roles())


def test_prose_and_infinite_inputs_are_refused_by_column() -> None:
    columns = {
        "message": [f"this is message number {i} of many" for i in range(40)],
        "x": [1.0, float("inf")] * 20,
        "y": [0, 1] * 20,
    }
    with pytest.raises(UserError) as caught:
        subject(columns, Roles(target="y"))
    assert "--drop message" in str(caught.value)
    assert 'column "x" holds infinite values in 20 rows (rows 2, 4' in str(caught.value)


def test_a_time_column_of_words_is_refused() -> None:
    columns = {"x": [1, 2] * 5, "t": ["soon", "later"] * 5, "y": [0, 1] * 5}
    with pytest.raises(UserError, match='time column "t" holds neither dates nor numbers'):
        subject(columns, Roles(target="y", time="t"))


def test_adult_is_assembled_in_seconds(data_dir) -> None:
    start = time.process_time()
    table = read_table(data_dir / "tab_adult" / "adult.parquet")
    roles = Roles(target="label", sensitive=("sex", "race"), dropped=("income", "fnlwgt"))
    made = subject_from_table(table, DataOptions(roles))
    assert time.process_time() - start < 10  # half a second where nothing else runs
    test = made.splits["test"].n + made.splits["proof"].n
    train = made.splits["train"].n + made.splits["validation"].n
    assert (train, test) == (32561, 16281)  # as published by UCI
    assert made.task.classes == ("0", "1")
    assert len(made.columns) == 13
    occupation = next(c for c in made.columns if c.name == "occupation")
    inputs = np.concatenate([split.inputs for split in made.splits.values()])
    assert np.isnan(inputs[:, made.columns.index(occupation)]).sum() == 2809  # its README


def test_income_stays_an_input_of_adult_unless_it_is_dropped(data_dir) -> None:
    table = read_table(data_dir / "tab_adult" / "adult.parquet")
    made = subject_from_table(table, DataOptions(Roles(target="label")))
    assert "income" in [column.name for column in made.columns]


@pytest.mark.parametrize(
    ("file", "target", "kind", "rows"),
    [
        ("tab_pima/pima.parquet", "outcome", "binary", 768),
        ("tab_german/german_credit.parquet", "class-label", "binary", 1000),
        ("tab_wine/wine_quality.parquet", "quality", "multiclass", 6497),
        ("tab_compas/compas_two_years.parquet", "two_year_recid", "binary", 7214),
    ],
)
def test_real_tables_are_read_whole(data_dir, file, target, kind, rows) -> None:
    made = subject_from_table(read_table(data_dir / file), DataOptions(Roles(target=target)))
    assert made.task.kind == kind
    assert sum(split.n for split in made.splits.values()) == rows


def test_text_messages_are_refused_with_the_way_out(data_dir) -> None:
    table = read_table(data_dir / "text_sms" / "sms.parquet")
    with pytest.raises(UserError, match=r"text inputs are not supported yet.*--drop text"):
        subject_from_table(table, DataOptions(Roles(target="label")))


def test_sensitive_columns_that_compare_nobody_or_the_classes_themselves_are_said() -> None:
    columns = random_columns(400)
    columns["label too"] = np.where(columns["y"] == 1, "yes", "no")
    columns["one"] = ["all"] * 399 + [None]
    columns["none"] = [None] * 400
    roles = Roles(target="y", sensitive=("sex", "label too", "one", "none", "x"))
    said = [note for note in subject(columns, roles).notes if "compared" in note]
    assert len(said) == 3
    assert said[0].startswith('"label too" says the same as the target in every row')
    assert said[1].startswith('in "one" all rows are of one group ("all", 1 are not known)')
    assert said[2].startswith('nobody\'s group is known in "none"')
