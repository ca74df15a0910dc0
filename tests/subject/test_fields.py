import numpy as np
import pytest

from roadworthy.engine.missing import Missing
from roadworthy.subject import Attribute, Column, Recipe, Roles, Split, Subject, Task
from roadworthy.subject.fields import SPLITS, fields_of
from roadworthy.subject.predictor import Predictor

BINARY = Task("binary", ("no", "yes"), 1)


def table(splits=None, **options) -> Subject:
    given = splits or {"test": split([0.0, 1.0], [0, 1])}
    columns = (Column("a", "numeric"),)
    return Subject("s", BINARY, "table", given, columns, **options)


def split(values, target, **attributes) -> Split:
    return Split(np.array(values)[:, None], np.array(target), attributes)


def test_every_split_that_is_not_there_says_which_option_gives_it() -> None:
    fields = fields_of(table())
    for name in ("train", "validation", "production"):
        for field in ("inputs", "labels", "entities", "source_rows"):
            missing = fields[f"{name}_{field}"]
            assert isinstance(missing, Missing)
            assert missing.code == "missing_input"
            assert f"no {name} rows" in missing.reason
            assert "--split COLUMN" in missing.reason


def test_roles_that_nobody_named_say_which_option_names_them() -> None:
    fields = fields_of(table())
    for field, option in (
        ("sensitive", "--sensitive"),
        ("entities", "--entity"),
        ("times", "--time"),
        ("sources", "--source"),
    ):
        assert option in fields[f"test_{field}"].reason


def test_sealed_proof_rows_are_in_no_field() -> None:
    proof = split([7.25], [1])
    subject = table({"test": split([0.0, 1.0], [0, 1]), "proof": proof})
    fields = fields_of(subject)
    assert not [name for name in fields if "proof" in name]
    arrays = [value for value in fields.values() if isinstance(value, np.ndarray)]
    assert not any((array == 7.25).any() for array in arrays)


def test_labels_are_not_applicable_to_regression_and_targets_not_to_classes() -> None:
    fields = fields_of(table())
    assert fields["test_labels"].tolist() == [0, 1]
    assert fields["test_targets"].code == "not_applicable"
    regression = Subject("s", Task("regression"), "table", {"test": split([0.0], [2.5])})
    fields = fields_of(regression)
    assert fields["test_targets"].tolist() == [2.5]
    assert fields["test_labels"].code == "not_applicable"
    assert fields["train_labels"].code == "not_applicable"


def test_codes_of_entities_mean_the_same_person_in_every_split() -> None:
    train = split([0.0, 1.0], [0, 1], who=Attribute(np.array([0, 1]), ("ann", "bob")))
    test = split([0.0, 1.0, 2.0], [0, 1, 1], who=Attribute(np.array([0, 1, -1]), ("bob", "cem")))
    fields = fields_of(table({"train": train, "test": test}, roles=Roles(entity="who")))
    assert fields["train_entities"][1] == fields["test_entities"][0]
    everyone = [*fields["train_entities"], *fields["test_entities"]]
    assert len(set(everyone)) == 4  # ann, bob, cem, and one whose name is missing


def test_numbers_name_entities_too() -> None:
    train = split([0.0, 1.0], [0, 1], who=Attribute(np.array([17.0, 4.0])))
    test = split([0.0, 1.0], [0, 1], who=Attribute(np.array([4.0, 9.0])))
    fields = fields_of(table({"train": train, "test": test}, roles=Roles(entity="who")))
    assert fields["train_entities"][1] == fields["test_entities"][0]
    assert len({*fields["train_entities"], *fields["test_entities"]}) == 3


def test_without_a_model_the_artifacts_make_one() -> None:
    fields = fields_of(table())
    assert not {"network", "weights", "predictor", "recipe"} & set(fields)


def test_a_trained_model_without_recipe_says_that_it_cannot_be_trained_again() -> None:
    fields = fields_of(table(weights={"w": np.ones(1)}))
    assert fields["recipe"].code == "missing_recipe"
    fields = fields_of(table(weights={"w": np.ones(1)}, recipe=Recipe()))
    assert fields["recipe"] == Recipe()


def test_a_black_box_has_no_network_and_no_weights() -> None:
    fields = fields_of(table(predictor=Predictor(lambda x: x, "unknown", "id")))
    assert "black box" in fields["network"].reason
    assert "black box" in fields["weights"].reason
    assert fields["recipe"].code == "missing_recipe"


def test_recorded_predictions_take_the_place_of_artifacts_and_the_rest_is_missing() -> None:
    recorded = {"scores": np.array([0.1, 0.9])}
    only = Split(None, np.array([0, 1]), recorded=recorded)
    fields = fields_of(Subject("s", BINARY, "predictions", {"test": only}))
    assert fields["test_scores"].tolist() == [0.1, 0.9]
    assert "--proba" in fields["test_probabilities"].reason
    assert "--predicted" in fields["test_predicted"].reason
    assert "--model" in fields["test_inputs"].reason
    assert isinstance(fields["predictor"], Missing)
    assert isinstance(fields["columns"], Missing)


def test_given_fields_take_the_place_of_all_others() -> None:
    frozen = np.full((2, 2), 0.5)
    fields = fields_of(table().with_given(test_probabilities=frozen, device="cuda"))
    assert fields["test_probabilities"] is frozen
    assert fields["device"] == "cuda"


@pytest.mark.parametrize("name", SPLITS)
def test_every_split_has_every_field(name) -> None:
    fields = fields_of(table())
    for field in ("inputs", "labels", "targets", "entities", "times", "sources", "sensitive"):
        assert f"{name}_{field}" in fields


def test_arrays_say_how_their_missing_rows_are_given() -> None:
    x, y = np.zeros((4, 2, 2)), np.arange(4)
    found = fields_of(
        Subject("images", Task("multiclass", ("a", "b", "c", "d")), "array", {"test": Split(x, y)})
    )
    reason = found["validation_labels"].reason
    assert "subject_from(validation=...)" in reason
    assert "x_validation" in reason
    assert "--split" not in reason, "arrays have no columns"


def test_what_is_for_arrays_alone_says_so_of_a_table() -> None:
    assert "this is for arrays" in fields_of(table())["input_range"].reason
