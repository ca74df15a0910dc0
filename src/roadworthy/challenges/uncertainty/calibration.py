"""Checks of calibration: whether events that the model gives 80 % happen 80 % of the time."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.uncertainty.reliability import (
    CalibrationError,
    Claims,
    binary_claims,
    calibration_error_of,
    classwise_claims,
    top_label_claims,
)
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Bars, Curve, Evidence, Intervals, Measurement, Series
from roadworthy.statistics import clopper_pearson, interval_of, mean, measured, percent

if TYPE_CHECKING:
    from roadworthy.subject import Task

MOST_CLASSES = 20  # of a picture that can still be read
METHOD = "shape-free: named and held-out directions below, best-fitting direction above"


@check(
    challenge="uncertainty",
    requires=AtMost(0.05, "house default: 5 points between claimed and observed; no law names one"),
    least=100,
)
def calibration_error(
    test_probabilities: np.ndarray, test_labels: np.ndarray, task: "Task"
) -> Measurement:
    """How far the model's stated probabilities lie from what happens, on average over rows.

    Expected calibration error over cells of like claims (Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al.
    2017, ICML): of the positive class where there are two classes, of the most probable class otherwise.
    The usual number is above zero by luck even for a perfect model; here luck is subtracted from
    the value, the lower limit comes from directions chosen without the rows they are measured on, and the
    upper limit from the best-fitting ones, so that neither side errs in more than 2.5 % whatever the
    shape of the error. In the picture, points below the diagonal are over-confident.

    Unit: share of rows (difference between claimed and observed).
    Qualified at: severity 0.1 of `overconfidence`, n = 6,000 (1,000 where the model is mostly sure and right).
    Next: rescale the probabilities on validation rows (temperature scaling), then audit again.
    """
    _need_labels(test_labels)
    if task.kind == "binary":
        positive = 1 if task.positive is None else task.positive
        claims = binary_claims(test_probabilities[:, positive], test_labels == positive)
        of = f'the class "{_name(task, positive)}"'
    else:
        claims = top_label_claims(test_probabilities, test_labels)
        of = "the most probable class"
    error = calibration_error_of(claims)
    claimed, happened = float(claims.claimed.mean()), float(claims.happened.mean())
    details = (
        f"On average {of} was given {percent(claimed)} and turned out true in {percent(happened)} of "
        f"{len(test_labels)} rows. {_luck(error)}"
    )
    return _measurement(error, len(test_labels), details, (reliability_curve(claims, of),))


@check(
    challenge="uncertainty",
    requires=AtMost(0.05, "house default: 5 points between claimed and observed; no law names one"),
    least=100,
)
def classwise_calibration_error(
    test_probabilities: np.ndarray, test_labels: np.ndarray, task: "Task"
) -> Measurement:
    """How far the stated probabilities of all classes, not only the likeliest, lie from what happens.

    Half the sum over classes of each class's expected calibration error (class-wise error, Kull et al.
    2019, NeurIPS, summed instead of averaged so that rare classes are not diluted): the share of
    probability that sits on the wrong class, on the same scale as `calibration_error`. Limits as there.

    Unit: share of rows (difference between claimed and observed).
    Qualified at: severity 0.1 of `overconfidence_in_every_class`, n = 10,000 (1,000 where the model is
    mostly sure and right).
    Next: rescale the probabilities per class on validation rows, or collect rows of the worst class.
    """
    if task.kind == "binary":
        raise NotApplicable("with two classes it is the same number as calibration_error")
    _need_labels(test_labels)
    claims = classwise_claims(test_probabilities, test_labels)
    error = calibration_error_of(claims)
    errors = error_by_class(claims, task)
    worst = int(np.argmax(errors.values))
    details = (
        f'Class "{errors.labels[worst]}" is furthest off: claimed and observed differ by '
        f"{percent(errors.values[worst])} of rows there, too much and too little added up. Half the sum "
        f"over {test_probabilities.shape[1]} classes is the error. {_luck(error)}"
    )
    bias = bias_by_class(test_probabilities, test_labels, task)
    return _measurement(error, len(test_labels), details, (errors, bias))


def error_by_class(claims: Claims, task: "Task") -> Bars:
    """Return the calibration error of each class (the worst twenty), luck not taken off."""
    n, c = claims.claimed.shape
    cells, claimed = claims.cells.ravel(), claims.claimed.ravel()
    of_class = np.zeros(int(cells.max()) + 1, np.int64)
    of_class[cells] = np.tile(np.arange(c), n)
    short = np.abs(np.bincount(cells, claimed - claims.happened.ravel()))
    errors = np.bincount(of_class, short, c) / n
    kept = np.sort(np.argsort(-errors, kind="stable")[:MOST_CLASSES])
    return Bars(
        title="Calibration error, by class",
        label=Axis("class"),
        value=Axis("between claimed and observed", "share of rows"),
        labels=tuple(_name(task, int(k)) for k in kept),
        values=_rounded(errors[kept]),
    )


def reliability_curve(claims: Claims, of: str) -> Curve:
    """Return claimed against observed, a point and a Clopper-Pearson interval per cell."""
    cells, claimed = claims.cells.ravel(), claims.claimed.ravel()
    rows = np.bincount(cells)
    hits = np.bincount(cells, claims.happened.ravel())
    mean_claim = np.bincount(cells, claimed) / rows
    order = np.argsort(mean_claim, kind="stable")
    observed, band = hits / rows, clopper_pearson(hits, rows)
    return Curve(
        title=f"Claimed and observed, for {of}",
        x=Axis("probability that the model gave", "share"),
        y=Axis("observed", "share of rows"),
        series=(
            Series(
                "test rows",
                x=_rounded(mean_claim[order]),
                y=_rounded(observed[order]),
                low=_rounded(band.low[order]),
                high=_rounded(band.high[order]),
            ),
        ),
        reference="diagonal",
    )


def bias_by_class(probabilities: np.ndarray, labels: np.ndarray, task: "Task") -> Intervals:
    """Return the mean of claimed minus observed for each class (the worst twenty), with t intervals."""
    happened = labels[:, None] == np.arange(probabilities.shape[1])
    short = probabilities - happened
    worst = np.sort(np.argsort(-np.abs(short.mean(axis=0)), kind="stable")[:MOST_CLASSES])
    of_class = [mean(short[:, k], unit="share of rows") for k in worst]
    return Intervals(
        title="Claimed minus observed, by class (too much and too little cancel)",
        label=Axis("class"),
        value=Axis("more claimed than observed", "share of rows"),
        labels=tuple(_name(task, int(k)) for k in worst),
        values=_rounded(np.array([m.value for m in of_class])),
        lows=_rounded(np.array([m.low for m in of_class])),
        highs=_rounded(np.array([m.high for m in of_class])),
        reference=0.0,
    )


def _measurement(
    error: CalibrationError, n: int, details: str, evidence: tuple[Evidence, ...]
) -> Measurement:
    low, high = interval_of(error.distribution)
    return measured(
        min(max(error.value, low), high),
        n,
        error.distribution,
        unit="share of rows",
        method=METHOD,
        details=details,
        evidence=evidence,
    )


def _luck(error: CalibrationError) -> str:
    return (
        f"Uncorrected it is {percent(error.plugged_in)}; a perfectly calibrated model would show "
        f"{percent(error.floor)} on as many rows by luck alone."
    )


def _need_labels(labels: np.ndarray) -> None:
    if len(labels) < 2:
        raise NotApplicable(f"{len(labels)} test row(s); calibration needs at least two")


def _name(task: "Task", code: int) -> str:
    return task.classes[code] if code < len(task.classes) else str(code)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
