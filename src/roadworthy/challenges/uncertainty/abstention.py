"""Checks of saying less: answering only the surest rows, or with sets that hold the truth at a stated rate."""

from math import ceil

import numpy as np

from roadworthy.challenges.uncertainty.artifacts import TARGET_COVERAGE
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Bars, Counts, Curve, Measurement, Series
from roadworthy.statistics import Interval, clopper_pearson, measured, percent, rate
from roadworthy.statistics.intervals import FloatArray

SHARE_ANSWERED = 0.8
POINTS = 40  # of a drawn risk-coverage curve


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.75,
        "house default: leaving out a fifth of the rows must spare a quarter of the mistakes; luck spares a fifth",
    ),
    least=10,
)
def selective_risk(test_probabilities: np.ndarray, test_correct: np.ndarray) -> Measurement:
    """How many of its mistakes the model still makes when it leaves out the fifth of rows it is least sure of.

    Rows are ordered by the largest probability; the surest 80 % (with all rows tied at the cut) are
    answered (El-Yaniv & Wiener 2010, JMLR 11; Geifman & El-Yaniv 2017, NeurIPS). Of the mistakes, the share
    that lies among them: 0.8 where confidence says nothing, less the better it ranks mistakes, whatever their
    number. Interval: Clopper-Pearson over the mistakes. The details give the area under the risk-coverage curve.

    Unit: share of mistakes.
    Qualified at: severity 1 of `wrong_where_sure`, n = 350; passes from 60 mistakes where half of them remain.
    Next: let the model abstain by another measure of confidence, or train one that ranks its errors (see the curve).
    """
    confidence = test_probabilities.max(axis=1)
    n = len(confidence)
    if n == 0:
        raise NotApplicable("there are no test rows")
    wrong = ~test_correct
    mistakes = int(wrong.sum())
    if mistakes == 0:
        raise NotApplicable(f"none of {n} test rows is wrong; there are no mistakes to leave out")
    cut, answered = surest(confidence)
    remain = int(wrong[answered].sum())
    area, (low, high) = area_under_risk(confidence, wrong)
    details = (
        f"{remain} of {mistakes} mistakes are among the {percent(answered.mean(), 0)} of rows with a confidence of "
        f"{cut:.2f} or more: {percent(remain / int(answered.sum()))} of these rows are wrong, {percent(wrong.mean())} "
        f"of all {n}. Area under the risk-coverage curve {area:.4f} ({low:.4f} to {high:.4f})."
    )
    return rate(
        remain,
        mistakes,
        unit="share of mistakes",
        details=details,
        evidence=(risk_coverage_curve(confidence, wrong),),
    )


def surest(confidence: FloatArray) -> tuple[float, np.ndarray]:
    """Return the confidence at which 80 % of rows are answered, and which are: (n,) bool."""
    n = len(confidence)
    kept = n - ceil(SHARE_ANSWERED * n)
    cut = float(np.partition(confidence, kept)[kept])
    return cut, confidence >= cut


@check(
    challenge="uncertainty",
    requires=AtMost(0.05, "house default: 5 points short of the 90 % that was promised"),
    least=100,
)
def conformal_shortfall(
    conformal_threshold: float,
    test_nonconformity: np.ndarray,
    validation_nonconformity: np.ndarray,
    test_probabilities: np.ndarray | None = None,
) -> Measurement:
    """How far sets that promise to hold the truth for 90 % of rows fall short of it on test rows.

    Split-conformal sets (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023, FnT ML 16, section 1) with the
    threshold of the validation rows: all classes whose probability is high enough, or prediction ±
    half-width for a number. Where test rows come from where validation rows came from the promise
    holds for any model; a shortfall says that they do not. Negative: more is covered than promised.

    Unit: share of rows short of 90 %.
    Qualified at: severity 0.1 of `truth_outside_the_sets`, n = 1,500.
    Next: compare test with validation rows (shift, leakage); set the threshold on rows like those in use.
    """
    n = len(test_nonconformity)
    if n == 0:
        raise NotApplicable("there are no test rows")
    missed = int(np.sum(test_nonconformity > conformal_threshold))
    covered = clopper_pearson(n - missed, n)
    details = (
        f"{n - missed} of {n} test rows are covered: {percent(1 - missed / n)} ({percent(covered.low)} to "
        f"{percent(covered.high)}), threshold from {len(validation_nonconformity)} validation rows. "
    )
    evidence = ()
    if test_probabilities is None:
        details += f"The prediction ± {conformal_threshold:.4g} is such a set."
    else:
        sizes = np.sum(1.0 - test_probabilities <= conformal_threshold, axis=1)
        details += f"A set holds {sizes.mean():.2f} classes on average."
        evidence = (set_sizes(sizes),)
    return measured(
        missed / n - (1.0 - TARGET_COVERAGE),
        n,
        Counts(missed, n, 1.0, -(1.0 - TARGET_COVERAGE)),
        unit="share of rows short of 90 %",
        method="Clopper-Pearson",
        details=details,
        evidence=evidence,
    )


def area_under_risk(confidence: FloatArray, wrong: np.ndarray) -> tuple[float, Interval[float]]:
    """Return the mean risk over all coverages 1/n ... 1, rows tied in confidence in random order.

    With ranks by confidence it is a sum of wrong rows, each weighed by (1/n) (1/i + ... + 1/n), so its
    variance is that of independent errors; their rates are those of the 1/20 of rows around each.
    """
    n = len(wrong)
    _, group = np.unique(-confidence, return_inverse=True)
    order = np.argsort(group, kind="stable")
    tied = np.bincount(group, wrong) / np.bincount(group)
    error = tied[group[order]]
    weight = np.cumsum(1.0 / np.arange(n, 0, -1))[::-1] / n
    width = max(n // 20, 1)
    total = np.concatenate([[0.0], np.cumsum(error)])
    start = np.maximum(np.arange(n) - width, 0)
    stop = np.minimum(np.arange(n) + width + 1, n)
    local = (total[stop] - total[start] + error.mean()) / (stop - start + 1.0)
    area = float(weight @ error)
    half = 1.96 * float(np.sqrt(np.sum(weight**2 * local * (1.0 - local))))
    return area, Interval(max(area - half, 0.0), min(area + half, 1.0))


def risk_coverage_curve(confidence: FloatArray, wrong: np.ndarray) -> Curve:
    """Return the risk at up to forty coverages, each with all rows tied at its cut."""
    n = len(wrong)
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    wanted = np.ceil(np.linspace(1.0 / POINTS, 1.0, POINTS) * n).astype(np.int64)
    answered = np.unique(np.searchsorted(-ordered, -ordered[wanted - 1], side="right"))
    hits = np.cumsum(wrong[order])[answered - 1]
    band = clopper_pearson(hits, answered)
    return Curve(
        title="Wrong answers when only the surest rows are answered",
        x=Axis("answered", "share of rows"),
        y=Axis("wrong", "share of answered rows"),
        series=(
            Series(
                "test rows",
                x=tuple(round(float(a), 6) for a in answered / n),
                y=tuple(round(float(y), 6) for y in hits / answered),
                low=tuple(round(float(y), 6) for y in band.low),
                high=tuple(round(float(y), 6) for y in band.high),
            ),
        ),
    )


def set_sizes(sizes: np.ndarray) -> Bars:
    """Return how many test rows have a set of each size."""
    counts = np.bincount(sizes)
    return Bars(
        title="Classes in the 90 % set",
        label=Axis("classes in the set"),
        value=Axis("test rows"),
        labels=tuple(str(k) for k in range(len(counts))),
        values=tuple(int(k) for k in counts),
    )
