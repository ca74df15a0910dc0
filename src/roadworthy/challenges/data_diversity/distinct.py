"""How many different things the training rows say, whatever their number."""

from math import log
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check, control, fault
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Bars, Measurement
from roadworthy.statistics import GRID, measured, quantiles_on

if TYPE_CHECKING:
    from roadworthy.subject import Subject

MOST_ROWS = 4_000  # an average over pairs needs no more
SCALE = 0.15  # of the median distance of two rows: what lies nearer says much the same
DIMENSIONS = 32  # of the rows that a self-test puts in place of the real ones


@artifact()
def mean_similarities(train_features: np.ndarray, rng: Generator) -> np.ndarray:
    """Mean similarity of a training row to the other ones: (m,) float64, at most 4,000 rows drawn by chance.

    Similarity is the squared Gaussian kernel exp(-(distance / h)²) of model-free features, h being .15 of the median distance of two
    rows: 1 for copies, next to nothing for rows that are as far apart as most. The mean over rows estimates without bias the chance
    that two rows say the same (a U-statistic), whatever their number.
    """
    n = len(train_features)
    if n < 2:
        raise NotApplicable(f"{n} training row(s); two are needed to compare")
    rows = np.sort(rng.permutation(n)[:MOST_ROWS])
    points = train_features[rows].astype(np.float64)
    squares = _squared_distances(points)
    typical = np.median(squares[np.triu_indices(len(points), 1)][:1_000_000])
    if typical == 0.0:  # more than half of all pairs are copies
        return np.array((squares == 0.0).sum(axis=1) - 1.0) / (len(points) - 1.0)
    similar = np.exp(-squares / (SCALE**2 * typical))
    return (similar.sum(axis=1) - 1.0) / (len(points) - 1.0)


@check(
    challenge="data_diversity",
    requires=AtMost(0.5, "house default: half of the training rows say again what others say"),
    least=100,
)
def repeated_content(mean_similarities: np.ndarray, train_source_rows: np.ndarray) -> Measurement:
    """Share of the training rows that say nothing which other rows do not say.

    One minus the effective number of different rows over their number. Effective is the Vendi score of order 2 (Friedman & Dieng 2023, TMLR;
    Pasarkar & Dieng 2024 for the order): as many equally common, wholly different rows would be as varied. At order 2 it is one over the
    mean similarity of two rows, which can be estimated from a sample without bias; the score of order 1 grows with the sample. The interval follows from the
    variance of a U-statistic (Hoeffding 1948), on the logarithm of the mean similarity, Student's t.

    Unit: share of training rows.
    Qualified at: severity 0.8 of `rows_said_again`, n = 1,000; passes from 1,000 rows of which a quarter says the same.
    Next: rows that repeat each other cost labels and time and teach little: collect different ones; look for copies and long recordings of one thing.
    """
    n = len(train_source_rows)
    m, mean = len(mean_similarities), float(mean_similarities.mean())
    effective = _effective(mean, n)
    details = f"{n:,} training rows are as varied as {effective:,.0f} that have nothing in common."
    evidence = Bars(
        title="Rows and what they are worth",
        label=Axis("training rows"),
        value=Axis("number", "rows"),
        labels=("rows", "effective number of different rows"),
        values=(n, round(effective, 1)),
    )
    # Twice the influence of one row (Hoeffding 1948); the finest share that m rows can show keeps the logarithm finite.
    error = 2.0 * float(mean_similarities.std(ddof=1)) / np.sqrt(m)
    finest = 1.0 / (m * (m - 1.0))
    relative = error / max(mean, finest)

    def ends(probability: float) -> float:
        from scipy.special import stdtrit

        shifted = log(max(mean, finest)) + float(stdtrit(m - 1, probability)) * relative
        return 1.0 - _effective(float(np.exp(min(shifted, 0.0))), n) / n

    return measured(
        1.0 - effective / n,
        n,
        quantiles_on(GRID, ends),
        unit="share of training rows",
        method="U-statistic, Student's t of its logarithm",
        details=details,
        evidence=(evidence,),
    )


def _effective(similarity: float, n: int) -> float:
    """Return the Vendi score of order 2 of n rows of which two are similar by so much on average.

    One over the mean of the squared kernel over all n x n pairs, each row with itself included.
    """
    return 1.0 / (1.0 / n + (1.0 - 1.0 / n) * similarity)


def _squared_distances(points: np.ndarray) -> np.ndarray:
    norms = (points**2).sum(axis=1)
    squares = norms[:, None] + norms[None, :] - 2.0 * points @ points.T
    np.fill_diagonal(squares, 0.0)
    # Differences of large numbers: what is within their rounding is a copy.
    squares[squares < 1e-9 * norms.max(initial=1.0)] = 0.0
    return squares


@control(clears="repeated_content")
def rows_with_nothing_in_common(
    subject: "Subject", rng: Generator, train_features: np.ndarray
) -> "Subject":
    """Put rows drawn from a broad normal law in place of the training rows' features: no two of them are alike.

    As many rows as there are. What the model is and answers plays no part.
    """
    rows = rng.normal(size=(len(train_features), DIMENSIONS)).astype(np.float32)
    return subject.with_given(train_features=rows)


@fault(
    breaks="repeated_content",
    severities=(0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    starts_from="rows_with_nothing_in_common",
)
def rows_said_again(
    subject: "Subject", severity: float, rng: Generator, train_features: np.ndarray
) -> "Subject":
    """Let every row be a copy of one of k rows, drawn by chance with equal shares.

    Two rows are then copies with the chance 1 / k, and of n rows the share s says nothing new where k = (n - 1) (1 - s) / s,
    rounded to a whole number.

    Also alarms: exact_duplicates_within_train (rows are copies), near_duplicates_across_splits (the same).
    """
    if severity == 0.0:
        return subject
    n = len(train_features)
    kinds = max(round((n - 1) * (1.0 - severity) / severity), 1)
    # More kinds than rows: the others are rows that nobody has seen.
    some = rng.normal(size=(kinds, train_features.shape[1])).astype(np.float32)
    return subject.with_given(train_features=some[rng.integers(kinds, size=n)])
