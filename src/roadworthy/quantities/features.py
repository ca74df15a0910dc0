"""Where a row lies among the others, without a model: the space in which neighbours are sought.

`feature_map` is fitted on the training rows once; `features` applies it to the rows of any split.
Distances are Euclidean: a numeric column counts by its robust scale, a differing category as 1.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact

if TYPE_CHECKING:
    from roadworthy.subject import Column

FeatureMap = Mapping[str, np.ndarray]

CLIP = 3.0  # robust z-scores saturate here (smooth clip of RealMLP, Holzmueller et al. 2024, 3.1)
FARTHEST = 1e6  # standard deviations; keeps squares and float32 finite
MOST_CATEGORIES = 64  # of one column, by frequency; rarer ones share a place
MOST_COMPONENTS = 64
FIT_ROWS = 10_000
FIT_VALUES = 1 << 23  # bounds the float64 copies of large images: 2,730 of 3 x 32 x 32
VALUES_AT_A_TIME = 1 << 21


@artifact()
def feature_map(
    train_inputs: np.ndarray,
    rng: np.random.Generator,
    columns: "tuple[Column, ...] | None" = None,
) -> FeatureMap:
    """Standardisation behind `features`, fitted on the training rows: arrays by name.

    Tables: median and robust scale (interquartile range / 1.349; the standard deviation where that
    is 0) of each numeric column, and the most frequent categories. Arrays: mean, scale and the
    leading principal components (randomised subspace iteration, Halko, Martinsson & Tropp 2011,
    algorithm 4.4) of at most 10,000 rows, fewer where rows are large.
    """
    if columns:
        return _table_map(train_inputs, columns)
    return _array_map(train_inputs, rng)


@artifact(per="split", shape="n f", rows=True)
def features(inputs: np.ndarray, feature_map: FeatureMap) -> np.ndarray:
    """Model-free standardised representation for nearest neighbours: (n, f) float32, finite.

    Tables: smoothly clipped robust z-scores (missing: 0, and 1 in an indicator), then one-hot
    categories of length 1/sqrt(2). Arrays: flattened, standardised, at most 64 components.
    """
    if "components" in feature_map:
        return _array_features(inputs, feature_map)
    return _table_features(inputs, feature_map)


def robust_scale(values: np.ndarray) -> np.ndarray:
    """Interquartile range / 1.349 of each column, its standard deviation where that is 0, else 1.

    Missing values are left out. For a normal column this is its standard deviation.

    >>> robust_scale(np.array([[0.0, 5.0], [1.349, 5.0], [2.698, 5.0]])).round(6).tolist()
    [1.0, 1.0]
    """
    scale = np.ones(values.shape[1])
    for j, column in enumerate(values.T):
        present = column[np.isfinite(column)]
        if len(present) == 0:
            continue
        low, high = np.quantile(present, [0.25, 0.75])
        candidate = (high - low) / 1.349 or present.std()
        # A constant column of large values has a standard deviation of rounding errors.
        if candidate > 1e-9 * np.abs(present).max():
            scale[j] = candidate
    return scale


def _table_features(inputs: np.ndarray, fitted: FeatureMap) -> np.ndarray:
    numeric = inputs[:, fitted["numeric"]].astype(np.float64)
    missing = ~np.isfinite(numeric)
    centred = np.where(missing, 0, numeric - fitted["median"])
    z = np.clip(centred / fitted["scale"], -FARTHEST, FARTHEST)
    clipped = z / np.sqrt(1 + (z / CLIP) ** 2)
    indicators = missing[:, fitted["indicated"]]
    category = inputs[:, fitted["category_column"]]  # (n, one-hot places)
    one_hot = np.where(np.isnan(category), -1, category) == fitted["category_code"]
    return np.concatenate([clipped, indicators, one_hot / np.sqrt(2)], axis=1, dtype=np.float32)


def _array_features(inputs: np.ndarray, fitted: FeatureMap) -> np.ndarray:
    mean, scale, components = fitted["mean"], fitted["scale"], fitted["components"]
    found = np.empty((len(inputs), len(components)), np.float32)
    size = max(1, VALUES_AT_A_TIME // len(mean))
    for start in range(0, len(inputs), size):
        rows = inputs[start : start + size]
        centred = rows.reshape(len(rows), -1) - mean
        centred[~np.isfinite(centred)] = 0
        standard = np.clip(centred / scale, -FARTHEST, FARTHEST)
        found[start : start + size] = standard @ components.T
    return found


def _table_map(inputs: np.ndarray, columns: "tuple[Column, ...]") -> FeatureMap:
    numeric = np.array([j for j, c in enumerate(columns) if c.kind == "numeric"], np.int64)
    values = inputs[:, numeric].astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    missing = np.isnan(values)
    median = np.zeros(len(numeric))
    for j in np.flatnonzero(~missing.all(axis=0)):
        median[j] = np.nanmedian(values[:, j])
    places = [
        (j, code)
        for j, column in enumerate(columns)
        if column.kind == "category"
        for code in _frequent_codes(inputs[:, j])
    ]
    return {
        "numeric": numeric,
        "median": median,
        "scale": robust_scale(values),
        "indicated": np.flatnonzero(missing.any(axis=0)),
        "category_column": np.array([j for j, _ in places], np.int64),
        "category_code": np.array([code for _, code in places], np.float64),
    }


def _frequent_codes(column: np.ndarray) -> np.ndarray:
    codes, counts = np.unique(np.where(np.isnan(column), -1, column), return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
    return np.sort(codes[most])


def _array_map(inputs: np.ndarray, rng: np.random.Generator) -> FeatureMap:
    most = min(FIT_ROWS, max(MOST_COMPONENTS, FIT_VALUES // max(1, inputs[:1].size)))
    rows = np.sort(rng.permutation(len(inputs))[:most])
    flat = inputs[rows].reshape(len(rows), -1).astype(np.float64)
    finite = np.isfinite(flat)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, flat, 0).sum(axis=0) / count
    centred = np.where(finite, flat - mean, 0)
    variance = np.square(centred).sum(axis=0) / count
    # A tenth of the typical spread is added, so that nearly constant pixels are not blown up.
    scale = np.sqrt(variance + 0.01 * variance.mean()) if variance.any() else np.ones_like(mean)
    return {"mean": mean, "scale": scale, "components": _components(centred / scale, rng)}


def _components(centred: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, d = centred.shape
    wanted = min(MOST_COMPONENTS, d, max(n - 1, 1))
    if d <= 1024:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        components = vectors[:, ::-1][:, :wanted].T
    else:
        basis = np.linalg.qr(centred.T @ rng.normal(size=(n, min(wanted + 16, n))))[0]
        for _ in range(3):
            basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
        _, _, right = np.linalg.svd(centred @ basis, full_matrices=False)
        components = (right @ basis.T)[:wanted]
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return components * signs[:, None]
