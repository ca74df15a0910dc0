"""How far a row is from what the model was trained on: several scores, larger is further away.

Apart from the artifacts because rows as they are and rows made foreign are scored by the same functions.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.subject import Predictor

Fitted = Mapping[str, Any]  # Any: arrays, names and numbers

NEIGHBOURS = 10
MOST_ROWS = 4_000  # of training rows that are compared with
MOST_DIMENSIONS = 64  # of a space in which distances to classes are taken
SHRINKAGE = 0.02  # of covariances, towards their mean variance
TREES = 100
ROWS_AT_A_TIME = 2_048
TINY = float(np.finfo(np.float32).tiny)


class Seen(NamedTuple):
    """What the model makes of rows: logits (n, c) and embeddings (n, f), None where there are none."""

    logits: np.ndarray | None
    embeddings: np.ndarray | None


def seen_by(predictor: "Predictor", inputs: np.ndarray, output_kind: str) -> Seen:
    """Run the model once and look at its outputs and at what its last linear layer is given."""
    module = predictor.module
    layer = None if module is None else last_linear(module)
    looked: list[Tensor] = []

    def look(_: "nn.Module", given: "tuple[Tensor, ...]") -> None:
        looked.append(given[0].detach().float().flatten(1).cpu())

    hook = None if layer is None else layer.register_forward_pre_hook(look)
    try:
        outputs = np.asarray(predictor(inputs), np.float64)
    finally:
        if hook is not None:
            hook.remove()
    found = np.concatenate([rows.numpy() for rows in looked]) if looked else None
    if found is not None and len(found) != len(inputs):
        found = None  # the layer is not called once for each row
    return Seen(_logits(outputs, output_kind), found)


def last_linear(module: "nn.Module") -> "nn.Module | None":
    """Return the last linear layer of a network."""
    import torch

    layers = [m for m in module.modules() if isinstance(m, torch.nn.Linear)]
    return layers[-1] if layers else None


def spaces_of(inputs: np.ndarray, seen: Seen, fitted: Fitted) -> dict[str, np.ndarray]:
    """Return where rows lie: by embeddings, of length 1, and in tables and for black boxes by their inputs."""
    found: dict[str, np.ndarray] = {}
    if seen.embeddings is not None:
        length = np.linalg.norm(seen.embeddings, axis=1, keepdims=True)
        found["embeddings"] = seen.embeddings / np.maximum(length, 1e-12)
    if seen.embeddings is None or "numeric" in fitted:
        found["inputs"] = _standardised(inputs, fitted)
    return found


def fitted_space(rows: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    """Fit what scores in a space need: neighbours, and the classes with the covariance within them."""
    center = rows.mean(axis=0)
    axes = np.eye(rows.shape[1], dtype=np.float64)
    if rows.shape[1] > MOST_DIMENSIONS:
        axes = np.linalg.svd(rows - center, full_matrices=False)[2][:MOST_DIMENSIONS]
    reduced = (rows - center) @ axes.T
    codes = np.zeros(len(rows), np.int64) if labels is None else labels
    classes = np.unique(codes)
    means = np.stack([reduced[codes == c].mean(axis=0) for c in classes])
    within = reduced - means[np.searchsorted(classes, codes)]
    return {
        "neighbours": rows.astype(np.float32),
        "center": center,
        "axes": axes,
        "means": means,
        "whitening": _whitening(within),
        "whitening_of_all": _whitening(reduced),
    }


def nearest_distance(rows: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Distance to the tenth nearest training row: (n,) (Sun, Ming, Zhu & Li 2022, ICML)."""
    k = min(NEIGHBOURS, len(neighbours))
    found = np.empty(len(rows))
    squares = np.sum(neighbours.astype(np.float64) ** 2, axis=1)
    for first in range(0, len(rows), ROWS_AT_A_TIME):
        part = rows[first : first + ROWS_AT_A_TIME].astype(np.float64)
        apart = np.sum(part**2, axis=1)[:, None] + squares - 2 * part @ neighbours.T
        found[first : first + len(part)] = np.partition(apart, k - 1, axis=1)[:, k - 1]
    return np.sqrt(np.maximum(found, 0))


def class_distance(rows: np.ndarray, space: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mahalanobis distance to the nearest class, less that to all rows together: (n,).

    Ren, Fort, Liu et al. (2021), "A simple fix to Mahalanobis distance for improving near-OOD detection". With
    one class, or a numeric target, the distance itself.
    """
    reduced = (rows - space["center"]) @ space["axes"].T
    whitened = reduced @ space["whitening"]
    means = space["means"] @ space["whitening"]
    of_classes = [np.sum((whitened - mean) ** 2, axis=1) for mean in means]
    nearest = np.min(of_classes, axis=0)
    if len(means) == 1:
        return nearest
    return nearest - np.sum((reduced @ space["whitening_of_all"]) ** 2, axis=1)


def distance_in(space: str) -> str:
    """Return the name of the Mahalanobis distance in a space: relative to classes among embeddings alone.

    Inputs need not lie by their classes; the distance relative to them then even points the wrong way
    (red wine among white, `benchmarks/out_of_distribution.py`: area .22 against .99 of the nearest rows).
    """
    return (
        "class distance, embeddings" if space == "embeddings" else f"Mahalanobis distance, {space}"
    )


def energy(logits: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the sum of exponentials of the logits: (n,) (Liu et al. 2020, NeurIPS)."""
    most = logits.max(axis=1)
    return -(most + np.log(np.exp(logits - most[:, None]).sum(axis=1)))


def doubt(logits: np.ndarray) -> np.ndarray:
    """One less the largest probability: (n,) (Hendrycks & Gimpel 2017, ICLR)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return 1.0 - 1.0 / shifted.sum(axis=1)


def scores_of(
    predictor: "Predictor", inputs: np.ndarray, fitted: Fitted, output_kind: str
) -> dict[str, np.ndarray]:
    """Return every score of these rows by its name: (n,) each."""
    seen = seen_by(predictor, inputs, output_kind)
    found: dict[str, np.ndarray] = {}
    spaces = spaces_of(inputs, seen, fitted)
    for name, rows in spaces.items():
        if name in fitted["spaces"]:
            space = fitted["spaces"][name]
            found[f"nearest rows, {name}"] = nearest_distance(rows, space["neighbours"])
            found[distance_in(name)] = class_distance(rows, space)
    if "numeric" in fitted:
        found["isolation forest"] = _isolation(spaces["inputs"], fitted)
    if seen.logits is not None:
        if output_kind == "logits":
            found["energy"] = energy(seen.logits)
        found["confidence"] = doubt(seen.logits)
    return found


def standardisation(inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean and spread of each element of arrays, and of all of them together."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    deviation = flat.std(axis=0)
    # A tenth of the typical spread is added, so that nearly constant pixels are not blown up.
    spread = np.sqrt(deviation**2 + 0.01 * np.mean(deviation**2)) if deviation.any() else 1.0
    return {"mean": flat.mean(axis=0), "deviation": np.broadcast_to(spread, deviation.shape).copy()}


def _standardised(inputs: np.ndarray, fitted: Fitted) -> np.ndarray:
    """Return inputs as (n, f): robust z-scores, 1 where one is missing, and one-hot categories."""
    if "numeric" not in fitted:
        flat = (inputs.reshape(len(inputs), -1) - fitted["mean"]) / fitted["deviation"]
        return np.nan_to_num(np.clip(flat, -1e6, 1e6))
    numeric = fitted["numeric"]
    z = (inputs[:, numeric] - fitted["usual"][numeric]) / fitted["spread"][numeric]
    missing = ~np.isfinite(z)
    z = np.clip(np.where(missing, 0.0, z), -1e6, 1e6)
    one_hot = [
        inputs[:, j][:, None] == np.arange(fitted["sizes"][j])[None, :]
        for j in np.flatnonzero(~numeric)
    ]
    parts = [np.arcsinh(z), missing.astype(np.float64), *(h / np.sqrt(2) for h in one_hot)]
    return np.concatenate(parts, axis=1)


def _isolation(rows: np.ndarray, fitted: Fitted) -> np.ndarray:
    """Ease of cutting a row off by random splits: (n,) (Liu, Ting & Zhou 2008, ICDM)."""
    from sklearn.ensemble import IsolationForest

    if len(rows) == 0:
        return np.zeros(0)
    forest = IsolationForest(n_estimators=TREES, random_state=int(fitted["seed"]) % (1 << 31))
    forest.fit(fitted["spaces"]["inputs"]["neighbours"])
    return -forest.score_samples(rows.astype(np.float32))


def _whitening(rows: np.ndarray) -> np.ndarray:
    covariance = rows.T @ rows / max(len(rows) - 1, 1)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0)
    middle = values.mean() or 1.0
    return vectors / np.sqrt((1 - SHRINKAGE) * values + SHRINKAGE * middle)


def _logits(outputs: np.ndarray, output_kind: str) -> np.ndarray | None:
    if output_kind == "values":
        return None
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        other = 1 - outputs if output_kind == "probabilities" else np.zeros_like(outputs)
        outputs = np.concatenate([other, outputs], axis=1)
    return np.log(np.maximum(outputs, TINY)) if output_kind == "probabilities" else outputs
