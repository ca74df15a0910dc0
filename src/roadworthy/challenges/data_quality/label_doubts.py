"""Which label each row would get from models that have not seen it, and how sure they are: what a person reviews."""

import numpy as np

from roadworthy.challenges.data_quality.label_noise import fit_noise, suspicion
from roadworthy.engine import artifact

Doubts = dict[str, np.ndarray]


@artifact()
def train_label_doubts(
    cross_fitted_probabilities: np.ndarray, train_labels: np.ndarray, rng: np.random.Generator
) -> Doubts:
    """Likeliest other label of each training row, its probability, the label's own, and how suspect it is.

    (n,) each: "suggested" int64, "sureness", "own" and "suspicion" float64, from the calibrated
    pool of the cross-fitted models; see `label_errors_in_train`.
    """
    ranking = suspicion(cross_fitted_probabilities.mean(axis=0), train_labels)
    return _doubts(cross_fitted_probabilities, train_labels, ranking, rng)


@artifact()
def validation_label_doubts(
    validation_probabilities: np.ndarray, validation_labels: np.ndarray, rng: np.random.Generator
) -> Doubts:
    """As `train_label_doubts`, of validation rows, from the audited model."""
    ranking = suspicion(validation_probabilities, validation_labels)
    return _doubts(validation_probabilities[None], validation_labels, ranking, rng)


@artifact()
def test_label_doubts(
    test_probabilities: np.ndarray, test_labels: np.ndarray, rng: np.random.Generator
) -> Doubts:
    """As `train_label_doubts`, of test rows, from the audited model."""
    ranking = suspicion(test_probabilities, test_labels)
    return _doubts(test_probabilities[None], test_labels, ranking, rng)


def _doubts(
    probabilities: np.ndarray, labels: np.ndarray, ranking: np.ndarray, rng: np.random.Generator
) -> Doubts:
    rows = np.arange(len(labels))
    clean = fit_noise(probabilities, labels, rng).clean
    others = clean.copy()
    others[rows, labels] = -1.0
    suggested = others.argmax(axis=1)
    return {
        "suggested": suggested.astype(np.int64),
        "sureness": others[rows, suggested],
        "own": clean[rows, labels],
        "suspicion": ranking,
    }
