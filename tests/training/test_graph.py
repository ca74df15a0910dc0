"""The shared quantities in the graph: for every kind of subject, and no training that is not asked for."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import Registry, Store, compute
from roadworthy.quantities import features, identity, outputs, predictions
from roadworthy.subject import Column, Network, Predictor, Recipe, Split, Subject, Task
from roadworthy.subject.fields import fields_of
from roadworthy.training import artifacts

REGISTRY = Registry.of(identity, outputs, predictions, features, artifacts)
QUICK = Recipe(epochs=3, batch_size=16)
PER_SPLIT = (
    "row_ids",
    "content_hashes",
    "outputs",
    "features",
    "predicted",
)
OF_CLASSES = ("logits", "probabilities", "correct", "losses")


def table(task: Task) -> Subject:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        inputs = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n), rng.normal(size=n)])
        inputs[::7, 2] = np.nan
        codes = rng.integers(0, max(len(task.classes), 1), n)
        return Split(inputs, codes if task.is_classification else inputs[:, 0] * 3 + 100)

    columns = (
        Column("age", "numeric"),
        Column("sex", "category", ("f", "m")),
        Column("bmi", "numeric"),
    )
    splits = {"train": split(60), "validation": split(20), "test": split(30)}
    return Subject("table", task, "table", splits, columns, recipe=QUICK)


def images() -> Subject:
    rng = np.random.default_rng(0)
    sizes = {"train": 60, "validation": 20, "test": 30}
    splits = {s: Split(rng.random((n, 6, 6)), rng.integers(0, 3, n)) for s, n in sizes.items()}
    return Subject("images", Task("multiclass", ("a", "b", "c")), "array", splits, recipe=QUICK)


BINARY = Task("binary", ("no", "yes"), 1)
SUBJECTS = {
    "binary table": table(BINARY),
    "multiclass table": table(Task("multiclass", ("a", "b", "c"))),
    "regression table": table(Task("regression")),
    "images": images(),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_quantity_exists_for_every_kind_of_subject(name: str) -> None:
    subject = SUBJECTS[name]
    kind = subject.task.kind
    wanted = [*PER_SPLIT]
    wanted += ["residuals"] if kind == "regression" else OF_CLASSES
    wanted += ["scores"] if kind == "binary" else []
    names = [f"{split}_{quantity}" for split in ("train", "test") for quantity in wanted]
    found = compute(REGISTRY, fields_of(subject), names)
    assert {n: o.reason for n, o in found.items() if o.state != "done"} == {}
    assert all(len(found[f"test_{quantity}"].value) == 30 for quantity in wanted)


@pytest.mark.parametrize("name", SUBJECTS)
def test_what_does_not_exist_says_so_without_a_model(name: str) -> None:
    subject = SUBJECTS[name]
    absent = ["logits", "losses", "correct", "scores"] if "regression" in name else ["residuals"]
    found = compute(REGISTRY, fields_of(subject), [f"test_{quantity}" for quantity in absent])
    for outcome in found.values():
        assert (outcome.state, outcome.code) in {
            ("missing", "not_applicable"),
            ("not_applicable", "not_applicable"),
        }


def test_given_probabilities_keep_everything_above_them_from_being_computed() -> None:
    given = np.full((30, 2), 0.5)
    fields = fields_of(SUBJECTS["binary table"].with_given(test_probabilities=given))
    started: list[str] = []
    names = ["test_predicted", "test_correct", "test_losses", "test_scores"]
    found = compute(REGISTRY, fields, names, emit=lambda e: started.append(getattr(e, "name", "")))
    assert all(outcome.state == "done" for outcome in found.values())
    assert found["test_predicted"].value.tolist() == [0] * 30
    assert set(started) <= {*names, ""}


def test_training_happens_once_for_all_splits_and_not_again_from_the_store(
    tmp_path: object,
) -> None:
    fields = fields_of(SUBJECTS["images"])
    names = ["train_probabilities", "test_probabilities", "validation_losses"]
    store = Store(tmp_path)  # type: ignore[arg-type]
    first: list[str] = []
    again: list[str] = []
    compute(REGISTRY, fields, names, store=store, emit=lambda e: first.append(repr(e)))
    compute(REGISTRY, fields, names, store=store, emit=lambda e: again.append(repr(e)))
    assert sum("Started" in e and "'weights'" in e for e in first) == 1
    assert not any("Started" in e for e in again)
    assert any("Progress" in e and "'weights'" in e for e in first)


def test_a_black_box_answers_and_can_give_probabilities() -> None:
    subject = replace(
        SUBJECTS["binary table"],
        recipe=None,
        predictor=Predictor(lambda x: np.full(len(x), 0.75), "unknown", "three quarters"),
    )
    found = compute(REGISTRY, fields_of(subject), ["test_probabilities", "weights"])
    assert found["test_probabilities"].value == pytest.approx(np.tile([0.25, 0.75], (30, 1)))
    assert found["weights"].state == "missing"


def test_predictions_alone_are_audited_without_a_model() -> None:
    labels = np.array([0, 1, 1])
    given = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    splits = {"test": Split(None, labels, recorded={"probabilities": given})}
    fields = fields_of(Subject("recorded", BINARY, "predictions", splits))
    found = compute(REGISTRY, fields, ["test_correct", "test_losses", "test_scores"])
    assert found["test_correct"].value.tolist() == [True, True, False]
    assert found["test_losses"].value == pytest.approx(-np.log([0.9, 0.6, 0.2]))
    assert found["test_scores"].state == "done"


def test_trained_weights_are_used_and_never_trained_again_without_a_recipe() -> None:
    subject = images()
    network = Network(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))
    state = {"1.weight": np.zeros((3, 36), np.float32), "1.bias": np.array([0, 1, 0], np.float32)}
    given = replace(subject, network=network, weights=state, recipe=None)
    found = compute(REGISTRY, fields_of(given), ["test_predicted", "recipe"])
    assert found["test_predicted"].value.tolist() == [1] * 30
    assert found["recipe"].code == "missing_recipe"


def test_a_model_that_gives_nan_is_an_error_that_names_the_row() -> None:
    network = Network(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))
    state = {
        "1.weight": np.zeros((3, 36), np.float32),
        "1.bias": np.full(3, np.nan, np.float32),
    }
    subject = replace(images(), network=network, weights=state)
    outcome = compute(REGISTRY, fields_of(subject), ["test_correct"])["test_correct"]
    assert "NaN or infinite outputs for 30 of 30 rows" in (outcome.reason or "")


def test_the_rooms_are_found_by_their_entry_points() -> None:
    assert REGISTRY.artifacts.keys() <= Registry.discover().artifacts.keys()
