"""What follows from the model's probabilities: a score, a decision, and how wrong it is."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from roadworthy.subject import DecisionRule, Task

LEAST_PROBABILITY = float(np.finfo(np.float64).eps)  # a loss is at most 36 nats, as in scikit-learn


@artifact(per="split", shape="n", rows=True)
def scores(probabilities: np.ndarray, task: "Task") -> np.ndarray:
    """How strongly the model says "positive": (n,) float64, larger is more likely positive.

    Log odds of the positive class (code 1 unless the task names another) when it is computed here;
    recorded scores keep their own scale. Log odds, because probabilities that round to 1 would tie.
    """
    if task.kind != "binary":
        raise NotApplicable("a score for the positive class exists for two classes only")
    positive = 1 if task.positive is None else task.positive
    log = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return log[:, positive] - log[:, 1 - positive]


@artifact(per="split", shape="n", rows=True)
def regression_outputs(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Raw prediction of a numeric target: (n,) float64 in the unit of the target.

    Apart from `predicted`, and asking for `targets`, so that a classifier's decisions never depend
    on its raw outputs: where probabilities are given, nothing above them is computed.
    """
    if outputs.size != len(targets):
        raise UserError(
            f"The model gives outputs of shape {outputs.shape} for a numeric target; one number "
            f"for each of {len(targets)} rows was expected. Let it return shape (n,) or (n, 1)."
        )
    return outputs.reshape(len(targets)).astype(np.float64)


@artifact(per="split", shape="n", rows=True)
def predicted(
    probabilities: np.ndarray | None = None, regression_outputs: np.ndarray | None = None
) -> np.ndarray:
    """Decision of the model: (n,) int64 class codes, or float64 where the target is a number.

    The most probable class; a tie goes to the lower code.
    """
    if probabilities is not None:
        return probabilities.argmax(axis=1).astype(np.int64)
    if regression_outputs is not None:
        return regression_outputs
    raise NotApplicable(
        "there are neither a model nor probabilities to decide by; "
        "give a model, or recorded probabilities or decisions"
    )


@artifact(per="split", shape="n c", rows=True)
def decisions(probabilities: np.ndarray, decision_rule: "DecisionRule | None" = None) -> np.ndarray:
    """Which classes the user is told: (n, c) bool; one in a row is an answer, several a set, none abstains.

    Without a rule the most probable class (a tie goes to the lower code).
    """
    top = np.zeros(probabilities.shape, bool)
    top[np.arange(len(top)), probabilities.argmax(axis=1)] = True
    if decision_rule is None:
        return top
    if decision_rule.kind == "abstain":
        return top & (probabilities >= decision_rule.threshold)
    return top | (probabilities >= decision_rule.threshold)


@artifact(per="split", shape="n", rows=True)
def correct(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the decision is the label: (n,) bool."""
    return predicted == labels


@artifact(per="split", shape="n", rows=True)
def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log likelihood of the label: (n,) float64 nats, 0 to 36.04.

    A probability below 2.2e-16 (the resolution of float64) counts as that.
    """
    c = probabilities.shape[1]
    if len(labels) and not 0 <= labels.min() <= labels.max() < c:
        raise UserError(
            f"Labels run from {labels.min()} to {labels.max()}, but the model knows the classes "
            f"0 to {c - 1}. Audit it on rows of these classes, or name all classes in the task."
        )
    of_label = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(of_label, LEAST_PROBABILITY, 1.0))


@artifact(per="split", shape="n", rows=True)
def residuals(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Prediction minus target: (n,) float64 in the unit of the target, positive when too high."""
    return predicted.astype(np.float64) - targets
