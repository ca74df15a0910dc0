"""Strategies are paired, hide labels, never touch test rows, and claim only what is shown."""

import numpy as np
import pytest
from stand_in import NearestRow, two_moons

from roadworthy.challenges.data_quantity.label_efficiency import (
    Pool,
    _chosen,
    _margin,
    farthest,
    label_efficiency,
    label_lifts,
)
from roadworthy.challenges.data_quantity.lift import lift_of, shown_to_help
from roadworthy.errors import NotApplicable
from roadworthy.subject import Task

BINARY = Task("binary", ("a", "b"), 1)


def played(n: int = 300, repetitions: int = 100):
    x, y = two_moons(n)
    trainer = NearestRow(x, y)
    test_x, test_y = two_moons(200, seed=1)
    return trainer, label_lifts(
        trainer,
        np.random.default_rng(0),
        x,
        x,
        test_x,
        train_labels=y,
        test_labels=test_y,
        repetitions=repetitions,
    )


def test_a_round_of_all_seeds_and_strategies_is_one_call() -> None:
    trainer, lifts = played()
    assert [len(asked) for asked in trainer.asked] == [10, 30, 30, 30, 30]
    assert lifts["labelled"].tolist() == [15, 30, 45, 60, 75]
    for k, asked in enumerate(trainer.asked):
        for variant in asked:
            assert variant.rows is not None
            assert len(np.unique(variant.rows)) == 15 * (k + 1)


def test_strategies_share_seed_and_first_labels() -> None:
    trainer, lifts = played()
    starts = [set(v.rows.tolist()) for v in trainer.asked[0]]  # type: ignore[union-attr]
    for place, variant in enumerate(trainer.asked[2]):
        assert starts[place % 10] < set(variant.rows.tolist())  # type: ignore[union-attr]
        assert variant.recipe is not None
        assert variant.recipe.seed == 1 + place % 10
    assert (lifts["random"][:, 0] == lifts["margin"][:, 0]).all()


def test_too_few_pairs_and_too_few_rows_are_said() -> None:
    with pytest.raises(NotApplicable, match="at least 10 are needed: use --profile standard"):
        played(repetitions=20)
    with pytest.raises(NotApplicable, match="150 training rows; playing through"):
        played(n=150)


def test_the_note_shows_both_strategies_and_the_curve() -> None:
    _, lifts = played()
    note = label_efficiency(lifts, BINARY)
    assert note.n == 10
    assert note.low <= note.value <= note.high
    figure, table = note.evidence
    assert [s.name for s in figure.series] == ["random", "margin", "core-set"]  # type: ignore[union-attr]
    assert [row[0] for row in table.rows] == ["margin", "core-set"]  # type: ignore[union-attr]
    assert "help" in note.details


def test_numbers_are_chosen_by_core_set_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    y = np.sin(x[:, 0]) + x[:, 1]
    lifts = label_lifts(
        NearestRow(x[:300], y[:300]),
        rng,
        x[:300],
        x[:300],
        x[300:],
        test_targets=y[300:],
        guess_error=1.0,
    )
    assert "margin" not in lifts
    assert label_efficiency(lifts, Task("regression", ())).n == 10


def made_up(rng: np.random.Generator, lift: float) -> dict[str, np.ndarray]:
    hard = rng.random(400) < 0.2
    random = 0.2 + 0.01 * rng.normal(size=(10, 5))
    other = random - lift + 0.01 * rng.normal(size=(10, 5))
    rows = lift + 0.1 * (hard - 0.2) * rng.normal(size=400)
    return {
        "labelled": 50 * np.arange(1, 6),
        "pool": np.array(1000),
        "random": random,
        "core-set": other,
        "core-set_rows": rows,
    }


def test_chance_is_claimed_as_help_in_few_of_200() -> None:
    claims = [shown_to_help(made_up(np.random.default_rng(s), 0.0)) for s in range(200)]
    assert sum(claim is not None for claim in claims) <= 10
    assert shown_to_help(made_up(np.random.default_rng(0), 0.05)) == "core-set"


def test_the_interval_is_students_t_widened_for_overlap() -> None:
    lifts = made_up(np.random.default_rng(0), 0.02)
    lifts["core-set_rows"] = np.zeros(400)  # no chance in the test rows: 10 pairs alone
    pairs = (lifts["random"] - lifts["core-set"])[:, 1:].mean(axis=1)
    error = np.sqrt(
        pairs.var(ddof=1) * (1 / 10 + 0.175 / 0.825)
    )  # labelled: .10 to .25 of the pool
    found = lift_of(lifts, "core-set", unit="share of rows")
    assert found.high - found.value == pytest.approx(2.2622 * error, rel=1e-4)  # t(9; .975)


def test_farthest_takes_the_corner_that_is_not_covered() -> None:
    points = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [5.1, 0.0], [0.0, 3.0]])
    assert farthest(points, np.array([0]), 2).tolist() == [3, 4]


def test_margin_asks_for_the_rows_whose_two_likeliest_classes_are_closest() -> None:
    # margins .8, .1, .3, .0, .5; row 3 is labelled already
    sure = _margin(np.array([[0.9, 0.1], [0.55, 0.45], [0.35, 0.65], [0.5, 0.5], [0.75, 0.25]]))
    assert sure == pytest.approx([0.8, 0.1, 0.3, 0.0, 0.5])
    rows = np.arange(5)
    pool = Pool(rows[:, None], rows[:, None] * 1.0, rows, rows[:, None], rows, None, 5)
    rng = np.random.default_rng(0)
    assert _chosen("margin", np.array([3]), 2, pool, sure, rng).tolist() == [1, 2]


def test_of_three_classes_the_two_likeliest_make_the_margin() -> None:
    assert _margin(np.array([[0.5, 0.1, 0.4]])) == pytest.approx([0.1])
