"""How well a single column tells the label: the simplest model there is, and its ranking power."""

from collections.abc import Callable

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement
from roadworthy.statistics import auc, measured, rescaled
from roadworthy.statistics.distributions import GRID, limit, quantiles_on

MOST_LEAVES = 32
FEWEST_IN_LEAF = 5
MOST_CLASSES = 50
PRIOR_ROWS = 2.0  # weight of the class shares in a leaf's shares

Model = Callable[[np.ndarray], np.ndarray]


def classes_of(
    labels: np.ndarray | None, targets: np.ndarray | None, middle: float | None = None
) -> np.ndarray:
    """Return class codes: the labels, or for a regression whether the target is above its median."""
    if labels is not None:
        return labels
    if targets is None:
        raise NotApplicable("these rows have no target to predict; give one with --target COLUMN")
    return (targets > (np.median(targets) if middle is None else middle)).astype(np.int64)


def column_model(
    values: np.ndarray, labels: np.ndarray, classes: int, *, is_category: bool
) -> Model:
    """Return class shares as a function of one column's value: (n,) to (n, c).

    Categories: the shares among the training rows of that category. Numbers: those in the leaf of a
    classification tree with at most 32 leaves (Breiman et al. 1984), where missing is a value too.
    """
    prior = np.bincount(labels, minlength=classes) / len(labels)
    if is_category:
        codes = np.where(np.isfinite(values), values, -1).astype(np.int64) + 1
        size = int(codes.max()) + 1

        def leaf_of(asked: np.ndarray, /) -> np.ndarray:
            known = np.where(np.isfinite(asked), asked, -1).astype(np.int64) + 1
            return np.where(known < size, known, size)

    else:
        leaf_of, size = _tree(values, labels)
    counts = np.zeros((size + 1, classes))
    np.add.at(counts, (leaf_of(values), labels), 1)
    shares = (counts + PRIOR_ROWS * prior) / (counts.sum(axis=1, keepdims=True) + PRIOR_ROWS)
    return lambda asked: shares[leaf_of(asked)]


def separation(probabilities: np.ndarray, labels: np.ndarray) -> Measurement:
    """Twice the area under the ROC curve minus one (Somers' D), averaged over the classes.

    0 is a guess, 1 tells every pair of rows of different classes apart. With more than two classes
    each is held against the rest; the mean of the ends of their intervals encloses the mean, whatever
    the dependence between them (a standard error of a mean is at most the mean standard error).
    """
    present = [
        c for c in range(probabilities.shape[1]) if 0 < int((labels == c).sum()) < len(labels)
    ]
    if not present:
        raise NotApplicable(
            f"all {len(labels)} rows are of one class; telling classes apart needs two"
        )
    if len(np.unique(labels)) == 2:
        present = present[-1:]  # the other one is its mirror image
    areas = [auc(probabilities[:, c], labels == c) for c in present]
    distributions = [rescaled(area.distribution, scale=2.0, offset=-1.0) for area in areas]

    def ends(probability: float) -> float:
        return float(np.mean([limit(d, probability) for d in distributions]))

    return measured(
        2 * float(np.mean([area.value for area in areas])) - 1,
        len(labels),
        quantiles_on(GRID, ends),
        unit="Somers' D (2 x AUROC - 1)",
        method=areas[0].method if len(areas) == 1 else f"mean of {len(areas)}, {areas[0].method}",
    )


def quick_separation(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the value of `separation` alone."""
    from scipy.stats import rankdata

    areas: list[float] = []
    for c in range(probabilities.shape[1]):
        positive = labels == c
        n = int(positive.sum())
        if 0 < n < len(labels):
            above = rankdata(probabilities[:, c])[positive].sum() - n * (n + 1) / 2
            areas.append(float(above / (n * (len(labels) - n))))
    return 2 * float(np.mean(areas)) - 1 if areas else 0.0


def _tree(values: np.ndarray, labels: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_leaf_nodes=MOST_LEAVES,
        min_samples_leaf=max(FEWEST_IN_LEAF, len(labels) // 200),
        random_state=0,
    ).fit(_finite(values), labels)

    def leaf_of(asked: np.ndarray) -> np.ndarray:
        return np.asarray(tree.apply(_finite(asked)), np.int64)

    return leaf_of, int(tree.tree_.node_count)


def _finite(values: np.ndarray) -> np.ndarray:
    column = values.astype(np.float32).reshape(-1, 1)
    limit = np.finfo(np.float32).max
    return np.clip(column, -limit, limit)  # infinities are kept as the largest numbers; NaN stays
