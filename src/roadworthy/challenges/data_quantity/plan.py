"""How to go on collecting: rounds instead of one number of rows, with what each is expected to bring and cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.data_quantity.checks import said, unit_of
from roadworthy.challenges.data_quantity.lift import shown_to_help
from roadworthy.engine import check
from roadworthy.results import Cell, Measurement, Table
from roadworthy.statistics import percent
from roadworthy.statistics.learning_curve import LearningCurve

if TYPE_CHECKING:
    from roadworthy.subject import Task

ROUND = 1.5  # times the rows
ROUNDS = 5
FARTHEST = 10.0  # times the rows; beyond, no curve is believed
STEPS = 48  # numbers of rows that are looked at on the way there


@check(challenge="data_quantity")
def collection_plan(
    fitted_curve: LearningCurve,
    train_source_rows: np.ndarray,
    task: "Task",
    label_price: float | None = None,
    label_minutes: float | None = None,
    currency: str | None = None,
    accuracy: float | None = None,
    label_lifts: Mapping[str, np.ndarray] | None = None,
) -> Measurement:
    """How much of the error the next round of labels would save, and the rounds after it.

    Five rounds, each of half as many rows again; after each the curve should be measured anew (Mahmood et al.
    2022, "How much more data do I need?", CVPR: several rounds err far less than one estimate). How many rows a wanted accuracy
    takes is told as a range alone: predicted from 30 % of the rows, one number was within a factor of two in 42 %
    of 100 measured curves. Money and hours are shown where the price or the minutes of a label are known.

    Unit: share of test rows (regression: share of the error of answering the median).
    Qualified at: a description, nothing is required of it.
    Next: label the rows of the first round, measure again, and stop when the next round is not worth its cost.
    """
    n = len(train_source_rows)
    unit = unit_of(task)
    sizes = [round(n * ROUND**k) for k in range(1, ROUNDS + 1)]
    errors = [fitted_curve.error_at(float(size), unit=unit) for size in sizes]
    header, columns = _costs([size - n for size in sizes], label_price, label_minutes, currency)
    rows: list[tuple[Cell, ...]] = []
    for k, (size, error) in enumerate(zip(sizes, errors, strict=True)):
        before = sizes[k - 1] if k else n
        costs = [column[k] for column in columns]
        ends = (error.value, max(error.low, 0.0), error.high)
        rows.append((k + 1, size, size - before, *ends, *costs))
    table = Table(
        title="Rounds of collection",
        header=("round", "rows then", "to label", "expected error", "from", "to", *header),
        rows=tuple(rows),
    )
    details = (
        f"Next round: label {sizes[0] - n:,} more rows. Expected error then {said(errors[0])}, now "
        f"{said(fitted_curve.error_at(float(n), unit=unit))}. {_strategy(label_lifts)}"
    )
    if accuracy is not None and task.is_classification:
        details += f" {rows_for(fitted_curve, n, 1.0 - accuracy, unit)}"
    return fitted_curve.saved(
        float(n), float(sizes[0]), unit=unit, details=details, evidence=(table,)
    )


def rows_for(curve: LearningCurve, n: int, error: float, unit: str) -> str:
    """Return between which numbers of training rows an error is reached: a range, never one number."""
    wanted = f"{percent(1.0 - error)} right"
    looked_at = np.geomspace(n, FARTHEST * n, STEPS)
    expected = [curve.error_at(float(size), unit=unit) for size in looked_at]
    at_best = _first([e.low <= error for e in expected])
    surely = _first([e.high <= error for e in expected])
    if surely == 0:
        return f"{wanted} is reached with the rows there are."
    if at_best is None:
        return (
            f"{wanted} is not within reach of {FARTHEST:.0f} times the rows: it may be unreachable "
            "by more rows of this kind."
        )
    least = f"{looked_at[at_best]:,.0f}" if at_best else "the present number"
    if surely is None:
        return (
            f"{wanted} takes from {least} to more than {FARTHEST * n:,.0f} rows, and may be "
            "unreachable."
        )
    return (
        f"{wanted} takes from {least} to {looked_at[surely]:,.0f} rows if the curve goes on as it did; "
        "it may be unreachable if not."
    )


def _first(flags: list[bool]) -> int | None:
    return flags.index(True) if True in flags else None


def _costs(
    labels: list[int], price: float | None, minutes: float | None, currency: str | None
) -> tuple[tuple[str, ...], list[list[float]]]:
    """Return names and columns of what so many labels cost, from the first round on."""
    header: list[str] = []
    columns: list[list[float]] = []
    if price is not None:
        header.append(f"{currency or 'money'} so far")
        columns.append([round(price * count, 2) for count in labels])
    if minutes is not None:
        header.append("hours so far")
        columns.append([round(minutes * count / 60.0, 1) for count in labels])
    return tuple(header), columns


def _strategy(lifts: Mapping[str, np.ndarray] | None) -> str:
    if lifts is None:
        return "Choose them at random."
    better = shown_to_help(lifts)
    if better is None:
        return "Choose them at random: no strategy was shown to do better here."
    return f"Choose them by {better}, which was shown to do better than chance here."
