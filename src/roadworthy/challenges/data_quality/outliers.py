"""Rows far from all others of their class: a list to look at, without a verdict."""

import numpy as np

from roadworthy.challenges.data_quality.neighbours import nearest
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Example, Examples, Histogram, HistogramSeries, Measurement
from roadworthy.statistics import rate

NEIGHBOURS = 5
REFERENCES = 10_000  # training rows per class that neighbours are sought among
FAR = 3.5  # robust standard deviations of the log distance (Iglewicz & Hoaglin 1993)
SHOWN = 20


@artifact(shape="n")
def class_distance(
    train_features: np.ndarray,
    rng: np.random.Generator,
    train_labels: np.ndarray | None = None,
) -> np.ndarray:
    """Robust z-score of the log distance to the fifth nearest training row of the same class: (n,) float64.

    0 where the class has fewer than 20 rows. A regression is one class.
    """
    labels = np.zeros(len(train_features), np.int64) if train_labels is None else train_labels
    scores = np.zeros(len(labels))
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        if len(rows) < 20:
            continue
        kept = rows if len(rows) <= REFERENCES else rng.choice(rows, REFERENCES, replace=False)
        # One more neighbour than asked for: most rows are among the references themselves.
        distances, _ = nearest(train_features[kept], train_features[rows], NEIGHBOURS + 1)
        log = np.log(np.maximum(distances[:, -1].astype(np.float64), 1e-9))
        middle = np.median(log)
        spread = 1.4826 * np.median(np.abs(log - middle))
        scores[rows] = (log - middle) / max(spread, 1e-9)
    return scores


@check(challenge="data_quality")
def outliers(class_distance: np.ndarray) -> Measurement:
    """Share of training rows that lie unusually far from all others of their class.

    Distance to the fifth nearest row of the same class in standardised features, on the logarithmic scale,
    3.5 robust standard deviations above the median of the class (Iglewicz & Hoaglin 1993). Far is not
    wrong, and the share follows from the definition: so this is a list to look at and no verdict.

    Unit: share of training rows. Qualified at: no verdict.
    Next: look at the listed rows; correct or explain them, and drop none for being rare.
    """
    if len(class_distance) < 20:
        raise NotApplicable(f"{len(class_distance)} training rows; at least 20 are needed")
    far = np.flatnonzero(class_distance > FAR)
    worst = far[np.argsort(-class_distance[far], kind="stable")][:SHOWN]
    found = tuple(
        Example(
            "train", int(r), f"{class_distance[r]:.1f} robust deviations", float(class_distance[r])
        )
        for r in worst
    )
    edges = np.linspace(-5, 10, 31)
    counts, _ = np.histogram(np.clip(class_distance, -5, 10), edges)
    spread = Histogram(
        "Distance to the fifth nearest row of the same class",
        Axis("robust z-score of the log distance"),
        tuple(map(float, edges)),
        (HistogramSeries("training rows", tuple(map(int, counts))),),
        reference=FAR,
    )
    return rate(
        len(far),
        len(class_distance),
        unit="share of training rows",
        details=f"{len(far)} of {len(class_distance)} training rows lie more than {FAR} robust deviations "
        "farther from their class than usual.",
        evidence=(Examples("Rows farthest from their class", found), spread)
        if found
        else (spread,),
    )
