"""A split whose test rows are easier than the training rows by a known amount."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import Missing, control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@control(clears="split_luck")
def rows_shared_out_by_chance(
    subject: "Subject",
    rng: Generator,
    held_out_merit: np.ndarray,
    fold_test_merit: np.ndarray,
    pooled_fold_merit: float,
    folds: np.ndarray,
    held_out_share: float,
) -> "Subject":
    """Draw the merit of every held-out training row and every test row from those of both together.

    Neither is then easier. Answers to different rows are assumed to be independent of each other, and of the
    fold; a share of models that are right on a test row counts as all or none with that chance.
    """
    is_class = held_out_merit.dtype == bool
    pool = np.concatenate([held_out_merit, fold_test_merit]).astype(np.float64)
    held, test = rng.choice(pool, len(held_out_merit)), rng.choice(pool, len(fold_test_merit))
    if is_class:
        held = rng.random(len(held)) < held
        test = (rng.random(len(test)) < test).astype(np.float64)
    return subject.with_given(
        held_out_merit=held,
        fold_test_merit=test,
        pooled_fold_merit=pooled_fold_merit,
        folds=folds,
        held_out_share=held_out_share,
        test_merit=Missing("not_applicable", "the model under audit plays no part in this control"),
    )


@fault(
    breaks="split_luck",
    severities=(0.0125, 0.025, 0.0375, 0.05, 0.075, 0.1, 0.2),
    starts_from="rows_shared_out_by_chance",
)
def harder_training_rows(
    subject: "Subject",
    severity: float,
    rng: Generator,
    held_out_merit: np.ndarray,
    pooled_fold_merit: float,
) -> "Subject":
    """Make the models worse on held-out training rows by a known amount; test rows stay as they are.

    Classification: a right row turns wrong with the chance s / a, where a is its chance of being right, so the share
    falls from a to a - s. Regression: every merit falls by s.
    """
    if held_out_merit.dtype != bool:
        return subject.with_given(held_out_merit=held_out_merit - severity)
    if severity > pooled_fold_merit:
        raise NotApplicable(
            f"the models are right on {percent(pooled_fold_merit)} of rows; they cannot lose "
            f"{percent(severity)}"
        )
    stays = rng.random(len(held_out_merit)) >= severity / pooled_fold_merit
    return subject.with_given(held_out_merit=held_out_merit & stays)
