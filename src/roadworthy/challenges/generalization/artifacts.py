"""Shared quantities of generalization: errors, those of a guess, and one scale for both kinds of task."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Task


@artifact(per="split", shape="n", rows=True)
def errors(correct: np.ndarray | None = None, residuals: np.ndarray | None = None) -> np.ndarray:
    """How wrong the model is: (n,) float64; 0 or 1 for a class, the size of the residual for a number."""
    if correct is not None:
        return 1.0 - correct
    if residuals is not None:
        return np.abs(residuals).astype(np.float64)
    raise NotApplicable(
        "there are no decisions to compare with the target; give a model or predictions"
    )


@artifact(per="split", shape="n")
def guess_errors(
    task: "Task",
    labels: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
) -> np.ndarray:
    """How wrong the same answer for every row is: (n,) float64, on the scale of `errors`.

    The answer is the commonest class or the median of the training rows; of these rows where there
    are no training rows, which favours the guess a little.
    """
    if labels is not None:
        known = labels if train_labels is None else train_labels
        guess = int(np.bincount(known, minlength=max(len(task.classes), 1)).argmax())
        return (labels != guess).astype(np.float64)
    if targets is not None:
        known = targets if train_targets is None else train_targets
        return np.abs(targets - np.median(known))
    raise NotApplicable("these rows have no target")


@artifact()
def guess_error(train_guess_errors: np.ndarray) -> float:
    """Mean error of answering the training median, on the training rows: the yardstick for residuals."""
    scale = float(train_guess_errors.mean())
    if scale <= 0.0:
        raise NotApplicable("all training rows have the same target; there is nothing to learn")
    return scale


@artifact(per="split", shape="n", rows=True)
def merit(
    correct: np.ndarray | None = None,
    residuals: np.ndarray | None = None,
    guess_error: float | None = None,
) -> np.ndarray:
    """How good an answer is, on one scale for all tasks: (n,), larger is better.

    Classification: bool, whether it is right. Regression: float64, 1 - |residual| / `guess_error`: 1 is
    exact, 0 as far off as the training median is on average.
    """
    if correct is not None:
        return correct
    if residuals is not None and guess_error is not None:
        return 1.0 - np.abs(residuals) / guess_error
    raise NotApplicable(
        "there are no decisions to compare with the target; give a model or predictions"
    )


@artifact()
def pooled_merit(train_merit: np.ndarray, test_merit: np.ndarray) -> float:
    """Mean merit of training and test rows together."""
    return float(np.concatenate([train_merit, test_merit]).mean())
