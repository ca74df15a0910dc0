import numpy as np
import pyarrow as pa
import pytest

from roadworthy.errors import UserError
from roadworthy.subject import (
    DataOptions,
    PredictionColumns,
    Roles,
    fields_of,
    read_table,
    subject_from_predictions,
)
from roadworthy.subject.table import table_from_arrow


def subject(columns, recorded, roles=None, **options):
    table = table_from_arrow(pa.table(columns), "preds.csv")
    return subject_from_predictions(
        table, recorded, DataOptions(roles or Roles(target="y"), **options)
    )


def refused(columns, recorded, **options) -> str:
    with pytest.raises(UserError) as caught:
        subject(columns, recorded, **options)
    assert "preds.csv" in str(caught.value)
    return str(caught.value)


THREE = {"y": ["a", "b", "c", "a"], "p_b": [0.2, 0.5, 0.1, 0.1], "p_a": [0.7, 0.25, 0.2, 0.9], "p_c": [0.1, 0.25, 0.7, 0.0]}  # fmt: skip


def test_probabilities_are_put_in_the_order_of_the_classes_by_the_ends_of_their_names() -> None:
    made = subject(THREE, PredictionColumns(("p_b", "p_a", "p_c")))
    found = fields_of(made)["test_probabilities"]
    assert found[0].tolist() == pytest.approx([0.7, 0.2, 0.1])  # a, b, c
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1, 1, 1], abs=1e-15)
    assert made.modality == "predictions"
    assert any("predictions alone" in note for note in made.notes)


def test_one_column_is_the_probability_of_the_positive_class() -> None:
    made = subject({"y": ["no", "yes"], "p": [0.25, 0.5]}, PredictionColumns(("p",)))
    assert made.splits["test"].recorded["probabilities"].tolist() == [[0.75, 0.25], [0.5, 0.5]]
    made = subject({"y": ["no", "yes"], "p": [0.25, 0.5]}, PredictionColumns(("p",)), positive="no")
    assert made.splits["test"].recorded["probabilities"].tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_rounded_probabilities_are_put_right_and_others_are_refused_with_their_row() -> None:
    columns = {
        "y": [0, 1, 2, 0],
        "p0": [0.333] * 4,
        "p1": [0.333] * 4,
        "p2": [0.333, 0.333, 0.5, 0.333],
    }
    said = refused(columns, PredictionColumns(("p0", "p1", "p2")))
    assert "do not sum to 1 in 1 rows (row 3; the first sums to 1.166)" in said
    columns["p2"] = [0.333] * 4
    found = subject(columns, PredictionColumns(("p0", "p1", "p2"))).splits["test"].recorded
    assert np.allclose(found["probabilities"], 1 / 3)


@pytest.mark.parametrize(
    ("columns", "recorded", "said"),
    [
        ({"y": [0, 1], "p": [0.5, 1.5]}, PredictionColumns(("p",)), "outside 0 to 1 in 1 rows (row 2"),
        ({"y": [0, 1], "p": [0.5, None]}, PredictionColumns(("p",)), "no finite number in 1 rows (row 2"),
        ({"y": [0, 1], "p": ["x", "y"]}, PredictionColumns(("p",)), "must hold numbers, and holds 'x'"),
        ({"y": [0, 1, 2], "p": [0.5] * 3, "q": [0.5] * 3}, PredictionColumns(("p", "q")), "2 columns of probabilities (p, q) for 3 classes"),
        ({"y": [0, 1, 2], "s": [0.5] * 3}, PredictionColumns(score="s"), "a score (--score) is for two classes"),
        ({"y": [0, 1], "d": ["x", "0"]}, PredictionColumns(predicted="d"), "spell decisions like the target"),
        ({"y": [0, 1], "d": [None, "0"]}, PredictionColumns(predicted="d"), "is empty in row 1"),
        ({"y": [0, 1], "s": [0.5] * 2}, PredictionColumns(), "no predictions are named"),
        ({"y": [0, 1], "score": [0.5] * 2}, PredictionColumns(score="scores"), 'Did you mean "score"'),
        ({"y": [0.5, 1.5, 2.5], "p": [0.1] * 3}, PredictionColumns(("p",)), "the target is a number"),
    ],
)  # fmt: skip
def test_predictions_that_are_none_are_refused_with_row_column_and_way_out(columns, recorded, said):
    assert said in refused(columns, recorded)


def test_several_problems_are_told_at_once() -> None:
    columns = {"y": [0, 1], "p": [0.5, 7], "s": [1.0, float("nan")]}
    said = refused(columns, PredictionColumns(("p",), score="s"))
    assert "2 problems" in said


def test_decisions_are_coded_like_the_target_and_may_add_a_class() -> None:
    columns = {"y": ["a", "b", "c"], "d": ["c", "b", "z"]}
    made = subject(columns, PredictionColumns(predicted="d"))
    assert made.task.classes == ("a", "b", "c", "z")
    assert made.splits["test"].recorded["predicted"].tolist() == [2, 1, 3]
    assert any("no row of the target has: z" in note for note in made.notes)


def test_numbers_are_predicted_in_a_regression() -> None:
    columns = {"y": [0.5, 1.5, 2.5], "d": [0.4, 1.4, 2.6]}
    found = fields_of(subject(columns, PredictionColumns(predicted="d")))
    assert found["test_predicted"].tolist() == [0.4, 1.4, 2.6]


def test_marked_rows_keep_their_split_and_nothing_is_sealed() -> None:
    columns = {
        "y": [0, 1] * 1000,
        "s": np.arange(2000) / 2000,
        "split": ["train", "train", "test", "test"] * 500,
    }
    made = subject(columns, PredictionColumns(score="s"))
    assert {name: split.n for name, split in made.splits.items()} == {"test": 1000, "train": 1000}


def test_compas_is_audited_by_its_recorded_decisions(data_dir) -> None:
    table = read_table(data_dir / "tab_compas" / "compas_two_years.parquet")
    recorded = PredictionColumns(score="decile_score", predicted="high_score")
    roles = Roles(target="two_year_recid", sensitive=("race", "sex"))
    made = subject_from_predictions(table, recorded, DataOptions(roles))
    fields = fields_of(made)
    accuracy = (fields["test_predicted"] == fields["test_labels"]).mean()
    assert accuracy == pytest.approx(0.6537, abs=5e-5)  # its README, ProPublica's table
    race = fields["test_sensitive"]["race"]
    black = race.values == race.names.index("African-American")
    negatives = black & (fields["test_labels"] == 0)
    assert fields["test_predicted"][negatives].mean() == pytest.approx(0.4485, abs=5e-5)
