"""How odd each training row is to models that had not seen it: four detectors, calibrated by clean rows."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Example, Examples, Measurement, Table
from roadworthy.statistics import benjamini_hochberg, rate

if TYPE_CHECKING:
    from roadworthy.subject import Task, Trainer

DETECTORS = ("doubt of the label", "STRIP", "spectral signature", "activation clustering")
BLENDS = 8
FALSE_SHARE = 0.05
LEAST_CLEAN = 50
MOST_CLEAN = 2_000
COMPONENTS = 10  # before two clusters are sought (Chen et al. 2018, section 5)
SHOWN = 30


@artifact(shape="n k", cost="training")
def row_p_values(
    trainer: "Trainer",
    folds: np.ndarray,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    rng: Generator,
    train_entities: np.ndarray | None = None,
    train_times: np.ndarray | None = None,
) -> np.ndarray:
    """Conformal p-value of each training row by each detector: (n, 4) float64; 1 for rows without a fold.

    A row is scored by the model of the fold that holds it out, as are validation and test rows, which nobody tampered with: where the row is
    clean too, it is exchangeable with them, and its p-value is the share of them that is as odd or odder
    (Vovk, Gammerman & Shafer 2005). Doubt of the label: 1 - its probability. STRIP (Gao et al. 2019): how sure the model stays while the row
    is blended with clean ones. Spectral signature (Tran et al. 2018) and activation clustering (Chen et al. 2018) of the logarithms of the answers, among rows
    of the same label, training and clean together.
    """
    if train_times is not None:
        raise NotApplicable("rows have times, so later rows are not exchangeable with earlier ones")
    clean = np.concatenate([validation_inputs, test_inputs])[:MOST_CLEAN]
    of_clean = np.concatenate([validation_labels, test_labels])[:MOST_CLEAN]
    if len(clean) < LEAST_CLEAN:
        raise NotApplicable(f"{len(clean)} clean rows; {LEAST_CLEAN} are needed to say what is odd")
    from roadworthy.subject import Variant

    k = int(folds.max()) + 1
    variants: list[Variant] = []
    for fold in range(k):
        out = folds == fold
        kept = (folds >= -1) & ~out
        if train_entities is not None:
            kept &= ~np.isin(train_entities, train_entities[out])
        variants.append(Variant(rows=np.flatnonzero(kept)))
    found = np.ones((len(train_labels), len(DETECTORS)))
    held = [np.flatnonzero(folds == fold) for fold in range(k)]
    asked = [np.concatenate([train_inputs[rows], clean]) for rows in held]
    blended = [np.concatenate([each, *_blends(each, clean, rng)]) for each in asked]
    for rows, answers in zip(held, trainer.probabilities(variants, blended), strict=True):
        labels = np.concatenate([train_labels[rows], of_clean])
        parts = answers.reshape(1 + BLENDS, len(labels), -1)
        for j, score in enumerate(scores_of(parts[0], parts[1:], labels)):
            found[rows, j] = conformal(score[: len(rows)], score[len(rows) :])
    return found


@check(challenge="poisoning", cost="training")
def odd_rows(row_p_values: np.ndarray, train_labels: np.ndarray, task: "Task") -> Measurement:
    """Share of training rows that are odder than clean rows are, by any of four detectors.

    Of each row the smallest of its p-values times four (Bonferroni over detectors), then Benjamini & Hochberg (1995) over rows: of the listed
    rows one in twenty is expected to be clean. Hard but honest rows are odd, too: a list to review, and no evidence of an attack, which
    `backdoor_evidence` and `targeted_flips` are about. With few clean rows no p-value is small enough to list a few rows among many.

    Unit: share of training rows.
    Qualified at: a description; nothing is required of it.
    Next: look at the listed rows; drop none of them unseen.
    """
    combined = np.minimum(row_p_values.min(axis=1) * row_p_values.shape[1], 1.0)
    listed = np.flatnonzero(benjamini_hochberg(combined) <= FALSE_SHARE)
    listed = listed[np.argsort(combined[listed], kind="stable")]
    by_each = [
        int(np.sum(benjamini_hochberg(row_p_values[:, j]) <= FALSE_SHARE))
        for j in range(len(DETECTORS))
    ]
    examples = tuple(
        Example(
            "train",
            int(row),
            f"labelled {task.classes[train_labels[row]]}; {DETECTORS[int(row_p_values[row].argmin())]}",
            float(-np.log10(combined[row])),
        )
        for row in listed[:SHOWN]
    )
    return rate(
        len(listed),
        len(train_labels),
        unit="share of training rows",
        details=_told(len(listed), combined),
        evidence=(
            Table(
                "Rows listed by each detector alone",
                ("detector", "rows"),
                tuple(zip(DETECTORS, by_each, strict=True)),
            ),
            Examples("Odd rows to review", examples),
        ),
    )


def _told(listed: int, combined: np.ndarray) -> str:
    if listed:
        return f"{listed} rows are listed, of which about {FALSE_SHARE * listed:.0f} are expected to be clean."
    least = float(combined.min())
    needed = int(np.ceil(least * len(combined) / FALSE_SHARE))
    return (
        f"No row is listed. The oddest have p = {least:.2g} over all detectors, as {len(combined):,} rows are compared with few clean "
        f"ones; {needed:,} of them as odd as that would have been listed."
    )


def conformal(asked: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Return the share of clean scores, with the asked one itself, that is as large: (n,).

    >>> conformal(np.array([5.0, 0.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.25, 1.0]
    """
    below = np.searchsorted(np.sort(clean), asked, side="left")
    return (1.0 + len(clean) - below) / (1.0 + len(clean))


def scores_of(
    probabilities: np.ndarray, blended: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """Return the score of each row by each detector, larger is odder; every row is treated alike.

    Parameters
    ----------
    probabilities : (n, c) ndarray
    blended : (b, n, c) ndarray
        Of each row half and half with clean ones.
    labels : (n,) int64 ndarray
    """
    of_label = probabilities[np.arange(len(labels)), labels]
    entropy = -(blended * np.log(np.maximum(blended, 1e-12))).sum(axis=2).mean(axis=0)
    inside = np.log(np.maximum(probabilities, 1e-6))
    return [1.0 - of_label, -entropy, *_within_classes(inside, labels)]


def _blends(inputs: np.ndarray, clean: np.ndarray, rng: Generator) -> list[np.ndarray]:
    """Return the inputs half and half with clean ones drawn at random, as often as there are blends."""
    drawn = [clean[rng.integers(0, len(clean), len(inputs))] for _ in range(BLENDS)]
    return [((inputs + other) / 2).astype(inputs.dtype) for other in drawn]


def _within_classes(inside: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectral signature of each row, and how much it belongs to the smaller of two clusters: (n,) each."""
    spectral, cluster = np.zeros(len(labels)), np.zeros(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        centred = inside[rows] - inside[rows].mean(axis=0)
        if len(rows) < 4:
            continue
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        spectral[rows] = (left[:, 0] * sizes[0]) ** 2
        points = left[:, :COMPONENTS] * sizes[:COMPONENTS]
        near, far = _two_means(points)
        cluster[rows] = far - near
    return spectral, cluster


def _two_means(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distances to the centre of the smaller and of the larger of two clusters: (n,) each."""
    side = points[:, 0] > 0
    centres = np.zeros((2, points.shape[1]))
    distance = np.zeros((len(points), 2))
    for _ in range(20):
        for one in (0, 1):
            if (side == one).any():
                centres[one] = points[side == one].mean(axis=0)
        distance = np.linalg.norm(points[:, None] - centres, axis=2)
        new = distance[:, 1] < distance[:, 0]
        if (new == side).all():
            break
        side = new
    small = int(side.mean() <= 0.5)
    return distance[:, small], distance[:, 1 - small]
