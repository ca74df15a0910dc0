"""Checks of what corruptions cost: over the whole suite, and of the worst kind."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Intervals, Matrix, Measurement
from roadworthy.statistics import largest_of, mean, percent

if TYPE_CHECKING:
    from roadworthy.results import Evidence
    from roadworthy.subject import Task

SEVERITIES_OF = {3: (1, 3, 5), 5: (1, 2, 3, 4, 5)}
# The mean over five severities; from three of them with a parabola between, so that profiles measure the same.
WEIGHTS_OF = {3: (0.25, 0.5, 0.25), 5: (0.2,) * 5}
WORST_ERROR = 3.0  # of a numeric target, see `corruption_losses`


@check(
    challenge="evasion",
    requires=AtMost(
        0.1,
        "house default: 10 points of accuracy over a suite that ends at 4 dB of signal to noise; no law names one",
    ),
    least=50,
)
def corruption_loss(
    test_corruption_losses: np.ndarray,
    corruption_kinds: tuple[str, ...],
    task: "Task",
    test_entities: np.ndarray | None = None,
) -> Measurement:
    """How much more often the model is wrong when inputs are noisy, blurred, shifted or partly missing.

    Mean over kinds and severities of the error with the corruption less the error without it, on the same
    rows (mean corruption error, Hendrycks & Dietterich 2019, ICLR, section 4.1; as a difference, so that an accurate
    model is not punished for being accurate). Severities run from 20 to 4 dB of signal to noise in arrays, and
    from 2 to 40 % of cells in tables, so that they mean the same for any data. Interval: Student's t over
    rows, entities kept together. Of a numeric target: more absolute error, in its standard deviations.

    Unit: share of rows (standard deviations of a numeric target).
    Qualified at: severity 0.2 of `answers_lost_to_corruptions`, n = 100; passes from 200 rows where 5 points are lost.
    Next: train with the corruptions that cost most (see the matrix), or keep such inputs out.
    """
    extra, clusters = _extra(test_corruption_losses, len(corruption_kinds), test_entities)
    most = 1.0 if task.is_classification else WORST_ERROR
    clean = float(_chosen(test_corruption_losses)[:, 0].mean())
    costs = extra.mean(axis=0)  # (k, severities)
    of_kinds = _over_severities(costs)
    worst = int(of_kinds.argmax())
    details = (
        f"Error {_said(clean, task)} without, {_said(clean + float(of_kinds.mean()), task)} with a corruption, on average over "
        f"{costs.shape[0]} kinds and their severities. "
        + _costliest(corruption_kinds[worst], float(of_kinds[worst]), task)
    )
    return mean(
        _over_severities(extra).mean(axis=1),
        clusters,
        unit=_unit(task),
        bounds=(-most, most),
        details=details,
        evidence=(_matrix(costs, corruption_kinds, task),),
    )


@check(
    challenge="evasion",
    requires=AtMost(
        0.25,
        "house default: no one kind may cost 25 points of accuracy on average over its severities; no law names one",
    ),
    least=50,
)
def worst_corruption_loss(
    test_corruption_losses: np.ndarray,
    corruption_kinds: tuple[str, ...],
    task: "Task",
    test_entities: np.ndarray | None = None,
) -> Measurement:
    """How much more often the model is wrong under the one kind of corruption that costs it most.

    As `corruption_loss`, for each kind over its severities, and then the largest: its upper limit is the
    largest upper limit, its lower limit the largest lower limit at a k-th of the error for k kinds (Berger 1982; Bonferroni).
    A good mean can hide one kind that the model cannot bear at all.

    Unit: share of rows (standard deviations of a numeric target).
    Qualified at: severity 0.5 of `answers_lost_to_one_corruption`, n = 100; passes from 200 rows where 12.5 points are lost.
    Next: if this kind can happen where the model is used, train with it, or detect and refuse such inputs.
    """
    extra, clusters = _extra(test_corruption_losses, len(corruption_kinds), test_entities)
    most = 1.0 if task.is_classification else WORST_ERROR
    unit = _unit(task)
    of_kind = [
        mean(of_rows, clusters, unit=unit, bounds=(-most, most))
        for of_rows in _over_severities(extra).T
    ]
    order = sorted(range(len(of_kind)), key=lambda k: -of_kind[k].value)
    costs = extra.mean(axis=0)
    first = order[0]
    at = ", ".join(
        f"{_said(float(c), task)} at severity {s}"
        for s, c in zip(SEVERITIES_OF[costs.shape[1]], costs[first], strict=True)
    )
    costliest = _costliest(corruption_kinds[first], of_kind[first].value, task)
    details = f"{costliest} Added error of {corruption_kinds[first]}: {at} (1 is slight, 5 severe)."
    evidence: tuple[Evidence, ...] = (
        Intervals(
            title="What each kind costs, over its severities",
            label=Axis("kind"),
            value=Axis("more error", unit),
            labels=tuple(corruption_kinds[k] for k in order),
            values=tuple(of_kind[k].value for k in order),
            lows=tuple(of_kind[k].low for k in order),
            highs=tuple(of_kind[k].high for k in order),
        ),
        _matrix(costs, corruption_kinds, task),
    )
    return largest_of(of_kind, unit=unit, details=details, evidence=evidence)


def _chosen(losses: np.ndarray) -> np.ndarray:
    """Return the rows that were corrupted."""
    return losses[~np.isnan(losses[:, 0])].astype(np.float64)


def _extra(
    losses: np.ndarray, kinds: int, entities: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what each corruption adds to the error, (m, kinds, severities), and whose row it is."""
    found = _chosen(losses)
    if len(found) == 0:
        raise NotApplicable("there are no test rows")
    extra = found[:, 1:] - found[:, :1]
    whose = None if entities is None else entities[~np.isnan(losses[:, 0])]
    return extra.reshape(len(found), kinds, -1), whose


def _over_severities(values: np.ndarray) -> np.ndarray:
    """Return the mean over severities, the last axis."""
    return values @ np.array(WEIGHTS_OF[values.shape[-1]])


def _unit(task: "Task") -> str:
    return "share of rows" if task.is_classification else "standard deviations of the target"


def _costliest(kind: str, cost: float, task: "Task") -> str:
    if cost <= 0.0:
        return "No kind makes the model worse."
    return f"{kind.capitalize()} costs most, {_said(cost, task)} on average over its severities."


def _said(value: float, task: "Task") -> str:
    return percent(value) if task.is_classification else f"{value:.2f} standard deviations"


def _matrix(costs: np.ndarray, kinds: tuple[str, ...], task: "Task") -> Matrix:
    severities = SEVERITIES_OF[costs.shape[1]]
    order = np.argsort(-_over_severities(costs), kind="stable")
    return Matrix(
        title="What each kind costs at each severity",
        row=Axis("kind"),
        column=Axis("severity, 1 to 5"),
        rows=tuple(kinds[k] for k in order),
        columns=tuple(str(s) for s in severities),
        values=tuple(tuple(round(float(v), 6) for v in costs[k]) for k in order),
        value=Axis("more error", _unit(task)),
    )
