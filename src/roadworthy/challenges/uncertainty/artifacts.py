"""Shared quantities of uncertainty: how badly a label fits, and the threshold of conformal sets."""

from math import ceil

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

TARGET_COVERAGE = 0.90


@artifact(per="split", shape="n", rows=True)
def nonconformity(
    probabilities: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    residuals: np.ndarray | None = None,
) -> np.ndarray:
    """How badly the truth fits the prediction: (n,) float64, larger is worse.

    Classification: 1 - probability of the label, whose sets are the smallest on average (Sadinle, Lei
    & Wasserman 2019, JASA 114). Regression: size of the residual, in the unit of the target.
    """
    if residuals is not None:
        return np.abs(residuals).astype(np.float64)
    if probabilities is None or labels is None:
        raise NotApplicable(
            "validation or test rows with probabilities (or predicted numbers) and targets are missing; "
            "conformal sets need both splits"
        )
    return 1.0 - probabilities[np.arange(len(labels)), labels]


@artifact()
def conformal_threshold(validation_nonconformity: np.ndarray) -> float:
    """Largest nonconformity that a set for 90 % coverage admits, from the validation rows.

    The ceil(0.9 (n + 1))-th smallest of n (Vovk et al. 2005; Angelopoulos & Bates 2023, section 1).
    """
    n = len(validation_nonconformity)
    rank = ceil(TARGET_COVERAGE * (n + 1) - 1e-9)
    if rank > n:
        raise NotApplicable(
            f"{n} validation rows cannot set a threshold for 90 % coverage; at least 9 are needed"
        )
    return float(np.partition(validation_nonconformity, rank - 1)[rank - 1])
