"""Affine maps of logits fitted on held-out rows: one temperature, or a scale and a shift per class."""

from typing import NamedTuple

import numpy as np

LEAST_SCALE, LARGEST_SCALE = 0.02, 50.0


class Scaling(NamedTuple):
    """`scale` and `shift` of each class: (c,) float64."""

    scale: np.ndarray
    shift: np.ndarray

    def weakened(self, strength: float) -> "Scaling":
        """Return the map that goes this share of the way from changing nothing (0) to the whole (1)."""
        return Scaling(self.scale**strength, self.shift * strength)

    def applied(self, logits: np.ndarray) -> np.ndarray:
        """Return rescaled logits (n, c)."""
        return logits * self.scale + self.shift


def fitted_temperature(logits: np.ndarray, labels: np.ndarray) -> Scaling:
    """Return the one temperature with the least loss on these rows (Guo et al. 2017, ICML, section 4.2).

    The loss is convex in 1 / temperature; its minimum is searched between 1/50 and 50.
    """
    from scipy.optimize import minimize_scalar

    c = logits.shape[1]
    centred = logits - logits.max(axis=1, keepdims=True)
    found = minimize_scalar(
        lambda log_scale: _loss(np.exp(log_scale) * centred, labels),
        bounds=(np.log(LEAST_SCALE), np.log(LARGEST_SCALE)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return Scaling(np.full(c, float(np.exp(found.x))), np.zeros(c))


def fitted_vector(logits: np.ndarray, labels: np.ndarray, *, rows_of_doubt: float = 5.0) -> Scaling:
    """Return a scale and a shift per class (vector scaling, Guo et al. 2017, section 4.2).

    Scales (their logarithms) and shifts are drawn towards the single temperature as by `rows_of_doubt` rows
    per class, so that a class with few rows is left where the temperature puts it.
    """
    from scipy.optimize import minimize

    n, c = logits.shape
    start = fitted_temperature(logits, labels)
    log_start = float(np.log(start.scale[0]))
    is_label = labels[:, None] == np.arange(c)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        free, shift = parameters[:c], parameters[c:]
        scale = np.exp(log_start + free)
        log = _log_probabilities(logits * scale + shift)
        short = np.exp(log) - is_label  # (n, c): derivative of the loss by each logit
        loss = -log[is_label].sum() + rows_of_doubt * (free @ free + shift @ shift)
        by_scale = np.sum(short * logits * scale, axis=0) + 2 * rows_of_doubt * free
        by_shift = short.sum(axis=0) + 2 * rows_of_doubt * shift
        return float(loss) / n, np.concatenate([by_scale, by_shift]) / n

    found = minimize(objective, np.zeros(2 * c), jac=True, method="L-BFGS-B").x
    scale = np.clip(np.exp(log_start + found[:c]), LEAST_SCALE, LARGEST_SCALE)
    return Scaling(scale, found[c:])


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(-_log_probabilities(logits)[np.arange(len(labels)), labels].mean())


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
