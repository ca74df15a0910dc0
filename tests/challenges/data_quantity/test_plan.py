"""Rounds, their cost, and numbers of rows that are ranges."""

import numpy as np
import pytest

from roadworthy.challenges.data_quantity.plan import collection_plan
from roadworthy.results import Table
from roadworthy.statistics.learning_curve import LearningCurve, learning_curve
from roadworthy.subject import Task

BINARY = Task("binary", ("a", "b"), 1)


def curve_of(floor: float, rows: int = 20_000) -> LearningCurve:
    rng = np.random.default_rng(0)
    sizes = np.tile([32, 64, 128, 256, 512, 1024], 4)
    p = floor + 2.0 * sizes**-0.5
    return learning_curve(sizes, rng.random((24, rows)) < p[:, None], rng, 199)


def table_of(plan) -> Table:
    (table,) = plan.evidence
    assert isinstance(table, Table)
    return table


def test_five_rounds_of_half_as_many_again_with_money_and_hours() -> None:
    plan = collection_plan(curve_of(0.05), np.arange(1024), BINARY, 2.5, 3.0, "EUR")
    table = table_of(plan)
    assert table.header[-2:] == ("EUR so far", "hours so far")
    assert [row[1] for row in table.rows] == [1536, 2304, 3456, 5184, 7776]
    assert [row[2] for row in table.rows] == [512, 768, 1152, 1728, 2592]
    assert table.rows[0][-2:] == (1280.0, 25.6)  # 512 labels x 2.50, x 3 minutes
    assert table.rows[4][-2:] == (16_880.0, 337.6)  # 6,752 labels
    assert "label 512 more rows" in plan.details


def test_without_prices_there_is_no_cost() -> None:
    assert table_of(collection_plan(curve_of(0.05), np.arange(1024), BINARY)).header[-1] == "to"


def test_errors_fall_and_intervals_widen_with_the_rounds() -> None:
    rows = table_of(collection_plan(curve_of(0.05), np.arange(1024), BINARY)).rows
    values = [row[3] for row in rows]
    widths = [float(row[5]) - float(row[4]) for row in rows]  # type: ignore[arg-type]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]
    assert widths == sorted(widths)


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.80, "is reached with the rows there are"),
        (0.91, "may be unreachable"),
        (0.99, "may be unreachable by more rows of this kind"),
    ],
)
def test_the_rows_for_a_target_are_a_range_that_may_not_end(accuracy: float, said: str) -> None:
    plan = collection_plan(curve_of(0.05), np.arange(1024), BINARY, accuracy=accuracy)
    assert said in plan.details


def test_a_strategy_is_named_only_where_it_was_shown_to_help() -> None:
    rng = np.random.default_rng(0)
    plain = 0.2 + 0.005 * rng.normal(size=(10, 5))
    lifts = {
        "labelled": 50 * np.arange(1, 6),
        "pool": np.array(1000),
        "random": plain,
        "margin": plain - 0.05,
        "margin_rows": np.full(500, 0.05),
        "core-set": plain,
        "core-set_rows": np.zeros(500),
    }
    plan = collection_plan(curve_of(0.05), np.arange(1024), BINARY, label_lifts=lifts)
    assert "Choose them by margin" in plan.details
    plan = collection_plan(
        curve_of(0.05), np.arange(1024), BINARY, label_lifts={**lifts, "margin": plain}
    )
    assert "no strategy was shown to do better" in plan.details
