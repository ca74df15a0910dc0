"""Checks of the probabilities as a whole, against someone who only knows how common each class is."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Intervals, Measurement
from roadworthy.statistics import mean, ratio_of_means
from roadworthy.statistics.intervals import FloatArray

if TYPE_CHECKING:
    from roadworthy.subject import Task

MOST_BRIER = 2.0  # sure of one class where another happens


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.9, "house default: a tenth of the error of knowing only the class shares must go"
    ),
    least=50,
)
def relative_brier_score(
    test_probabilities: np.ndarray,
    test_labels: np.ndarray,
    task: "Task",
    train_labels: np.ndarray | None = None,
) -> Measurement:
    """Squared error of the probabilities, as a share of the error of knowing only how common each class is.

    Brier score (1950, Monthly Weather Review 78) over that of the class shares: 0 is a perfect
    model, 1 one that knows nothing, more than 1 one that is worse than nothing. Interval by Fieller's
    theorem (1954, JRSS B 16), corrected for skewness, on the same rows. The class shares are those of the training rows
    where they are known, else those of the test rows.

    Unit: share of the error of the class shares.
    Qualified at: severity 1 of `belief_in_a_wrong_class`, n = 5,000.
    Next: look at `calibration_error`; if that passes, the inputs say too little: more rows or columns.
    """
    prior = _class_shares(test_labels, task, train_labels)
    happened = test_labels[:, None] == np.arange(test_probabilities.shape[1])
    of_model = np.sum((test_probabilities - happened) ** 2, axis=1)
    of_prior = np.sum((prior - happened) ** 2, axis=1)
    return _ratio(of_model, of_prior, "Brier score", "", MOST_BRIER)


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.9, "house default: a tenth of the loss of knowing only the class shares must go"
    ),
    least=50,
)
def relative_log_loss(
    test_losses: np.ndarray,
    test_labels: np.ndarray,
    task: "Task",
    train_labels: np.ndarray | None = None,
) -> Measurement:
    """Surprise at the true labels, as a share of the surprise of knowing only how common each class is.

    Mean negative log likelihood over that of the class shares (ignorance score: Good 1952, JRSS B 14).
    Unlike the Brier score it punishes a confident mistake without limit: a probability of
    zero for what then happens counts as 36 nats. Interval and class shares as in `relative_brier_score`.

    Unit: share of the loss of the class shares.
    Qualified at: severity 1 of `surprising_labels`, n = 5,000.
    Next: rescale the probabilities on validation rows (temperature scaling); never let one be exactly 0.
    """
    prior = _class_shares(test_labels, task, train_labels)
    impossible = int(np.sum(test_losses > 36.0))
    said = (
        f" {impossible} of {len(test_losses)} labels had been given a probability of zero."
        if impossible
        else ""
    )
    return _ratio(test_losses, -np.log(prior[test_labels]), "log loss (nats)", said, None)


def _ratio(
    of_model: FloatArray, of_prior: FloatArray, score: str, said: str, most: float | None
) -> Measurement:
    model, prior = mean(of_model, unit=score), mean(of_prior, unit=score)
    both = (model, prior)
    return ratio_of_means(
        of_model,
        of_prior,
        unit="share of the class shares' score",
        most=most,
        details=(
            f"{score[0].upper()}{score[1:]} {model.value:.4f} ({model.low:.4f} to {model.high:.4f}); "
            f"the class shares alone score {prior.value:.4f}.{said}"
        ),
        evidence=(
            Intervals(
                title=f"{score[0].upper()}{score[1:]} per test row, lower is better",
                label=Axis("forecast"),
                value=Axis(score),
                labels=("model", "class shares"),
                values=tuple(m.value for m in both),
                lows=tuple(m.low for m in both),
                highs=tuple(m.high for m in both),
            ),
        ),
    )


def _class_shares(
    test_labels: np.ndarray, task: "Task", train_labels: np.ndarray | None
) -> FloatArray:
    """Return the share of each class, none of them zero (half a row is added to each)."""
    if len(np.unique(test_labels)) < 2:
        raise NotApplicable(
            "all test rows have the same class, which is no test of probabilities; two classes are needed"
        )
    labels = test_labels if train_labels is None else train_labels
    counts = np.bincount(labels, minlength=max(len(task.classes), int(test_labels.max()) + 1)) + 0.5
    return counts / counts.sum()
