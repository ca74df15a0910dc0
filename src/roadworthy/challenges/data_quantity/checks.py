"""Whether twice the rows would make a better model, and the curve that says so."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.results import AtMost, Axis, Curve, Evidence, Measurement, Series, Table
from roadworthy.statistics import percent
from roadworthy.statistics.learning_curve import LearningCurve

if TYPE_CHECKING:
    from roadworthy.subject import Task

SHARE_WRONG = "share of test rows"
SHARE_OF_GUESS = "share of the error of answering the median"
LOOKED_AHEAD = (1.25, 1.5, 1.75, 2.0)  # times the training rows


@check(
    challenge="data_quantity",
    requires=AtMost(0.02, "house default: two points of error that more rows alone would remove"),
    least=100,
)
def gain_from_doubling(
    fitted_curve: LearningCurve, train_source_rows: np.ndarray, task: "Task"
) -> Measurement:
    """How much of the error on unseen rows would go away with twice as many training rows.

    Models are trained on six or more growing parts of the training rows; power laws with and without a
    floor (Cortes et al. 1994; Viering & Loog 2023) are fitted to their test errors and read at twice the rows.
    The interval reaches over both fits to resampled curves, widened by half the error (a quarter at its
    lower end) that such fits made when they predicted each size from the smaller ones. Smaller sets are trained with as many steps.

    Unit: share of test rows (regression: share of the error of answering the median).
    Qualified at: severity 0.04 of `curve_that_still_falls`, n = 2,000, four draws; passes from 8,000 test
    rows where one in ten is wrong (2,000 where one in twenty).
    Next: buy the next round of labels named by `collection_plan`, then measure again; or augment the data.
    """
    n = float(len(train_source_rows))
    unit = unit_of(task)
    now, doubled = (fitted_curve.error_at(m, unit=unit) for m in (n, 2.0 * n))
    details = (
        f"Expected error with the {n:,.0f} training rows {said(now)}; with {2 * n:,.0f} "
        f"{said(doubled)}. {_rises(fitted_curve)}"
    )
    return fitted_curve.saved(n, 2.0 * n, unit=unit, details=details.strip())


@check(challenge="data_quantity")
def learning_curve(
    fitted_curve: LearningCurve, train_source_rows: np.ndarray, task: "Task"
) -> Measurement:
    """How large the error on unseen rows is expected to be with these training rows, and with fewer or more.

    The value is read from the fitted curve (see `gain_from_doubling`) at the number of training rows. Points
    are means over trainings on nested parts of the rows, with the test rows' and the trainings' chance in
    their intervals. Pairs of sizes between which the error grew are named: such a curve is not to be extrapolated.

    Unit: share of test rows (regression: share of the error of answering the median).
    Qualified at: a description, nothing is required of it.
    Next: read `gain_from_doubling`; where the error grew with more rows, look for a change in the data or tune the training anew.
    """
    n = float(len(train_source_rows))
    law = fitted_curve.floor
    floor = f"levels off at {percent(law.floor)}" if law.floor > 0 else "does not level off"
    details = (
        f"{fitted_curve.trainings} trainings on {fitted_curve.sizes[0]:,.0f} to "
        f"{fitted_curve.sizes[-1]:,.0f} rows, errors on {fitted_curve.test_rows:,} test rows. "
        f"The curve that fits best {floor}. {_beyond(fitted_curve, n)}{_rises(fitted_curve)}"
    )
    return fitted_curve.error_at(
        n, unit=unit_of(task), details=details.strip(), evidence=_evidence(fitted_curve, n, task)
    )


def unit_of(task: "Task") -> str:
    """Return the unit of an error."""
    return SHARE_WRONG if task.is_classification else SHARE_OF_GUESS


def said(error: Measurement) -> str:
    """Return an error with its interval in words."""
    return f"{percent(error.value)} ({percent(max(error.low, 0.0))} to {percent(error.high)})"


def _beyond(curve: LearningCurve, n: float) -> str:
    if n <= curve.sizes[-1]:
        return ""
    return f"Beyond {curve.sizes[-1]:,.0f} of {n:,.0f} rows it is extrapolated. "


def _rises(curve: LearningCurve) -> str:
    rises = curve.rises()
    if not rises:
        return ""
    few, many = rises[0]
    return (
        f"Ill-behaved: the error grew from {few:,.0f} to {many:,.0f} rows, so that what lies beyond "
        "cannot be trusted."
    )


def _evidence(curve: LearningCurve, n: float, task: "Task") -> tuple[Evidence, ...]:
    unit = unit_of(task)
    low = curve.means - 1.959964 * curve.errors
    high = curve.means + 1.959964 * curve.errors
    largest = float(curve.sizes[-1])
    ahead = [float(m) for m in curve.sizes if m < n] + [n, *(n * times for times in LOOKED_AHEAD)]
    ahead = sorted({*ahead, largest})
    expected = [curve.error_at(m, unit=unit) for m in ahead]
    figure = Curve(
        title="Error by number of training rows",
        x=Axis("training rows", "rows"),
        y=Axis("error on test rows", unit),
        series=(
            Series("measured", *_columns(curve.sizes, curve.means, np.maximum(low, 0.0), high)),
            Series(
                "expected",
                tuple(ahead),
                tuple(e.value for e in expected),
                tuple(max(e.low, 0.0) for e in expected),
                tuple(e.high for e in expected),
            ),
        ),
    )
    table = Table(
        title="Measured errors",
        header=("training rows", "error", "from", "to"),
        rows=tuple(
            zip(*_columns(curve.sizes, curve.means, np.maximum(low, 0.0), high), strict=True)
        ),
    )
    return figure, table


def _columns(*arrays: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in array) for array in arrays)
