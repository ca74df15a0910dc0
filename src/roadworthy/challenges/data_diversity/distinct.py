"""How many different things the training rows say, whatever their number."""

from math import log

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import GRID, measured, percent, quantiles_on

MOST_ROWS = 4_000  # an average over pairs needs no more
SCALE = 0.15  # of the median distance of two rows: what lies nearer says much the same


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
    typical = np.median(squares[np.triu_indices(len(points), 1)])
    if typical == 0.0:  # more than half of all pairs are copies
        return np.array((squares == 0.0).sum(axis=1) - 1.0) / (len(points) - 1.0)
    similar = np.exp(-squares / (SCALE**2 * typical))
    return (similar.sum(axis=1) - 1.0) / (len(points) - 1.0)


@check(challenge="data_diversity")
def effective_rows(mean_similarities: np.ndarray, train_source_rows: np.ndarray) -> Measurement:
    """How many training rows with nothing in common would be as varied as those that there are.

    The Vendi score of order 2 (Friedman & Dieng 2023, TMLR; Pasarkar & Dieng 2024 for the order): one over the mean similarity of
    two rows, each with itself included. At this order it can be estimated from a sample without bias; the score of order 1 grows with
    the sample. The interval follows from the variance of a U-statistic (Hoeffding 1948), on the logarithm of the mean similarity, Student's t.
    A large table says many things again, and that is no fault: nothing is required.

    Unit: training rows.
    Qualified at: a description, nothing is required of it.
    Next: where the number is far below that of the rows, collect different ones rather than more; look for copies and long recordings of one thing.
    """
    n = len(train_source_rows)
    m, mean = len(mean_similarities), float(mean_similarities.mean())
    effective = _effective(mean, n)
    # Twice the influence of one row (Hoeffding 1948); the finest share that m rows can show keeps the logarithm finite.
    error = 2.0 * float(mean_similarities.std(ddof=1)) / np.sqrt(m)
    finest = 1.0 / (m * (m - 1.0))
    relative = error / max(mean, finest)

    def ends(probability: float) -> float:
        from scipy.special import stdtrit

        shifted = log(max(mean, finest)) + float(stdtrit(m - 1, 1.0 - probability)) * relative
        return _effective(float(np.exp(min(shifted, 0.0))), n)

    return measured(
        effective,
        n,
        quantiles_on(GRID, ends),
        unit="training rows",
        method="U-statistic, Student's t of its logarithm",
        details=f"{n:,} training rows are as varied as {effective:,.0f} that have nothing in common "
        f"({percent(effective / n)} of them).",
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
