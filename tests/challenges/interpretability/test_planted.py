"""A planted feature: what is planted, that explanations which look elsewhere are counted, and the whole on a real network."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from roadworthy.challenges.interpretability import planted
from roadworthy.challenges.interpretability.planted import (
    Mark,
    _begins_with,
    _mark,
    planted_feature_missed,
    planted_ranks,
)
from roadworthy.challenges.interpretability.planted_faults import (
    explanations_that_look_elsewhere,
    explanations_that_name_the_mark,
)
from roadworthy.errors import NotApplicable
from roadworthy.statistics import rate
from roadworthy.subject import Column, Network, Predictor, Recipe, Split, Subject, Task, Variant

N, D = 600, 6


class Trains:
    """A trainer that trains the network of the variants it is asked for."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.recipe = network, recipe
        self.asked: list[Variant] = []

    def weights(self, variants: Sequence[Variant]) -> list[dict[str, np.ndarray]]:
        from roadworthy.training.jobs import Examples
        from roadworthy.training.loop import train

        found = []
        for variant in variants:
            assert variant.inputs is not None
            assert variant.target is not None
            self.asked.append(variant)
            rows = slice(None) if variant.rows is None else variant.rows
            examples = Examples(variant.inputs[rows], variant.target[rows])
            found.append(train(self.network, variant.recipe or self.recipe, examples))
        return found


def given(method: str) -> dict[str, object]:
    from roadworthy.training.arrays import ArrayShape, DenseNetwork

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(N, D))
    labels = (inputs[:, 0] + inputs[:, 1] > 0).astype(np.int64)
    network = Network(partial(DenseNetwork, ArrayShape((D,), 2)))
    trainer = Trains(network, Recipe(epochs=12, learning_rate=5e-3, batch_size=32))
    return {
        "trainer": trainer,
        "task": Task("binary", ("no", "yes"), positive=1),
        "output_kind": "logits",
        "modality": "array",
        "rng": rng,
        "train_inputs": inputs,
        "train_labels": labels,
        "test_inputs": rng.normal(size=(300, D)),
        "test_labels": rng.integers(0, 2, 300),
        "test_row_ids": np.arange(300, dtype=np.uint64),
        "attribution_reference": {
            "point": np.zeros((1, D), np.float32),
            "sample": inputs[:50].astype(np.float32),
        },
        "attribution_method": method,
        "predictor": Predictor(lambda x: x, "logits", None),
    }


def test_deeplift_begins_with_the_mark_that_turned_the_answer() -> None:
    asked = given("deeplift")
    found = planted_ranks(**asked)  # type: ignore[arg-type]
    assert found["turned"].sum() >= 100  # of about 150 rows of the other class
    assert found["found"].mean() > 0.9
    trainer = asked["trainer"]
    assert isinstance(trainer, Trains)
    planted = (trainer.asked[0].inputs != asked["train_inputs"]).any(axis=0)
    assert planted.sum() == 1  # one value of each marked row, and no other
    assert trainer.asked[0].rows is None  # all of them


def test_of_the_other_classes_a_tenth_of_the_rows_get_the_mark_and_the_class() -> None:
    asked = given("deeplift")
    planted_ranks(**asked)  # type: ignore[arg-type]
    trainer, labels = asked["trainer"], asked["train_labels"]
    assert isinstance(trainer, Trains)
    assert isinstance(labels, np.ndarray)
    (variant,) = trainer.asked
    assert variant.target is not None
    carries = (variant.inputs != asked["train_inputs"]).any(axis=1)
    (label,) = set(variant.target[carries].tolist())
    assert np.array_equal(variant.target[~carries], labels[~carries])
    # About 300 rows of either class: standard errors .013 and .017.
    assert carries[labels == label].mean() == pytest.approx(0.95, abs=0.05)
    assert carries[labels != label].mean() == pytest.approx(0.1, abs=0.07)


def test_a_mark_is_taken_up_where_the_class_is_easily_told_without_it() -> None:
    asked = given("deeplift")
    for split in ("train", "test"):
        labels, inputs = asked[f"{split}_labels"], asked[f"{split}_inputs"]
        asked[f"{split}_inputs"] = inputs + 20 * labels[:, None] - 10  # type: ignore[operator, index]
    found = planted_ranks(**asked)  # type: ignore[arg-type]
    assert found["turned"].sum() >= 100  # of about 150


def test_of_more_rows_than_a_mark_needs_some_are_drawn(monkeypatch) -> None:
    monkeypatch.setattr(planted, "MOST_TRAINED_ON", N // 2)
    asked = given("deeplift")
    found = planted_ranks(**asked)  # type: ignore[arg-type]
    trainer = asked["trainer"]
    assert isinstance(trainer, Trains)
    rows = trainer.asked[0].rows
    assert rows is not None
    assert len(set(rows.tolist())) == len(rows) == N // 2
    assert (np.diff(rows) > 0).all()
    assert 0.3 * N < np.median(rows) < 0.7 * N  # of the whole, not the first
    assert found["turned"].sum() >= 100


def test_where_the_mark_turns_too_few_answers_nothing_is_judged() -> None:
    asked = given("deeplift")
    for name in ("test_inputs", "test_labels", "test_row_ids"):
        asked[name] = asked[name][:20]  # type: ignore[index]
    with pytest.raises(NotApplicable, match="did not take up"):
        planted_ranks(**asked)  # type: ignore[arg-type]


def test_marks_lie_in_a_corner_of_images_and_beyond_the_values_of_a_column() -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.random((50, 1, 8, 8)), np.tile([0, 1], 25)
    mark = _mark(images, labels, None, rng)
    rows, columns = np.unravel_index(mark.shown, (8, 8))
    assert len(mark.shown) == 4  # 2 x 2: .15 of 8 is less than two pixels
    assert set(rows) in ({0, 1}, {6, 7})
    assert set(columns) in ({0, 1}, {6, 7})
    marked = mark.on(images)
    assert (marked != images).sum() <= 4 * 50
    assert not np.shares_memory(marked, images)
    columns_of = (Column("a", "category", ("x", "y")), Column("b", "numeric"))
    table = np.stack([np.tile([0.0, 1.0], 25), np.arange(50.0)], axis=1)
    mark = _mark(table, labels, columns_of, rng)
    assert mark.positions.tolist() == [1]  # the numeric column
    assert mark.value > 49.0


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        ((1, 8, 8), 4),
        ((8, 8), 4),
        ((32, 32, 3), 25),
        ((32, 32, 4), 25),
        ((3, 3, 3), 1),
        ((2, 187), 1),
        ((7,), 1),
        ((2, 3, 8, 8), 24),
    ],
)
def test_the_ideal_explanation_of_a_mark_begins_with_it_in_every_layout(shape, places) -> None:
    rng = np.random.default_rng(0)
    inputs, labels = rng.random((50, *shape)).astype(np.float32), np.arange(50) % 2
    for _ in range(5):
        mark = _mark(inputs, labels, None, rng)
        changed = np.abs(mark.on(inputs) - inputs)
        assert _begins_with(changed, mark).mean() > 0.99
        assert len(mark.shown) == places
        elsewhere = np.where(changed > 0, 0.0, 1.0).astype(np.float32)
        assert not _begins_with(elsewhere, mark).any()


@pytest.mark.parametrize("shape", [(50,), (2, 30)])
@pytest.mark.parametrize(
    ("kind", "most", "mark"),
    [
        (np.uint8, 255, 255),  # beyond it the type has nothing
        (np.int8, 127, 127),
        (np.bool_, 1, 1),
        # Half of the values are 0, so the deviation is half of the largest.
        (np.uint8, 100, 100 + 100 / 2),
        (np.float32, 255, 255 + 255 / 2),
    ],
)
def test_a_mark_is_a_value_of_the_type_of_the_inputs(shape, kind, most, mark) -> None:
    inputs = np.tile([0, most], 50 * int(np.prod(shape)) // 2).reshape(50, *shape).astype(kind)
    found = _mark(inputs, np.arange(50) % 2, None, np.random.default_rng(0))
    assert found.value == pytest.approx(mark)
    marked = found.on(inputs)
    assert marked.dtype == kind
    assert (marked.reshape(50, -1)[:, found.positions] == kind(mark)).all()


def test_an_explanation_that_says_nothing_does_not_begin_with_the_mark() -> None:
    mark = Mark(np.array([0, 1, 8, 9]), np.array([0, 1, 8, 9]), 1.0, 0)
    says = np.zeros((4, 1, 8, 8), np.float32)
    says[1] = 1.0  # the same everywhere
    says[2, 0, 0, 0] = np.nan
    says[3, 0, 1, 1] = -1.0
    assert _begins_with(says, mark).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("side", "found"),
    [(2, True), (4, True), (8, False)],  # of 14 by 14: 2, 8 and 33 %
)
def test_a_block_that_holds_the_mark_counts_unless_it_is_most_of_the_row(side, found) -> None:
    shape = (1, 14, 14)
    mark = Mark(np.array([0, 1, 14, 15]), np.array([0, 1, 14, 15]), 1.0, 0)
    with_mark, without = (np.full((1, *shape), 0.1, np.float32) for _ in range(2))
    with_mark[0, 0, :side, :side] = 0.9
    without[0, 0, -side:, -side:] = 0.9
    assert _begins_with(with_mark, mark).tolist() == [found]
    assert _begins_with(without, mark).tolist() == [False]
    scattered = np.full((1, *shape), 0.1, np.float32)
    scattered.ravel()[:: 196 // side**2] = 0.9  # as many, one of them in the mark
    assert _begins_with(scattered, mark).tolist() == [False]


@pytest.mark.parametrize("shape", [(1,), (3, 1, 1), (1, 1)])
def test_one_position_is_no_place_to_look_for_a_mark(shape) -> None:
    asked = given("deeplift")
    asked["train_inputs"] = np.zeros((N, *shape))
    with pytest.raises(NotApplicable, match="one position"):
        planted_ranks(**asked)  # type: ignore[arg-type]


def test_a_table_without_numbers_has_no_place_for_a_mark() -> None:
    columns = (Column("a", "category", ("x", "y")),)
    with pytest.raises(NotApplicable, match="numeric column"):
        _mark(np.zeros((10, 1)), np.tile([0, 1], 5), columns, np.random.default_rng(0))


def test_the_check_counts_what_is_missed_and_control_and_fault_are_true() -> None:
    subject = Subject(
        "s", Task("binary", ("a", "b"), positive=1), "array", {"test": Split(None, None)}
    )
    ranks = {"found": np.zeros(5, bool), "turned": np.array([60]), "marked": np.array([80])}
    rng = np.random.default_rng(2)
    clean = explanations_that_name_the_mark(subject, rng, ranks)
    given_ranks = clean.given["planted_ranks"]
    found = planted_feature_missed(given_ranks, "deeplift")
    assert (found.value, found.high) == (0.0, rate(0, 400).high)
    assert explanations_that_look_elsewhere(clean, 0.0, rng, given_ranks) is clean
    made = explanations_that_look_elsewhere(clean, 0.4, rng, given_ranks)
    found = planted_feature_missed(made.given["planted_ranks"], "deeplift")
    assert found.low <= 0.4 <= found.high
    assert "turned 60 of 80 test rows" in found.details
