"""Checks of how a model holds up on unseen rows, against its training rows, a guess and simple models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Evidence, Intervals, Measurement, Quantiles
from roadworthy.statistics import (
    auc,
    fact,
    interval_of,
    mean,
    mean_difference,
    paired_mean_difference,
    paired_rate_difference,
    percent,
    rate,
    rate_difference,
    ratio_of_means,
    rescaled,
)

if TYPE_CHECKING:
    from roadworthy.subject import Task


@check(
    challenge="generalization",
    requires=AtMost(0.10, "house default: ten points; larger gaps are what early stopping removes"),
    least=100,
)
def overfitting_gap(
    train_merit: np.ndarray, test_merit: np.ndarray, validation_merit: np.ndarray | None = None
) -> Measurement:
    """How much better the model is on the rows it was trained on than on unseen test rows.

    Classification: share right in training minus share right in test, with Newcombe's interval (1998,
    Statistics in Medicine 17, method 10). Regression: the same difference of mean absolute errors as a share
    of the error of always answering the training median (Welch 1947). A large gap with a good
    test result is no fault of its own: read it beside the test result, which is shown.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.2 of `harder_test_rows`, n = 2,000; passes from 3,000 rows, training and test
    together (half as many where nearly all are right, twice as many where four in ten are wrong).
    Next: stop training earlier, regularise or simplify the model, and watch the test result, not the gap.
    """
    _need_rows(train_merit, test_merit)
    said = {"train": train_merit, "validation": validation_merit, "test": test_merit}
    shown = {name: m for name, m in said.items() if m is not None and len(m) > 1}
    levels = {name: _level(m) for name, m in shown.items()}
    word = "right" if train_merit.dtype == bool else "of the median's error saved"
    details = "; ".join(f"{name}: {percent(m.value)} {word}" for name, m in levels.items()) + "."
    evidence = (intervals_of("Train, validation and test", "rows", levels),)
    if train_merit.dtype == bool:
        return rate_difference(
            int(train_merit.sum()),
            len(train_merit),
            int(test_merit.sum()),
            len(test_merit),
            details=details,
            evidence=evidence,
        )
    return mean_difference(
        train_merit,
        test_merit,
        unit="share of the error of answering the median",
        details=details,
        evidence=evidence,
    )


@check(
    challenge="generalization",
    requires=AtMost(0.05, "house default: five points behind a simple model on one's own rows"),
    least=100,
)
def underfitting(
    train_merit: np.ndarray,
    simple_train_merits: Mapping[str, np.ndarray],
    simple_choice: str,
    simple_rows: np.ndarray,
) -> Measurement:
    """How far the model, on its own training rows, falls behind a simple model that has not seen them.

    The simple model (the better of a linear one and gradient boosting) predicts each training row from
    the other folds; the model under audit was fitted to that very row. If it still does worse, it
    has not taken in what the data offer. Difference on the same rows (classification: from the rows on
    which they differ, Zou & Donner 2008, Statistics in Medicine 27; regression: paired t). Negative: the model is ahead.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.1 of `missed_training_rows`, n = 1,500; passes from 3,000 rows where the two
    models differ on a fifth of them (900 and 1,500 where on a twelfth).
    Next: train longer, regularise less or give the model more capacity; check its preprocessing.
    """
    simple, model = simple_train_merits[simple_choice], train_merit[simple_rows]
    levels = {"model under audit": _level(model)} | {
        f"{name}, unseen": _level(m) for name, m in simple_train_merits.items()
    }
    details = (
        f"On {len(model)} training rows the model reaches {percent(levels['model under audit'].value)}, "
        f"the {simple_choice} model without having seen them {percent(float(simple.mean()))}."
    )
    evidence = (intervals_of("On training rows", "model", levels),)
    return _paired(simple, model, details, evidence)


@check(
    challenge="generalization",
    requires=AtMost(
        0.03, "house default: three points behind a model that takes a second to train"
    ),
    least=100,
)
def shortfall_to_simple_models(
    test_merit: np.ndarray,
    simple_test_merits: Mapping[str, np.ndarray],
    simple_choice: str,
    test_guess_errors: np.ndarray | None = None,
    guess_error: float | None = None,
) -> Measurement:
    """How far the model falls behind a simple one, trained in seconds, on the same test rows.

    Against the better of a linear model and gradient boosting, as told by training rows alone, so that
    the comparison is not with the luckier of the two. At most 10,000 training rows are used. Difference on the
    same rows (classification: from the rows on which they differ, Zou & Donner 2008, Statistics in
    Medicine 27; regression: paired t). Negative: the model is ahead.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.06 of `missed_test_rows`, n = 4,000; passes from 8,000 rows where the two
    models differ on a fifth of them (2,000 and 3,500 where on a twelfth).
    Next: use the simple model, or find what keeps this one back (training, scaling, capacity).
    """
    simple = simple_test_merits[simple_choice]
    levels = {"model under audit": _level(test_merit)}
    levels |= {name: _level(m) for name, m in simple_test_merits.items()}
    if test_guess_errors is not None and len(test_guess_errors) == len(test_merit):
        by = 1.0 if test_merit.dtype == bool else guess_error or 1.0
        guess = 1.0 - test_guess_errors / by
        levels["same answer always"] = _level(guess == 1.0 if test_merit.dtype == bool else guess)
    details = ", ".join(f"{name} {percent(m.value)}" for name, m in levels.items())
    details = f"On {len(test_merit)} test rows: {details}. Compared with: {simple_choice}."
    return _paired(simple, test_merit, details, (intervals_of("On test rows", "model", levels),))


@check(
    challenge="generalization",
    requires=AtMost(
        0.9, "house default: a tenth of the mistakes of always giving one answer must go"
    ),
    least=50,
)
def errors_left(
    test_errors: np.ndarray, test_guess_errors: np.ndarray, task: "Task"
) -> Measurement:
    """Share of the mistakes of always giving the same answer that the model still makes.

    Errors of the model over errors of the commonest class (regression: absolute errors over those of the
    median), on the same test rows; 0: none left, 1: no better than one answer. Interval by Fieller's
    theorem (1954, JRSS B 16), corrected for skewness. Where the commonest class is very common a useful
    model can fail this; then read `ranking_error`.

    Unit: share of the mistakes of a constant answer.
    Qualified at: severity 1 of `mistakes_of_a_guess`, n = 6,000 (500 where the constant answer errs in nine of ten).
    Next: check that the labels can be known from the inputs at all; compare `shortfall_to_simple_models`.
    """
    if float(test_guess_errors.sum()) <= 0.0:
        raise NotApplicable("always giving one answer makes no mistake on the test rows")
    model, guess = float(test_errors.mean()), float(test_guess_errors.mean())
    details = (
        f"The model is wrong on {percent(model)} of {len(test_errors)} test rows, a constant answer on {percent(guess)}."
        if task.is_classification
        else f"The mean error is {model:.4g}, that of always answering the median {guess:.4g}."
    )
    return ratio_of_means(
        test_errors,
        test_guess_errors,
        unit="share of the mistakes of a constant answer",
        most=1.0 if task.is_classification else None,
        details=details,
    )


@check(
    challenge="generalization",
    requires=AtMost(0.4, "house default: six of ten pairs in the right order, five being a coin's"),
    least=50,
)
def ranking_error(test_scores: np.ndarray, test_labels: np.ndarray, task: "Task") -> Measurement:
    """How often a negative row is scored above a positive one (two classes).

    One minus the area under the ROC curve, with DeLong's interval (1988, Biometrics 44). One half is a
    coin. It does not depend on a threshold nor on how rare the positive class is, and scores need not
    be probabilities.

    Unit: share of pairs of a positive and a negative row.
    Qualified at: severity 0.5 of `scores_that_overlap`, n = 300.
    Next: look for inputs that say more about the target; see `shortfall_to_simple_models`.
    """
    if task.kind != "binary":
        raise NotApplicable("one score orders rows of two classes only")
    positive = 1 if task.positive is None else task.positive
    is_positive = test_labels == positive
    area = auc(test_scores, is_positive)
    distribution = rescaled(area.distribution, -1.0, 1.0)
    assert isinstance(distribution, Quantiles)
    low, high = interval_of(distribution)
    return Measurement(
        1.0 - area.value,
        low,
        high,
        area.n,
        "share of pairs",
        area.method,
        distribution,
        details=(
            f"{int(is_positive.sum())} positive and {int((~is_positive).sum())} negative test rows; area "
            f"under the ROC curve {area.value:.3f} ({area.low:.3f} to {area.high:.3f})."
        ),
    )


@check(challenge="generalization")
def parameters_per_row(
    weights: Mapping[str, np.ndarray],
    train_content_hashes: np.ndarray,
    train_entities: np.ndarray | None = None,
) -> Measurement:
    """How many adjustable numbers the model has for each independent training row.

    Copies of a row and further rows of one entity (person, device) count once. Large values are usual for
    networks and no fault by themselves (Belkin et al. 2019, PNAS 116): they say how much the model could
    memorise, to be read beside `overfitting_gap`.

    Unit: number of parameters per row.
    Qualified at: a count, nothing is required of it.
    Next: nothing; beside a large `overfitting_gap`, a smaller model is one remedy.
    """
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    count = sum(int(np.size(w)) for name, w in weights.items() if not name.endswith(buffers))
    rows = len(train_content_hashes)
    different = len(np.unique(train_content_hashes, axis=0))
    entities = rows if train_entities is None else len(np.unique(train_entities))
    effective = min(different, entities)
    details = f"{count:,} parameters; {rows:,} training rows, {different:,} of them different"
    details += "" if train_entities is None else f", of {entities:,} entities"
    return fact(
        count / max(effective, 1), rows, unit="number of parameters per row", details=f"{details}."
    )


def _paired(
    simple: np.ndarray, model: np.ndarray, details: str, evidence: tuple[Evidence, ...]
) -> Measurement:
    """Return the mean of simple minus model over the same rows."""
    _need_rows(simple, model)
    if model.dtype != bool:
        return paired_mean_difference(
            simple,
            model,
            unit="share of the error of answering the median",
            details=details,
            evidence=evidence,
        )
    only_simple, only_model = int(np.sum(simple & ~model)), int(np.sum(model & ~simple))
    details += (
        f" Only the simple model is right on {only_simple} rows, only this one on {only_model}."
    )
    return paired_rate_difference(simple, model, details=details, evidence=evidence)


def _level(values: np.ndarray) -> Measurement:
    if values.dtype == bool:
        return rate(int(values.sum()), len(values))
    return mean(values, unit="share of the median's error saved")


def intervals_of(title: str, label: str, levels: Mapping[str, Measurement]) -> Intervals:
    """Return the picture of several measured levels of merit."""
    found = tuple(levels.values())
    return Intervals(
        title=title,
        label=Axis(label),
        value=Axis("right" if found[0].unit == "share of rows" else "error saved", found[0].unit),
        labels=tuple(levels),
        values=tuple(m.value for m in found),
        lows=tuple(m.low for m in found),
        highs=tuple(m.high for m in found),
    )


def _need_rows(a: np.ndarray, b: np.ndarray) -> None:
    if min(len(a), len(b)) < 2:
        raise NotApplicable(f"{len(a)} and {len(b)} rows to compare; both need at least two")
