"""Known shortfalls on unseen rows, against simple models and against a guess."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import Missing, control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="overfitting_gap")
def equally_hard_rows(
    subject: "Subject",
    rng: Generator,
    train_predicted: np.ndarray,
    test_predicted: np.ndarray,
    pooled_merit: float,
    train_residuals: np.ndarray | None = None,
    test_residuals: np.ndarray | None = None,
) -> "Subject":
    """Redraw the targets of training and test rows so that the model is equally good on both.

    Classification: every row is right with the same chance, that of all rows together. Regression: every
    residual is drawn from those of all rows together. Predictions are frozen; errors of different
    rows are assumed to be independent.
    """
    predicted = {"train": train_predicted, "test": test_predicted}
    pool = None
    if train_residuals is not None and test_residuals is not None:
        pool = np.concatenate([train_residuals, test_residuals])
    for name, values in predicted.items():
        if pool is not None:
            target = values - rng.choice(pool, len(values))
        else:
            right = rng.random(len(values)) < pooled_merit
            target = np.where(right, values, _other(values, subject, rng))
        subject = subject.with_target(name, target)
    # A merit on validation rows would come from a model that is trained on the redrawn targets.
    absent = Missing("not_applicable", "validation rows play no part in this control")
    return subject.with_given(
        train_predicted=train_predicted,
        test_predicted=test_predicted,
        validation_merit=absent,
        pooled_merit=pooled_merit,
    )


@fault(
    breaks="overfitting_gap",
    severities=(0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3),
    starts_from="equally_hard_rows",
)
def harder_test_rows(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    pooled_merit: float,
    guess_error: float | None = None,
) -> "Subject":
    """Make the model worse on test rows by a known amount; training rows stay as they are.

    Classification: a right row turns wrong with the chance s / a, where a is its chance of being right, so
    the share right falls from a to a - s. Regression: every residual grows by s times the yardstick.

    Also alarms: shortfall_to_simple_models (fewer test rows are right), calibration_error (the same), classwise_calibration_error (the same), selective_risk (the same), conformal_shortfall (the same).
    """
    target = subject.splits["test"].target
    assert target is not None
    if not subject.task.is_classification:
        assert guess_error is not None
        residuals = test_predicted - target
        away = np.where(residuals < 0.0, -1.0, 1.0) * severity * guess_error
        return subject.with_target("test", target - away)
    if severity > pooled_merit:
        raise NotApplicable(
            f"the model is right on {percent(pooled_merit)} of rows; it cannot lose {percent(severity)}"
        )
    turns = (target == test_predicted) & (rng.random(len(target)) < severity / pooled_merit)
    return subject.with_target("test", np.where(turns, _other(target, subject, rng), target))


@control(clears="underfitting")
def fairly_shared_training_rows(
    subject: "Subject",
    rng: Generator,
    train_merit: np.ndarray,
    simple_train_merits: Mapping[str, np.ndarray],
    simple_choice: str,
    simple_rows: np.ndarray,
) -> "Subject":
    """Swap the answers of the model and the simple model on each training row with the chance 1/2.

    Neither is then better: the mean difference is 0, with as many rows on which they differ as there are.
    """
    model, simple = _swapped(train_merit[simple_rows], simple_train_merits[simple_choice], rng)
    merit = train_merit.copy()
    merit[simple_rows] = model
    return subject.with_given(
        train_merit=merit,
        simple_train_merits={**simple_train_merits, simple_choice: simple},
        simple_choice=simple_choice,
        simple_rows=simple_rows,
    )


@fault(
    breaks="underfitting",
    severities=(0.0125, 0.025, 0.0375, 0.05, 0.075, 0.1, 0.2),
    starts_from="fairly_shared_training_rows",
)
def missed_training_rows(
    subject: "Subject",
    severity: float,
    rng: Generator,
    train_merit: np.ndarray,
    simple_train_merits: Mapping[str, np.ndarray],
    simple_choice: str,
    simple_rows: np.ndarray,
) -> "Subject":
    """Let the model miss training rows that the simple model gets right: the difference is s exactly.

    Classification: with the chance s a row is one of these, and else as before, where the mean
    difference is 0. Regression: the model's merit falls by s in every row.
    """
    chosen = simple_train_merits[simple_choice]
    model, simple = _missed(train_merit[simple_rows], chosen, severity, rng)
    merit = train_merit.copy()
    merit[simple_rows] = model
    return subject.with_given(
        train_merit=merit, simple_train_merits={**simple_train_merits, simple_choice: simple}
    )


@control(clears="shortfall_to_simple_models")
def fairly_shared_test_rows(
    subject: "Subject",
    rng: Generator,
    test_merit: np.ndarray,
    simple_test_merits: Mapping[str, np.ndarray],
    simple_choice: str,
) -> "Subject":
    """Swap the answers of the model and the simple model on each test row with the chance 1/2.

    Neither is then better: the mean difference is 0, with as many rows on which they differ as there are.
    """
    model, simple = _swapped(test_merit, simple_test_merits[simple_choice], rng)
    return subject.with_given(
        test_merit=model,
        simple_test_merits={**simple_test_merits, simple_choice: simple},
        simple_choice=simple_choice,
    )


@fault(
    breaks="shortfall_to_simple_models",
    severities=(0.0075, 0.015, 0.03, 0.045, 0.06, 0.1),
    starts_from="fairly_shared_test_rows",
)
def missed_test_rows(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_merit: np.ndarray,
    simple_test_merits: Mapping[str, np.ndarray],
    simple_choice: str,
) -> "Subject":
    """Let the model miss test rows that the simple model gets right: the difference is s exactly.

    See `missed_training_rows`.
    """
    model, simple = _missed(test_merit, simple_test_merits[simple_choice], severity, rng)
    return subject.with_given(
        test_merit=model, simple_test_merits={**simple_test_merits, simple_choice: simple}
    )


@control(clears="errors_left")
def always_right(
    subject: "Subject",
    rng: Generator,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
) -> "Subject":
    """Freeze predictions that are the test targets: no error is left."""
    del rng
    return subject.with_given(test_predicted=test_targets if test_labels is None else test_labels)


@fault(
    breaks="errors_left",
    severities=(0.3, 0.6, 0.8, 0.85, 0.9, 0.95, 1.0),
    starts_from="always_right",
)
def mistakes_of_a_guess(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_predicted: np.ndarray,
    test_guess_errors: np.ndarray,
) -> "Subject":
    """Make the wanted share of the mistakes of a constant answer, on rows drawn without regard to it.

    The targets, and with them the errors g of the constant answer, stay. Classification: a row is wrong with
    the chance s x mean(g). Regression: residuals are exponential with the mean s x mean(g), either way.
    The ratio of expectations is s exactly.

    Also alarms: shortfall_to_simple_models (fewer test rows are right), overfitting_gap (the same), rarest_class_missed (mistakes fall on rows of every class), selective_risk (mistakes fall on sure rows too).
    """
    if severity == 0.0:
        return subject
    wanted = severity * float(test_guess_errors.mean())
    n = len(test_predicted)
    if not subject.task.is_classification:
        sign = rng.choice(np.array([-1.0, 1.0]), n)
        return subject.with_given(test_predicted=test_predicted + sign * rng.exponential(wanted, n))
    if wanted > 1.0:
        raise NotApplicable(f"{percent(wanted, 0)} of rows would have to be wrong")
    wrong = rng.random(n) < wanted
    return subject.with_given(
        test_predicted=np.where(wrong, _other(test_predicted, subject, rng), test_predicted)
    )


@control(clears="ranking_error")
def perfectly_ordered_scores(
    subject: "Subject", rng: Generator, test_labels: np.ndarray
) -> "Subject":
    """Freeze scores that put every positive test row above every negative one."""
    noise = rng.random(len(test_labels))
    return subject.with_given(test_scores=_is_positive(subject, test_labels) + 0.5 * noise)


@fault(
    breaks="ranking_error",
    severities=(0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5),
    starts_from="perfectly_ordered_scores",
)
def scores_that_overlap(
    subject: "Subject", severity: float, rng: Generator, test_labels: np.ndarray
) -> "Subject":
    """Draw scores from two normal curves so far apart that a pair is out of order with the chance s.

    Positive minus negative score is normal with mean d and variance 2, below 0 with the chance
    Phi(-d / sqrt 2) = s for d = -sqrt 2 Phi^-1(s) (binormal model, Hanley & McNeil 1982).
    """
    from scipy.special import ndtri

    if severity == 0.0:
        return subject
    apart = -np.sqrt(2.0) * float(ndtri(severity))
    noise = rng.normal(size=len(test_labels))
    return subject.with_given(test_scores=apart * _is_positive(subject, test_labels) + noise)


def _is_positive(subject: "Subject", labels: np.ndarray) -> np.ndarray:
    if subject.task.kind != "binary":
        raise NotApplicable("one score orders rows of two classes only")
    return labels == (1 if subject.task.positive is None else subject.task.positive)


def _other(labels: np.ndarray, subject: "Subject", rng: Generator) -> np.ndarray:
    c = len(subject.task.classes)
    return (labels + rng.integers(1, c, len(labels))) % c


def _swapped(a: np.ndarray, b: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    swap = rng.random(len(a)) < 0.5
    return np.where(swap, b, a), np.where(swap, a, b)


def _missed(
    model: np.ndarray, simple: np.ndarray, severity: float, rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    if model.dtype != bool:
        return model - severity, simple
    missed = rng.random(len(model)) < severity
    return model & ~missed, simple | missed
