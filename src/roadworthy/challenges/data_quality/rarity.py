"""Rare classes, judged by what the model does with them and not by how rare they are."""

from dataclasses import replace

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Bars, Curve, Intervals, Measurement, Series
from roadworthy.statistics import bootstrap, clopper_pearson, percent, rate
from roadworthy.subject import Task


@check(
    challenge="data_quality",
    requires=AtMost(0.5, "house default: at least every second case of the rarest class is found"),
    least=20,
)
def rarest_class_missed(
    test_correct: np.ndarray,
    test_labels: np.ndarray,
    task: Task,
    train_labels: np.ndarray | None = None,
) -> Measurement:
    """How often the model misses a case of the class that it saw least of: 1 - recall.

    A rare class is no fault in itself; missing it is. The rarest class is that with the fewest training rows,
    or test rows where predictions alone are given (a tie goes to the lower code). Clopper-Pearson interval on the test rows of that class alone, whose
    number, not the size of the test set, is the n that counts.

    Unit: share of test rows of the rarest class. Qualified at: n = 100.
    Next: collect more of this class, or reweight or move the threshold, and look at the others' recall.
    """
    counts, where = _class_sizes(train_labels, test_labels, task)
    if len(task.classes) < 2 or (counts > 0).sum() < 2:
        raise NotApplicable(
            f"the {where} rows are all of one class; a rare class needs another one"
        )
    rarest = int(counts.argmin())
    of_class = test_labels == rarest
    if not of_class.any():
        raise NotApplicable(
            f"the test rows have none of class {task.classes[rarest]}, the rarest of the {where} rows "
            f"({counts[rarest]} of {counts.sum()} rows); its recall needs some"
        )
    missed = int((~test_correct[of_class]).sum())
    return rate(
        missed,
        int(of_class.sum()),
        unit="share of test rows of the rarest class",
        details=f"Class {task.classes[rarest]} is {counts[rarest]:,} of {counts.sum():,} {where} rows "
        f"({percent(counts[rarest] / counts.sum())}); {missed} of its {int(of_class.sum())} test rows "
        "are missed.",
        evidence=(
            _missed_by_class(test_correct, test_labels, task),
            Bars(
                f"{where.capitalize()} rows by class",
                Axis("class"),
                Axis("rows"),
                task.classes,
                tuple(map(int, counts)),
            ),
        ),
    )


@check(
    challenge="data_quality",
    requires=AtMost(
        0.8, "house default: precision closes a fifth of the way from a guess to certainty"
    ),
    least=20,
)
def precision_lost_to_rarity(
    test_labels: np.ndarray,
    task: Task,
    rng: np.random.Generator,
    test_probabilities: np.ndarray | None = None,
    test_scores: np.ndarray | None = None,
    train_labels: np.ndarray | None = None,
    prevalence: float | None = None,
) -> Measurement:
    """How far the alarms for the rare class fall short of always being right, at its real frequency.

    1 - (AP - v) / (1 - v), with AP the average precision (area under the precision-recall curve) and v the
    prevalence: 0 is perfect, 1 a guess. Test rows are weighed so that the class occurs with the prevalence that the
    purpose states, else with its share of the test rows. The class is the positive one, or of several
    the rarest. Stratified bootstrap (Davis & Goadrich 2006; Boyd, Eng & Page 2013 for the interval).

    Unit: share of the way from certainty to a guess. Qualified at: n = 100.
    Next: look at the curve for a threshold whose alarms can be handled, or collect more rare cases.
    """
    counts, _ = _class_sizes(train_labels, test_labels, task)
    asked = task.positive if task.positive is not None else int(counts.argmin())
    positive = test_labels == asked
    if not 2 <= positive.sum() <= len(positive) - 2:
        raise NotApplicable(
            f"{int(positive.sum())} of {len(positive)} test rows are of class {task.classes[asked]}; at "
            "least two rows of it and of the others are needed"
        )
    v = float(positive.mean()) if prevalence is None else prevalence
    scores = test_scores if test_probabilities is None else test_probabilities[:, asked]
    if scores is None:
        raise NotApplicable(
            "neither probabilities nor scores are there to rank the test rows by; give a model, or "
            "predictions with --proba or --score"
        )
    unit = "share of the way from certainty to a guess"
    precision = average_precision(scores, positive, v)
    details = (
        f"Average precision for class {task.classes[asked]} is {precision:.3f} where {v:.2%} of cases "
        f"are of it; a guess has {v:.3f}. The test rows hold {int(positive.sum())} of them."
    )
    evidence = (_precision_recall_curve(scores, positive, v),)
    positives = int(positive.sum())
    if precision == 1.0:  # no resample can differ: the misses that as many cases may hide
        return rate(0, positives, unit=unit, details=details, evidence=evidence)
    found = bootstrap(
        lambda s, y: 1 - (average_precision(s, y, v) - v) / (1 - v),
        [scores, positive],
        rng,
        strata=positive,
        unit=unit,
        details=details,
        evidence=evidence,
    )
    return replace(found, n=positives)  # their number decides, not that of all rows


def _class_sizes(
    train_labels: np.ndarray | None, test_labels: np.ndarray, task: Task
) -> tuple[np.ndarray, str]:
    """Return the rows of each class (c,) and of which split they were counted."""
    labels, where = (test_labels, "test") if train_labels is None else (train_labels, "training")
    return np.bincount(labels, minlength=len(task.classes)), where


def average_precision(scores: np.ndarray, positive: np.ndarray, prevalence: float) -> float:
    """Mean precision over the positives' ranks, with rows weighed to a prevalence; ties share a rank.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]), 2 / 3)
    0.8333333333333333
    """
    recall, precision = _points(scores, positive, prevalence)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _points(
    scores: np.ndarray, positive: np.ndarray, prevalence: float
) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    found = np.cumsum(positive[order])[last] / positive.sum()
    false = np.cumsum(~positive[order])[last] / (~positive).sum()
    true_weight, false_weight = prevalence * found, (1 - prevalence) * false
    return found, true_weight / np.maximum(true_weight + false_weight, 1e-300)


def _precision_recall_curve(scores: np.ndarray, positive: np.ndarray, prevalence: float) -> Curve:
    recall, precision = _points(scores, positive, prevalence)
    kept = np.unique(np.linspace(0, len(recall) - 1, min(len(recall), 100)).astype(np.int64))
    return Curve(
        "Precision against recall at the real prevalence",
        Axis("recall", "share of the class found"),
        Axis("precision", "share of alarms that are right"),
        (Series("model", tuple(map(float, recall[kept])), tuple(map(float, precision[kept]))),),
    )


def _missed_by_class(correct: np.ndarray, labels: np.ndarray, task: Task) -> Intervals:
    present = [c for c in range(len(task.classes)) if (labels == c).any()]
    missed = [int((~correct[labels == c]).sum()) for c in present]
    sizes = [int((labels == c).sum()) for c in present]
    ends = [clopper_pearson(m, n) for m, n in zip(missed, sizes, strict=True)]
    return Intervals(
        "Missed by class",
        Axis("class"),
        Axis("share missed"),
        tuple(task.classes[c] for c in present),
        tuple(m / n for m, n in zip(missed, sizes, strict=True)),
        tuple(float(e.low) for e in ends),
        tuple(float(e.high) for e in ends),
    )
