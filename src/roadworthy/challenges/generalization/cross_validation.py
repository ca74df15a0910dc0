"""Checks by cross-validation: how far the test rows can be trusted to be as hard as any others."""

from typing import NamedTuple

import numpy as np

from roadworthy.challenges.generalization.checks import intervals_of
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Intervals, Measurement
from roadworthy.statistics import (
    cross_validated_mean,
    difference_of,
    mean,
    nadeau_bengio,
    percent,
    rate,
    wilson,
)

SAVED = "share of the error of answering the median"


class _Level(NamedTuple):
    """A number with its interval."""

    value: float
    low: float
    high: float


@check(
    challenge="generalization",
    requires=AtMost(0.05, "house default: five points of a result that the choice of rows gives"),
    least=100,
    cost="training",
)
def split_luck(
    held_out_merit: np.ndarray,
    fold_test_merit: np.ndarray,
    folds: np.ndarray,
    held_out_share: float,
    test_merit: np.ndarray | None = None,
) -> Measurement:
    """How much easier the test rows are than the training rows, for models that have seen neither.

    The model is trained again several times, each time without a part of the training rows (cross-validation), and
    each of these models answers its own part and the test rows. If the test rows come out better, the split flatters
    the model, and its test result will not hold elsewhere. Only this side is a harm: test rows that are harder make
    the result modest. Interval: for the cross-validated side the wider of the pooled one and that of Nadeau & Bengio
    (2003, Machine Learning 52), which allows for training sets that overlap; both sides combined after
    Zou & Donner (2008, Statistics in Medicine 27).

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.1 of `harder_training_rows`, n = 5,000; passes from 9,000 rows, training and test
    together, where nine of ten are right (5,000 where nearly all are); rows shared out by chance pass from 3,000.
    Next: quote the cross-validated result instead of the test result, and find how the test rows were chosen:
    copies of training rows, easy sources, an easy period.
    """
    if len(fold_test_merit) < 2:
        raise NotApplicable(f"{len(fold_test_merit)} test row(s); at least two are needed")
    is_class = held_out_merit.dtype == bool
    unit = "share of rows" if is_class else SAVED
    bounds = (0.0, 1.0) if is_class else None
    codes = folds[folds >= 0]
    unseen = cross_validated_mean(held_out_merit, codes, held_out_share, unit=unit)
    test = mean(fold_test_merit, unit=unit, bounds=bounds)
    levels = {"training rows, held out": unseen, "test rows": test}
    word = "right" if is_class else "of the median's error saved"
    details = (
        f"Models that have seen neither are {percent(unseen.value)} {word} on {unseen.n:,} training rows "
        f"({int(codes.max()) + 1} folds) and {percent(test.value)} on {test.n:,} test rows."
    )
    if test_merit is not None:
        details += f" The model under audit: {percent(float(test_merit.mean()))} on the test rows."
    return difference_of(
        test,
        unseen,
        unit=unit,
        details=details,
        evidence=(intervals_of("Cross-validation and test", "rows", levels),),
    )


@check(challenge="generalization", cost="training")
def cross_validated_error(
    held_out_merit: np.ndarray, folds: np.ndarray, held_out_share: float
) -> Measurement:
    """How often models trained like this one are wrong on training rows that they have not seen.

    Each row is answered by a model that was trained without its part of the rows (cross-validation; parts keep
    entities together, and with times only the past is trained on). The parts are models of fewer rows
    than the one under audit has, so this is a little pessimistic. The picture shows each part, and the
    interval in three ways: as if rows were independent (Wilson 1927; Clopper & Pearson 1934), and corrected for
    the overlap of training rows (Nadeau & Bengio 2003, Machine Learning 52); the wider end counts.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: a description; nothing is required of it.
    Next: compare it with the test result; where they differ much, see `split_luck`.
    """
    is_class = held_out_merit.dtype == bool
    errors = ~held_out_merit if is_class else 1.0 - held_out_merit
    unit = "share of rows" if is_class else SAVED
    codes = folds[folds >= 0]
    k = int(codes.max()) + 1
    scores = [float(errors[codes == fold].mean()) for fold in range(k)]
    picture = _by_fold(errors, codes, nadeau_bengio(scores, held_out_share, unit=unit))
    return cross_validated_mean(
        errors,
        codes,
        held_out_share,
        unit=unit,
        details=f"{percent(float(errors.mean()))} over {len(errors):,} rows in {k} folds; between folds "
        f"{percent(min(scores))} to {percent(max(scores))}.",
        evidence=(picture,),
    )


def _by_fold(errors: np.ndarray, codes: np.ndarray, corrected: Measurement) -> Intervals:
    """Return the error of all rows, its interval in each way, and the error of each fold."""
    unit = corrected.unit
    shown = {"all rows": _level(errors, unit)}
    if errors.dtype == bool:
        low, high = wilson(int(errors.sum()), errors.size)
        shown["all rows, Wilson"] = _Level(float(errors.mean()), low, high)
    shown["folds, Nadeau-Bengio"] = _Level(corrected.value, corrected.low, corrected.high)
    for fold in range(int(codes.max()) + 1):
        shown[f"fold {fold + 1}"] = _level(errors[codes == fold], unit)
    return Intervals(
        title="Error on rows not seen",
        label=Axis("interval"),
        value=Axis("wrong" if errors.dtype == bool else "error", unit),
        labels=tuple(shown),
        values=tuple(each.value for each in shown.values()),
        lows=tuple(each.low for each in shown.values()),
        highs=tuple(each.high for each in shown.values()),
    )


def _level(values: np.ndarray, unit: str) -> _Level:
    of_rows = (
        rate(int(values.sum()), values.size) if values.dtype == bool else mean(values, unit=unit)
    )
    return _Level(of_rows.value, of_rows.low, of_rows.high)
